//! How many bytes a server holds for its clients, and for each user of them: of messages that come in, of requests that are carried out,
//! of replies that are not sent yet. And how many sessions go on though their clients have left, and how many descriptors calls have.
//!
//! Bytes are counted by a [`Lease`], which lies where they lie: beside the buffer of a message that comes in, in the owner of a
//! [`Bytes`], with a request that was decoded. So they are counted for as long as anybody has them, also a handler whose
//! caller has left. What has up to [`SMALL`] bytes is not counted and costs nothing: a session and a call have but a few of these.
//!
//! Nobody waits here, so that nobody can wait for what another holds who waits as well: at the limit, who asks for more is refused.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::buffer::SMALL;

/// As how many bytes an open stream counts: its own state, and an item that is too short to be counted.
pub(crate) const STREAM: usize = SMALL + (1 << 10);

/// What a server may hold for its clients in all, and for one user of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) bytes: usize,
    pub(crate) per_uid: usize,
}

/// The bytes that a server holds for its clients.
#[derive(Clone, Debug)]
pub(crate) struct Budget(Arc<Ledger>);

#[derive(Debug)]
struct Ledger {
    allowed: Allowed,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    all: Sum,
    of_uid: HashMap<u32, Sum>,
}

/// What is held: bytes, sessions without a client, and descriptors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sum {
    requests: usize,
    replies: usize,
    absent: usize,
    descriptors: usize,
}

/// What bytes are held for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// To read a request, and to carry it out. That may take half of what there is, so that there is room to answer.
    Request,
    /// To send a reply.
    Reply,
}

impl Purpose {
    /// Whose limits hold for bytes of this purpose: what requests have is a part of what all have.
    fn bounds(self) -> &'static [Purpose] {
        match self {
            Purpose::Request => &[Purpose::Request, Purpose::Reply],
            Purpose::Reply => &[Purpose::Reply],
        }
    }
}

/// The bytes that a server holds for one user.
#[derive(Debug)]
pub(crate) struct Account {
    ledger: Arc<Ledger>,
    uid: u32,
}

impl Budget {
    pub(crate) fn new(allowed: Allowed) -> Self {
        Budget(Arc::new(Ledger { allowed, held: Mutex::default() }))
    }

    pub(crate) fn of(&self, uid: u32) -> Arc<Account> {
        Arc::new(Account { ledger: self.0.clone(), uid })
    }

    /// How many of a user's sessions go on without their clients.
    pub(crate) fn absent(&self, uid: u32) -> usize {
        self.0.held().of_uid.get(&uid).map_or(0, |of_user| of_user.absent)
    }
}

impl Account {
    /// A lease of nothing as yet.
    pub(crate) fn lease(self: &Arc<Self>, purpose: Purpose) -> Lease {
        Lease { account: Some((self.clone(), purpose)), bytes: 0 }
    }

    /// Has one of the user's sessions counted as one without its client.
    pub(crate) fn absence(self: &Arc<Self>) -> Absence {
        self.ledger.update(self.uid, |of_user| of_user.absent += 1);
        Absence(self.clone())
    }

    /// Has so many further descriptors counted as the user's; false if that would be more than `most` in all.
    pub(crate) fn hold_descriptors(&self, count: usize, most: usize) -> bool {
        self.ledger.update(self.uid, |of_user| {
            let fits = of_user.descriptors + count <= most;
            if fits {
                of_user.descriptors += count;
            }
            fits
        })
    }

    /// Has so many counted as the user's that are refused, and not closed yet.
    pub(crate) fn hold_refused_descriptors(&self, count: usize) {
        self.ledger.update(self.uid, |of_user| of_user.descriptors += count);
    }

    /// How many the user has.
    pub(crate) fn descriptors(&self) -> usize {
        self.ledger.held().of_uid.get(&self.uid).map_or(0, |of_user| of_user.descriptors)
    }

    pub(crate) fn uid(&self) -> u32 {
        self.uid
    }

    /// So many of them are let go of.
    pub(crate) fn release_descriptors(&self, count: usize) {
        self.ledger.update(self.uid, |of_user| of_user.descriptors -= count);
    }
}

