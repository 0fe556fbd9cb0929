use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::task::{Context, Waker};

use bytes::Bytes;
use slab::Slab;

use super::error::{CallError, Disconnect};
use super::outgo::Outgo;
use super::unpacking::admit;
use crate::flow::Room;
use crate::wire::{Credit, Part, Response};

/// Where the calls of one connection find their responses: each has an entry from its beginning until it takes its last result, or is
/// given up.
#[derive(Debug, Default)]
pub(super) struct Answers {
    answers: Slab<Answer>,
    /// What has come of streams, by the keys of their calls.
    streams: BTreeMap<Key, Inbox>,
}

/// A call's key among the answers. It is another call's once it is freed.
pub(super) type Key = usize;

type Outcome = Result<Response, CallError>;

#[derive(Debug)]
enum Answer {
    /// By whom, if it was asked for.
    Awaited(Option<Waker>),
    Here(Outcome),
}

/// What has come of a stream: no more than its caller has given credit for.
#[derive(Debug, Default)]
struct Inbox {
    waker: Option<Waker>,
    /// Whether the server has said that the stream is open, which it says once.
    is_open: bool,
    came: VecDeque<Outcome>,
    /// What the server may still send.
    room: Room,
    /// The items that the caller sends, if it does.
    outgo: Option<Arc<Outgo>>,
}

impl Answers {
    pub(super) fn begin(&mut self) -> Key {
        self.answers.insert(Answer::Awaited(None))
    }

    /// The call of a key, which has only begun, asks for a stream, or sends one.
    pub(super) fn expect_stream(&mut self, key: Key, credit: Credit, outgo: Option<Arc<Outgo>>) {
        let inbox = Inbox { room: credit.into(), outgo, ..Inbox::default() };
        self.streams.insert(key, inbox);
    }

    /// The caller has room for more of its stream.
    pub(super) fn give_credit(&mut self, key: Key, credit: Credit) {
        if let Some(inbox) = self.streams.get_mut(&key) {
            inbox.room.add(credit);
        }
    }

    /// The items that the caller sends, if it does.
    pub(super) fn outgo(&self, key: Key) -> Option<&Arc<Outgo>> {
        self.streams.get(&key)?.outgo.as_ref()
    }

    /// Counts a part of a stream that has come: an error for one that was not asked for, or that there is no room for.
    pub(super) fn count(&mut self, key: Key, part: Part, body: &Bytes) -> Result<(), Disconnect> {
        let Some(inbox) = self.streams.get_mut(&key) else { return Err(Disconnect::Overrun) };
        if part == Part::Opened && mem::replace(&mut inbox.is_open, true) {
            return Err(Disconnect::Overrun);
        }
        admit(part, body, &mut inbox.room)
    }

    /// Puts a result where its call finds it; gives who is to be woken, once no lock is held.
    #[must_use]
    pub(super) fn put(&mut self, key: Key, outcome: Outcome) -> Option<Waker> {
        if !self.streams.is_empty()
            && let Some(inbox) = self.streams.get_mut(&key)
        {
            return inbox.put(outcome);
        }
        match mem::replace(&mut self.answers[key], Answer::Here(outcome)) {
            Answer::Awaited(waker) => waker,
            Answer::Here(_) => None,
        }
    }

    /// Takes the result, or the next of a stream, and frees the key unless more is to follow; or notes who waits for it.
    pub(super) fn take_or_wait(&mut self, key: Key, context: &Context<'_>) -> Option<Outcome> {
        if !self.streams.is_empty()
            && let Some(inbox) = self.streams.get_mut(&key)
        {
            let next = inbox.next_or_wait(context);
            if next.as_ref().is_some_and(is_last) {
                self.free(key);
            }
            return next;
        }
        match &mut self.answers[key] {
            Answer::Here(_) => return self.free(key),
            Answer::Awaited(Some(waker)) => waker.clone_from(context.waker()),
            Answer::Awaited(waker) => *waker = Some(context.waker().clone()),
        }
        None
    }

    /// Whether something of a stream is there that was not taken yet.
    #[inline]
    pub(super) fn has_something(&self, key: Key) -> bool {
        !self.streams.is_empty() && self.streams.get(&key).is_some_and(|inbox| !inbox.came.is_empty())
    }

    /// Frees a key; gives the result, if it is there.
    pub(super) fn free(&mut self, key: Key) -> Option<Outcome> {
        let next = if self.streams.is_empty() { None } else { self.free_stream(key) };
        match self.answers.remove(key) {
            Answer::Awaited(_) => next,
            Answer::Here(outcome) => Some(outcome),
        }
    }

    #[cold]
    fn free_stream(&mut self, key: Key) -> Option<Outcome> {
        let mut inbox = self.streams.remove(&key)?;
        if let Some(outgo) = inbox.outgo {
            outgo.end();
        }
        inbox.came.pop_front()
    }
}

impl Inbox {
    fn put(&mut self, outcome: Outcome) -> Option<Waker> {
        let is_last = is_last(&outcome);
        // A list of no items needs no room, and is of no use.
        let is_nothing =
            outcome.as_ref().is_ok_and(|part| part.part() == Some(Part::Items) && part.body.is_empty());
        if !is_nothing {
            self.came.push_back(outcome);
        }
        match &self.outgo {
            None => self.waker.take(),
            Some(outgo) => {
                if is_last {
                    outgo.end();
                }
                Some(outgo.waker())
            }
        }
    }

    fn next_or_wait(&mut self, context: &Context<'_>) -> Option<Outcome> {
        let next = self.came.pop_front();
        if next.is_none() {
            match &self.outgo {
                None => self.waker = Some(context.waker().clone()),
                Some(outgo) => outgo.receiver_waits(context),
            }
        }
        next
    }
}

/// Whether nothing is to follow.
pub(super) fn is_last(outcome: &Outcome) -> bool {
    !outcome.as_ref().is_ok_and(|response| response.part().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ResponseFields;

    fn part(part: Part) -> Response {
        let fields = ResponseFields::of_part(part);
        Response { added: Some(fields.into()), ..Response::default() }
    }

    #[test]
    fn what_another_has_received_before_comes_first() {
        let mut answers = Answers::default();
        let key = answers.begin();
        answers.expect_stream(key, Credit { items: 8, bytes: 8 }, None);
        // The driver has received it just before the call took over.
        drop(answers.put(key, Ok(part(Part::Opened))));
        assert!(answers.has_something(key));
        drop(answers.put(key, Ok(part(Part::Item))));
        drop(answers.put(key, Ok(Response::default())));
        let nobody = Context::from_waker(Waker::noop());
        let parts = [(); 3].map(|()| answers.take_or_wait(key, &nobody).unwrap().unwrap().part());
        assert_eq!(parts, [Some(Part::Opened), Some(Part::Item), None]);
        assert!(answers.answers.is_empty() && answers.streams.is_empty());
    }

    #[test]
    fn a_stream_opens_once_and_a_list_of_nothing_takes_no_room() {
        let mut answers = Answers::default();
        let key = answers.begin();
        answers.expect_stream(key, Credit { items: 8, bytes: 8 }, None);
        let nothing = Bytes::new();
        assert!(answers.count(key, Part::Opened, &nothing).is_ok());
        assert!(answers.count(key, Part::Opened, &nothing).is_err());
        drop(answers.put(key, Ok(part(Part::Items))));
        assert!(answers.streams[&key].came.is_empty());
    }
}
