use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::server::config::Limits;

/// How many calls may run at once, of all sessions of a server together.
#[derive(Clone, Debug)]
pub(super) struct CallPermits(Option<Arc<Semaphore>>);

/// That one call may run; given back when dropped.
pub(super) type Permit = OwnedSemaphorePermit;

impl CallPermits {
    pub(super) fn new(limits: &Limits) -> Self {
        CallPermits(limits.calls.map(|calls| Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS)))))
    }

    /// A session's own end of the queue for permits.
    pub(super) fn queue(&self) -> CallQueue {
        CallQueue { permits: self.clone(), waiting: None, came: None, turn: None, permit: None }
    }
}

/// The call of one session that waits for a permit, if one does.
///
/// Nobody starves: who waits is served in the order of coming, and who can't use their turn now gives it up.
pub(super) struct CallQueue {
    permits: CallPermits,
    waiting: Option<Bytes>,
    /// When it came: its caller's time goes on while it waits (E5).
    came: Option<Instant>,
    /// Becomes the permit of the call that waits. Kept only while somebody polls it.
    turn: Option<Pin<Box<dyn Future<Output = Option<Permit>> + Send>>>,
    /// That of the call that is about to begin.
    permit: Option<Permit>,
}

impl CallQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Takes a permit for a call, and gives the call back; without one, the call waits in here.
    pub(super) fn enter(&mut self, call: Bytes) -> Option<Bytes> {
        let Some(permits) = &self.permits.0 else { return Some(call) };
        match permits.clone().try_acquire_owned() {
            Ok(permit) => {
                self.permit = Some(permit);
                Some(call)
            }
            Err(_) => {
                self.waiting = Some(call);
                self.came = Some(tokio::time::Instant::now().into_std());
                None
            }
        }
    }

    /// Waits for the turn of the call that waits.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        let (Some(permits), Some(_)) = (&self.permits.0, &self.waiting) else { return Poll::Pending };
        let turn = self.turn.get_or_insert_with(|| {
            let permits = permits.clone();
            // The semaphore is never closed.
            Box::pin(async { permits.acquire_owned().await.ok() })
        });
        turn.as_mut().poll(context).map(|permit| {
            self.turn = None;
            self.permit = permit;
            self.waiting.take().unwrap_or_default()
        })
    }

    /// The permit of the call that begins now.
    pub(super) fn take_permit(&mut self) -> Option<Permit> {
        self.permit.take()
    }

    /// Since when the call that begins now has waited, if it had to.
    pub(super) fn take_came(&mut self) -> Option<Instant> {
        self.came.take()
    }

    /// Lets others go first, until [`poll`](Self::poll) is called again.
    pub(super) fn step_back(&mut self) {
        self.turn = None;
    }
}