/// That a session goes on without its client is counted; until this is dropped.
#[derive(Debug)]
pub(crate) struct Absence(Arc<Account>);

impl Drop for Absence {
    fn drop(&mut self) {
        self.0.ledger.update(self.0.uid, |of_user| of_user.absent -= 1);
    }
}

/// That some bytes are counted; given back when dropped.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    /// `None` where nothing is counted.
    account: Option<(Arc<Account>, Purpose)>,
    bytes: usize,
}

impl Lease {
    /// Makes it one of so many bytes. If there are not so many, it stays as it is.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<(), OverBudget> {
        let Some((account, purpose)) = &self.account else { return Ok(()) };
        let bytes = if bytes <= SMALL { 0 } else { bytes };
        if bytes != self.bytes {
            account.ledger.change(account.uid, *purpose, self.bytes, bytes)?;
            self.bytes = bytes;
        }
        Ok(())
    }

    /// The same bytes, which are counted for as long as anybody has them.
    pub(crate) fn around(self, bytes: Bytes) -> Bytes {
        match self.bytes {
            0 => bytes,
            _ => Bytes::from_owner(Leased { bytes, _lease: self }),
        }
    }
}

impl Drop for Lease {
    #[inline]
    fn drop(&mut self) {
        if self.bytes > 0 {
            // To give back never fails.
            let _ = self.resize(0);
        }
    }
}

struct Leased {
    /// Dropped first: they are counted as long as they are there.
    bytes: Bytes,
    _lease: Lease,
}

impl AsRef<[u8]> for Leased {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Ledger {
    fn change(&self, uid: u32, purpose: Purpose, from: usize, to: usize) -> Result<(), OverBudget> {
        let mut held = self.held();
        let mut of_user = held.of_uid.get(&uid).copied().unwrap_or_default();
        let mut all = held.all;
        of_user.change(purpose, from, to);
        all.change(purpose, from, to);
        if to > from {
            let wanted = to - from;
            for bound in purpose.bounds() {
                let counted = of_user.counted(*bound);
                if counted > self.most(*bound, all) {
                    return Err(OverBudget { wanted, held: counted - wanted });
                }
            }
        }
        held.all = all;
        held.set(uid, of_user);
        Ok(())
    }

    fn update<R>(&self, uid: u32, change: impl FnOnce(&mut Sum) -> R) -> R {
        let mut held = self.held();
        let mut of_user = held.of_uid.get(&uid).copied().unwrap_or_default();
        let result = change(&mut of_user);
        held.set(uid, of_user);
        result
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much one user may hold, once all hold so much: as much as is left for the others. So whoever comes finds some room, however many
    /// take all they can.
    fn most(&self, purpose: Purpose, all: Sum) -> usize {
        let Allowed { bytes, per_uid } = self.allowed;
        let (bytes, per_uid) = match purpose {
            Purpose::Request => (bytes / 2, per_uid / 2),
            Purpose::Reply => (bytes, per_uid),
        };
        per_uid.min(bytes.saturating_sub(all.counted(purpose)))
    }
}

impl Held {
    /// Who holds nothing is forgotten.
    fn set(&mut self, uid: u32, of_user: Sum) {
        match of_user == Sum::default() {
            true => self.of_uid.remove(&uid),
            false => self.of_uid.insert(uid, of_user),
        };
    }
}

impl Sum {
    fn change(&mut self, purpose: Purpose, from: usize, to: usize) {
        let sum = match purpose {
            Purpose::Request => &mut self.requests,
            Purpose::Reply => &mut self.replies,
        };
        *sum = *sum - from + to;
    }

    /// What counts against the limit for a purpose.
    fn counted(self, purpose: Purpose) -> usize {
        match purpose {
            Purpose::Request => self.requests,
            Purpose::Reply => self.requests + self.replies,
        }
    }
}

/// A server holds as much for a user as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OverBudget {
    pub(crate) wanted: usize,
    pub(crate) held: usize,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OverBudget { wanted, held } = self;
        write!(
            f,
            "no room for {wanted} bytes more: {held} are held for calls of this user, and `ServerBuilder::memory_limit` and \
             `memory_limit_per_uid` allow no more"
        )
    }
}

