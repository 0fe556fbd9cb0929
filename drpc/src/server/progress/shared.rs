use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, SelectAll};
use futures_util::task::AtomicWaker;

use super::running::{Running, Streaming};
use super::woken::Woken;
use crate::dispatch::router::ModuleService;
use crate::server::config::Config;
use crate::server::permits::CallPermits;
use crate::server::slow::SlowMethods;
use crate::steps::timers::Timers;

/// From how many bytes on a call is long: to decode it takes a good part of a millisecond, if its sender wishes.
const LONG: usize = 4 << 10;

/// How many bytes of long calls may have begun in a step before one more waits for the next. However many sessions send them, others come in between.
const LONG_PER_STEP: usize = 64 << 10;

/// How many sessions read in a step what clients that have left sent before: in a pack of a kilobyte there can be a hundred calls.
const RESTS_PER_STEP: usize = 8;

/// What the sessions share.
pub(super) struct Core {
    pub(super) service: Arc<ModuleService>,
    pub(super) config: Config,
    /// The calls of all sessions whose handlers wait.
    pub(super) running: FuturesUnordered<Running>,
    pub(super) slow: SlowMethods,
    /// The streams of all sessions.
    pub(super) streams: SelectAll<Streaming>,
    pub(super) permits: CallPermits,
    /// The sessions whose next call waited for a permit, and may have it now.
    pub(super) turns: Arc<Woken>,
    /// The sessions whose next call is long, or of a slow method, and waits for a step that has room for it.
    pub(super) queue: VecDeque<u64>,
    /// How many bytes of long calls have begun in this step.
    pub(super) long: usize,
    /// There is more to do than this step does.
    pub(super) more: bool,
    /// How many sessions have read in this step what a client that has left sent before.
    pub(super) rests: usize,
    pub(super) timers: Timers<Due>,
}

impl Core {
    /// As how many bytes a call counts in a step: one that will take long fills it.
    #[inline]
    pub(super) fn weight(&self, message: &Bytes) -> usize {
        let len = message.len();
        if len < LONG_PER_STEP && self.slow.has(message) { LONG_PER_STEP } else { len }
    }

    /// Whether a call of so many bytes that has just come may begin in this step, as far as it is for its length: no long one overtakes another.
    #[inline]
    pub(super) fn has_room_for_next(&self, len: usize) -> bool {
        len < LONG || (self.queue.is_empty() && self.has_room_for(len))
    }

    /// As [`has_room_for_next`](Self::has_room_for_next), of a call that has waited.
    pub(super) fn has_room_for(&self, len: usize) -> bool {
        len < LONG || self.long < LONG_PER_STEP
    }

    /// A call of so many bytes begins.
    #[inline]
    pub(super) fn count(&mut self, len: usize) {
        if len >= LONG {
            self.long += len;
        }
    }

    /// The next session whose call may begin that has waited, and for what.
    pub(super) fn next_queued(&mut self) -> Option<(u64, WaitedFor)> {
        if let Some(session) = self.turns.next() {
            return Some((session, WaitedFor::Permit));
        }
        let next = if self.has_room_for(LONG) { self.queue.pop_front() } else { None };
        next.map(|session| (session, WaitedFor::Step))
    }

    /// Whether one more session may read in this step what its client sent before it left.
    pub(super) fn may_read_rest(&mut self) -> bool {
        self.rests += 1;
        self.rests <= RESTS_PER_STEP
    }

    /// Whether something waits for nothing but the next step.
    pub(super) fn waits_for_step(&self) -> bool {
        self.more || !self.queue.is_empty()
    }
}

/// What a call has waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitedFor {
    Permit,
    /// One that has room for it.
    Step,
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
