//! The streams of a connection's calls: what comes in, and what goes out.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::Connection;
use super::shared::{Shared, wake};
use crate::client::answers::Key;
use crate::client::error::CallError;
use crate::client::outgo::Outgo;
use crate::client::unpacking::{Step, Unpacking};
use crate::wire::{Control, Credit, Gathered};

/// A stream that comes in. Dropped before its end, it is given up, and its server told so.
pub(in crate::client) struct Inflow {
    connection: Arc<Connection>,
    sequence: i64,
    /// `None` once it has ended.
    key: Option<Key>,
    unpacking: Unpacking,
    /// What is sent on the same call, if it is.
    outgo: Option<Arc<Outgo>>,
}

impl Inflow {
    /// The stream of a call whose response has opened it, and the items that go out on the same call, if there are any.
    pub(super) fn new(connection: Arc<Connection>, sequence: i64, key: Key, window: Credit) -> Self {
        let outgo = connection.shared.state().answers.outgo(key).cloned();
        Inflow { connection, sequence, key: Some(key), unpacking: Unpacking::of(window), outgo }
    }

    /// The way out for the items of its caller.
    pub(in crate::client) fn outflow(&self) -> Option<Outflow> {
        let (connection, sequence, outgo) = (self.connection.clone(), self.sequence, self.outgo.clone()?);
        Some(Outflow { connection, sequence, outgo, is_open: true })
    }

    /// Waits for what comes next; `None` once the last was given.
    pub(in crate::client) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Step, CallError>>> {
        loop {
            if let Some((item, credit)) = self.unpacking.next() {
                if let (Some(credit), Some(key)) = (credit, self.key) {
                    self.connection.give_credit(self.sequence, key, credit);
                }
                return Poll::Ready(Some(Ok(Step::Item(item))));
            }
            let Some(key) = self.key else { return Poll::Ready(None) };
            let outcome = ready!(self.connection.poll_response(context, self.sequence, key));
            let last = match outcome {
                Ok(response) => match self.unpacking.put(response) {
                    None => continue,
                    Some(last) => Ok(Step::Last(last)),
                },
                Err(error) => Err(error),
            };
            self.key = None;
            self.tell_sender();
            return Poll::Ready(Some(last));
        }
    }

    /// Has who sends see that the call is over.
    fn tell_sender(&self) {
        wake(self.outgo.as_ref().map(Outgo::waker));
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.connection.abandon(self.sequence, key);
            self.tell_sender();
        }
    }
}

/// A stream that goes out. Dropped before its end, the server is told that these were not all of its items.
pub(in crate::client) struct Outflow {
    connection: Arc<Connection>,
    sequence: i64,
    outgo: Arc<Outgo>,
    /// Its end was not sent.
    is_open: bool,
}

impl Outflow {
    /// Waits until there is room for an item, at the server and in the socket; false if no more are taken.
    pub(in crate::client) fn poll_ready(&mut self, context: &Context<'_>) -> Poll<bool> {
        if !ready!(self.outgo.poll_room(context)) {
            return Poll::Ready(false);
        }
        let mut state = self.connection.shared.state();
        if state.outbox.is_empty() {
            return Poll::Ready(true);
        }
        if !state.held_up.iter().any(|waiting| Arc::ptr_eq(waiting, &self.outgo)) {
            state.held_up.push(self.outgo.clone());
        }
        Poll::Pending
    }

    /// Waits until no more items are taken.
    pub(in crate::client) fn poll_end(&self, context: &Context<'_>) -> Poll<()> {
        self.outgo.poll_end(context)
    }

    /// Whether several items may go in one message: the server takes that, and it can be sent here, however long it gets.
    pub(in crate::client) fn takes_many(&self) -> bool {
        let Shared { message_limit, longest_packet, .. } = self.connection.shared.as_ref();
        self.outgo.takes_many() && *message_limit.min(longest_packet) >= Gathered::LONGEST
    }

    /// Whether there is room for an item behind these.
    pub(in crate::client) fn is_open_behind(&self, gathered: &Gathered) -> bool {
        self.outgo.is_open_behind(gathered)
    }

    /// Sends items for which there is room.
    pub(in crate::client) fn send(&mut self, items: Gathered) -> Result<(), CallError> {
        let (count, bytes) = (items.len(), items.bytes());
        let (body, several) = items.into_body();
        let control = if several { Control::Items } else { Control::Item };
        let shared = &self.connection.shared;
        let said = shared.say(&mut shared.state(), self.sequence, control, body);
        said.map_err(|error| CallError::from(error).of_item())?;
        self.outgo.take(count, bytes);
        Ok(())
    }

    /// These were all.
    pub(in crate::client) fn end(&mut self) {
        self.stop(Control::End);
    }

    fn stop(&mut self, control: Control) {
        if mem::replace(&mut self.is_open, false) && !self.outgo.has_ended() {
            let shared = &self.connection.shared;
            shared.control(&mut shared.state(), self.sequence, control);
        }
    }
}

impl Drop for Outflow {
    fn drop(&mut self) {
        self.stop(Control::Abort);
    }
}
