use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::server::config::ThreadOptions;

/// The threads of a server: counted, so that its end can wait for theirs.
pub(super) struct Threads {
    options: ThreadOptions,
    running: Mutex<usize>,
    ended: Condvar,
}

impl Threads {
    pub(super) fn new(options: ThreadOptions) -> Arc<Self> {
        Arc::new(Threads { options, running: Mutex::new(0), ended: Condvar::new() })
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

    /// Waits until no thread is left. False once the deadline has passed.
    pub(super) fn wait_until_ended(&self, deadline: Option<Instant>) -> bool {
        let mut running = self.running();
        while *running > 0 {
            let Some(deadline) = deadline else {
                running = self.ended.wait(running).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            running = self.ended.wait_timeout(running, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn running(&self) -> MutexGuard<'_, usize> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A thread that runs, or is about to.
struct Counted(Arc<Threads>);

impl Counted {
    fn new(threads: Arc<Threads>) -> Self {
        *threads.running() += 1;
        Counted(threads)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut running = self.0.running();
        *running -= 1;
        if *running == 0 {
            self.0.ended.notify_all();
        }
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads").field("running", &*self.running()).finish_non_exhaustive()
    }
}
