use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;

use super::parking::Parking;
use super::threads::Threads;
use crate::handler::background::{Background, Work, log_too_late};
use crate::handler::cancellation::{Cancellation, Cancelled};
use crate::observe::peer_log::Line;

/// The work in the background of a server in threads: a thread for each piece.
pub(super) struct WorkThreads {
    threads: Arc<Threads>,
    running: Arc<AtomicUsize>,
    cancellation: Cancellation,
    /// What is left is to be dropped where it waits.
    closed: Arc<Cancellation>,
}

impl WorkThreads {
    pub(super) fn new(threads: Arc<Threads>) -> Self {
        WorkThreads {
            threads,
            running: Arc::default(),
            cancellation: Cancellation::default(),
            closed: Arc::default(),
        }
    }

    /// How many pieces are not done.
    pub(super) fn len(&self) -> usize {
        self.running.load(Ordering::SeqCst)
    }

    /// Takes no more, and has what is left dropped where it waits.
    pub(super) fn close(&self) {
        self.closed.cancel(Cancelled::ShuttingDown);
    }
}

impl Background for WorkThreads {
    fn spawn(&self, work: Work) {
        if self.closed.is_cancelled() {
            return log_too_late();
        }
        let (running, closed) = (self.running.clone(), self.closed.clone());
        running.fetch_add(1, Ordering::SeqCst);
        let counted = Counted(running);
        let log = work.log().clone();
        let run = move || {
            carry_out(work, &closed);
            drop(counted);
        };
        if let Err(error) = self.threads.spawn("drpc-work".into(), run)
            && log.admits(Line::OutOfThreads)
        {
            tracing::error!(%error, "work in the background is dropped: no thread can be had for it");
        }
    }

    fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }
}

/// Polls the work until it is done, or is to be dropped.
fn carry_out(work: Work, closed: &Cancellation) {
    let mut parking = Parking::default();
    let waker = parking.waker();
    let mut context = Context::from_waker(&waker);
    let (mut work, mut closed) = (pin!(work), pin!(closed.cancelled()));
    while closed.as_mut().poll(&mut context).is_pending() && work.as_mut().poll(&mut context).is_pending() {
        parking.park(None, None);
    }
}

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
