//! The engine's part of module 2, `mgmt` (D7). What is not here is answered `UNKNOWN_METHOD`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use drpc::progress::Client;
use drpc::{CallOptions, Der, drpc_module};

use super::acl::Acl;
use super::log_masks::LogMasks;
use super::member::Member;
use super::pools::{Pool, Pools};
use crate::contract::SrvClient;
use crate::messages::ctl::{SetLogMasksReq, SetLogMasksResp};
use crate::messages::mgmt::{
    AclResp, DaosResp, DeleteAclReq, GetAclReq, GetGroupStatusReq, GetGroupStatusResp, GroupUpdateReq,
    GroupUpdateResp, ListContReq, ListContResp, ModifyAclReq, PingRankReq, PoolCreateReq, PoolCreateResp,
    PoolDestroyReq, PoolDestroyResp, PoolEvictReq, PoolEvictResp, PoolGetPropReq, PoolGetPropResp,
    PoolQueryReq, PoolQueryResp, PoolSetPropReq, PoolSetPropResp, PrepShutdownReq, SetRankReq,
};
use crate::messages::shared::ClusterEventReq;
use crate::requests::{Reply, failed};
use crate::{pool, ras};

/// Management, as far as it is the engine's.
#[derive(Debug)]
pub struct Mgmt {
    engine: Mutex<Engine>,
    masks: LogMasks,
    server: SrvClient<Client>,
    /// How many were sent.
    events: AtomicU64,
}

#[derive(Debug)]
struct Engine {
    member: Member,
    pools: Pools,
}

impl Mgmt {
    /// An engine with these pools, whose events this server hears of.
    #[must_use]
    pub fn new(pools: Pools, masks: LogMasks, server: SrvClient<Client>) -> Self {
        Mgmt {
            engine: Mutex::new(Engine { member: Member::default(), pools }),
            masks,
            server,
            events: AtomicU64::new(0),
        }
    }
}

#[drpc_module(id = 2)]
impl Mgmt {
    /// Gives the engine its rank.
    #[method(2)]
    fn set_rank(&self, req: SetRankReq) -> DaosResp {
        done(self.engine().member.set_rank(req.rank))
    }

    /// Creates a pool, and tells the server where its service is.
    #[method(7)]
    fn pool_create(&self, req: PoolCreateReq) -> PoolCreateResp {
        let uuid = req.uuid.clone();
        let mut engine = self.engine();
        let created = engine.member.takes_pools().and_then(|rank| engine.pools.create(rank, req));
        drop(engine);
        if let (Ok(reply), Ok(uuid)) = (&created, pool::uuid(&uuid)) {
            let event = ras::pool_replicas(reply.svc_ldr, uuid, reply.svc_reps.clone(), 1);
            let req =
                ClusterEventReq { sequence: self.events.fetch_add(1, Ordering::Relaxed), event: Some(event) };
            // Sent, and not waited for (C6).
            self.server.with(CallOptions::new().no_response()).cluster_event(req).detach();
        }
        created.unwrap_or_else(failed)
    }

    /// Destroys a pool.
    #[method(8)]
    fn pool_destroy(&self, req: PoolDestroyReq) -> PoolDestroyResp {
        done(self.pools(|pools| pools.destroy(&req)))
    }

    /// Finishes the set-up.
    #[method(9, idempotent)]
    fn set_up(&self) -> DaosResp {
        done(self.engine().member.set_up())
    }

    /// Gets the ACL of a pool.
    #[method(13, idempotent)]
    fn pool_get_acl(&self, req: GetAclReq) -> AclResp {
        self.acl(&req.id, |_| Ok(()))
    }

    /// Replaces the ACL of a pool.
    #[method(15)]
    fn pool_overwrite_acl(&self, req: ModifyAclReq) -> AclResp {
        self.acl(&req.id, |acl| acl.overwrite(&req.entries))
    }

    /// Adds or changes entries of a pool's ACL.
    #[method(16)]
    fn pool_update_acl(&self, req: ModifyAclReq) -> AclResp {
        self.acl(&req.id, |acl| acl.update(&req.entries))
    }

