//! Whose turn it is to read, of the threads of one session; and the calls that were read before there was room for them.

#[cfg(all(test, shuttle))]
mod model;

use std::mem;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::budget::Account;
use crate::server::kept::{Kept, KeptCalls};
use crate::sync::{Condvar, Mutex, MutexGuard};

/// How long a thread waits for its turn before it ends.
const SPARE: Duration = Duration::from_secs(10);

/// What it takes to read, which one thread has at a time.
pub(super) struct Turns<R> {
    state: Mutex<State<R>>,
    /// The reader is there, or there is nothing more to read.
    turn: Condvar,
}

struct State<R> {
    /// `None` while a thread has it.
    reader: Option<R>,
    closed: bool,
    threads: usize,
    /// How many of these wait for the reader.
    waiting: usize,
    /// How many of these carry a call out, or send its reply. Not counted where there is but one.
    running: usize,
    /// One has done so since this was last looked at.
    active: bool,
    /// As long as there is one, as many run as may.
    kept: KeptCalls,
}

impl<R> Turns<R> {
    /// Of a session's first thread.
    pub(super) fn new(reader: R) -> Self {
        let reader = Some(reader);
        let state = State {
            reader,
            closed: false,
            threads: 1,
            waiting: 0,
            running: 0,
            active: false,
            kept: KeptCalls::default(),
        };
        Turns { state: Mutex::new(state), turn: Condvar::new() }
    }

    /// Waits for the reader; `None` if there is nothing more to read, or no need of this thread.
    pub(super) fn take(&self) -> Option<R> {
        self.wait(self.state())
    }

    /// As [`take`](Self::take), after a call. First the calls are carried out that were kept, each in the place of the one before.
    pub(super) fn take_next(&self, mut carry_out: impl FnMut(Kept)) -> Option<R> {
        let mut state = self.state();
        while let Some(kept) = state.kept.take() {
            drop(state);
            // Whoever reads may wait until there is room for more.
            self.turn.notify_all();
            carry_out(kept);
            state = self.state();
        }
        state.running -= 1;
        state.active = true;
        self.wait(state)
    }

    fn wait(&self, mut state: MutexGuard<'_, State<R>>) -> Option<R> {
        let mut timed_out = false;
        while !state.closed {
            if let Some(reader) = state.reader.take() {
                return Some(reader);
            }
            if timed_out {
                break;
            }
            state.waiting += 1;
            let (woken, waited) =
                self.turn.wait_timeout(state, SPARE).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            state.waiting -= 1;
            timed_out = waited.timed_out();
        }
        state.threads -= 1;
        None
    }

    /// Lets another thread read while this one carries out a call. True if none waits for it and there may be one more: it counts already.
    #[must_use]
    pub(super) fn hand_over(&self, reader: R, most_threads: usize) -> bool {
        let mut state = self.state();
        state.reader = Some(reader);
        state.running += 1;
        if state.waiting > 0 {
            self.turn.notify_one();
            return false;
        }
        let one_more = state.threads < most_threads;
        state.threads += usize::from(one_more);
        one_more
    }

    /// Keeps a call of this user that was read, if as many run as may; gives it back if it may run. Whoever keeps more than may be waits.
    pub(super) fn keep(
        &self,
        call: Kept,
        account: Option<&Arc<Account>>,
        most_running: usize,
    ) -> Option<Kept> {
        let mut state = self.state();
        if state.running < most_running {
            return Some(call);
        }
        state.kept.put(call, account);
        while state.kept.is_full() {
            state = self.turn.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        None
    }

    /// A thread that counts already could not be had.
    pub(super) fn has_no_thread(&self) {
        self.state().threads -= 1;
    }

    /// There is nothing more to read: ends this thread's turns, and those of the threads that wait.
    pub(super) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.threads -= 1;
        drop(state);
        self.turn.notify_all();
    }

    /// How many threads carry a call out.
    pub(super) fn running(&self) -> usize {
        self.state().running
    }

    /// Whether a thread carries a call out, or has done so since this was last asked.
    pub(super) fn was_active(&self) -> bool {
        let mut state = self.state();
        mem::take(&mut state.active) || state.running > 0
    }

    fn state(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
