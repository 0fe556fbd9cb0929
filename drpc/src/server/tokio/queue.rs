use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use super::shared::Shared;
use crate::server::kept::Kept;
use crate::server::permits::{Permit, Turn};
use crate::wire::Call;

/// The call of one session that waits for a permit, if one does; and for its turn, if its reply will be long.
pub(super) struct CallQueue {
    server: Arc<Shared>,
    uid: u32,
    permits: Turn,
    waiting: Option<Kept>,
    /// When it came: its caller's time goes on while it waits (E5).
    came: Option<Instant>,
    /// That of the call that is about to begin.
    permit: Option<Permit>,
    /// Of a call whose reply will be long.
    long: Option<Box<Long>>,
}

/// The turn of a call whose reply will be long: what waits for it, and what it is.
pub(super) struct Long {
    turns: Turn,
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
            long: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Takes a permit for a call, and gives the call back; without one, the call waits in here, as one does whose reply will be long.
    #[inline(always)]
    pub(super) fn enter(&mut self, call: Kept) -> Option<Kept> {
        self.permit = self.permits.take();
        if self.permit.is_some() && !self.server.long.any() {
            return Some(call);
        }
        self.queue(call)
    }

    #[cold]
    fn queue(&mut self, call: Kept) -> Option<Kept> {
        let is_long = Call::ids_in(&call.message).is_some_and(|ids| self.server.long.has(ids));
        if self.permit.is_some() && !is_long {
            return Some(call);
        }
        if is_long {
            let turns = self.server.turn_of_many(self.uid);
            self.long = Some(Long { turns, turn: None }.into());
        }
        self.waiting = Some(call);
        self.came = Some(tokio::time::Instant::now().into_std());
        None
    }

    /// Waits for the turn of the call that waits.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Kept> {
        if self.waiting.is_none() {
            return Poll::Pending;
        }
        if self.permit.is_none() {
            self.permit = Some(ready!(self.permits.poll(context)));
        }
        if let Some(long) = &mut self.long {
            long.turn = Some(ready!(long.turns.poll(context)));
        }
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

    /// The turn of the call that begins now, if its reply will be long.
    pub(super) fn take_turn(&mut self) -> Option<Box<Long>> {
        self.long.take()
    }

    /// Lets others go first while this session does what may block its thread, until it [steps in](Self::step_in) or is [polled](Self::poll).
    #[cold]
    pub(super) fn step_aside(&mut self) {
        self.permit = None;
        self.permits.step_aside();
        if let Some(long) = &self.long {
            long.turns.step_aside();
        }
    }

    /// The call waits on in its old place.
    pub(super) fn step_in(&self, context: &Context<'_>) {
        self.permits.step_in(context);
        if let Some(long) = &self.long {
            long.turns.step_in(context);
        }
    }

    /// Lets others go first, until [`poll`](Self::poll) is called again.
    pub(super) fn step_back(&mut self) {
        self.permit = None;
        self.permits.step_back();
        if let Some(long) = &mut self.long {
            long.turns.step_back();
        }
    }
}