    /// Removes an entry from a pool's ACL.
    #[method(17)]
    fn pool_delete_acl(&self, req: DeleteAclReq) -> AclResp {
        self.acl(&req.id, |acl| acl.delete(&req.principal))
    }

    /// Prepares for the engine's end: it takes no new pools.
    #[method(18)]
    fn prep_shutdown(&self, req: PrepShutdownReq) -> DaosResp {
        let member = &mut self.engine().member;
        done(member.is_rank(req.rank).map(|()| member.leave()))
    }

    /// Lists the containers of a pool.
    #[method(22, idempotent)]
    fn list_containers(&self, req: ListContReq) -> ListContResp {
        let containers = self.pool(&req.id, |pool| Ok(pool.containers()));
        containers.map_or_else(failed, |containers| ListContResp { status: 0, containers })
    }

    /// Queries a pool.
    #[method(23, idempotent)]
    fn pool_query(&self, req: PoolQueryReq) -> PoolQueryResp {
        self.pools(|pools| pools.query(&req)).unwrap_or_else(failed)
    }

    /// Sets properties of a pool.
    #[method(24)]
    fn pool_set_prop(&self, req: PoolSetPropReq) -> PoolSetPropResp {
        done(self.pool(&req.id, |pool| pool.set_properties(&req.properties)))
    }

    /// Checks that the engine answers, and is who the caller thinks.
    #[method(25, idempotent)]
    fn ping_rank(&self, req: PingRankReq) -> DaosResp {
        done(self.engine().member.is_rank(req.rank))
    }

    /// Evicts connections of a pool.
    #[method(30)]
    fn pool_evict(&self, req: PoolEvictReq) -> PoolEvictResp {
        let evicted = self.pools(|pools| pools.evict(&req));
        evicted.map_or_else(failed, |count| PoolEvictResp { status: 0, count })
    }

    /// Hears who belongs to the system.
    #[method(32)]
    fn group_update(&self, req: GroupUpdateReq) -> GroupUpdateResp {
        self.engine().member.update_group(&req);
        GroupUpdateResp { status: 0 }
    }

    /// Gets properties of a pool.
    #[method(37, idempotent)]
    fn pool_get_prop(&self, req: PoolGetPropReq) -> PoolGetPropResp {
        let properties = self.pool(&req.id, |pool| pool.properties(&req.properties));
        properties.map_or_else(failed, |properties| PoolGetPropResp { status: 0, properties })
    }

    /// Sets what the engine tells of itself.
    #[method(38)]
    fn set_log_masks(&self, req: SetLogMasksReq) -> SetLogMasksResp {
        self.masks.set(&req)
    }

    /// Says which members of the system it holds for dead.
    #[method(48, idempotent)]
    fn group_status_get(&self, req: GetGroupStatusReq) -> GetGroupStatusResp {
        let dead = self.engine().member.dead_ranks(req.map_version);
        dead.map_or_else(failed, |dead_ranks| GetGroupStatusResp { status: 0, dead_ranks })
    }
}

impl Mgmt {
    fn engine(&self) -> MutexGuard<'_, Engine> {
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the pools, once the engine is set up.
    fn pools<T>(&self, act: impl FnOnce(&mut Pools) -> Result<T, Der>) -> Result<T, Der> {
        let mut engine = self.engine();
        engine.member.serves_pools()?;
        act(&mut engine.pools)
    }

    /// Does something with a pool.
    fn pool<T>(&self, id: &str, act: impl FnOnce(&mut Pool) -> Result<T, Der>) -> Result<T, Der> {
        self.pools(|pools| act(pools.get(id)?))
    }

    /// Changes a pool's ACL, or does not; answers with what it is then.
    fn acl(&self, id: &str, change: impl FnOnce(&mut Acl) -> Result<(), Der>) -> AclResp {
        let access = self.pool(id, |pool| {
            change(&mut pool.acl)?;
            Ok(pool.access())
        });
        access.map_or_else(failed, |access| AclResp { status: 0, acl: Some(access) })
    }
}

/// The reply of a method that says nothing but how it went.
fn done<R: Reply>(result: Result<(), Der>) -> R {
    failed(result.err().unwrap_or(Der::SUCCESS))
}
