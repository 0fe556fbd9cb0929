//! Module 3, `srv`, without the checker's methods: what is not here is answered `UNKNOWN_METHOD`.

use drpc::{Context, Der, Failure, drpc_module};
use uuid::Uuid;

use super::engines::Engines;
use super::events::Events;
use super::store::{Pool, Store, StoreError};
use crate::messages::mgmt::{PoolServiceState, SystemGetPropReq, SystemGetPropResp};
use crate::messages::shared::{ClusterEventReq, ClusterEventResp};
use crate::messages::srv::{
    GetPoolSvcReq, GetPoolSvcResp, ListPoolsReq, ListPoolsResp, NotifyReadyReq, PoolFindByLabelReq,
    PoolFindByLabelResp, list_pools_resp,
};

/// What the server does for its engines.
#[derive(Debug)]
pub struct Srv {
    store: Store,
    engines: Engines,
    events: Events,
}

impl Srv {
    /// For these engines.
    pub fn new(store: Store, engines: Engines, events: Events) -> Self {
        Srv { store, engines, events }
    }
}

#[drpc_module(id = 3)]
impl Srv {
    /// An engine that this server has started is ready to be called.
    #[method(1)]
    fn notify_ready(&self, context: &Context, req: NotifyReadyReq) -> Result<(), Failure> {
        self.engines.notify_ready(context.peer().pid(), req)
    }

    /// Gets the service replicas of a pool. What is no UUID is a failure.
    #[method(3, idempotent)]
    async fn get_pool_svc(&self, req: GetPoolSvcReq) -> Result<GetPoolSvcResp, Failure> {
        let uuid: Uuid = req.uuid.parse().map_err(Failure::from_error)?;
        Ok(match self.store.get(uuid).await {
            Ok(pool) => GetPoolSvcResp { status: 0, svcreps: pool.svc_reps },
            Err(error) => GetPoolSvcResp { status: not_found(&error), svcreps: Vec::new() },
        })
    }

    /// Hears of an event. The engine does not wait for the reply; one that does hears that it has come, whatever becomes of it.
    #[method(4)]
    async fn cluster_event(&self, req: ClusterEventReq) -> Result<ClusterEventResp, Failure> {
        self.events.raise(req.event.ok_or("there is no event")?).await;
        Ok(ClusterEventResp { sequence: req.sequence, status: 0 })
    }

    /// Finds a pool by its label.
    #[method(5, idempotent)]
    async fn pool_find_bylabel(&self, req: PoolFindByLabelReq) -> PoolFindByLabelResp {
        match self.store.find(&req.label).await {
            Ok((uuid, pool)) => {
                PoolFindByLabelResp { status: 0, uuid: uuid.to_string(), svcreps: pool.svc_reps }
            }
            Err(error) => PoolFindByLabelResp { status: not_found(&error), ..Default::default() },
        }
    }

    /// Lists the pools: those that are ready, or all.
    #[method(10, idempotent)]
    async fn list_pools(&self, req: ListPoolsReq) -> Result<ListPoolsResp, StoreError> {
        let mut pools = self.store.pools().await?;
        pools.retain(|(_, pool)| req.include_all || pool.state() == PoolServiceState::Ready);
        let listed = |(uuid, pool): (Uuid, Pool)| list_pools_resp::Pool {
            uuid: uuid.to_string(),
            label: pool.label().to_owned(),
            svcreps: pool.svc_reps,
        };
        Ok(ListPoolsResp { pools: pools.into_iter().map(listed).collect() })
    }

    /// Gets properties of the system: those that are asked for, or all. The reply has no status, so one that is not set is a failure.
    #[method(11, idempotent)]
    async fn get_sys_props(&self, req: SystemGetPropReq) -> Result<SystemGetPropResp, Failure> {
        let mut all = self.store.properties().await.map_err(Failure::from_error)?;
        if req.keys.is_empty() {
            return Ok(SystemGetPropResp { properties: all });
        }
        let asked = req.keys.into_iter().map(|key| match all.remove(&key) {
            Some(value) => Ok((key, value)),
            None => Err(format!("the system has no property `{key}`")),
        });
        Ok(SystemGetPropResp { properties: asked.collect::<Result<_, _>>()? })
    }
}

/// What a reply says where a pool is not found, for whatever reason.
fn not_found(error: &StoreError) -> i32 {
    tracing::info!("{error}");
    Der::NONEXIST.code()
}
