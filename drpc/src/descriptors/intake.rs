use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::process::{Resource, getrlimit};

use super::elsewhere::{Strangers, close_held, hangs};
use super::received::Problem;
use crate::budget::Account;
use crate::transport::generation;

/// How many descriptors one end of a connection takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// With one message.
    pub(crate) message: usize,
    /// In all its messages whose calls are not over.
    pub(crate) connection: usize,
    /// In all connections of its user, if that is known.
    pub(crate) user: usize,
}

impl Limits {
    /// Those of an end that takes none. What comes nevertheless is closed where it holds up nobody.
    pub(crate) const NONE: Limits = Limits { message: 0, connection: 0, user: 0 };

    /// Those of an end that has chosen its peer.
    pub(crate) const TRUSTING: Limits =
        Limits { message: super::MAX, connection: usize::MAX, user: usize::MAX };

    /// Whether any are taken.
    pub(crate) fn take_any(self) -> bool {
        self.message > 0
    }
}

/// What one end of a connection takes in: the descriptors of the message that is being received.
#[derive(Debug)]
pub(crate) struct Intake {
    limits: Mutex<Limits>,
    arrived: Mutex<Arriving>,
    /// How many the connection has.
    held: Arc<AtomicUsize>,
    /// Whose they count as, besides.
    user: OnceLock<Arc<Account>>,
    /// The process, as [`generation`] numbers it.
    made_in: u64,
}

#[derive(Debug, Default)]
struct Arriving {
    strangers: Strangers,
    problem: Option<Problem>,
}

/// The descriptors that have come with a message.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(super) strangers: Strangers,
    /// Why these are not all.
    pub(super) problem: Option<Problem>,
}

impl Arrived {
    pub(crate) fn len(&self) -> usize {
        self.strangers.descriptors.len()
    }

    /// The descriptors, for who passes them on.
    pub(crate) fn take(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.strangers.descriptors)
    }
}

impl Intake {
    /// Whether what comes is for this process, and not for the one that it was forked from.
    pub(crate) fn is_ours(&self) -> bool {
        self.made_in == generation()
    }

    pub(crate) fn new(limits: Limits) -> Self {
        Intake {
            limits: Mutex::new(limits),
            arrived: Mutex::default(),
            held: Arc::default(),
            user: OnceLock::new(),
            made_in: generation(),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Whose what comes counts as, if that was said.
    pub(crate) fn uid(&self) -> Option<u32> {
        self.user.get().map(|user| user.uid())
    }

    /// What comes from now on counts as this user's.
    pub(crate) fn charge_to(&self, user: &Arc<Account>) {
        self.user.get_or_init(|| user.clone());
    }

    /// Takes the descriptors of a packet in, all or none of them. Those that are refused are closed, and count as the user's until they are.
    ///
    /// # Errors
    ///
    /// If so many of the user's are not closed yet that nothing more is to be received: their closing may last for ever.
    pub(crate) fn take_in(&self, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        if descriptors.is_empty() {
            return Ok(());
        }
        let mut arrived = self.arriving();
        let count = descriptors.len();
        match self.check(arrived.strangers.descriptors.len(), count) {
            Ok(()) => {
                arrived.strangers.held.add(self, count);
                arrived.strangers.descriptors.extend(descriptors);
                Ok(())
            }
            Err(problem) => {
                arrived.problem.get_or_insert(problem);
                drop(arrived);
                self.refuse(descriptors)
            }
        }
    }

    #[cold]
    fn refuse(&self, descriptors: Vec<OwnedFd>) -> io::Result<()> {
        let user = self.user.get();
        let held = user.map(|user| {
            let count = descriptors.len();
            user.hold_refused_descriptors(count);
            Held { connection: None, user: Some(user.clone()), count }
        });
        close_held(descriptors, held.unwrap_or_default());
        match user.is_some_and(|user| has_too_many(user, self.limits().user)) {
            true => Err(io::Error::other(
                "too many of the descriptors that this user has passed are not closed yet: their closing takes too long",
            )),
            false => Ok(()),
        }
    }

    /// The kernel has dropped some of a packet's descriptors.
    pub(crate) fn cut(&self) {
        self.arriving().problem.get_or_insert(Problem::Cut);
    }

    /// What has come since this was last asked: that of one message, if it is asked after each.
    #[cold]
    pub(crate) fn arrived(&self) -> Option<Box<Arrived>> {
        let Arriving { strangers, problem } = std::mem::take(&mut *self.arriving());
        let has_come = !strangers.descriptors.is_empty() || problem.is_some();
        has_come.then(|| Box::new(Arrived { strangers, problem }))
    }

    /// Whether there is room for so many more. If there is, they count as the process's and the user's.
    fn check(&self, before: usize, more: usize) -> Result<(), Problem> {
        let of_message = before + more;
        let limits @ Limits { message, connection, user } = self.limits();
        if !limits.take_any() {
            return Err(Problem::NoneTaken);
        }
        if of_message > message {
            return Err(Problem::TooMany { limit: message });
        }
        if self.held.load(Ordering::Relaxed) + more > connection {
            return Err(Problem::ConnectionFull { limit: connection });
        }
        let limit = process_limit();
        let left = hold(&HELD, more, limit).ok_or(Problem::ProcessFull { limit })?;
        // As with memory, a user may have as much as is left for the others: whoever comes finds some room.
        match self.user.get() {
            Some(account) if !account.hold_descriptors(more, user.min(left)) => {
                HELD.fetch_sub(more, Ordering::Relaxed);
                Err(if user <= left { Problem::UserFull { limit: user } } else { Problem::UserShare })
            }
            _ => Ok(()),
        }
    }

    fn arriving(&self) -> MutexGuard<'_, Arriving> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How many descriptors of messages the process has.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// Counts so many more, if these are no more than may be in all; gives how many are left. Others may ask at the same time.
fn hold(held: &AtomicUsize, more: usize, limit: usize) -> Option<usize> {
    let fits = |held: usize| held.checked_add(more).filter(|held| *held <= limit);
    let before = held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits).ok()?;
    Some(limit - before - more)
}

/// How many it may have: so much of what it may open that connections and files find the rest.
fn process_limit() -> usize {
    let files = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit as usize);
    files / 4
}

/// Whether so many descriptors of a user, whose calls may have so many, are not closed yet that it is heard no more. Beside those of its calls, it may
/// have those of two messages that were refused; and as many as all calls of the process, as long as they are being closed.
pub(crate) fn has_too_many(user: &Account, of_user: usize) -> bool {
    let held = user.descriptors();
    if held <= REFUSED {
        return false;
    }
    let all = process_limit();
    let refused = held.saturating_sub(of_user.min(all / 2));
    refused > REFUSED && (refused > all || hangs(Some(user.uid())))
}

/// How many descriptors of a user that were refused may not be closed yet, though their closing takes long.
const REFUSED: usize = 2 * super::MAX;

/// Descriptors that are counted as their connection's, their user's and the process's until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Held {
    /// `None` if they are refused ones: these are counted as their user's alone.
    connection: Option<Arc<AtomicUsize>>,
    user: Option<Arc<Account>>,
    count: usize,
}

