use std::task::{Context, Waker};

use slab::Slab;

use super::error::CallError;
use crate::wire::Response;

/// Where the calls of one connection find their responses: each has an entry from its beginning until it takes its result, or is
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
}

impl Answers {
    pub(super) fn begin(&mut self) -> Key {
        self.0.insert(Answer::Awaited(None))
    }

    /// Puts a result where its call finds it; gives who is to be woken, once no lock is held.
    #[must_use]
    pub(super) fn put(&mut self, key: Key, outcome: Outcome) -> Option<Waker> {
        match std::mem::replace(&mut self.0[key], Answer::Here(outcome)) {
            Answer::Awaited(waker) => waker,
            Answer::Here(_) => None,
        }
    }

    /// Takes the result, and frees the key; or notes who waits for it.
    pub(super) fn take_or_wait(&mut self, key: Key, context: &Context<'_>) -> Option<Outcome> {
        match &mut self.0[key] {
            Answer::Here(_) => return self.free(key),
            Answer::Awaited(Some(waker)) => waker.clone_from(context.waker()),
            Answer::Awaited(waker) => *waker = Some(context.waker().clone()),
        }
        None
    }

    /// Frees a key; gives the result, if it is there.
    pub(super) fn free(&mut self, key: Key) -> Option<Outcome> {
        match self.0.remove(key) {
            Answer::Awaited(_) => None,
            Answer::Here(outcome) => Some(outcome),
        }
    }
}
