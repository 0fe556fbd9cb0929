//! The connections of a client, and which of them a call takes: the part that neither waits nor connects.
//!
//! The async client shares a connection between calls: [`Pool::least_busy`]. The blocking one lends it to one call at a
//! time: [`Pool::take`] and [`Pool::give_back`].

use std::mem;
use std::sync::Arc;

use smallvec::SmallVec;

use super::error::{CallError, Disconnect};

#[derive(Debug)]
pub(super) struct Pool<C> {
    /// The connections that a call may take.
    open: SmallVec<[C; 1]>,
    /// Whether there was a connection at any time.
    was_connected: bool,
    /// The places of those that can't be seen here: they are lent to a call, or being made.
    out: usize,
    /// How many of these are being made.
    making: usize,
    /// The most connections, lent ones included. One that an abandoned call holds up (C4) does not count any more.
    limit: usize,
    /// Why no connection is made any more.
    stopped: Option<Arc<Disconnect>>,
    /// Counts how often the client was closed: what was lent before is not taken back.
    epoch: u64,
    /// How many calls wait for a place.
    waiting: usize,
    /// How many calls pause before they try to connect again.
    pausing: usize,
    /// How many calls have overtaken those that wait.
    overtaken: u32,
}

/// How many calls may overtake one that waits. To let none would cost a change of threads for every call; to let all
/// would let one wait for ever.
const OVERTAKERS: u32 = 16;

/// What a call may take.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<C> {
    Connection(C),
    /// A place to make a connection for.
    Place,
}

impl<C> Pool<C> {
    pub(super) fn new(limit: usize, first: C) -> Self {
        Pool { open: SmallVec::from_iter([first]), was_connected: true, ..Self::unconnected(limit) }
    }

    /// A pool whose first connection is made when it is needed.
    pub(super) fn unconnected(limit: usize) -> Self {
        Pool {
            open: SmallVec::new(),
            was_connected: false,
            out: 0,
            making: 0,
            limit,
            stopped: None,
            epoch: 0,
            waiting: 0,
            pausing: 0,
            overtaken: 0,
        }
    }

    pub(super) fn open(&self) -> &[C] {
        &self.open
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    pub(super) fn has_room(&self) -> bool {
        self.open.len() + self.out < self.limit
    }

    /// Whether a connection is made when one is needed.
    pub(super) fn makes_more(&self) -> bool {
        self.stopped.is_none()
    }

    pub(super) fn may_make(&self) -> Result<(), CallError> {
        self.stopped.as_ref().map_or(Ok(()), |cause| Err(CallError::not_connected(cause.clone())))
    }

    /// Puts a new connection in, unless the client was closed since it was asked for, or there are enough. False for the pool's first.
    pub(super) fn add(&mut self, epoch: u64, connection: C) -> bool {
        if self.epoch == epoch && self.stopped.is_none() && self.has_room() {
            self.open.push(connection);
        }
        mem::replace(&mut self.was_connected, true)
    }

    /// Makes no more connections, because of that.
    pub(super) fn stop(&mut self, cause: Arc<Disconnect>) {
        self.stopped.get_or_insert(cause);
    }

    /// Begins again, with a new connection in place of broken ones. False for the pool's first; `None` if the client was closed since it was
    /// asked for.
    pub(super) fn restart(&mut self, epoch: u64, connection: C) -> Option<bool> {
        if self.epoch != epoch {
            return None;
        }
        self.stopped = None;
        self.open.clear();
        Some(self.add(epoch, connection))
    }

    /// Takes a connection out for good; `None` if one has to be made.
    pub(super) fn take_out(&mut self) -> Result<Option<C>, CallError> {
        match self.open.pop() {
            None => self.may_make().map(|()| None),
            connection => Ok(connection),
        }
    }

    /// Closes the pool; gives the connections that are not lent (C2).
    pub(super) fn close(&mut self) -> SmallVec<[C; 1]> {
        self.epoch += 1;
        self.stopped = Some(Disconnect::Closed.into());
        mem::take(&mut self.open)
    }
}

/// To share connections.
impl<C> Pool<Arc<C>> {
    /// The connection with the fewest calls, and whether it has any; `None` if one has to be made.
    ///
    /// A call holds the connection for as long as it is under way, so that the holders tell how busy it is.
    pub(super) fn least_busy(&self) -> Result<Option<(&Arc<C>, bool)>, CallError> {
        match self.open.iter().min_by_key(|connection| Arc::strong_count(connection)) {
            Some(connection) => Ok(Some((connection, Arc::strong_count(connection) > 1))),
            None => self.may_make().map(|()| None),
        }
    }

