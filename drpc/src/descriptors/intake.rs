use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, getrlimit};

use super::elsewhere::{Strangers, close};
use super::received::Problem;

/// How many descriptors one end of a connection takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// With one message.
    pub(crate) message: usize,
    /// In all its messages whose calls are not over.
    pub(crate) connection: usize,
}

impl Limits {
    /// Those of an end that takes none. What comes nevertheless is closed where it holds up nobody.
    pub(crate) const NONE: Limits = Limits { message: 0, connection: 0 };

    /// Those of an end that has chosen its peer.
    pub(crate) const TRUSTING: Limits = Limits { message: super::MAX, connection: usize::MAX };

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
    pub(crate) fn new(limits: Limits) -> Self {
        Intake { limits: Mutex::new(limits), arrived: Mutex::default(), held: Arc::default() }
    }

    pub(crate) fn limits(&self) -> Limits {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        *self.limits.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Takes the descriptors of a packet in, all or none of them.
    pub(crate) fn take_in(&self, descriptors: Vec<OwnedFd>) {
        if descriptors.is_empty() {
            return;
        }
        let mut arrived = self.arriving();
        match self.check(arrived.descriptors.0.len(), descriptors.len()) {
            Ok(()) => {
                arrived.held.add(&self.held, descriptors.len());
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

    /// Whether there is room for so many more.
    fn check(&self, before: usize, more: usize) -> Result<(), Problem> {
        let of_message = before + more;
        let Limits { message, connection } = self.limits();
        if !self.limits().take_any() {
            return Err(Problem::NoneTaken);
        }
        if of_message > message {
            return Err(Problem::TooMany { limit: message });
        }
        if self.held.load(Ordering::Relaxed) + more > connection {
            return Err(Problem::ConnectionFull { limit: connection });
        }
        let limit = process_limit();
        if HELD.load(Ordering::Relaxed) + more > limit {
            return Err(Problem::ProcessFull { limit });
        }
        Ok(())
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

/// Descriptors that are counted as their connection's until this is dropped.
#[derive(Debug, Default)]
pub(super) struct Held {
    connection: Option<Arc<AtomicUsize>>,
    count: usize,
}

impl Held {
    fn add(&mut self, connection: &Arc<AtomicUsize>, count: usize) {
        connection.fetch_add(count, Ordering::Relaxed);
        HELD.fetch_add(count, Ordering::Relaxed);
        self.connection.get_or_insert_with(|| connection.clone());
        self.count += count;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.fetch_sub(self.count, Ordering::Relaxed);
            HELD.fetch_sub(self.count, Ordering::Relaxed);
        }
    }
}
