use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::added_fields::{AddedFields, Tracer};
use super::backoff::Backoff;
use super::error::ConnectError;
use super::retry::RetryPolicy;
use crate::dispatch::authorization::Allow;
use crate::handler::decoding::DEFAULT_DECODE_LIMIT;
use crate::handler::session::Session;
use crate::observe::peer_log::PeerLog;
#[cfg(doc)]
use crate::transport::PeerCredentials;
use crate::transport::{Connector, MAX_PATH, Socket, abstract_name, look_at_namespace, name_len};
use crate::wire::{DEFAULT_MESSAGE_LIMIT, TraceContext, Wire, WireMode};

/// Sets up a client: the async one with `connect`, the blocking one with `connect_blocking`, the progress client with `connect_progress`.
///
/// ```no_run
/// use std::time::Duration;
///
/// use drpc::Client;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let client = Client::builder("/run/greeter.sock").timeout(Duration::from_secs(2)).connections(4).connect().await?;
///     assert!(client.is_connected());
///     Ok(())
/// }
/// ```
///
/// | setting | default |
/// |---|---|
/// | [`wire`](Self::wire) | [`Wire::Chunked`] |
/// | [`timeout`](Self::timeout) of a call | none |
/// | [`connect_timeout`](Self::connect_timeout) | 5 s |
/// | [`message_limit`](Self::message_limit) | 64 MiB |
/// | [`reply_limit`](Self::reply_limit) | 4 MiB |
/// | [`server_answers_in_order`](Self::server_answers_in_order) | true |
/// | [`one_call_at_a_time`](Self::one_call_at_a_time) | off |
/// | [`spin`](Self::spin) | off |
/// | [`connections`](Self::connections) | 1 |
/// | [`connection_per_call`](Self::connection_per_call) | off |
/// | [`wait_until_ready`](Self::wait_until_ready) | off |
/// | [`auto_reconnect`](Self::auto_reconnect) | on |
/// | [`reconnect_backoff`](Self::reconnect_backoff) | 5 ms, growing to 250 ms |
/// | [`retry`](Self::retry) | off |
/// | [`server`](Self::server) | anyone who listens there |
/// | [`added_fields`](Self::added_fields) | none: DAOS's fields only |
/// | [`trace_context`](Self::trace_context) | none |
#[derive(Clone, Debug)]
#[must_use = "a client is not made before `connect`"]
pub struct ClientBuilder {
    /// As it was given, and is shown.
    pub(super) path: PathBuf,
    /// The same from any folder.
    pub(super) lasting_path: PathBuf,
    pub(super) wire: WireMode,
    pub(super) timeout: Option<Duration>,
    pub(super) connect_timeout: Duration,
    pub(super) message_limit: usize,
    pub(super) reply_limit: usize,
    pub(super) server_answers_in_order: bool,
    pub(super) one_call_at_a_time: bool,
    pub(super) spin: Duration,
    /// Connects within this process, in place of the socket.
    pub(super) in_memory: Option<Connector>,
    /// At least 1.
    pub(super) connections: usize,
    pub(super) connection_per_call: bool,
    pub(super) wait_until_ready: Option<Duration>,
    pub(super) auto_reconnect: bool,
    pub(super) reconnect_backoff: Backoff,
    pub(super) retry: Option<RetryPolicy>,
    /// Who may serve; anyone, unless it is said.
    pub(super) server: Option<Allow>,
    pub(super) added_fields: AddedFields,
    /// Tells where a call stands in a trace, unless its own options do.
    pub(super) tracer: Option<Tracer>,
    /// What the server may have logged, however often it is connected to.
    pub(super) log: Arc<PeerLog>,
}

impl ClientBuilder {
    pub(super) fn new(path: &Path) -> Self {
        ClientBuilder {
            path: path.to_owned(),
            lasting_path: lasting(path),
            wire: WireMode::Fixed(Wire::Chunked),
            timeout: None,
            connect_timeout: Duration::from_secs(5),
            message_limit: DEFAULT_MESSAGE_LIMIT,
            reply_limit: DEFAULT_DECODE_LIMIT,
            server_answers_in_order: true,
            one_call_at_a_time: false,
            spin: Duration::ZERO,
            in_memory: None,
            connections: 1,
            connection_per_call: false,
            wait_until_ready: None,
            auto_reconnect: true,
            reconnect_backoff: Backoff::default(),
            retry: None,
            server: None,
            added_fields: AddedFields::NONE,
            tracer: None,
            log: Arc::default(),
        }
    }

    /// For what answers within this process (`drpc::testing`).
    pub(crate) fn in_memory(connector: Connector) -> Self {
        // A session that ended stays so, for the test to see it.
        let auto_reconnect = false;
        ClientBuilder { in_memory: Some(connector), auto_reconnect, ..Self::new(Path::new("(in memory)")) }
    }

