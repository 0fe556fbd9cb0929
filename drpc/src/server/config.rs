//! What a server is told by its builder, whoever drives it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::hooks::Hooks;
use crate::budget::Allowed;
use crate::descriptors;
use crate::dispatch::authorization::Allow;
use crate::handler::control::StreamLimits;
use crate::handler::decoding::DEFAULT_DECODE_LIMIT;
use crate::handler::session::Session;
use crate::transport::Address;
use crate::wire::{Codec, Credit, DEFAULT_MESSAGE_LIMIT, Pack, WireMode};

/// How many bytes a server holds for its clients, unless it or its longest message says more.
const DEFAULT_MEMORY_LIMIT: usize = 512 << 20;

/// A server's settings.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) file: FileOptions,
    pub(super) notify_systemd: bool,
    pub(super) order: Order,
    pub(super) wire: WireMode,
    pub(super) message_limit: usize,
    pub(super) request_limit: usize,
    pub(super) message_timeout: Duration,
    pub(super) handler_timeout: Option<Duration>,
    pub(super) drain_timeout: Duration,
    pub(super) spin: Duration,
    /// Whether the fields that this project adds to a call are heeded (E5).
    pub(super) added_fields: bool,
    /// Who may connect; everyone, if there is no rule.
    pub(super) access: Option<Allow>,
    pub(super) limits: Limits,
    /// How many descriptors a session takes, if any method does.
    pub(super) takes_descriptors: Option<descriptors::Limits>,
    pub(super) hooks: Arc<Hooks>,
    pub(super) threads: ThreadOptions,
    /// Where the server listens, once it does.
    pub(super) address: Option<Address>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            file: FileOptions::default(),
            notify_systemd: false,
            order: Order::default(),
            wire: WireMode::Auto,
            message_limit: DEFAULT_MESSAGE_LIMIT,
            request_limit: DEFAULT_DECODE_LIMIT,
            message_timeout: Duration::from_secs(10),
            handler_timeout: None,
            drain_timeout: Duration::from_secs(5),
            spin: Duration::ZERO,
            added_fields: true,
            access: None,
            limits: Limits::default(),
            takes_descriptors: None,
            hooks: Arc::default(),
            threads: ThreadOptions::default(),
            address: None,
        }
    }
}

impl Config {
    /// Whether clients are told that their calls may come in packs: of a server that takes messages as long as one.
    pub(super) fn takes_packs(&self) -> bool {
        self.added_fields && self.message_limit >= Pack::MOST
    }

    /// What a session's messages are received and sent by, on a connection that takes packets of so many bytes.
    pub(super) fn codec(&self, session: &Session, longest_packet: usize) -> Codec {
        Codec::new(self.wire, self.message_limit)
            .charged_to(session.account())
            .sending_at_most(longest_packet)
            .taking_packs(self.takes_packs())
    }

    /// How much a session's streams may take up.
    pub(super) fn streams(&self) -> StreamLimits {
        StreamLimits { message: self.message_limit, ..self.limits.streams }
    }

    /// How many bytes are held for clients. Unless it is said, two users can each have two of the longest messages carried out, and answered as long.
    pub(super) fn allowed(&self) -> Allowed {
        let enough = DEFAULT_MEMORY_LIMIT.max(self.message_limit.saturating_mul(8));
        let bytes = self.limits.memory.unwrap_or(enough);
        Allowed { bytes, per_uid: self.limits.memory_per_uid.unwrap_or(bytes / 2) }
    }

    /// How many sessions of one user may go on without their clients. Unless it is said, no more than leave others half of all.
    pub(super) fn absent_sessions(&self) -> usize {
        let half = self.limits.sessions.map_or(usize::MAX, |sessions| (sessions / 2).max(1));
        self.limits.absent_sessions.unwrap_or(DEFAULT_ABSENT_SESSIONS.min(half))
    }
}

/// How many sessions of one user may go on without their clients, unless it is said.
const DEFAULT_ABSENT_SESSIONS: usize = 4096;

/// How much of a server its clients may take up; `None` where there is no limit.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) sessions: Option<usize>,
    pub(super) sessions_per_uid: Option<usize>,
    /// Sessions of one user whose clients have left; where it isn't said, see [`Config::absent_sessions`].
    pub(super) absent_sessions: Option<usize>,
    pub(super) calls: Option<usize>,
    pub(super) calls_per_uid: Option<usize>,
    pub(super) idle: Option<Duration>,
    /// Of one session.
    pub(super) streams: StreamLimits,
    /// Bytes of a session's replies that wait behind another.
    pub(super) pending_replies: usize,
    /// Bytes that are held for all clients, and for those of one user; where it isn't said, see [`Config::allowed`].
    pub(super) memory: Option<usize>,
    pub(super) memory_per_uid: Option<usize>,
    pub(super) descriptors: descriptors::Limits,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            sessions: None,
            sessions_per_uid: None,
            absent_sessions: None,
            calls: None,
            calls_per_uid: None,
            idle: None,
            streams: StreamLimits {
                open: 256,
                window: Credit { items: 4096, bytes: 1 << 20 },
                message: DEFAULT_MESSAGE_LIMIT,
            },
            pending_replies: 256 << 20,
            memory: None,
            memory_per_uid: None,
            descriptors: descriptors::Limits { message: 16, connection: 64, user: usize::MAX },
        }
    }
}

/// The threads of a server that has its own.
#[derive(Clone, Default)]
pub(super) struct ThreadOptions {
    pub(super) stack_size: Option<usize>,
    /// What each of them runs in.
    pub(super) wrap: Option<Arc<WrapThread>>,
}

pub(super) type WrapThread = dyn Fn(Box<dyn FnOnce()>) + Send + Sync;

impl fmt::Debug for ThreadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadOptions").field("stack_size", &self.stack_size).finish_non_exhaustive()
    }
}

/// What the file is to be like, and what may be done to make room for it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FileOptions {
    pub(crate) mode: Option<u32>,
    pub(crate) uid: Option<u32>,
    pub(crate) gid: Option<u32>,
    pub(crate) existing: ExistingSocket,
}

/// What to do if the socket's path exists ([S3](crate::guide::rules#server)). Only sockets are ever removed.
///
/// ```no_run
/// use drpc::{ExistingSocket, Server};
///
/// let server = Server::builder().existing_socket(ExistingSocket::Fail).bind("/run/greeter.sock")?;
/// # Ok::<(), drpc::BindError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExistingSocket {
    /// Refuse to start, whatever it is.
    Fail,
    /// Replace a socket that no server listens on any more, as a crashed server leaves behind; refuse to start if a server answers there.
    #[default]
    ReplaceStale,
    /// Remove a socket without asking. A server that still listens on it becomes unreachable.
    Unlink,
}

/// Whether the calls of one session run one at a time or concurrently ([S5](crate::guide::rules#server)). Sessions are always served concurrently.
///
/// ```
/// use drpc::{Client, Order, Server};
///
/// let server = Server::builder().order(Order::Concurrent(64));
/// let client = Client::builder("/run/greeter.sock").server_answers_in_order(false); // set both
/// ```
///
/// [The chapter](crate::guide::concurrency) has a complete example.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// One call at a time, answered in order, as in DAOS's Go server.
    #[default]
    Serial,
    /// Up to this many calls of a session at once, answered as they finish, as in DAOS's engine. A further call is not read until one of
    /// them is answered. 0 counts as 1.
    Concurrent(usize),
}

impl Order {
    pub(super) fn limit(self) -> usize {
        match self {
            Order::Serial => 1,
            Order::Concurrent(limit) => limit.max(1),
        }
    }
}
