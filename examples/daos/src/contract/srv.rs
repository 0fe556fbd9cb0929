//! Module 3: what a server does for the engines that it started.

use drpc::drpc_module;

use crate::messages::mgmt::{SystemGetPropReq, SystemGetPropResp};
use crate::messages::shared::{
    CheckDeregPoolReq, CheckDeregPoolResp, CheckListPoolReq, CheckListPoolResp, CheckRegPoolReq,
    CheckRegPoolResp, CheckReportReq, CheckReportResp, ClusterEventReq, ClusterEventResp,
};
use crate::messages::srv::{
    GetPoolSvcReq, GetPoolSvcResp, ListPoolsReq, ListPoolsResp, NotifyReadyReq, PoolFindByLabelReq,
    PoolFindByLabelResp,
};

/// Server: served by the server.
#[drpc_module(id = 3, client_only)]
pub trait Srv {
    /// Tells the server that an engine is ready to be called.
    #[method(1)]
    fn notify_ready(&self, req: NotifyReadyReq);

    /// Gets the service replicas of a pool.
    #[method(3, idempotent)]
    fn get_pool_svc(&self, req: GetPoolSvcReq) -> GetPoolSvcResp;

    /// Reports an event. An engine sends it with `CallOptions::no_response` (C6).
    #[method(4)]
    fn cluster_event(&self, req: ClusterEventReq) -> ClusterEventResp;

    /// Finds a pool by its label.
    #[method(5, idempotent)]
    fn pool_find_bylabel(&self, req: PoolFindByLabelReq) -> PoolFindByLabelResp;

    /// Lists the pools for the checker.
    #[method(6, idempotent)]
    fn chk_list_pool(&self, req: CheckListPoolReq) -> CheckListPoolResp;

    /// Registers a pool for the checker.
    #[method(7)]
    fn chk_reg_pool(&self, req: CheckRegPoolReq) -> CheckRegPoolResp;

    /// Removes a pool for the checker.
    #[method(8)]
    fn chk_dereg_pool(&self, req: CheckDeregPoolReq) -> CheckDeregPoolResp;

    /// Reports a finding of the checker.
    #[method(9)]
    fn chk_report(&self, req: CheckReportReq) -> CheckReportResp;

    /// Lists the pools.
    #[method(10, idempotent)]
    fn list_pools(&self, req: ListPoolsReq) -> ListPoolsResp;

    /// Gets properties of the system.
    #[method(11, idempotent)]
    fn get_sys_props(&self, req: SystemGetPropReq) -> SystemGetPropResp;
}
