use std::fmt;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use super::calls::{Addressee, Calls};
use super::error::{CallError, ConnectError, Disconnect};
use super::probe::{PROBE, PROBE_SEQUENCE, Prober};
use super::{CallOptions, Caller, ClientBuilder, reply_of, report_unknown, submitted};
use crate::transport::{Mode, Ready, Socket, Spin, is_peer_gone};
use crate::wire::{Body, Call, Codec, Packets, Response, Wire, WireMode};
use crate::{Method, Payload};

/// A client whose calls block their thread until the reply is there.
///
/// It is a handle: clones share one connection, which carries one call at a time; a call waits for its turn. For calls side
/// by side, make a client for each thread.
///
/// # Example
///
/// ```no_run
/// use drpc::{CallOptions, Method, blocking::Client};
///
/// let client = Client::connect("/run/daos_agent/daos_agent.sock")?;
/// let response = client.call_raw(Method::new(1, 101, "request_credentials"), "", &CallOptions::new())?;
/// println!("{}: {} bytes", response.status, response.body.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: ClientBuilder,
    /// Held by a call from its beginning to its end.
    current: Mutex<Current>,
}

/// The connection that the next call goes out on, or why there is none.
enum Current {
    Open(Connection),
    /// Held up by a call that timed out: the next call makes a new one (C4).
    Replace,
    Broken(Arc<Disconnect>),
    Closed,
}

impl Client {
    /// Connects to a server that speaks the chunked wire, with the defaults of [`ClientBuilder`].
    ///
    /// # Errors
    ///
    /// [`ConnectError`] with the path, what the system said, and what to do (C8).
    pub fn connect(path: impl AsRef<Path>) -> Result<Client, ConnectError> {
        Self::builder(path).connect_blocking()
    }

    /// Begins to set a client up.
    pub fn builder(path: impl AsRef<Path>) -> ClientBuilder {
        ClientBuilder::new(path.as_ref())
    }

    /// Calls a method with a marshalled body; gives the response, whatever its status.
    ///
    /// # Errors
    ///
    /// [`CallError`] if there is no response. A response with a failing status is none.
    pub fn call_raw(
        &self,
        method: Method,
        body: impl Into<Body>,
        options: &CallOptions,
    ) -> Result<Response, CallError> {
        let limit = options.timeout.or(self.0.config.timeout);
        let deadline = Deadline::after(limit);
        let mut current = self.my_turn(deadline).ok_or_else(|| deadline.passed())?;
        if let Current::Replace = *current {
            *current = match self.0.config.open_blocking(deadline) {
                Ok(connection) => Current::Open(connection),
                Err(_) if deadline.left().is_zero() => return Err(deadline.passed()),
                Err(error) => return Err(error.into()),
            };
        }
        let connection = match &mut *current {
            Current::Open(connection) => connection,
            Current::Broken(cause) => return Err(CallError::not_connected(cause.clone())),
            Current::Replace | Current::Closed => {
                return Err(CallError::not_connected(Disconnect::Closed.into()));
            }
        };
        connection.call(method, body.into(), options, deadline).map_err(|fault| match fault {
            Fault::Unsent(error) => error,
            Fault::Timeout { whole } => {
                if !whole || self.0.config.server_answers_in_order {
                    *current = Current::Replace;
                }
                deadline.passed()
            }
            Fault::Disconnect(cause) => {
                let cause = Arc::new(cause);
                *current = Current::Broken(cause.clone());
                CallError::disconnected(cause)
            }
        })
    }

    /// Waits for the call under way; `None` if that takes too long.
    fn my_turn(&self, deadline: Deadline) -> Option<MutexGuard<'_, Current>> {
        match deadline.at {
            None => Some(self.0.current.lock()),
            Some(at) => self.0.current.try_lock_until(at),
        }
    }

    /// Whether calls can be made: the client is connected, or will connect anew by itself. Waits for a call under way.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(*self.0.current.lock(), Current::Open(_) | Current::Replace)
    }

    /// Connects again if the client was closed or its connection broke; does nothing if it is connected (C2). Sequences start
    /// again at 1 (C1). Waits for a call under way.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn reconnect(&self) -> Result<(), ConnectError> {
        let mut current = self.0.current.lock();
        if !matches!(*current, Current::Open(_)) {
            *current = Current::Open(self.0.config.open_blocking(Deadline::NEVER)?);
        }
        Ok(())
    }

    /// Closes the connection, after a call under way. Does nothing if it is closed (C2).
    pub fn close(&self) {
        *self.0.current.lock() = Current::Closed;
    }
}

