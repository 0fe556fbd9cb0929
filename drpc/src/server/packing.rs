//! The replies to calls that came in a pack go in one packet, too, to a client that takes packs (E5).
//!
//! Replies wait for one thing alone: the next call of the pack that came last, if its method was quick the last time. They go before
//! anything else is done, and once the first of them is [`QUICK`] old.

use std::collections::VecDeque;
use std::mem;
use std::time::{Duration, Instant};

use super::protocol::drop_reply;
use crate::handler::session::Session;
use crate::wire::{Body, Call, Codec, Pack, Response};

/// How long a reply may be kept for those behind it; and a method that takes no longer is quick.
const QUICK: Duration = Duration::from_micros(50);

/// The IDs of what is said of a call, which has no answer.
const NO_METHOD: (i32, i32) = (0, 0);

/// How many methods are remembered that were quick.
const REMEMBERED: usize = 64;

/// The replies of a session that wait for those behind them.
pub(super) struct Packing {
    /// All of it as long as there is but one, which goes as it is.
    first: Option<Response<Body>>,
    pack: Pack,
    /// What did not fit behind them, and all after it: several, where calls that were kept begin one after the other.
    behind: VecDeque<Response<Body>>,
    since: Instant,
    /// The method that runs, if it has not waited, and since when.
    runs: Option<((i32, i32), Instant)>,
    /// By the IDs of module and method.
    quick: Vec<(i32, i32)>,
}

impl Packing {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many replies go next.
    pub(super) fn len(&self) -> usize {
        self.pack.len().max(self.first.iter().len())
    }

    /// Whether what waits may wait for the next call of a pack, if one is left.
    pub(super) fn may_wait_for_next(&self, codec: &Codec) -> bool {
        self.behind.is_empty()
            && codec.packed().peek().and_then(Call::ids_in).is_some_and(|ids| self.quick.contains(&ids))
            && self.since.elapsed() <= QUICK
    }

    /// A handler begins, of the method with these IDs.
    pub(super) fn begin(&mut self, ids: (i32, i32)) {
        self.runs = Some((ids, Instant::now()));
    }

    /// It waits for something, if one has begun.
    pub(super) fn waits(&mut self) {
        if let Some((ids, begun)) = self.runs.take() {
            self.remember(ids, begun.elapsed() <= QUICK);
        }
    }

    /// Puts a reply behind those that wait.
    pub(super) fn put(&mut self, session: &Session, reply: Response<Body>) {
        self.waits();
        self.behind.push_back(reply);
        if self.behind.len() == 1 {
            self.refill(session);
        }
    }

    /// Takes what goes next of what waits.
    pub(super) fn next(&mut self, session: &Session) -> Option<Response<Body>> {
        if self.is_empty() {
            return None;
        }
        let next = match self.first.take() {
            Some(alone) => alone,
            None => mem::take(&mut self.pack).into_response(),
        };
        self.refill(session);
        Some(next)
    }

    /// Drops the replies, each by itself: a second panic within a first would end the program.
    pub(super) fn discard(self, session: &Session) {
        for reply in self.first.into_iter().chain(self.behind) {
            drop_reply(session, reply);
        }
    }

    /// Takes what fits of those behind.
    fn refill(&mut self, session: &Session) {
        while let Some(reply) = self.behind.pop_front() {
            if self.is_empty() {
                (self.first, self.since) = (Some(reply), Instant::now());
            } else if self.add(session, &reply) {
                drop_reply(session, reply);
            } else {
                return self.behind.push_front(reply);
            }
        }
    }

    fn add(&mut self, session: &Session, reply: &Response<Body>) -> bool {
        // An item that can't be sent ends its own stream, and has to be known for that.
        let first = self.first.as_ref();
        if reply.part().is_some() || first.is_some_and(|first| first.part().is_some()) {
            return false;
        }
        if first.is_some_and(|first| !self.pack.put(&first.head(), &first.body)) {
            return false;
        }
        if let Some(first) = self.first.take() {
            drop_reply(session, first);
        }
        self.pack.put(&reply.head(), &reply.body)
    }

    fn remember(&mut self, ids: (i32, i32), is_quick: bool) {
        if ids == NO_METHOD {
            return;
        }
        match self.quick.iter().position(|quick| *quick == ids) {
            Some(place) if !is_quick => drop(self.quick.swap_remove(place)),
            None if is_quick && self.quick.len() < REMEMBERED => self.quick.push(ids),
            _ => {}
        }
    }
}

impl Default for Packing {
    fn default() -> Self {
        Packing {
            first: None,
            pack: Pack::default(),
            behind: VecDeque::new(),
            since: Instant::now(),
            runs: None,
            quick: Vec::new(),
        }
    }
}
