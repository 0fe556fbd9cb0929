use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::shared::Shared;
use crate::server::kept::Kept;
use crate::server::permits::{Both, Permit, Turn};

/// The call of one session that waits for a permit, if one does; and for a turn, if it will take long.
pub(super) struct CallQueue {
    server: Arc<Shared>,
    uid: u32,
    permits: Turn,
    waiting: Option<Kept>,
    /// When it came: its caller's time goes on while it waits (E5).
    came: Option<Instant>,
    /// That of the call that is about to begin.
    permit: Option<Permit>,
    /// Of a call that will take long.
    slow: Option<Box<Slow>>,
}

/// What waits for the permit and the turn of a call that will take long; and the turn.
pub(super) struct Slow {
    both: Both,
    turn: Option<Permit>,
}

impl CallQueue {
    pub(super) fn new(server: &Arc<Shared>, uid: u32) -> Self {
        CallQueue {
            server: server.clone(),
            uid,
            permits: Turn::new(&server.permits, uid),
            waiting: None,
            came: None,
            permit: None,
            slow: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Takes a permit for a call, and gives the call back; without one, the call waits in here, as one does that will take long.
    #[inline(always)]
    pub(super) fn enter(&mut self, call: Kept) -> Option<Kept> {
        if self.server.slow.has(&call.message) {
            let both = Both::new([&self.server.permits, self.server.turns()], self.uid);
            self.slow = Some(Slow { both, turn: None }.into());
        } else {
            self.permit = self.permits.take();
            if self.permit.is_some() {
                return Some(call);
            }
        }
        self.waiting = Some(call);
        self.came = Some(tokio::time::Instant::now().into_std());
        None
    }

    /// Waits until the call may begin that waits.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Kept> {
        if self.waiting.is_none() {
            return Poll::Pending;
        }
        let permit = match &mut self.slow {
            None => ready!(self.permits.poll(context)),
            Some(slow) => {
                let [permit, turn] = ready!(slow.both.poll(context));
                slow.turn = Some(turn);
                permit
            }
        };
        self.permit = Some(permit);
        self.waiting.take().map_or(Poll::Pending, Poll::Ready)
    }

    /// The permit of the call that begins now.
    pub(super) fn take_permit(&mut self) -> Option<Permit> {
        self.permit.take()
    }

    /// Since when the call that begins now has waited, if it had to.
    pub(super) fn take_came(&mut self) -> Option<Instant> {
        self.came.take()
    }

    /// The turn of the call that begins now, if it will take long.
    pub(super) fn take_turn(&mut self) -> Option<Box<Slow>> {
        self.slow.take()
    }

    /// Lets others go first while this session does what may block its thread, until it [steps in](Self::step_in) or is [polled](Self::poll).
    #[cold]
    pub(super) fn step_aside(&self) {
        self.permits.step_aside();
        if let Some(slow) = &self.slow {
            slow.both.step_aside();
        }
    }

    /// The call waits on in its old place.
    pub(super) fn step_in(&self, context: &Context<'_>) {
        self.permits.step_in(context);
        if let Some(slow) = &self.slow {
            slow.both.step_in(context);
        }
    }

    /// Lets others go first, until [`poll`](Self::poll) is called again.
    pub(super) fn step_back(&mut self) {
        self.permits.step_back();
        if let Some(slow) = &mut self.slow {
            slow.both.step_back();
        }
    }
}
