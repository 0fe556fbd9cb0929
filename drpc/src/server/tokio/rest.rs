//! How long the rest of a message may take that has begun.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// The time that is left for the rest of a message: while replies that wait hold the reading up, it stands still, but for no longer than it is in
/// all.
pub(super) struct Rest {
    begun: Instant,
    timeout: Duration,
    /// How long it stood still.
    held: Duration,
    due: Pin<Box<Sleep>>,
}

impl Rest {
    pub(super) fn new(timeout: Duration) -> Self {
        Rest { begun: Instant::now(), timeout, held: Duration::ZERO, due: Box::pin(sleep(timeout)) }
    }

    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.due.as_mut().poll(context)
    }

    pub(super) fn is_over(&self) -> bool {
        self.due.deadline() <= Instant::now()
    }

    /// Nothing is read from now on.
    pub(super) fn hold(&mut self) -> Instant {
        self.set(self.timeout);
        Instant::now()
    }

    /// It is read again, for the first time since then.
    pub(super) fn go_on(&mut self, since: Instant) {
        self.held = self.held.saturating_add(since.elapsed()).min(self.timeout);
        self.set(self.held);
    }

    fn set(&mut self, held: Duration) {
        // One that a clock can't tell stays as it is, which is far away.
        if let Some(due) = self.begun.checked_add(self.timeout.saturating_add(held)) {
            self.due.as_mut().reset(due);
        }
    }
}
