use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream::FuturesUnordered;

use super::running::Running;
use super::timers::{Due, Timers};
use crate::dispatch::router::ModuleService;
use crate::server::config::Config;

/// What the sessions share.
pub(super) struct Core {
    pub(super) service: Arc<ModuleService>,
    pub(super) config: Config,
    /// The calls of all sessions whose handlers wait.
    pub(super) running: FuturesUnordered<Running>,
    /// The sessions whose next call waits until the server has room for it.
    pub(super) queue: VecDeque<u64>,
    pub(super) timers: Timers<Due>,
}

impl Core {
    /// Whether the server has room for one more call.
    pub(super) fn has_room(&self) -> bool {
        self.config.limits.calls.is_none_or(|limit| self.running.len() < limit)
    }
}
