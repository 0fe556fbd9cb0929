use std::task::{Context, Poll};
use std::time::Instant;

use crate::server::kept::Kept;
use crate::server::permits::{CallPermits, Permit, Turn};

/// The call of one session that waits for a permit, if one does.
pub(super) struct CallQueue {
    turn: Turn,
    waiting: Option<Kept>,
    /// When it came: its caller's time goes on while it waits (E5).
    came: Option<Instant>,
    /// That of the call that is about to begin.
    permit: Option<Permit>,
}

impl CallQueue {
    pub(super) fn new(permits: &CallPermits, uid: u32) -> Self {
        CallQueue { turn: Turn::new(permits, uid), waiting: None, came: None, permit: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Takes a permit for a call, and gives the call back; without one, the call waits in here.
    #[inline(always)]
    pub(super) fn enter(&mut self, call: Kept) -> Option<Kept> {
        self.permit = self.turn.take();
        if self.permit.is_some() {
            return Some(call);
        }
        self.waiting = Some(call);
        self.came = Some(tokio::time::Instant::now().into_std());
        None
    }

    /// Waits for the turn of the call that waits.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Kept> {
        let Some(call) = self.waiting.take() else { return Poll::Pending };
        match self.turn.poll(context) {
            Poll::Ready(permit) => {
                self.permit = Some(permit);
                Poll::Ready(call)
            }
            Poll::Pending => {
                self.waiting = Some(call);
                Poll::Pending
            }
        }
    }

    /// The permit of the call that begins now.
    pub(super) fn take_permit(&mut self) -> Option<Permit> {
        self.permit.take()
    }

    /// Since when the call that begins now has waited, if it had to.
    pub(super) fn take_came(&mut self) -> Option<Instant> {
        self.came.take()
    }

    /// Lets others go first while this session does what may block its thread, until it [steps in](Self::step_in) or is [polled](Self::poll).
    #[cold]
    pub(super) fn step_aside(&self) {
        self.turn.step_aside();
    }

    /// The call waits on in its old place.
    pub(super) fn step_in(&self, context: &Context<'_>) {
        self.turn.step_in(context);
    }

    /// Lets others go first, until [`poll`](Self::poll) is called again.
    pub(super) fn step_back(&mut self) {
        self.turn.step_back();
    }
}
