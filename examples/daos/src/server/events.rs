//! The server hears of events: from its engines, and from itself when one of them has died.

use drpc::Der;

use super::store::Store;
use crate::messages::shared::RasEvent;
use crate::messages::shared::ras_event::ExtendedInfo;
use crate::pool;

/// Hears of events, tells of them, and acts upon some.
#[derive(Clone, Debug)]
pub struct Events {
    store: Store,
}

impl Events {
    /// Acts upon these pools.
    pub fn new(store: Store) -> Self {
        Events { store }
    }

    /// An event has come. Gives what went wrong with it: it may be about a pool that is not there.
    pub async fn raise(&self, event: RasEvent) -> Der {
        tracing::warn!(id = event.id, rank = event.rank, pid = event.proc_id, "RAS event: {}", event.msg);
        match event.extended_info {
            Some(ExtendedInfo::PoolSvcInfo(info)) => self.replicas(&event.pool_uuid, info.svc_reps).await,
            _ => Der::SUCCESS,
        }
    }

    async fn replicas(&self, pool: &str, svc_reps: Vec<u32>) -> Der {
        let updated = match pool::uuid(pool) {
            Ok(uuid) => self.store.update(uuid, |pool| pool.svc_reps = svc_reps).await,
            Err(code) => return code,
        };
        updated.map_or_else(|error| error.der(), |()| Der::SUCCESS)
    }
}