impl Caller for Client {
    type Reply<R> = Result<R, CallError>;

    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<R, CallError> {
        reply_of(self.call_raw(method, request.into_body(), options)?)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("path", &self.0.config.path).finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Connects the blocking client.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub fn connect_blocking(self) -> Result<Client, ConnectError> {
        let connection = self.open_blocking(Deadline::NEVER)?;
        Ok(Client(Arc::new(Inner { config: self, current: Mutex::new(Current::Open(connection)) })))
    }

    /// Makes a connection, by the deadline of the call that needs it.
    fn open_blocking(&self, call: Deadline) -> Result<Connection, ConnectError> {
        let deadline = Deadline::after(Some(self.connect_timeout)).or_before(call);
        let socket = self.open_socket(deadline)?;
        match self.wire {
            WireMode::Fixed(wire) => Ok(self.connection(socket, wire, 0)),
            WireMode::Auto => match self.probe_blocking(&socket, deadline)? {
                Wire::Chunked => Ok(self.connection(socket, Wire::Chunked, PROBE_SEQUENCE)),
                // Some plain servers close upon the probe.
                Wire::Plain => {
                    let socket = self.open_socket(deadline)?;
                    Ok(self.connection(socket, Wire::Plain, 0))
                }
            },
        }
    }

    fn connection(&self, socket: Socket, wire: Wire, last_sequence: i64) -> Connection {
        Connection {
            socket,
            wire,
            codec: Codec::new(wire, self.message_limit),
            calls: Calls::new(last_sequence),
            spin: Spin::new(self.spin),
        }
    }

    fn open_socket(&self, deadline: Deadline) -> Result<Socket, ConnectError> {
        let path = self.checked_path()?;
        let failed = |cause: io::Error| match cause.kind() {
            io::ErrorKind::WouldBlock => ConnectError::timeout(path, self.connect_timeout),
            _ => ConnectError::io(path, cause),
        };
        let socket = Socket::new(Mode::Blocking).map_err(failed)?;
        // The kernel takes a time of 0 as no limit.
        let left = deadline.left().max(Duration::from_millis(1));
        socket.set_connect_timeout(left).map_err(failed)?;
        socket.connect(path).map_err(failed)?;
        Ok(socket)
    }

    fn probe_blocking(&self, socket: &Socket, deadline: Deadline) -> Result<Wire, ConnectError> {
        let failed = |cause| ConnectError::probe(&self.path, cause);
        socket.send(&[IoSlice::new(&PROBE)]).map_err(|error| failed(error.into()))?;
        let mut prober = Prober::new(self.message_limit);
        loop {
            if !socket.wait_readable(deadline.at).map_err(|error| failed(error.into()))? {
                return Err(ConnectError::timeout(&self.path, self.connect_timeout));
            }
            let packet = socket.recv(None).map_err(|error| failed(error.into()))?;
            if let Some(wire) = prober.receive(packet).map_err(failed)? {
                return Ok(wire);
            }
        }
    }
}

/// One connection, used by one call at a time.
struct Connection {
    socket: Socket,
    wire: Wire,
    codec: Codec,
    /// Those that timed out are remembered, so that their replies are not taken for another's.
    calls: Calls<()>,
    spin: Spin,
}

/// Why a call on a connection gave no response, and what that means for the connection.
enum Fault {
    /// Nothing was sent: the connection is as it was.
    Unsent(CallError),
    /// The deadline passed; `whole` if the call was sent to its last packet.
    Timeout { whole: bool },
    /// The connection is no more.
    Disconnect(Disconnect),
}

impl Connection {
    fn call(
        &mut self,
        method: Method,
        body: Body,
        options: &CallOptions,
        deadline: Deadline,
    ) -> Result<Response, Fault> {
        let sequence = self.calls.begin((!options.no_response).then_some(()));
        let call = Call { module: method.module(), method: method.id(), sequence, body };
        let early = self.send(call, options, deadline)?;
        if options.no_response {
            return Ok(submitted());
        }
        let received = early.map_or_else(|| self.receive(deadline), Ok);
        if matches!(received, Err(Fault::Timeout { .. })) {
            self.calls.abandon(sequence);
        }
        received
    }