    /// Lets the next calls go out on another connection. Those that are under way on this one go on there.
    pub(super) fn remove(&mut self, connection: &Arc<C>) {
        self.open.retain(|open| !Arc::ptr_eq(open, connection));
    }
}

/// To lend connections.
impl<C> Pool<C> {
    /// Takes a connection, or a place for one; `None` if the call has to wait.
    pub(super) fn take(&mut self, has_waited: bool) -> Result<Option<Taken<C>>, CallError> {
        if self.open.is_empty() {
            self.may_make()?;
            if !self.has_room() {
                return Ok(None);
            }
        }
        if has_waited {
            self.overtaken = 0;
        } else if self.waiting > 0 {
            if self.overtaken == OVERTAKERS {
                return Ok(None);
            }
            self.overtaken += 1;
        }
        self.out += 1;
        if let Some(connection) = self.open.pop() {
            return Ok(Some(Taken::Connection(connection)));
        }
        self.making += 1;
        Ok(Some(Taken::Place))
    }

    /// A connection has been made for a place that was taken in that epoch, or can't be made.
    pub(super) fn made(&mut self) {
        self.making = self.making.saturating_sub(1);
    }

    /// Gives a place back, with the connection if it is still good. True if somebody waits for it.
    pub(super) fn give_back(&mut self, epoch: u64, connection: Option<C>) -> bool {
        self.out -= 1;
        if let Some(connection) = connection
            && self.epoch == epoch
        {
            self.open.push(connection);
        }
        self.somebody_waits()
    }

    /// Begins anew, without any of the connections, lent ones included.
    pub(super) fn forget(&mut self) {
        self.epoch += 1;
        (self.out, self.making, self.waiting, self.pausing) = (0, 0, 0, 0);
        self.open.clear();
    }

    pub(super) fn somebody_waits(&self) -> bool {
        self.waiting > 0
    }

    /// Whether other calls have connections, or make them.
    pub(super) fn is_out(&self) -> bool {
        self.out > 0
    }

    /// Whether other calls have connections.
    pub(super) fn is_lent(&self) -> bool {
        self.out > self.making
    }

    /// Whether the call that has just taken a place is the only one that has.
    pub(super) fn has_one_place_out(&self) -> bool {
        self.out == 1
    }

    /// Whether a call waits or pauses, and has to see that in its time.
    pub(super) fn somebody_looks_again(&self) -> bool {
        self.waiting > 0 || self.pausing > 0
    }

    pub(super) fn begin_to_pause(&mut self) {
        self.pausing += 1;
    }

    pub(super) fn end_to_pause(&mut self) {
        self.pausing = self.pausing.saturating_sub(1);
    }

    pub(super) fn begin_to_wait(&mut self) {
        self.waiting += 1;
    }

    pub(super) fn end_to_wait(&mut self) {
        self.waiting -= 1;
        if self.waiting == 0 {
            self.overtaken = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::error::CallErrorKind;

    #[test]
    fn calls_are_spread_over_the_least_busy() {
        let mut pool = Pool::new(2, Arc::new('a'));
        assert!(pool.add(0, Arc::new('b')));
        assert!(!pool.has_room());
        let of =
            |pool: &Pool<Arc<char>>| pool.least_busy().unwrap().map(|(c, busy)| (c.clone(), busy)).unwrap();
        let (first, busy) = of(&pool);
        assert!(!busy);
        let (second, busy) = of(&pool);
        assert!(!busy && second != first);
        assert!(of(&pool).1);
        drop(second);
        assert!(!of(&pool).1);
    }

    #[test]
    fn no_more_are_lent_than_there_may_be() {
        let mut pool = Pool::new(2, 'a');
        assert_eq!(pool.take(false).unwrap(), Some(Taken::Connection('a')));
        assert_eq!(pool.take(false).unwrap(), Some(Taken::Place));
        assert_eq!(pool.take(false).unwrap(), None);
        assert!(!pool.give_back(0, None));
        assert_eq!(pool.take(false).unwrap(), Some(Taken::Place));
    }

    #[test]
    fn who_waits_is_overtaken_only_so_often() {
        let mut pool = Pool::new(1, 'a');
        pool.take(false).unwrap();
        pool.begin_to_wait();
        assert!(pool.give_back(0, Some('a')));
        for _ in 0..OVERTAKERS {
            pool.take(false).unwrap().unwrap();
            pool.give_back(0, Some('a'));
        }
        assert_eq!(pool.take(false).unwrap(), None);
        assert_eq!(pool.take(true).unwrap(), Some(Taken::Connection('a')));
    }

    #[test]
    fn what_was_lent_before_the_client_was_closed_is_not_taken_back() {
        // C2.
        let mut pool = Pool::new(1, 'a');
        pool.take(false).unwrap();
        assert!(pool.close().is_empty());
        assert_eq!(pool.take(false).unwrap_err().kind(), CallErrorKind::NotConnected);
        assert_eq!(pool.restart(0, 'b'), None);
        assert_eq!(pool.restart(1, 'b'), Some(true));
        pool.give_back(0, Some('a'));
        assert_eq!(pool.take(false).unwrap(), Some(Taken::Place));
    }
}
