use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::server::config::Limits;

/// How long a session has had nothing to do. One timer, which is moved on only when it goes off.
pub(super) struct Idle {
    limit: Option<Duration>,
    /// When it has been idle too long; nothing while it is not idle.
    due: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Idle {
    pub(super) fn new(limits: &Limits) -> Self {
        Idle { limit: limits.idle, due: None, timer: None }
    }

    /// The session has something to do.
    pub(super) fn interrupt(&mut self) {
        self.due = None;
    }

    /// Waits until the session, which has nothing to do, has been so for too long.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(limit) = self.limit else { return Poll::Pending };
        let Some(due) = self.due.or_else(|| Instant::now().checked_add(limit)) else { return Poll::Pending };
        self.due = Some(due);
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        while timer.as_mut().poll(context).is_ready() {
            if timer.deadline() >= due {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}
