//! Calls that were read before there was room for them, since their client may say something of those that run: it may stand behind them.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::budget::{Account, Lease, Purpose};
use crate::buffer::SMALL;
use crate::descriptors::Arrived;

/// How many bytes of such calls a session reads, and some more.
const READ_AHEAD: usize = 64 << 10;

/// How many bytes a session reads of what a client has left behind in the socket, whose descriptor can then be given back; and some more.
#[cfg(any(feature = "server", feature = "progress"))]
const REST: usize = 1 << 20;

/// What a call takes up beside its message, in bytes.
const BESIDE: usize = 128;

/// A call that was read, and what came with it.
pub(super) struct Kept {
    pub(super) message: Bytes,
    pub(super) arrived: Option<Box<Arrived>>,
}

/// The calls of a session that were read before there was room for them, in the order of their coming.
#[derive(Default)]
pub(super) struct KeptCalls {
    calls: VecDeque<Kept>,
    bytes: usize,
    /// How many of these no message counts by itself.
    uncounted: usize,
    /// That these are counted as the user's; made when it is first needed.
    lease: Option<Lease>,
    /// The user has no memory left for more.
    over_budget: bool,
}

impl KeptCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether no more are to be read.
    pub(super) fn is_full(&self) -> bool {
        self.over_budget || self.bytes >= READ_AHEAD
    }

    /// As [`is_full`](Self::is_full), of a client that has left.
    #[cfg(any(feature = "server", feature = "progress"))]
    pub(super) fn is_full_of_rest(&self) -> bool {
        self.over_budget || self.bytes >= REST
    }

    /// Keeps a call of this user, also if there is no memory left for it: then no more are to be read.
    pub(super) fn put(&mut self, Kept { mut message, arrived }: Kept, account: Option<&Arc<Account>>) {
        if message.len() <= SMALL {
            // It may be a part of a pack, which it would keep.
            message = Bytes::copy_from_slice(&message);
        }
        self.bytes += message.len() + BESIDE;
        self.uncounted += uncounted(&message);
        self.calls.push_back(Kept { message, arrived });
        self.lease
            .get_or_insert_with(|| account.map_or_else(Lease::default, |user| user.lease(Purpose::Request)));
        self.count();
    }

    pub(super) fn take(&mut self) -> Option<Kept> {
        let kept = self.calls.pop_front()?;
        self.bytes -= kept.message.len() + BESIDE;
        self.uncounted -= uncounted(&kept.message);
        self.count();
        Some(kept)
    }

    fn count(&mut self) {
        let counted = self.lease.as_mut().map_or(Ok(()), |lease| lease.resize(self.uncounted));
        self.over_budget = counted.is_err();
    }
}

/// How much of a call its message does not count by itself.
fn uncounted(message: &Bytes) -> usize {
    BESIDE + if message.len() <= SMALL { message.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::{Allowed, Budget};

    #[test]
    fn they_are_counted_and_none_is_read_beyond_what_the_user_may_hold() {
        let budget = Budget::new(Allowed { bytes: 1 << 20, per_uid: 128 << 10 });
        let account = budget.of(1);
        let call = || Kept { message: Bytes::from_static(&[7; 1000]), arrived: None };
        let fill = || {
            let mut kept = KeptCalls::default();
            while !kept.is_full() {
                kept.put(call(), Some(&account));
            }
            kept
        };
        // 64 KiB of requests.
        let first = fill();
        let mut second = fill();
        assert!(first.bytes + second.bytes < (64 << 10) + (16 << 10) + 2 * 2000);
        assert!(second.over_budget && !second.is_empty());
        drop(first);
        second.take().unwrap();
        assert!(!second.is_full());
        while second.take().is_some() {}
        assert_eq!((second.bytes, second.uncounted), (0, 0));
        let mut whole = account.lease(Purpose::Request);
        whole.resize(64 << 10).unwrap();
    }
}
