#[cfg(all(test, shuttle))]
mod model;

use std::sync::{Arc, PoisonError};
use std::time::Instant;
use std::{fmt, io};

use crate::server::config::ThreadOptions;
use crate::sync::{Condvar, Mutex, MutexGuard, thread};

/// The threads of a server: counted, so that its end can wait for theirs.
pub(super) struct Threads {
    options: ThreadOptions,
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: usize,
    /// Who waits for their end is to wait no longer.
    hurried: bool,
}

impl Threads {
    pub(super) fn new(options: ThreadOptions) -> Arc<Self> {
        Arc::new(Threads { options, state: Mutex::default(), ended: Condvar::new() })
    }

    /// Runs a closure on a new thread. If none can be had, the closure is dropped.
    pub(super) fn spawn(
        self: &Arc<Self>,
        name: String,
        run: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let mut builder = thread::Builder::new().name(name);
        if let Some(size) = self.options.stack_size {
            builder = builder.stack_size(size);
        }
        let counted = Counted::new(self.clone());
        let run = move || match &counted.0.options.wrap {
            Some(wrap) => wrap(Box::new(run)),
            None => run(),
        };
        builder.spawn(run).map(drop)
    }

    /// As [`wait_until_ended`](Self::wait_until_ended). False also if whoever waits is to [hurry](Self::hurry).
    pub(super) fn wait_until_hurried(&self, deadline: Option<Instant>) -> bool {
        self.wait(deadline, |state| state.hurried)
    }

    /// Waits until no thread is left. False once the deadline has passed.
    pub(super) fn wait_until_ended(&self, deadline: Option<Instant>) -> bool {
        self.wait(deadline, |_| false)
    }

    fn wait(&self, deadline: Option<Instant>, is_over: impl Fn(&State) -> bool) -> bool {
        let mut state = self.state();
        while state.running > 0 {
            if is_over(&state) {
                return false;
            }
            let Some(deadline) = deadline else {
                state = self.ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.ended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// How many there are.
    pub(super) fn running(&self) -> usize {
        self.state().running
    }

    /// Has whoever waits [until it is hurried](Self::wait_until_hurried) wait no longer.
    pub(super) fn hurry(&self) {
        self.state().hurried = true;
        self.ended.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that runs, or is about to.
struct Counted(Arc<Threads>);

impl Counted {
    fn new(threads: Arc<Threads>) -> Self {
        threads.state().running += 1;
        Counted(threads)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.running -= 1;
        if state.running == 0 {
            self.0.ended.notify_all();
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("state", &*self.state()).finish_non_exhaustive()
    }
}
