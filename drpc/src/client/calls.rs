//! Which calls of one connection wait for a reply: the part of a client that needs no socket (C1, C4 to C7).

use std::collections::{BTreeMap, VecDeque};

use crate::wire::{Response, Status, UNREADABLE_CALL};

/// How many calls are remembered whose reply is not wanted any more. A peer that never answers them must not fill the
/// memory; beyond this number the oldest is forgotten, and its reply, should it come, counts as unexpected.
const ABANDONED_LIMIT: usize = 4096;

/// The calls of one connection that have no reply yet.
#[derive(Debug)]
pub(super) struct Calls<W> {
    last_sequence: i64,
    /// By ascending sequence. `None` for a call whose reply is not wanted any more, or never was (C6).
    open: VecDeque<(i64, Option<W>)>,
    /// How many of `open` are `None`.
    abandoned: usize,
    /// The calls whose streams are open, by sequence; `None` as above. They are answered already as far as the order goes (C5).
    streams: BTreeMap<i64, Option<W>>,
}

/// To whom a response belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Addressee<W> {
    /// A call waits for it.
    Waiting(W),
    /// Nobody wants it any more: it came too late (C4), or it was never to be waited for (C6).
    Abandoned,
    /// No call has its sequence (C5).
    Unknown,
}

impl<W: Copy> Calls<W> {
    /// The calls of a new connection: the next one is the first after `last_sequence` (C1).
    pub(super) fn new(last_sequence: i64) -> Self {
        Calls { last_sequence, open: VecDeque::new(), abandoned: 0, streams: BTreeMap::new() }
    }

    /// Begins a call; gives its sequence.
    pub(super) fn begin(&mut self, waiter: Option<W>) -> i64 {
        self.last_sequence += 1;
        if waiter.is_none() {
            self.abandoned += 1;
        }
        self.open.push_back((self.last_sequence, waiter));
        self.forget_oldest_abandoned();
        self.last_sequence
    }

    /// Takes back a call that was never sent; gives who waits for it.
    pub(super) fn take_back(&mut self, sequence: i64) -> Option<W> {
        let waiter = self.remove(sequence)?;
        self.abandoned -= usize::from(waiter.is_none());
        waiter
    }

    /// How many calls have no reply yet, wanted or not.
    pub(super) fn len(&self) -> usize {
        self.open.len() + self.streams.len()
    }

    /// Whether a stream is open.
    pub(super) fn has_streams(&self) -> bool {
        !self.streams.is_empty()
    }

    /// Gives up waiting for a reply that may still come. True if the call was still open.
    pub(super) fn abandon(&mut self, sequence: i64) -> bool {
        let Ok(place) = self.place(sequence) else { return self.abandon_stream(sequence) };
        let was_open = self.open[place].1.take().is_some();
        if was_open {
            self.abandoned += 1;
            self.forget_oldest_abandoned();
        }
        was_open
    }

    fn abandon_stream(&mut self, sequence: i64) -> bool {
        let was_open = self.streams.get_mut(&sequence).and_then(Option::take).is_some();
        if was_open && self.streams.values().filter(|waiter| waiter.is_none()).count() > ABANDONED_LIMIT {
            self.streams.remove(&sequence);
        }
        was_open
    }

    /// Finds the call that a response answers, or whose stream it ends, and closes it.
    ///
    /// A response that says the call could not be read carries no sequence, and answers the oldest open call (C5). That
    /// is so even if it was abandoned: else its answer would be taken for the next call's (C4).
    pub(super) fn resolve(&mut self, response: &Response) -> Addressee<W> {
        let unreadable =
            response.sequence == UNREADABLE_CALL && response.status == Status::FAILED_UNMARSHAL_CALL;
        let found = match unreadable {
            true => self.open.pop_front().map(|(_, waiter)| waiter),
            false => self.remove(response.sequence),
        };
        match found {
            Some(Some(waiter)) => Addressee::Waiting(waiter),
            Some(None) => {
                self.abandoned -= 1;
                Addressee::Abandoned
            }
            None => self.streams.remove(&response.sequence).map_or(Addressee::Unknown, Addressee::of_stream),
        }
    }

    /// Finds the call to whose stream a response belongs: it stays open.
    pub(super) fn resolve_part(&mut self, sequence: i64) -> Addressee<W> {
        if let Some(waiter) = self.remove(sequence) {
            self.abandoned -= usize::from(waiter.is_none());
            self.streams.insert(sequence, waiter);
        }
        self.streams.get(&sequence).copied().map_or(Addressee::Unknown, Addressee::of_stream)
    }