    /// Which wire format to speak ([W8](crate::guide::rules#wire)). With [`WireMode::Auto`] each new connection begins with a probe: a call that executes nothing on any server but DAOS's
    /// own greeting.
    pub fn wire(mut self, wire: impl Into<WireMode>) -> Self {
        self.wire = wire.into();
        self
    }

    /// How long a call may take, unless its own options say otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long connecting may take, including the probe. A call that finds the server gone waits this long for it to come back, if the call's own time allows:
    /// see [`auto_reconnect`](Self::auto_reconnect).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The longest message to send or receive, in bytes ([W6](crate::guide::rules#wire)).
    pub fn message_limit(mut self, bytes: usize) -> Self {
        self.message_limit = bytes;
        self
    }

    /// How many bytes a reply may have that is decoded: a prost message, not [`Bytes`](bytes::Bytes), for which
    /// [`message_limit`](Self::message_limit) alone counts. Each of its fields counts as 16 bytes at least. A longer one is an error of the kind
    /// [`Reply`](crate::client::CallErrorKind::Reply).
    ///
    /// It bounds what a reply may become, as [`ServerBuilder::request_limit`](crate::ServerBuilder::request_limit) does for requests.
    pub fn reply_limit(mut self, bytes: usize) -> Self {
        self.reply_limit = bytes;
        self
    }

    /// Whether the server executes the calls of a connection one at a time, as with [`Order::Serial`](crate::Order::Serial) and DAOS's Go server. Set it to false if the
    /// server's order is [`Concurrent`](crate::Order::Concurrent): see [the chapter](crate::guide::concurrency).
    ///
    /// If true, a call that timed out or was cancelled is assumed to block those behind it, so the next call uses a new connection ([C4](crate::guide::rules#client)); calls already waiting
    /// on the old one stay there. If false, a late reply is dropped and the connection kept.
    pub fn server_answers_in_order(mut self, in_order: bool) -> Self {
        self.server_answers_in_order = in_order;
        self
    }

    /// Whether a call waits until the one before it on its connection is answered, in a [batch](crate::blocking::Client::batch) too. Off by default: calls are sent while others are
    /// under way. Calls that needn't wait for each other need as many [connections](Self::connections).
    ///
    /// It is for peers that can't answer several calls at once on one connection: DAOS's C engine mixes the chunks of long replies ([W10](crate::guide::rules#wire)), which
    /// fails the calls by name. A call that timed out or was cancelled is taken to be under way, so the next one uses a new connection.
    pub fn one_call_at_a_time(mut self, one: bool) -> Self {
        self.one_call_at_a_time = one;
        self
    }

    /// Whether a connection is of no more use for others once a call on it was given up.
    pub(super) fn leaves_held_up(&self) -> bool {
        self.server_answers_in_order || self.one_call_at_a_time
    }