impl Held {
    /// Those that an intake has found room for.
    fn add(&mut self, intake: &Intake, count: usize) {
        intake.held.fetch_add(count, Ordering::Relaxed);
        self.connection.get_or_insert_with(|| intake.held.clone());
        self.user = intake.user.get().cloned();
        self.count += count;
    }

    /// Whose they are, if that is known.
    pub(super) fn uid(&self) -> Option<u32> {
        self.user.as_ref().map(|user| user.uid())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.fetch_sub(self.count, Ordering::Relaxed);
            HELD.fetch_sub(self.count, Ordering::Relaxed);
        }
        if let Some(user) = &self.user {
            user.release_descriptors(self.count);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::pipe;
    use std::thread;

    use super::*;
    use crate::budget::{Allowed, Budget};
    use crate::descriptors::elsewhere::tests::hang;

    #[test]
    fn those_that_are_not_closed_yet_count_and_a_user_of_too_many_is_heard_no_more() {
        const UID: u32 = 4_000_000_001;
        let account = Budget::new(Allowed { bytes: 0, per_uid: 0 }).of(UID);
        let intake = Intake::new(Limits { message: 4, connection: 8, user: 4 });
        intake.charge_to(&account);
        let (reader, _writer) = pipe().unwrap();
        let some = |count: usize| (0..count).map(|_| reader.try_clone().unwrap().into()).collect::<Vec<_>>();
        let hung = hang(UID);
        // Taken, and let go of by the call: its closing takes long.
        intake.take_in(some(3)).unwrap();
        drop(intake.arrived().unwrap());
        assert_eq!((account.descriptors(), intake.held.load(Ordering::Relaxed)), (3, 3));
        // Refused, again and again.
        while !hangs(Some(UID)) {
            thread::yield_now();
        }
        let most = 4 + REFUSED;
        let mut refused = 0;
        while intake.take_in(some(100)).is_ok() {
            refused += 100;
            assert!(refused <= most);
        }
        assert!((most..=most + 100).contains(&account.descriptors()));
        drop(hung);
        while account.descriptors() > 0 {
            thread::yield_now();
        }
        assert_eq!(intake.held.load(Ordering::Relaxed), 0);
        intake.take_in(some(4)).unwrap();
    }

    #[test]
    fn many_threads_at_once_hold_no_more_than_may_be() {
        let held = AtomicUsize::new(0);
        let granted: usize = thread::scope(|scope| {
            let ask = || (0..1000).filter(|_| hold(&held, 16, 1000).is_some()).count();
            let threads: Vec<_> = (0..64).map(|_| scope.spawn(ask)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!((granted, held.into_inner()), (1000 / 16, 1000 / 16 * 16));
    }
}
