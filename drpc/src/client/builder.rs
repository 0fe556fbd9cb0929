use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::added_fields::{AddedFields, Tracer};
use super::backoff::Backoff;
use super::error::ConnectError;
use super::retry::RetryPolicy;
use crate::dispatch::authorization::Allow;
use crate::handler::payload::DEFAULT_DECODE_LIMIT;
use crate::handler::session::Session;
#[cfg(doc)]
use crate::transport::PeerCredentials;
use crate::transport::{Connector, MAX_PATH, Socket, abstract_name, name_len};
use crate::wire::{DEFAULT_MESSAGE_LIMIT, TraceContext, Wire, WireMode};

/// Sets a client up: the async one by `connect`, the blocking one by `connect_blocking`, the one in steps by `connect_progress`.
///
/// | setting | default |
/// |---|---|
/// | [`wire`](Self::wire) | [`Wire::Chunked`] |
/// | [`timeout`](Self::timeout) of a call | none |
/// | [`connect_timeout`](Self::connect_timeout) | 5 s |
/// | [`message_limit`](Self::message_limit) | 64 MiB |
/// | [`reply_limit`](Self::reply_limit) | 4 MiB |
/// | [`server_answers_in_order`](Self::server_answers_in_order) | true |
/// | [`spin`](Self::spin) | off |
/// | [`connections`](Self::connections) | 1 |
/// | [`connection_per_call`](Self::connection_per_call) | no |
/// | [`wait_until_ready`](Self::wait_until_ready) | no |
/// | [`auto_reconnect`](Self::auto_reconnect) | true |
/// | [`retry`](Self::retry) | no call is made twice |
/// | [`server`](Self::server) | whoever listens there |
/// | [`added_fields`](Self::added_fields) | none: DAOS's own alone |
/// | [`trace_context`](Self::trace_context) | none |
#[derive(Clone, Debug)]
#[must_use = "a client is not made before `connect`"]
pub struct ClientBuilder {
    pub(super) path: PathBuf,
    pub(super) wire: WireMode,
    pub(super) timeout: Option<Duration>,
    pub(super) connect_timeout: Duration,
    pub(super) message_limit: usize,
    pub(super) reply_limit: usize,
    pub(super) server_answers_in_order: bool,
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
}

impl ClientBuilder {
    pub(super) fn new(path: &Path) -> Self {
        ClientBuilder {
            path: path.to_owned(),
            wire: WireMode::Fixed(Wire::Chunked),
            timeout: None,
            connect_timeout: Duration::from_secs(5),
            message_limit: DEFAULT_MESSAGE_LIMIT,
            reply_limit: DEFAULT_DECODE_LIMIT,
            server_answers_in_order: true,
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
        }
    }

    /// For what answers within this process (`drpc::testing`).
    pub(crate) fn in_memory(connector: Connector) -> Self {
        // A session that ended stays so, for the test to see it.
        let auto_reconnect = false;
        ClientBuilder { in_memory: Some(connector), auto_reconnect, ..Self::new(Path::new("(in memory)")) }
    }

    /// Which generation of the wire to speak (W8). With [`WireMode::Auto`] each new connection begins with a probe: a
    /// call that no server executes beyond DAOS's own greeting.
    pub fn wire(mut self, wire: impl Into<WireMode>) -> Self {
        self.wire = wire.into();
        self
    }

    /// How long a call may take, unless its own options say otherwise.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// How long connecting may take, the probe included. A call that finds its server gone waits so long for it to come
    /// back, if its own time allows: see [`auto_reconnect`](Self::auto_reconnect).
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The longest message that is sent or taken, in bytes (W6).
    pub fn message_limit(mut self, bytes: usize) -> Self {
        self.message_limit = bytes;
        self
    }

    /// How many bytes a reply may have that is decoded: a prost message, not [`Bytes`](bytes::Bytes), for which
    /// [`message_limit`](Self::message_limit) alone counts. A longer one is an error of the kind
    /// [`Reply`](crate::client::CallErrorKind::Reply).
    ///
    /// It bounds what a reply may become, as [`ServerBuilder::request_limit`](crate::ServerBuilder::request_limit) does for requests.
    pub fn reply_limit(mut self, bytes: usize) -> Self {
        self.reply_limit = bytes;
        self
    }

