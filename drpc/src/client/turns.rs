//! Whose turn it is, in the order of asking: where each call is to be alone on its connection.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// Those who ask, the first of whom has the turn.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    last: u64,
    places: VecDeque<(u64, Option<Waker>)>,
}

/// A place among those who ask. Dropped, it is the turn of the next.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    place: u64,
}

impl Turns {
    /// Waits for a turn. Cancel safe: who waits no more has no place.
    pub(super) async fn take(&self) -> Turn<'_> {
        let turn = self.ask();
        poll_fn(|context| {
            let mut queue = self.queue();
            match queue.places.iter_mut().position(|(place, _)| *place == turn.place) {
                Some(0) | None => Poll::Ready(()),
                Some(at) => {
                    queue.places[at].1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        turn
    }

    fn ask(&self) -> Turn<'_> {
        let mut queue = self.queue();
        queue.last += 1;
        let place = queue.last;
        queue.places.push_back((place, None));
        Turn { turns: self, place }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut queue = self.turns.queue();
        queue.places.retain(|(place, _)| *place != self.place);
        let next = queue.places.front_mut().and_then(|(_, waker)| waker.take());
        drop(queue);
        next.into_iter().for_each(Waker::wake);
    }
}
