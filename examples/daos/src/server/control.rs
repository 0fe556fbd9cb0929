//! What administrators and agents ask of the server: a part of module 2, `mgmt`, at a socket of its own.
//!
//! In DAOS this is gRPC, over TCP: `dmg pool create` and the agent's questions. Here it is the same messages as the engine takes, by dRPC. The
//! server sees to names and to what is on disk, and has the engine do the rest.

use drpc::{Der, drpc_module};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::engines::{Engines, Turn};
use super::store::{Pool, Store, StoreError};
use crate::contract::MgmtMethod as Engine;
use crate::kept::Kept;
use crate::messages::mgmt::{
    AclResp, BuildInfo, ClientNetHint, DeleteAclReq, GetAclReq, GetAttachInfoReq, GetAttachInfoResp,
    ListContReq, ListContResp, ModifyAclReq, PoolCreateReq, PoolCreateResp, PoolDestroyReq, PoolDestroyResp,
    PoolEvictReq, PoolEvictResp, PoolGetPropReq, PoolGetPropResp, PoolQueryReq, PoolQueryResp,
    PoolServiceState, PoolSetPropReq, PoolSetPropResp,
};
use crate::pool;
use crate::requests::{AboutPool, Reply, failed};

/// The name of its socket.
pub const SOCKET: &str = "daos_control.sock";

/// Management, as far as the server has a hand in it.
#[derive(Debug)]
pub struct Mgmt {
    system: String,
    store: Store,
    engines: Engines,
    /// One change at a time, so that what a label or pool is can't change between a look and a deed.
    changes: Mutex<()>,
}

impl Mgmt {
    /// Of this system.
    #[must_use]
    pub fn new(system: String, store: Store, engines: Engines) -> Self {
        Mgmt { system, store, engines, changes: Mutex::default() }
    }
}

#[drpc_module(id = 2)]
impl Mgmt {
    /// Tells an agent how to reach the system.
    #[method(6, idempotent)]
    fn get_attach_info(&self, req: GetAttachInfoReq) -> GetAttachInfoResp {
        if req.sys != self.system {
            return failed(Der::INVAL);
        }
        let (mut rank_uris, version) = self.engines.uris();
        if rank_uris.is_empty() {
            return failed(Der::AGAIN);
        }
        let ms_ranks = self.engines.ranks();
        if !req.all_ranks {
            rank_uris.retain(|uri| ms_ranks.contains(&uri.rank));
        }
        GetAttachInfoResp {
            rank_uris,
            ms_ranks,
            client_net_hint: Some(ClientNetHint { provider: "none".into(), ..Default::default() }),
            data_version: version.into(),
            sys: req.sys,
            build_info: Some(build_info()),
            ..Default::default()
        }
    }

    /// Creates a pool: acknowledged, it is on disk.
    #[method(7)]
    async fn pool_create(&self, req: Kept<PoolCreateReq>) -> Kept<PoolCreateResp> {
        self.create(req).await.unwrap_or_else(failed)
    }

    /// Destroys a pool.
    #[method(8)]
    async fn pool_destroy(&self, req: Kept<PoolDestroyReq>) -> Kept<PoolDestroyResp> {
        self.destroy(req).await.unwrap_or_else(failed)
    }

    /// Gets the ACL of a pool.
    #[method(13, idempotent)]
    async fn pool_get_acl(&self, req: Kept<GetAclReq>) -> Kept<AclResp> {
        self.ask(Engine::PoolGetAcl, req).await.unwrap_or_else(failed)
    }

    /// Replaces the ACL of a pool.
    #[method(15)]
    async fn pool_overwrite_acl(&self, req: Kept<ModifyAclReq>) -> Kept<AclResp> {
        self.change(Engine::PoolOverwriteAcl, req, note_acl).await.unwrap_or_else(failed)
    }

    /// Adds or changes entries of a pool's ACL.
    #[method(16)]
    async fn pool_update_acl(&self, req: Kept<ModifyAclReq>) -> Kept<AclResp> {
        self.change(Engine::PoolUpdateAcl, req, note_acl).await.unwrap_or_else(failed)
    }

