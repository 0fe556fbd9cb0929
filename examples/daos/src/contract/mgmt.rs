//! Module 2: what agents do for client processes, and engines for the server that started them.

use drpc::drpc_module;

use crate::messages::ctl::{
    BioHealthReq, BioHealthResp, DevManageResp, DevReplaceReq, LedManageReq, SetFaultyReq, SetLogMasksReq,
    SetLogMasksResp, SmdDevReq, SmdDevResp, SmdPoolReq, SmdPoolResp,
};
use crate::messages::mgmt::{
    AclResp, CheckActReq, CheckActResp, CheckPropReq, CheckPropResp, CheckQueryReq, CheckQueryResp,
    CheckSetPolicyReq, CheckStartReq, CheckStartResp, CheckStopReq, CheckStopResp, ClientTelemetryReq,
    ClientTelemetryResp, ContSetOwnerReq, DaosResp, DeleteAclReq, GetAclReq, GetAttachInfoReq,
    GetAttachInfoResp, GetGroupStatusReq, GetGroupStatusResp, GroupUpdateReq, GroupUpdateResp, ListContReq,
    ListContResp, ModifyAclReq, PingRankReq, PoolCreateReq, PoolCreateResp, PoolDestroyReq, PoolDestroyResp,
    PoolDrainReq, PoolDrainResp, PoolEvictReq, PoolEvictResp, PoolExcludeReq, PoolExcludeResp, PoolExtendReq,
    PoolExtendResp, PoolGetPropReq, PoolGetPropResp, PoolMonitorReq, PoolQueryReq, PoolQueryResp,
    PoolQueryTargetReq, PoolQueryTargetResp, PoolRebuildStartReq, PoolRebuildStopReq, PoolReintReq,
    PoolReintResp, PoolSelfHealEvalReq, PoolSetPropReq, PoolSetPropResp, PoolUpgradeReq, PrepShutdownReq,
    SetRankReq,
};

/// Management: 206, 233, 235, 236 and 247 are served by the agent, all others by the engine.
///
/// 201, which kills a rank, is in DAOS's list, but DAOS 2.8 defines no messages for it: it is not here.
#[drpc_module(id = 2, client_only)]
pub trait Mgmt {
    /// Sets the rank of an engine.
    #[method(2)]
    fn set_rank(&self, req: SetRankReq) -> DaosResp;

    /// Tells a client how to reach a system.
    #[method(6, idempotent)]
    fn get_attach_info(&self, req: GetAttachInfoReq) -> GetAttachInfoResp;

    /// Creates a pool.
    #[method(7)]
    fn pool_create(&self, req: PoolCreateReq) -> PoolCreateResp;

    /// Destroys a pool.
    #[method(8)]
    fn pool_destroy(&self, req: PoolDestroyReq) -> PoolDestroyResp;

    /// Finishes the set-up of an engine.
    #[method(9, idempotent)]
    fn set_up(&self) -> DaosResp;

    /// Queries the health of a device.
    #[method(10, idempotent)]
    fn bio_health_query(&self, req: BioHealthReq) -> BioHealthResp;

    /// Lists the devices in the metadata store.
    #[method(11, idempotent)]
    fn smd_list_devs(&self, req: SmdDevReq) -> SmdDevResp;

    /// Lists the pools in the metadata store.
    #[method(12, idempotent)]
    fn smd_list_pools(&self, req: SmdPoolReq) -> SmdPoolResp;

    /// Gets the ACL of a pool.
    #[method(13, idempotent)]
    fn pool_get_acl(&self, req: GetAclReq) -> AclResp;

    /// Replaces the ACL of a pool.
    #[method(15)]
    fn pool_overwrite_acl(&self, req: ModifyAclReq) -> AclResp;

    /// Adds or changes entries of a pool's ACL.
    #[method(16)]
    fn pool_update_acl(&self, req: ModifyAclReq) -> AclResp;

    /// Removes entries from a pool's ACL.
    #[method(17)]
    fn pool_delete_acl(&self, req: DeleteAclReq) -> AclResp;

    /// Prepares a rank for shutdown.
    #[method(18)]
    fn prep_shutdown(&self, req: PrepShutdownReq) -> DaosResp;

    /// Marks a device as faulty.
    #[method(20)]
    fn dev_set_faulty(&self, req: SetFaultyReq) -> DevManageResp;

    /// Replaces a faulty device.
    #[method(21)]
    fn dev_replace(&self, req: DevReplaceReq) -> DevManageResp;