    /// How long a call busy-polls for its response before it sleeps. Off by default; 50 µs is a good value.
    ///
    /// It saves a fast call the way to sleep and back, and works best with [`ServerBuilder::spin`](crate::ServerBuilder::spin) at the other end. The gain is the cost of
    /// waking a core: where cores go to sleep, as in most virtual machines, a 64-byte call takes 4.3 µs instead of 75. A limit shorter than that wake-up gains little:
    /// once either side has fallen asleep, both keep sleeping.
    ///
    /// The cost is up to that much CPU time for a call that takes longer, more rarely the more often that happens. It is meant for one call at a time: nobody spins
    /// while several calls are in flight, or several connections of the process are busy. If client and server share one core, it gains nothing. On the async client,
    /// the other tasks of the thread wait meanwhile; after 16 responses in a row they get their turn.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.spin = limit;
        self
    }

    /// The maximum number of connections; 0 counts as 1. `connect` makes the first, and a call that finds all of them busy makes another.
    ///
    /// The blocking client makes one call at a time on each. The async client makes any number of calls on each, and picks the one with the fewest; more connections help
    /// if the server executes the calls of a connection one at a time. If another can't be made, calls share the existing ones. They stay open until the client is closed
    /// or dropped.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// Makes a connection for each call and closes it after the reply, as `daos_server` calls its engines. The first call uses the one that `connect` made.
    ///
    /// A server then sees one call per session, with sequence 1 ([C1](crate::guide::rules#client)), or 2 after a probe. The number of concurrent calls is unlimited, and
    /// [`connections`](Self::connections) has no effect. The calls of a batch share a connection.
    pub fn connection_per_call(mut self) -> Self {
        self.connection_per_call = true;
        self
    }

    /// Lets `connect` wait for a server that is still starting: for this long it retries, with growing pauses, while there is no socket, nobody listens on it, or the
    /// server does not accept the connection. Other errors are returned at once.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), drpc::ConnectError> {
    /// use std::time::Duration;
    ///
    /// let client =
    ///     drpc::Client::builder("/run/greeter.sock").wait_until_ready(Duration::from_secs(30)).connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_until_ready(mut self, at_most: Duration) -> Self {
        self.wait_until_ready = Some(at_most);
        self
    }

    /// Whether a call makes a new connection if the last one broke.
    ///
    /// If so, the client survives a restart of the server: calls in flight fail ([C7](crate::guide::rules#client)), and the next one uses a new connection, whose sequences start again
    /// ([C1](crate::guide::rules#client)). While the server is away, a call retries with growing pauses, and fails with the connect error ([C8](crate::guide::rules#client)) once its own time or the
    /// [`connect_timeout`](Self::connect_timeout) is over, whichever is shorter. If not, calls fail until `reconnect` is called.
    ///
    /// A client that was closed stays closed either way, until `reconnect`.
    pub fn auto_reconnect(mut self, auto_reconnect: bool) -> Self {
        self.auto_reconnect = auto_reconnect;
        self
    }

    /// The pauses between attempts to connect, for [`auto_reconnect`](Self::auto_reconnect) and [`wait_until_ready`](Self::wait_until_ready).
    pub fn reconnect_backoff(mut self, backoff: Backoff) -> Self {
        self.reconnect_backoff = backoff;
        self
    }

    /// Whether and how a failed call is retried, unless its own options say otherwise.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Requires the server to be one of these: each connection is checked before anything is sent on it, so that a stranger who took the path or name first
    /// never receives a call.
    ///
    /// The kernel says who made the socket listen ([`PeerCredentials`]); with systemd's socket activation, that is root. Use it for sockets in directories that
    /// others may write to, such as `/tmp`, and for abstract names, which have no permissions at all.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), drpc::ConnectError> {
    /// use drpc::{Allow, Client};
    ///
    /// let client = Client::builder("@greeter").server(Allow::root().or(Allow::same_user())).connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn server(mut self, allowed: Allow) -> Self {
        look_at_namespace();
        self.server = Some(allowed);
        self
    }

    /// Checks who serves a connection, before anything is sent on it.
    pub(super) fn check_server(&self, socket: &Socket) -> Result<(), ConnectError> {
        let Some(allowed) = &self.server else { return Ok(()) };
        let peer = socket.peer().map_err(|cause| ConnectError::io(&self.path, cause))?;
        match allowed.admits(&Session::new(0, peer.clone())) {
            true => Ok(()),
            false => Err(ConnectError::other_server(&self.path, peer, allowed.clone())),
        }
    }

    /// Which [added fields](crate::guide::added_fields) to send ([E5](crate::guide::rules#envelope)), such as the request for [an error's text](crate::guide::errors). By default none. Servers that
    /// don't know them, such as DAOS's, ignore them.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), drpc::ConnectError> {
    /// use drpc::{AddedFields, Client};
    ///
    /// let client = Client::builder("/run/greeter.sock").added_fields(AddedFields::ALL).connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn added_fields(mut self, fields: AddedFields) -> Self {
        self.added_fields = fields;
        self
    }

    /// How to find the trace context of a call whose [options](crate::CallOptions::trace_context) don't have one. It is called before sending, by the thread or task that
    /// makes the call, if the client sends [`AddedFields::TRACE`].
    ///
    /// This is where you plug in a tracing system. It is called often, so it should be fast.
    pub fn trace_context(
        mut self,
        current: impl Fn() -> Option<TraceContext> + Send + Sync + 'static,
    ) -> Self {
        self.tracer = Some(Tracer(Arc::new(current)));
        self
    }

    /// The most connections that may be in use.
    pub(super) fn limit(&self) -> usize {
        if self.connection_per_call { usize::MAX } else { self.connections }
    }

    pub(super) fn checked_path(&self) -> Result<&Path, ConnectError> {
        if self.in_memory.is_some() {
            return Err(ConnectError::no_socket(&self.path));
        }
        match name_len(&self.path) {
            0 => Err(ConnectError::empty_path(&self.path)),
            // An abstract name may.
            _ if abstract_name(&self.path).is_none() && self.path.as_os_str().as_bytes().contains(&0) => {
                Err(ConnectError::nul_in_path(&self.path))
            }
            1..=MAX_PATH => Ok(&self.path),
            _ => Err(ConnectError::path_too_long(&self.path)),
        }
    }
}

/// Absolute, since the process may be in another folder when it connects again: unless that is longer than the kernel takes, or it is no file's path.
fn lasting(path: &Path) -> PathBuf {
    match std::path::absolute(path) {
        Ok(absolute) if abstract_name(path).is_none() && name_len(&absolute) <= MAX_PATH => absolute,
        _ => path.to_owned(),
    }
}
