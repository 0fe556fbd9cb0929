//! When a call may be interrupted: while the server is restarted, and at no other time.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the beginnings and the ends of restarts.
#[derive(Debug, Default)]
pub(crate) struct Restarts(AtomicUsize);

/// How many there had been at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(usize);

impl Restarts {
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.0.load(Ordering::SeqCst))
    }

    /// To be called before the server is told to stop, and once the next one listens.
    pub(crate) fn step(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether the server was being restarted at some time since the mark.
    pub(crate) fn since(&self, Mark(mark): Mark) -> bool {
        mark % 2 == 1 || self.0.load(Ordering::SeqCst) != mark
    }
}

impl Mark {
    /// Whether a restart was over by then, so that nobody but the next server can answer what began there.
    pub(crate) fn is_after_restart(self) -> bool {
        self.0 >= 2 && self.0.is_multiple_of(2)
    }
}