    /// Sends a call; gives its response, if that comes before all of it is sent.
    ///
    /// While there is no room for it, what the server sends is received: it may be stuck in replies to calls that nobody
    /// waits for (C4, C6), and would read no more until somebody took them.
    fn send(
        &mut self,
        call: Call<Body>,
        options: &CallOptions,
        deadline: Deadline,
    ) -> Result<Option<Response>, Fault> {
        let head = call.head();
        let packets = match Packets::new(self.wire, &head, &call.body, self.codec.limit()) {
            Ok(packets) => packets,
            Err(error) => {
                self.calls.take_back(call.sequence);
                return Err(Fault::Unsent(error.into()));
            }
        };
        let mut early = None;
        for packet in packets {
            while let Err(error) = self.socket.send(&packet.slices()) {
                match error.kind() {
                    io::ErrorKind::WouldBlock => match self.socket.wait_either(deadline.at)? {
                        Some(Ready::ToReceive) => match self.receive_packet() {
                            Ok(response) => early = response.or(early),
                            Err(_) if early.is_some() => return Ok(early),
                            Err(fault) => return Err(fault),
                        },
                        Some(Ready::ToSend) => {}
                        None => return Err(Fault::Timeout { whole: false }),
                    },
                    // The server is gone. What it said before it went is received first.
                    _ if is_peer_gone(&error) && !options.no_response => return Ok(early),
                    _ => return Err(error.into()),
                }
            }
        }
        Ok(early)
    }

    /// Receives the response to the one call that waits.
    fn receive(&mut self, deadline: Deadline) -> Result<Response, Fault> {
        loop {
            let spun = self.spin.run(|| self.socket.try_recv(self.codec.rest()));
            if spun.is_none() && deadline.at.is_some() && !self.socket.wait_readable(deadline.at)? {
                return Err(Fault::Timeout { whole: true });
            }
            let packet = spun.unwrap_or_else(|| self.socket.recv(self.codec.rest()))?;
            if let Some(response) = self.take_packet(packet)? {
                return Ok(response);
            }
        }
    }

    /// Receives one packet that is there.
    fn receive_packet(&mut self) -> Result<Option<Response>, Fault> {
        let packet = self.socket.recv(self.codec.rest())?;
        self.take_packet(packet)
    }

    /// Takes a packet, `None` for end of file; gives the response that it completes, if the call waits for it.
    fn take_packet(&mut self, packet: Option<Bytes>) -> Result<Option<Response>, Fault> {
        let packet = packet.ok_or(Disconnect::ByPeer)?;
        let Some(message) = self.codec.receive(packet).map_err(Disconnect::from)? else { return Ok(None) };
        let response = Response::decode(message).map_err(Disconnect::from)?;
        match self.calls.resolve(&response) {
            Addressee::Waiting(()) => return Ok(Some(response)),
            Addressee::Abandoned => {}
            Addressee::Unknown => report_unknown(&response),
        }
        Ok(None)
    }
}

impl From<Disconnect> for Fault {
    fn from(cause: Disconnect) -> Self {
        Fault::Disconnect(cause)
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Disconnect(error.into())
    }
}

/// When a call has taken too long.
#[derive(Clone, Copy)]
struct Deadline {
    limit: Option<Duration>,
    /// `None` for never.
    at: Option<Instant>,
}

impl Deadline {
    const NEVER: Deadline = Deadline { limit: None, at: None };

    /// The earlier of the two.
    fn or_before(self, other: Deadline) -> Self {
        match (self.at, other.at) {
            (Some(one), Some(another)) if another < one => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }

    fn after(limit: Option<Duration>) -> Self {
        Deadline { limit, at: limit.and_then(|limit| Instant::now().checked_add(limit)) }
    }

    fn left(&self) -> Duration {
        self.at.map_or(Duration::MAX, |at| at.saturating_duration_since(Instant::now()))
    }

    fn passed(&self) -> CallError {
        CallError::timeout(self.limit.unwrap_or_default())
    }
}