    /// Removes an entry from a pool's ACL.
    #[method(17)]
    async fn pool_delete_acl(&self, req: Kept<DeleteAclReq>) -> Kept<AclResp> {
        self.change(Engine::PoolDeleteAcl, req, note_acl).await.unwrap_or_else(failed)
    }

    /// Lists the containers of a pool.
    #[method(22, idempotent)]
    async fn list_containers(&self, req: Kept<ListContReq>) -> Kept<ListContResp> {
        self.ask(Engine::ListContainers, req).await.unwrap_or_else(failed)
    }

    /// Queries a pool.
    #[method(23, idempotent)]
    async fn pool_query(&self, req: Kept<PoolQueryReq>) -> Kept<PoolQueryResp> {
        self.ask(Engine::PoolQuery, req).await.unwrap_or_else(failed)
    }

    /// Sets properties of a pool.
    #[method(24)]
    async fn pool_set_prop(&self, req: Kept<PoolSetPropReq>) -> Kept<PoolSetPropResp> {
        let new = req.properties.clone();
        let note = move |pool: &mut Pool, _: &_| pool::set(&mut pool.request.properties, &new);
        self.change(Engine::PoolSetProp, req, note).await.unwrap_or_else(failed)
    }

    /// Evicts connections of a pool.
    #[method(30)]
    async fn pool_evict(&self, req: Kept<PoolEvictReq>) -> Kept<PoolEvictResp> {
        self.ask(Engine::PoolEvict, req).await.unwrap_or_else(failed)
    }

    /// Gets properties of a pool.
    #[method(37, idempotent)]
    async fn pool_get_prop(&self, req: Kept<PoolGetPropReq>) -> Kept<PoolGetPropResp> {
        self.ask(Engine::PoolGetProp, req).await.unwrap_or_else(failed)
    }
}

impl Mgmt {
    /// On disk first, as being created, so that two can't have a label; then at the engine; then on disk as ready.
    async fn create(&self, mut req: Kept<PoolCreateReq>) -> Result<Kept<PoolCreateResp>, Der> {
        self.is_ours(&req.sys)?;
        let uuid = pool::uuid(&req.uuid)?;
        req.properties = pool::once(&req.properties);
        if req.ranks.is_empty() {
            req.ranks = self.engines.ranks();
        }
        let _alone = self.changes.lock().await;
        let turn = self.engines.turn(*req.ranks.first().ok_or(Der::AGAIN)?).await?;
        let pool =
            Pool { state: PoolServiceState::Creating.into(), request: req.clone(), svc_reps: Vec::new() };
        self.store.add(uuid, pool).await.map_err(logged)?;

        let reply = turn.call::<_, Kept<PoolCreateResp>>(Engine::PoolCreate, req).await;
        if let Ok(reply) = &reply
            && reply.status == 0
        {
            let svc_reps = reply.svc_reps.clone();
            let ready = move |pool: &mut Pool| {
                pool.state = PoolServiceState::Ready.into();
                pool.svc_reps = svc_reps;
            };
            self.store.update(uuid, ready).await.map_err(logged)?;
        } else {
            self.store.remove(uuid).await.map_err(logged)?;
            give_up(&turn, uuid).await;
        }
        reply
    }

    async fn destroy(&self, req: Kept<PoolDestroyReq>) -> Result<Kept<PoolDestroyResp>, Der> {
        let _alone = self.changes.lock().await;
        let (uuid, turn, req) = self.at_its_engine(req).await?;
        self.set_state(uuid, PoolServiceState::Destroying).await?;
        let mut reply = turn.call::<_, Kept<PoolDestroyResp>>(Engine::PoolDestroy, req).await;
        if let Ok(reply) = &mut reply
            && [Der::SUCCESS, Der::NONEXIST].contains(&Der::from(reply.status))
        {
            // The engine may have destroyed it before, and answered too late.
            reply.status = 0;
            self.store.remove(uuid).await.map_err(logged)?;
        } else {
            self.set_state(uuid, PoolServiceState::Ready).await?;
        }
        reply
    }

