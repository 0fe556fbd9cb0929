use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ConnectError;
use crate::transport::{Connector, MAX_PATH, name_len};
use crate::wire::{DEFAULT_MESSAGE_LIMIT, Wire, WireMode};

/// Sets a client up: the async one by `connect`, the blocking one by `connect_blocking`.
///
/// | setting | default |
/// |---|---|
/// | [`wire`](Self::wire) | [`Wire::Chunked`] |
/// | [`timeout`](Self::timeout) of a call | none |
/// | [`connect_timeout`](Self::connect_timeout) | 5 s |
/// | [`message_limit`](Self::message_limit) | 64 MiB |
/// | [`server_answers_in_order`](Self::server_answers_in_order) | true |
/// | [`spin`](Self::spin) | off |
#[derive(Clone, Debug)]
#[must_use = "a client is not made before `connect`"]
pub struct ClientBuilder {
    pub(super) path: PathBuf,
    pub(super) wire: WireMode,
    pub(super) timeout: Option<Duration>,
    pub(super) connect_timeout: Duration,
    pub(super) message_limit: usize,
    pub(super) server_answers_in_order: bool,
    pub(super) spin: Duration,
    /// Connects within this process, in place of the socket.
    pub(super) in_memory: Option<Connector>,
}

impl ClientBuilder {
    pub(super) fn new(path: &Path) -> Self {
        ClientBuilder {
            path: path.to_owned(),
            wire: WireMode::Fixed(Wire::Chunked),
            timeout: None,
            connect_timeout: Duration::from_secs(5),
            message_limit: DEFAULT_MESSAGE_LIMIT,
            server_answers_in_order: true,
            spin: Duration::ZERO,
            in_memory: None,
        }
    }

    /// For what answers within this process (`drpc::testing`).
    pub(crate) fn in_memory(connector: Connector) -> Self {
        ClientBuilder { in_memory: Some(connector), ..Self::new(Path::new("(in memory)")) }
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

    /// How long connecting may take, the probe included.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The longest message that is sent or taken, in bytes (W6).
    pub fn message_limit(mut self, bytes: usize) -> Self {
        self.message_limit = bytes;
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

    /// How long a call tries to receive its response again and again before it sleeps. 20 µs is a good value; off unless set.
    ///
    /// It takes the way to sleep and back out of a fast call, and is at its best with
    /// [`ServerBuilder::spin`](crate::ServerBuilder::spin) at the other end: a call of 64 bytes then takes about half as long.
    /// What it costs: up to that much time of a core for a call that takes longer, the more seldom the more often that
    /// happens. One thread of a process spins at a time. On the async client, other tasks of the thread wait meanwhile.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.spin = limit;
        self
    }

    pub(super) fn checked_path(&self) -> Result<&Path, ConnectError> {
        if self.in_memory.is_some() {
            return Err(ConnectError::no_socket(&self.path));
        }
        match name_len(&self.path) {
            0 => Err(ConnectError::empty_path()),
            1..=MAX_PATH => Ok(&self.path),
            _ => Err(ConnectError::path_too_long(&self.path)),
        }
    }
}
