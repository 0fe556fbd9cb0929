use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::process::{Resource, getrlimit};

use super::elsewhere::{Strangers, close};
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
    descriptors: Strangers,
    problem: Option<Problem>,
    held: Held,
}

/// The descriptors that have come with a message.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(super) descriptors: Strangers,
    /// Why these are not all.
    pub(super) problem: Option<Problem>,
    pub(super) held: Held,
}

impl Arrived {
    pub(crate) fn len(&self) -> usize {
        self.descriptors.0.len()
    }

    /// The descriptors, for who passes them on.
    pub(crate) fn take(&mut self) -> Vec<OwnedFd> {
        std::mem::take(&mut self.descriptors.0)
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

    /// What comes from now on counts as this user's.
    pub(crate) fn charge_to(&self, user: &Arc<Account>) {
        self.user.get_or_init(|| user.clone());
    }

    /// Takes the descriptors of a packet in, all or none of them.
    pub(crate) fn take_in(&self, descriptors: Vec<OwnedFd>) {
        if descriptors.is_empty() {
            return;
        }
        let mut arrived = self.arriving();
        match self.check(arrived.descriptors.0.len(), descriptors.len()) {
            Ok(()) => {
                arrived.held.add(self, descriptors.len());
                arrived.descriptors.0.extend(descriptors);
            }
            Err(problem) => {
                arrived.problem.get_or_insert(problem);
                drop(arrived);
                close(descriptors);
            }
        }
    }

    /// The kernel has dropped some of a packet's descriptors.
    pub(crate) fn cut(&self) {
        self.arriving().problem.get_or_insert(Problem::Cut);
    }

    /// What has come since this was last asked: that of one message, if it is asked after each.
    #[cold]
    pub(crate) fn arrived(&self) -> Option<Box<Arrived>> {
        let Arriving { descriptors, problem, held } = std::mem::take(&mut *self.arriving());
        let has_come = !descriptors.0.is_empty() || problem.is_some();
        has_come.then(|| Box::new(Arrived { descriptors, problem, held }))
    }

    /// Whether there is room for so many more. If there is, they count as the user's.
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
        let Some(left) = limit.checked_sub(HELD.load(Ordering::Relaxed) + more) else {
            return Err(Problem::ProcessFull { limit });
        };
        // As with memory, a user may have as much as is left for the others: whoever comes finds some room.
        match self.user.get() {
            Some(account) if !account.hold_descriptors(more, user.min(left)) => {
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

/// How many it may have: so much of what it may open that connections and files find the rest.
fn process_limit() -> usize {
    let files = getrlimit(Resource::Nofile).current.map_or(usize::MAX, |limit| limit as usize);
    files / 4
}

/// Descriptors that are counted as their connection's and its user's until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Held {
    connection: Option<Arc<AtomicUsize>>,
    user: Option<Arc<Account>>,
    count: usize,
}

impl Held {
    /// Those that an intake has found room for.
    fn add(&mut self, intake: &Intake, count: usize) {
        intake.held.fetch_add(count, Ordering::Relaxed);
        HELD.fetch_add(count, Ordering::Relaxed);
        self.connection.get_or_insert_with(|| intake.held.clone());
        self.user = intake.user.get().cloned();
        self.count += count;
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