    /// Lists the containers of a pool.
    #[method(22, idempotent)]
    fn list_containers(&self, req: ListContReq) -> ListContResp;

    /// Queries a pool.
    #[method(23, idempotent)]
    fn pool_query(&self, req: PoolQueryReq) -> PoolQueryResp;

    /// Sets properties of a pool.
    #[method(24)]
    fn pool_set_prop(&self, req: PoolSetPropReq) -> PoolSetPropResp;

    /// Checks that a rank answers.
    #[method(25, idempotent)]
    fn ping_rank(&self, req: PingRankReq) -> DaosResp;

    /// Takes excluded ranks or targets back into a pool.
    #[method(26)]
    fn pool_reint(&self, req: PoolReintReq) -> PoolReintResp;

    /// Sets the owner of a container.
    #[method(27)]
    fn cont_set_owner(&self, req: ContSetOwnerReq) -> DaosResp;

    /// Excludes ranks or targets from a pool.
    #[method(28)]
    fn pool_exclude(&self, req: PoolExcludeReq) -> PoolExcludeResp;

    /// Extends a pool by ranks.
    #[method(29)]
    fn pool_extend(&self, req: PoolExtendReq) -> PoolExtendResp;

    /// Evicts the connections of a pool.
    #[method(30)]
    fn pool_evict(&self, req: PoolEvictReq) -> PoolEvictResp;

    /// Drains ranks or targets of a pool.
    #[method(31)]
    fn pool_drain(&self, req: PoolDrainReq) -> PoolDrainResp;

    /// Updates the members of the system.
    #[method(32)]
    fn group_update(&self, req: GroupUpdateReq) -> GroupUpdateResp;

    /// Tells the agent that a client process exits.
    #[method(33)]
    fn notify_exit(&self);

    /// Tells the agent of a pool connection.
    #[method(35)]
    fn notify_pool_connect(&self, req: PoolMonitorReq);

    /// Tells the agent of a pool disconnection.
    #[method(36)]
    fn notify_pool_disconnect(&self, req: PoolMonitorReq);

    /// Gets properties of a pool.
    #[method(37, idempotent)]
    fn pool_get_prop(&self, req: PoolGetPropReq) -> PoolGetPropResp;

    /// Sets the log masks of an engine.
    #[method(38)]
    fn set_log_masks(&self, req: SetLogMasksReq) -> SetLogMasksResp;

    /// Upgrades the format of a pool.
    #[method(39)]
    fn pool_upgrade(&self, req: PoolUpgradeReq) -> DaosResp;

    /// Queries the targets of a pool.
    #[method(40, idempotent)]
    fn pool_query_targets(&self, req: PoolQueryTargetReq) -> PoolQueryTargetResp;

    /// Manages the LED of a device.
    #[method(41)]
    fn led_manage(&self, req: LedManageReq) -> DevManageResp;

    /// Starts the checker.
    #[method(42)]
    fn chk_start(&self, req: CheckStartReq) -> CheckStartResp;

    /// Stops the checker.
    #[method(43)]
    fn chk_stop(&self, req: CheckStopReq) -> CheckStopResp;

    /// Queries the checker.
    #[method(44, idempotent)]
    fn chk_query(&self, req: CheckQueryReq) -> CheckQueryResp;

    /// Gets the checker's properties.
    #[method(45, idempotent)]
    fn chk_prop(&self, req: CheckPropReq) -> CheckPropResp;

    /// Acts on a report of the checker.
    #[method(46)]
    fn chk_act(&self, req: CheckActReq) -> CheckActResp;

    /// Sets up telemetry for a client.
    #[method(47)]
    fn setup_client_telem(&self, req: ClientTelemetryReq) -> ClientTelemetryResp;

    /// Gets the status of the members of the system.
    #[method(48, idempotent)]
    fn group_status_get(&self, req: GetGroupStatusReq) -> GetGroupStatusResp;

    /// Sets the checker's policy.
    #[method(49)]
    fn chk_set_policy(&self, req: CheckSetPolicyReq) -> DaosResp;

    /// Starts the rebuild of a pool.
    #[method(50)]
    fn pool_rebuild_start(&self, req: PoolRebuildStartReq) -> DaosResp;

    /// Stops the rebuild of a pool.
    #[method(51)]
    fn pool_rebuild_stop(&self, req: PoolRebuildStopReq) -> DaosResp;

    /// Evaluates the self-healing policy of a pool.
    #[method(52)]
    fn pool_self_heal_eval(&self, req: PoolSelfHealEvalReq) -> DaosResp;
}