impl std::error::Error for OverBudget {}

#[cfg(test)]
mod tests {
    use super::Purpose::{Reply, Request};
    use super::*;

    const MIB: usize = 1 << 20;

    fn budget() -> Budget {
        Budget::new(Allowed { bytes: 64 * MIB, per_uid: 32 * MIB })
    }

    fn take(account: &Arc<Account>, purpose: Purpose, bytes: usize) -> Result<Lease, OverBudget> {
        let mut lease = account.lease(purpose);
        lease.resize(bytes).map(|()| lease)
    }

    #[test]
    fn requests_leave_half_for_replies_and_what_is_let_go_of_is_there_again() {
        let budget = budget();
        let ann = budget.of(1);
        let requests = take(&ann, Request, 16 * MIB).unwrap();
        assert_eq!(take(&ann, Request, MIB).unwrap_err(), OverBudget { wanted: MIB, held: 16 * MIB });
        let replies = take(&ann, Reply, 16 * MIB).unwrap();
        take(&ann, Reply, MIB).unwrap_err();
        drop(requests);
        take(&ann, Request, 16 * MIB).unwrap();
        drop(replies);
        assert!(budget.0.held.lock().unwrap().of_uid.is_empty());
        assert_eq!(budget.0.held.lock().unwrap().all, Sum::default());
    }

    #[test]
    fn requests_that_come_after_replies_are_within_the_limit_of_both() {
        let budget = budget();
        let ann = budget.of(1);
        let replies = take(&ann, Reply, 24 * MIB).unwrap();
        let requests = take(&ann, Request, 8 * MIB).unwrap();
        assert_eq!(take(&ann, Request, MIB).unwrap_err(), OverBudget { wanted: MIB, held: 32 * MIB });
        drop(replies);
        take(&ann, Request, 8 * MIB).unwrap();
        drop(requests);
    }

    #[test]
    fn a_user_may_hold_as_much_as_is_left_for_others() {
        // However many take all they can, one more finds some room.
        let budget = budget();
        let mut leases = Vec::new();
        for uid in 0..8 {
            let account = budget.of(uid);
            while let Ok(lease) = take(&account, Request, SMALL + 1) {
                leases.push(lease);
            }
        }
        take(&budget.of(99), Request, 32 << 10).unwrap();
        assert!(budget.0.held.lock().unwrap().all.requests < 32 * MIB);
    }

    #[test]
    fn a_lease_grows_and_shrinks_and_keeps_what_it_has() {
        let budget = budget();
        let mut lease = budget.of(1).lease(Request);
        lease.resize(8 * MIB).unwrap();
        lease.resize(20 * MIB).unwrap_err();
        take(&budget.of(1), Request, 8 * MIB).unwrap();
        lease.resize(MIB).unwrap();
        take(&budget.of(1), Request, 15 * MIB).unwrap();
    }

    #[test]
    fn bytes_are_counted_until_the_last_slice_is_gone() {
        let budget = budget();
        let account = budget.of(1);
        let bytes = take(&account, Request, 16 * MIB).unwrap().around(vec![7; 100].into());
        let slice = bytes.slice(1..2);
        drop(bytes);
        take(&account, Request, MIB).unwrap_err();
        drop(slice);
        take(&account, Request, MIB).unwrap();
    }

    #[test]
    fn sessions_without_their_clients_are_counted_by_user() {
        let budget = budget();
        let (ann, bob) = (budget.of(1), budget.of(2));
        let absences = [ann.absence(), budget.of(1).absence(), bob.absence()];
        assert_eq!((budget.absent(1), budget.absent(2), budget.absent(3)), (2, 1, 0));
        drop(absences);
        assert!(budget.0.held().of_uid.is_empty());
    }

    #[test]
    fn what_is_small_is_not_counted() {
        let account = budget().of(1);
        let leases: Vec<_> = (0..10_000).map(|_| take(&account, Request, SMALL)).collect();
        assert!(leases.iter().all(Result::is_ok));
    }
}
