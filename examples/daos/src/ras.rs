//! Events that an operator should hear of: reliability, availability, serviceability.

use std::process;
use std::time::SystemTime;

use uuid::Uuid;

use crate::host;
use crate::messages::shared::RasEvent;
use crate::messages::shared::ras_event::{EngineStateEventInfo, ExtendedInfo, PoolSvcEventInfo};

/// An engine has died: `RAS_ENGINE_DIED` in DAOS's list.
pub const ENGINE_DIED: u32 = 2;
/// A pool has other service replicas: `RAS_POOL_REPS_UPDATE`.
pub const POOL_REPS_UPDATE: u32 = 8;

const STATE_CHANGE: u32 = 1;
const ERROR: u32 = 1;
const NOTICE: u32 = 3;

/// An engine's process has ended, which the engine can't report any more.
#[must_use]
pub fn engine_died(instance: u32, pid: u32, incarnation: u64, how: &str) -> RasEvent {
    let info = EngineStateEventInfo { instance, errored: true, error: how.to_owned() };
    RasEvent {
        id: ENGINE_DIED,
        msg: format!("engine {instance} died: {how}"),
        severity: ERROR,
        rank: instance,
        incarnation,
        proc_id: pid.into(),
        extended_info: Some(ExtendedInfo::EngineStateInfo(info)),
        ..of_this_process()
    }
}

/// A pool's service has these replicas.
#[must_use]
pub fn pool_replicas(rank: u32, pool: Uuid, svc_reps: Vec<u32>, version: u64) -> RasEvent {
    RasEvent {
        id: POOL_REPS_UPDATE,
        msg: format!("pool {pool} has its service on ranks {svc_reps:?}"),
        severity: NOTICE,
        rank,
        pool_uuid: pool.to_string(),
        extended_info: Some(ExtendedInfo::PoolSvcInfo(PoolSvcEventInfo { svc_reps, version })),
        ..of_this_process()
    }
}

fn of_this_process() -> RasEvent {
    RasEvent {
        timestamp: humantime::format_rfc3339_micros(SystemTime::now()).to_string(),
        r#type: STATE_CHANGE,
        hostname: host::short_name(),
        proc_id: process::id().into(),
        ..RasEvent::default()
    }
}
