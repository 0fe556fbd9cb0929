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

    /// An event has come. Who tells of it does not hear what becomes of it: it may be about a pool that is not there.
    pub async fn raise(&self, event: RasEvent) {
        tracing::warn!(id = event.id, rank = event.rank, pid = event.proc_id, "RAS event: {}", event.msg);
        if let Some(ExtendedInfo::PoolSvcInfo(info)) = event.extended_info
            && let Err(code) = self.replicas(&event.pool_uuid, info.svc_reps).await
        {
            tracing::error!("the event about pool `{}` changes nothing: {code}", event.pool_uuid);
        }
    }

    async fn replicas(&self, pool: &str, svc_reps: Vec<u32>) -> Result<(), Der> {
        let updated = self.store.update(pool::uuid(pool)?, |pool| pool.svc_reps = svc_reps).await;
        updated.map_err(|error| error.der())
    }
}