    /// Closes all calls; gives those that wait (C7).
    pub(super) fn drain(&mut self) -> impl Iterator<Item = W> + use<W> {
        self.abandoned = 0;
        let streams = std::mem::take(&mut self.streams).into_values();
        std::mem::take(&mut self.open).into_iter().map(|(_, waiter)| waiter).chain(streams).flatten()
    }

    fn place(&self, sequence: i64) -> Result<usize, usize> {
        self.open.binary_search_by_key(&sequence, |(sequence, _)| *sequence)
    }

    #[inline]
    fn remove(&mut self, sequence: i64) -> Option<Option<W>> {
        // Most are answered in the order of their coming.
        match self.open.front() {
            Some((first, _)) if *first == sequence => self.open.pop_front().map(|(_, waiter)| waiter),
            _ => self.remove_later(sequence),
        }
    }

    #[inline(never)]
    fn remove_later(&mut self, sequence: i64) -> Option<Option<W>> {
        let place = self.place(sequence).ok()?;
        self.open.remove(place).map(|(_, waiter)| waiter)
    }

    fn forget_oldest_abandoned(&mut self) {
        if self.abandoned > ABANDONED_LIMIT {
            let oldest = self.open.iter().find(|(_, waiter)| waiter.is_none()).map(|(sequence, _)| *sequence);
            if let Some(sequence) = oldest {
                self.take_back(sequence);
            }
        }
    }
}

impl<W> Addressee<W> {
    fn of_stream(waiter: Option<W>) -> Self {
        waiter.map_or(Addressee::Abandoned, Addressee::Waiting)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn success(sequence: i64) -> Response {
        Response { sequence, ..Response::default() }
    }

    #[test]
    fn sequences_count_from_one() {
        // C1.
        let mut calls = Calls::new(0);
        assert_eq!(calls.begin(Some('a')), 1);
        assert_eq!(calls.begin(Some('b')), 2);
        assert_eq!(calls.resolve(&success(2)), Addressee::Waiting('b'));
        assert_eq!(calls.resolve(&success(1)), Addressee::Waiting('a'));
        assert_eq!(calls.resolve(&success(1)), Addressee::Unknown);
    }

    #[test]
    fn a_late_reply_is_dropped() {
        // C4.
        let mut calls = Calls::new(0);
        let late = calls.begin(Some('a'));
        assert!(calls.abandon(late));
        let next = calls.begin(Some('b'));
        assert_eq!(calls.resolve(&success(late)), Addressee::Abandoned);
        assert_eq!(calls.resolve(&success(next)), Addressee::Waiting('b'));
    }

    #[test]
    fn an_unreadable_call_is_the_oldest_open_one() {
        // C5, and C4 for the one that was abandoned.
        let mut calls = Calls::new(0);
        let first = calls.begin(Some('a'));
        calls.begin(Some('b'));
        calls.abandon(first);
        let unreadable = Response::unreadable_call();
        assert_eq!(calls.resolve(&unreadable), Addressee::Abandoned);
        assert_eq!(calls.resolve(&unreadable), Addressee::Waiting('b'));
        assert_eq!(calls.resolve(&unreadable), Addressee::Unknown);
    }

    #[test]
    fn a_stream_is_open_until_its_last_response() {
        let mut calls = Calls::new(0);
        let stream = calls.begin(Some('a'));
        let given_up = calls.begin(Some('b'));
        assert_eq!(calls.resolve_part(stream), Addressee::Waiting('a'));
        // What has opened is not the oldest open call (C5).
        assert_eq!(calls.resolve(&Response::unreadable_call()), Addressee::Waiting('b'));
        assert_eq!(calls.resolve_part(given_up), Addressee::Unknown);
        for _ in 0..2 {
            assert_eq!(calls.resolve_part(stream), Addressee::Waiting('a'));
        }
        assert_eq!(calls.len(), 1);
        assert!(calls.abandon(stream) && !calls.abandon(stream));
        assert_eq!(calls.resolve_part(stream), Addressee::Abandoned);
        assert_eq!(calls.resolve(&success(stream)), Addressee::Abandoned);
        assert_eq!(calls.resolve(&success(stream)), Addressee::Unknown);
        assert_eq!(calls.len(), 0);
    }

    #[test]
    fn abandoned_calls_do_not_pile_up() {
        let mut calls = Calls::<()>::new(0);
        for _ in 0..3 * ABANDONED_LIMIT {
            calls.begin(None);
        }
        assert_eq!(calls.len(), ABANDONED_LIMIT);
    }
}
