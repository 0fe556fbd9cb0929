use std::collections::VecDeque;
use std::mem;
use std::task::{Context, Waker};

use slab::Slab;

use super::error::{CallError, Disconnect};
use crate::wire::{Credit, Part, Response};

/// Where the calls of one connection find their responses: each has an entry from its beginning until it takes its last result, or is
/// given up.
#[derive(Debug, Default)]
pub(super) struct Answers(Slab<Answer>);

/// A call's key among the answers. It is another call's once it is freed.
pub(super) type Key = usize;

type Outcome = Result<Response, CallError>;

#[derive(Debug)]
enum Answer {
    /// By whom, if it was asked for.
    Awaited(Option<Waker>),
    Here(Outcome),
    Stream(Box<Inbox>),
}

/// What has come of a stream: no more than its caller has given credit for.
#[derive(Debug)]
struct Inbox {
    waker: Option<Waker>,
    came: VecDeque<Outcome>,
    items: u64,
    bytes: i64,
}

impl Answers {
    pub(super) fn begin(&mut self) -> Key {
        self.0.insert(Answer::Awaited(None))
    }

    /// Of a call that asks for a stream.
    #[cold]
    pub(super) fn begin_stream(&mut self, credit: Credit) -> Key {
        let inbox = Inbox { waker: None, came: VecDeque::new(), items: 0, bytes: 0 };
        let key = self.begin();
        self.0[key] = Answer::Stream(Box::new(inbox));
        self.give_credit(key, credit);
        key
    }

    /// The caller has room for more of its stream.
    pub(super) fn give_credit(&mut self, key: Key, credit: Credit) {
        if let Answer::Stream(inbox) = &mut self.0[key] {
            inbox.items = inbox.items.saturating_add(credit.items.into());
            inbox.bytes = inbox.bytes.saturating_add(i64::try_from(credit.bytes).unwrap_or(i64::MAX));
        }
    }

    /// Counts a part of a stream that has come: an error for one that was not asked for, or that there is no room for.
    pub(super) fn count(&mut self, key: Key, part: Part, bytes: usize) -> Result<(), Disconnect> {
        match (&mut self.0[key], part) {
            (Answer::Stream(_), Part::Opened) => Ok(()),
            (Answer::Stream(inbox), Part::Item) if inbox.items > 0 && inbox.bytes > 0 => {
                inbox.items -= 1;
                inbox.bytes = inbox.bytes.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
                Ok(())
            }
            _ => Err(Disconnect::Overrun),
        }
    }

    /// Puts a result where its call finds it; gives who is to be woken, once no lock is held.
    #[must_use]
    pub(super) fn put(&mut self, key: Key, outcome: Outcome) -> Option<Waker> {
        if let Answer::Stream(inbox) = &mut self.0[key] {
            inbox.came.push_back(outcome);
            return inbox.waker.take();
        }
        match mem::replace(&mut self.0[key], Answer::Here(outcome)) {
            Answer::Awaited(waker) => waker,
            Answer::Here(_) | Answer::Stream(_) => None,
        }
    }

    /// Takes the result, or the next of a stream, and frees the key unless more is to follow; or notes who waits for it.
    pub(super) fn take_or_wait(&mut self, key: Key, context: &Context<'_>) -> Option<Outcome> {
        let waker = match &mut self.0[key] {
            Answer::Here(_) => return self.free(key),
            Answer::Awaited(waker) => waker,
            Answer::Stream(inbox) => match inbox.came.pop_front() {
                Some(outcome) => {
                    if is_last(&outcome) {
                        self.0.remove(key);
                    }
                    return Some(outcome);
                }
                None => &mut inbox.waker,
            },
        };
        match waker {
            Some(waker) => waker.clone_from(context.waker()),
            waker => *waker = Some(context.waker().clone()),
        }
        None
    }

    /// Frees a key; gives the result, if it is there.
    pub(super) fn free(&mut self, key: Key) -> Option<Outcome> {
        match self.0.remove(key) {
            Answer::Awaited(_) => None,
            Answer::Here(outcome) => Some(outcome),
            Answer::Stream(mut inbox) => inbox.came.pop_front(),
        }
    }
}

/// Whether nothing is to follow.
pub(super) fn is_last(outcome: &Outcome) -> bool {
    !outcome.as_ref().is_ok_and(|response| response.part().is_some())
}