    /// Has the pool's engine answer.
    async fn ask<Q: AboutPool, R: Reply>(&self, method: Engine, req: Kept<Q>) -> Result<Kept<R>, Der> {
        let (_, turn, req) = self.at_its_engine(req).await?;
        turn.call(method, req).await
    }

    /// Has the pool's engine change it, and notes the change, so that it outlives the engine.
    async fn change<Q: AboutPool, R: Reply>(
        &self,
        method: Engine,
        req: Kept<Q>,
        note: impl FnOnce(&mut Pool, &R) + Send + 'static,
    ) -> Result<Kept<R>, Der> {
        let _alone = self.changes.lock().await;
        let (uuid, turn, req) = self.at_its_engine(req).await?;
        if let Some(label) = req.new_label()
            && self.store.find(label).await.is_ok_and(|(other, _)| other != uuid)
        {
            return Err(Der::EXIST);
        }
        let reply: Kept<R> = turn.call(method, req).await?;
        if reply.status() == 0 {
            let changed = reply.clone();
            self.store.update(uuid, move |pool| note(pool, &changed)).await.map_err(logged)?;
        }
        Ok(reply)
    }

    /// The pool that a request names, a turn at its engine, and the request as the engine takes it: with a UUID.
    async fn at_its_engine<Q: AboutPool>(&self, mut req: Kept<Q>) -> Result<(Uuid, Turn<'_>, Kept<Q>), Der> {
        let (sys, id, svc_ranks) = req.parts();
        self.is_ours(sys)?;
        let (uuid, pool) = match Uuid::parse_str(id) {
            Ok(uuid) => (uuid, self.store.get(uuid).await.map_err(logged)?),
            Err(_) => self.store.find(id).await.map_err(logged)?,
        };
        *id = uuid.to_string();
        svc_ranks.clone_from(&pool.svc_reps);
        let turn = self.engines.turn(*pool.svc_reps.first().ok_or(Der::AGAIN)?).await?;
        Ok((uuid, turn, req))
    }

    async fn set_state(&self, uuid: Uuid, state: PoolServiceState) -> Result<(), Der> {
        self.store.update(uuid, move |pool| pool.state = state.into()).await.map_err(logged)
    }

    fn is_ours(&self, system: &str) -> Result<(), Der> {
        if system == self.system { Ok(()) } else { Err(Der::INVAL) }
    }
}

/// A pool that is not acknowledged must not stay at an engine that has made it after all.
async fn give_up(turn: &Turn<'_>, uuid: Uuid) {
    let req = PoolDestroyReq { id: uuid.to_string(), force: true, recursive: true, ..Default::default() };
    match turn.call::<_, PoolDestroyResp>(Engine::PoolDestroy, req).await {
        Ok(reply) => tracing::debug!("pool {uuid} is given up: {}", Der::from(reply.status)),
        // Then it is the engine that is gone.
        Err(code) => tracing::debug!("pool {uuid} is given up with its engine: {code}"),
    }
}

/// Notes what the ACL is now.
fn note_acl(pool: &mut Pool, reply: &AclResp) {
    pool.request.acl = reply.acl.iter().flat_map(|acl| &acl.entries).cloned().collect();
}

/// What a reply says of an error.
fn logged(error: StoreError) -> Der {
    tracing::info!("{error}");
    error.der()
}

fn build_info() -> BuildInfo {
    let number = |text: &str| text.parse().unwrap_or_default();
    BuildInfo {
        major: number(env!("CARGO_PKG_VERSION_MAJOR")),
        minor: number(env!("CARGO_PKG_VERSION_MINOR")),
        patch: number(env!("CARGO_PKG_VERSION_PATCH")),
        tag: env!("CARGO_PKG_NAME").into(),
    }
}
