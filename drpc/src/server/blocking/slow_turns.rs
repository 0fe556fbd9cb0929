//! The turns of calls that take long without waiting for anything: so many run at a time as leave a processor for others (S1).
//!
//! Handlers may block here, even for what another slow call does. So a turn is over once its thread waits; and as no thread tells that it does,
//! one of those that wait for a turn looks, again and again.

#[cfg(all(test, shuttle))]
mod model;

#[cfg(not(shuttle))]
use std::fs;
use std::num::NonZeroUsize;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use rustix::thread::Pid;
#[cfg(not(shuttle))]
use rustix::thread::gettid as this_thread;

#[cfg(all(test, shuttle))]
use self::model::{this_thread, waits};
use crate::server::config::Limits;
use crate::server::permits::{Both, CallPermits, Permit};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// How often one of those that wait looks after those that run. Who waits at two looks, one after the other, has no turn any more.
const LOOK: Duration = if cfg!(shuttle) { Duration::ZERO } else { Duration::from_millis(2) };

/// For how long a thread has its turn at most, so that none bars those of others for ever.
const TURN: Duration = if cfg!(shuttle) { Duration::MAX } else { Duration::from_millis(100) };

/// Who has a turn, and who waits for one.
#[derive(Debug)]
pub(super) struct SlowTurns {
    permits: CallPermits,
    held: Mutex<Vec<Held>>,
    /// One of those that wait looks after these.
    is_watched: AtomicBool,
}

/// The turn of a thread.
#[derive(Debug)]
struct Held {
    thread: Pid,
    since: Instant,
    /// Until it is over, though the call is not.
    turn: Option<Permit>,
    /// The thread waited at the last look.
    waits: bool,
}

/// The turn of this thread; given back when dropped, if it is not over before.
#[derive(Debug)]
pub(super) struct SlowTurn {
    turns: Arc<SlowTurns>,
    thread: Pid,
}

/// That this thread looks after those that have a turn, until it has its own.
struct Watch<'a>(&'a SlowTurns);

impl SlowTurns {
    pub(super) fn new() -> Arc<Self> {
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        SlowTurns::of(processors.saturating_sub(1).max(1))
    }

    fn of(turns: usize) -> Arc<Self> {
        Arc::new(SlowTurns {
            permits: CallPermits::new(&Limits { calls: Some(turns), ..Limits::default() }),
            held: Mutex::default(),
            is_watched: AtomicBool::new(false),
        })
    }

    /// What the permit of a call and its turn are waited for with.
    pub(super) fn with_permit(&self, permits: &CallPermits, uid: u32) -> Both {
        Both::new([permits, &self.permits], uid)
    }

    /// Takes both, if there is one of each now.
    pub(super) fn take(self: &Arc<Self>, both: &mut Both) -> Option<(Permit, SlowTurn)> {
        let taken = self.poll(both, &Context::from_waker(Waker::noop()))?;
        // It may have been chosen to look, for the moment that it was in the queue.
        drop(self.watch());
        Some(taken)
    }

    /// Waits for both. `park` waits until the context's waker is called, or for the deadline, and gives `None` if the call is not to run any more.
    pub(super) fn wait(
        self: &Arc<Self>,
        mut both: Both,
        context: &Context<'_>,
        mut park: impl FnMut(Option<Instant>) -> Option<()>,
    ) -> Option<(Permit, SlowTurn)> {
        let mut watch = None;
        let taken = loop {
            if let Some(taken) = self.poll(&mut both, context) {
                break Some(taken);
            }
            watch = watch.or_else(|| self.watch());
            let look_at = watch.is_some().then(|| Instant::now() + LOOK);
            if park(look_at).is_none() {
                both.step_back();
                break None;
            }
            if look_at.is_some_and(|look_at| look_at <= Instant::now()) {
                self.look();
            }
        };
        // It does not wait any more, and wakes who looks in its place; also if it was itself woken for that.
        drop(watch.or_else(|| self.watch()));
        taken
    }

    fn poll(self: &Arc<Self>, both: &mut Both, context: &Context<'_>) -> Option<(Permit, SlowTurn)> {
        let Poll::Ready([permit, turn]) = both.poll(context) else { return None };
        let thread = this_thread();
        self.held().push(Held { thread, since: Instant::now(), turn: Some(turn), waits: false });
        Some((permit, SlowTurn { turns: self.clone(), thread }))
    }

    /// Looks after those that run from now on, if nobody does.
    fn watch(&self) -> Option<Watch<'_>> {
        (!self.is_watched.swap(true, Ordering::SeqCst)).then(|| Watch(self))
    }

    /// Ends the turns of threads that wait, or have had it for long.
    fn look(&self) {
        let now = Instant::now();
        let mut over = Vec::new();
        let lasting: Vec<_> = {
            let mut held = self.held();
            let old = held.iter_mut().filter(|held| now.duration_since(held.since) >= TURN);
            over.extend(old.filter_map(|held| held.turn.take()));
            let lasts = |held: &&Held| held.turn.is_some() && now.duration_since(held.since) >= LOOK / 2;
            held.iter().filter(lasts).map(|held| (held.thread, held.since)).collect()
        };
        for (thread, since) in lasting {
            let waits = waits(thread);
            let mut held = self.held();
            // It may have another one by now.
            if let Some(held) = held.iter_mut().find(|held| held.thread == thread && held.since == since) {
                if held.waits && waits {
                    over.extend(held.turn.take());
                } else {
                    held.waits = waits;
                }
            }
        }
        // To give them back wakes others.
        drop(over);
    }

    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a thread of this process neither runs nor could; or is not known to.
#[cfg(not(shuttle))]
fn waits(thread: Pid) -> bool {
    let status = fs::read(format!("/proc/self/task/{}/stat", thread.as_raw_nonzero()));
    // Behind the name, which may be anything.
    let state = status.ok().and_then(|status| {
        let name = status.iter().rposition(|byte| *byte == b')')?;
        status.get(name + 2).copied()
    });
    state != Some(b'R')
}

impl Drop for SlowTurn {
    fn drop(&mut self) {
        let mut held = self.turns.held();
        let place = held.iter().position(|held| held.thread == self.thread);
        let own = place.map(|place| held.swap_remove(place));
        drop(held);
        // To give it back wakes another.
        drop(own);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.is_watched.store(false, Ordering::SeqCst);
        self.0.permits.wake_next();
    }
}