    /// Whether the server carries out one call of a connection after the other (`Order::Serial`, and DAOS's Go server).
    ///
    /// If so, a call that timed out or was cancelled still holds up those behind it, so that the next call goes out on a
    /// new connection (C4); calls that wait on the old one go on there. If not, a late reply is dropped and the connection
    /// kept.
    pub fn server_answers_in_order(mut self, in_order: bool) -> Self {
        self.server_answers_in_order = in_order;
        self
    }

    /// How long a call tries to receive its response again and again before it sleeps. 50 µs is a good value; off unless set.
    ///
    /// It takes the way to sleep and back out of a fast call, and is at its best with
    /// [`ServerBuilder::spin`](crate::ServerBuilder::spin) at the other end. What it gains is what it costs to wake a core: where cores
    /// go to sleep, as in most virtual machines, a call of 64 bytes takes 4.3 µs in place of 75. A limit that is shorter than
    /// that wake-up gains little: once either side has fallen asleep, both go on sleeping.
    ///
    /// What it costs: up to that much time of a core for a call that takes longer, the more seldom the more often that
    /// happens. It is for one call at a time: while several are in flight, or several connections of the process are busy, nobody
    /// spins. Where client and server have one core between them, it gains nothing. On the async client, other tasks of the
    /// thread wait meanwhile; after 16 responses in a row they have their turn.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.spin = limit;
        self
    }

    /// How many connections there are at most; 0 counts as 1. The first is made by `connect`, each other by the first call
    /// that finds all of them busy.
    ///
    /// The blocking client makes one call at a time on each, so that so many run side by side. The async one makes any number
    /// on each, and a call takes the connection with the fewest; more of them help where the server answers the calls of a
    /// connection one after the other. If no further one can be made, the calls share those that there are. They stay open until the
    /// client is closed or dropped.
    pub fn connections(mut self, most: usize) -> Self {
        self.connections = most.max(1);
        self
    }

    /// Makes a connection for each call and closes it after its reply, as `daos_server` calls its engines. The first call
    /// takes the one that `connect` made.
    ///
    /// A server then sees one call a session, with sequence 1 (C1), or 2 after a probe. There is no limit to how many calls
    /// run side by side: [`connections`](Self::connections) has no meaning. The calls of one batch share a connection.
    pub fn connection_per_call(mut self) -> Self {
        self.connection_per_call = true;
        self
    }

    /// Lets `connect` wait for a server that is only starting: for so long it tries again, with growing pauses, while there is
    /// no socket, nobody listens on it, or the server does not take the connection. Other errors are told at once.
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

    /// Whether a call makes a new connection when the last one broke.
    ///
    /// If so, a server may be started anew: calls that were under way fail (C7), and the next one goes out on a new connection,
    /// whose sequences begin again (C1). While the server is not there, a call tries again with growing pauses, and fails with
    /// the connect error (C8) once its own time or the [`connect_timeout`](Self::connect_timeout) is over, whichever is
    /// shorter. If not, calls fail until the client's `reconnect`.
    ///
    /// A client that was closed stays so either way, until its `reconnect`.
    pub fn auto_reconnect(mut self, auto_reconnect: bool) -> Self {
        self.auto_reconnect = auto_reconnect;
        self
    }

    /// The pauses between attempts to connect, of [`auto_reconnect`](Self::auto_reconnect) and
    /// [`wait_until_ready`](Self::wait_until_ready).
    pub fn reconnect_backoff(mut self, backoff: Backoff) -> Self {
        self.reconnect_backoff = backoff;
        self
    }

    /// Whether and how a failed call is made again, unless its own options say otherwise.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }

    /// Demands that the server be one of these: each connection is checked before anything is sent on it, and a stranger, who took
    /// the path or the name first, is never sent a call.
    ///
    /// The kernel says who made the socket listen ([`PeerCredentials`]); with systemd's socket activation, that is root. For sockets in
    /// folders that others may write to, such as `/tmp`, and for abstract names, which have no permissions at all.
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

    /// Which of the fields that this project adds to DAOS's envelope to send (E5): none, unless the server is known to heed them.
    /// Servers that don't know them, such as DAOS's, skip them. [The chapter](crate::guide::added_fields) has it all.
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

    /// How to find a call's place in a trace: asked before a call is sent whose [options](crate::CallOptions::trace_context)
    /// don't say it, by the thread or task that calls. For clients that send [`AddedFields::TRACE`].
    ///
    /// This is where a tracing system is plugged in. It is asked often, so it should be quick.
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
