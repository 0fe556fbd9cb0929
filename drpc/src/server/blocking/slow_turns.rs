//! The turns of calls that take long without waiting for anything: so many run at a time as leave a processor for others (S1).
//!
//! Handlers may block here, even for what another slow call does. So a turn is over once its thread waits; and as no thread tells that it does,
//! one of those that wait for a turn looks, again and again.

#[cfg(all(test, shuttle))]
mod model;

#[cfg(not(shuttle))]
use std::fs;
use std::num::NonZeroUsize;
use std::sync::PoisonError;
use std::task::{Context, Poll};
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

/// How often one of those that wait looks after those that have run for as long.
const LOOK: Duration = if cfg!(shuttle) { Duration::ZERO } else { Duration::from_millis(2) };

/// Who has a turn, and who waits for one.
#[derive(Debug)]
pub(super) struct SlowTurns {
    permits: CallPermits,
    held: Mutex<Vec<Held>>,
    /// One of those that wait looks after these.
    is_watched: AtomicBool,
}

/// The turn that a thread has.
#[derive(Debug)]
struct Held {
    thread: Pid,
    since: Instant,
    _permit: Permit,
}

/// The turn of a thread, unless it has waited meanwhile; given back when dropped.
#[derive(Debug)]
pub(super) struct SlowTurn<'a> {
    turns: &'a SlowTurns,
    thread: Pid,
}

/// That this thread looks after those that have a turn, until it has its own.
struct Watch<'a>(&'a SlowTurns);

impl SlowTurns {
    pub(super) fn new() -> Self {
        let processors = available_parallelism().map_or(1, NonZeroUsize::get);
        SlowTurns::of(processors.saturating_sub(1).max(1))
    }

    fn of(turns: usize) -> Self {
        SlowTurns {
            permits: CallPermits::new(&Limits { calls: Some(turns), ..Limits::default() }),
            held: Mutex::default(),
            is_watched: AtomicBool::new(false),
        }
    }

    /// What the permit of a call and its turn are waited for with.
    pub(super) fn with_permit(&self, permits: &CallPermits, uid: u32) -> Both {
        Both::new([permits, &self.permits], uid)
    }

    /// Waits for both. `park` waits until the context's waker is called, or for the deadline, and gives `None` if the call is not to run any more.
    pub(super) fn wait(
        &self,
        mut both: Both,
        context: &Context<'_>,
        mut park: impl FnMut(Option<Instant>) -> Option<()>,
    ) -> Option<(Permit, SlowTurn<'_>)> {
        let mut watch = None;
        loop {
            if let Poll::Ready([permit, turn]) = both.poll(context) {
                return Some((permit, self.begin(this_thread(), turn)));
            }
            watch = watch.or_else(|| self.watch());
            let look_at = watch.is_some().then(|| Instant::now() + LOOK);
            if park(look_at).is_none() {
                // It is not to be woken itself when it looks no more.
                both.step_back();
                return None;
            }
            if look_at.is_some_and(|look_at| look_at <= Instant::now()) {
                self.look();
            }
        }
    }

    fn begin(&self, thread: Pid, turn: Permit) -> SlowTurn<'_> {
        self.held().push(Held { thread, since: Instant::now(), _permit: turn });
        SlowTurn { turns: self, thread }
    }

    /// Ends the turns of threads that wait.
    fn look(&self) {
        let now = Instant::now();
        let is_long = |held: &&Held| now.duration_since(held.since) >= LOOK;
        let long: Vec<_> = self.held().iter().filter(is_long).map(|held| held.thread).collect();
        long.into_iter().filter(|thread| waits(*thread)).for_each(|thread| self.end(thread));
    }

    fn end(&self, thread: Pid) {
        let mut held = self.held();
        let place = held.iter().position(|held| held.thread == thread);
        let ended = place.map(|place| held.swap_remove(place));
        drop(held);
        // To give it back wakes another.
        drop(ended);
    }

    /// Looks after those that run from now on, if nobody does.
    fn watch(&self) -> Option<Watch<'_>> {
        (!self.is_watched.swap(true, Ordering::SeqCst)).then(|| Watch(self))
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

impl Drop for SlowTurn<'_> {
    fn drop(&mut self) {
        self.turns.end(self.thread);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        self.0.is_watched.store(false, Ordering::SeqCst);
        self.0.permits.wake_next();
    }
}
