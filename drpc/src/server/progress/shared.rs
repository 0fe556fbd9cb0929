use std::collections::VecDeque;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, SelectAll};
use futures_util::task::AtomicWaker;

use super::running::{Running, Streaming};
use crate::dispatch::router::ModuleService;
use crate::server::config::Config;
use crate::server::permits::{CallPermits, Permit};
use crate::steps::timers::Timers;

/// From how many bytes on a call is long: to decode it takes a good part of a millisecond, if its sender wishes.
const LONG: usize = 4 << 10;

/// How many bytes of long calls may have begun in a step before one more waits for the next. However many sessions send them, others come in between.
const LONG_PER_STEP: usize = 64 << 10;

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
    /// One has come to wait since it was last looked whether there is room.
    pub(super) has_come: bool,
    pub(super) permits: CallPermits,
    /// How many bytes of long calls have begun in this step.
    pub(super) long: usize,
    pub(super) timers: Timers<Due>,
}

impl Core {
    /// Lets a call of so many bytes begin that has just come, unless others wait, which have come before: nobody starves.
    #[inline]
    pub(super) fn admit_next(&mut self, uid: u32, len: usize) -> Option<Permit> {
        if self.queue.is_empty() { self.admit(uid, len) } else { None }
    }

    /// Has a session wait, behind the others, until there is room for its next call.
    #[cold]
    pub(super) fn enqueue(&mut self, session: u64) {
        self.queue.push_back(session);
        self.has_come = true;
    }

    /// Lets a call of so many bytes begin, if the server has room for it and this step for one more that is long.
    #[inline]
    pub(super) fn admit(&mut self, uid: u32, len: usize) -> Option<Permit> {
        let is_long = len >= LONG;
        if is_long && self.is_full() {
            return None;
        }
        let permit = self.permits.try_acquire(uid);
        if is_long && permit.is_some() {
            self.long += len;
        }
        permit
    }

    /// Whether the long calls of this step are as many as may be.
    pub(super) fn is_full(&self) -> bool {
        self.long >= LONG_PER_STEP
    }
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
