use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;

/// The room for calls that all sessions of a server share.
#[derive(Clone, Debug)]
pub(super) struct Room(Option<Arc<Semaphore>>);

/// Room for one call; given back when dropped.
pub(super) type Place = OwnedSemaphorePermit;

impl Room {
    pub(super) fn new(limits: &Limits) -> Self {
        Room(limits.calls.map(|calls| Arc::new(Semaphore::new(calls.min(Semaphore::MAX_PERMITS)))))
    }

    /// A session's own end of the queue for room.
    pub(super) fn queue(&self) -> Queue {
        Queue { room: self.clone(), waiting: None, came: None, turn: None, place: None }
    }
}

/// The call of one session that waits for room, if one does.
///
/// Nobody starves: who waits is served in the order of coming, and who can't use their turn now gives it up.
pub(super) struct Queue {
    room: Room,
    waiting: Option<Bytes>,
    /// When it came: its caller's time goes on while it waits (E5).
    came: Option<Instant>,
    /// Becomes the room for the call that waits. Kept only while somebody polls it.
    turn: Option<Pin<Box<dyn Future<Output = Option<Place>> + Send>>>,
    /// Room for the call that is about to begin.
    place: Option<Place>,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Takes room for a call, and gives the call back; without room, the call waits in here.
    pub(super) fn enter(&mut self, call: Bytes) -> Option<Bytes> {
        let Some(room) = &self.room.0 else { return Some(call) };
        match room.clone().try_acquire_owned() {
            Ok(place) => {
                self.place = Some(place);
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
        let (Some(room), Some(_)) = (&self.room.0, &self.waiting) else { return Poll::Pending };
        let turn = self.turn.get_or_insert_with(|| {
            let room = room.clone();
            // The semaphore is never closed.
            Box::pin(async { room.acquire_owned().await.ok() })
        });
        turn.as_mut().poll(context).map(|place| {
            self.turn = None;
            self.place = place;
            self.waiting.take().unwrap_or_default()
        })
    }

    /// The room that was taken for the call that begins now.
    pub(super) fn take_place(&mut self) -> Option<Place> {
        self.place.take()
    }

    /// Since when the call that begins now has waited, if it had to.
    pub(super) fn take_came(&mut self) -> Option<Instant> {
        self.came.take()
    }

    /// Lets others go first, until [`poll`](Self::poll) is called again.
    pub(super) fn step_back(&mut self) {
        self.turn = None;
    }

    /// Drops the call that waits.
    pub(super) fn leave(&mut self) {
        self.turn = None;
        self.waiting = None;
    }
}
