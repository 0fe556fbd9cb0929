use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, SelectAll};
use futures_util::task::AtomicWaker;

use super::running::{Running, Streaming};
use crate::dispatch::router::ModuleService;
use crate::server::config::Config;
use crate::server::permits::CallPermits;
use crate::steps::timers::Timers;

/// What the sessions share.
pub(super) struct Core {
    pub(super) service: Arc<ModuleService>,
    pub(super) config: Config,
    /// The calls of all sessions whose handlers wait.
    pub(super) running: FuturesUnordered<Running>,
    /// The streams of all sessions.
    pub(super) streams: SelectAll<Streaming>,
    /// The sessions whose next call waits until the server has room for it.
    pub(super) queue: VecDeque<u64>,
    pub(super) permits: CallPermits,
    pub(super) timers: Timers<Due>,
}

/// What a timer is set for.
#[derive(Debug)]
pub(super) enum Due {
    /// The rest of a session's message.
    RestOfMessage(u64),
    /// A session has done nothing for too long.
    Idle(u64),
    /// A handler has had its time.
    Handler(Arc<AtomicWaker>),
    /// To accept again.
    Accept,
    /// The end, however much still runs.
    Cut,
}
