use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::elsewhere::Strangers;
use super::intake::Arrived;

/// The descriptors that came with a message, until somebody takes them. [`WithFds`](crate::WithFds) does that; this is for bodies
/// that are read by hand.
///
/// ```no_run
/// use drpc::blocking::Client;
/// use drpc::{CallOptions, Method};
///
/// const OPEN: Method = Method::new(5, 506, "open").fds();
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let client = Client::connect("/run/files.sock")?;
///     let response = client.call_raw(OPEN, "path", &CallOptions::new())?;
///     let fds = response.added.map(|added| added.descriptors.take()).unwrap_or_default();
///     println!("{} descriptors", fds.len());
///     Ok(())
/// }
/// ```
///
/// Clones share them: who takes them first has them. What nobody took is closed with the last clone, on a thread of its own, since their sender may
/// make that last.
#[derive(Clone, Default)]
pub struct Descriptors {
    /// How many the message says that it has.
    announced: u32,
    came: Option<Arc<Came>>,
}

struct Came {
    /// Counted as long as the call to which they belong, and until they are closed.
    strangers: Mutex<Strangers>,
    count: usize,
    problem: Option<Problem>,
}

impl Descriptors {
    /// Those of a message that says it has so many. They have yet to come.
    pub(crate) fn announced(count: u32) -> Self {
        Descriptors { announced: count, came: None }
    }

    /// How many came.
    #[must_use]
    pub fn len(&self) -> usize {
        self.came.as_ref().map_or(0, |came| came.count)
    }

    /// Whether none came.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes them. Who asks again, or asks a clone, gets none.
    #[must_use]
    pub fn take(&self) -> Vec<OwnedFd> {
        self.came.as_ref().map(|came| std::mem::take(&mut came.lock().descriptors)).unwrap_or_default()
    }

    /// How many the message says that it has.
    pub(crate) fn count(&self) -> u32 {
        self.announced
    }

    /// Whether the message has none, and says so.
    pub(crate) fn is_none(&self) -> bool {
        self.announced == 0 && self.came.is_none()
    }

    /// Puts those there that came with the message.
    pub(crate) fn come(&mut self, arrived: Arrived) {
        let Arrived { strangers, problem } = arrived;
        let count = strangers.descriptors.len();
        self.came = Some(Arc::new(Came { strangers: Mutex::new(strangers), count, problem }));
    }

    /// What is wrong with them, for who takes any.
    pub(crate) fn problem(&self) -> Option<Problem> {
        if let Some(problem) = self.came.as_ref().and_then(|came| came.problem) {
            return Some(problem);
        }
        let (announced, came) = (self.announced as usize, self.len());
        (announced != came).then_some(Problem::OtherCount { announced, came })
    }
}

impl Came {
    fn lock(&self) -> MutexGuard<'_, Strangers> {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same descriptors of the same message.
impl PartialEq for Descriptors {
    fn eq(&self, other: &Self) -> bool {
        let same = match (&self.came, &other.came) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        same && self.announced == other.announced
    }
}

impl Eq for Descriptors {}

impl fmt::Debug for Descriptors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.came {
            Some(came) => {
                f.debug_list().entries(came.lock().descriptors.iter().map(AsRawFd::as_raw_fd)).finish()
            }
            None => write!(f, "{} announced", self.announced),
        }
    }
}

/// Why a message's descriptors can't be had. They are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// This end takes none.
    NoneTaken,
    TooMany {
        limit: usize,
    },
    ConnectionFull {
        limit: usize,
    },
    UserFull {
        limit: usize,
    },
    /// The user would have more than is left for others.
    UserShare,
    ProcessFull {
        limit: usize,
    },
    /// The kernel has dropped some.
    Cut,
    /// The message says that it has another number.
    OtherCount {
        announced: usize,
        came: usize,
    },
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::NoneTaken => f.write_str("descriptors came where none are taken"),
            Problem::TooMany { limit } => write!(
                f,
                "a message may have {limit} descriptors here, as `ServerBuilder::descriptor_limit` says"
            ),
            Problem::ConnectionFull { limit } => write!(
                f,
                "the calls of this connection have too many descriptors: {limit} in all, as \
                 `ServerBuilder::session_descriptor_limit` says; wait for some to end"
            ),
            Problem::UserFull { limit } => write!(
                f,
                "the calls of this user have too many descriptors: {limit} in all, as \
                 `ServerBuilder::descriptor_limit_per_uid` says; wait for some to end"
            ),
            Problem::UserShare => f.write_str(
                "the calls of this user have too many descriptors: of a quarter of the files that the process may open \
                 (RLIMIT_NOFILE), a user may have no more than are left for others; wait for some to end",
            ),
            Problem::ProcessFull { limit } => write!(
                f,
                "the calls of this process have too many descriptors: {limit} in all, a quarter of the files that it \
                 may open (RLIMIT_NOFILE)"
            ),
            Problem::Cut => f.write_str(
                "the kernel dropped some of the descriptors: the process may open no more files (RLIMIT_NOFILE), or a \
                 rule of the system, such as SELinux's, keeps one from it",
            ),
            Problem::OtherCount { announced, came } => {
                write!(f, "the message says that it has {announced} descriptors, and {came} came")
            }
        }
    }
}
