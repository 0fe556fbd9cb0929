use std::fmt;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::calls::{Addressee, Calls};
use super::error::{CallError, ConnectError, Disconnect};
use super::probe::{PROBE, PROBE_SEQUENCE, Prober};
use super::{CallOptions, Caller, ClientBuilder, reply_of, report_unknown, submitted};
use crate::transport::{Mode, Ready, Socket, is_peer_gone};
use crate::wire::{Call, Codec, Packets, Response, Wire, WireMode};
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
/// let response = client.call_raw(Method::new(1, 101, "request_credentials"), "".into(), &CallOptions::new())?;
/// println!("{}: {} bytes", response.status, response.body.len());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: ClientBuilder,
    /// `None` while it is somebody's turn.
    slot: Mutex<Option<Current>>,
    /// A turn has ended.
    free: Condvar,
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
        body: Bytes,
        options: &CallOptions,
    ) -> Result<Response, CallError> {
        let limit = options.timeout.or(self.0.config.timeout);
        let deadline = Deadline::after(limit);
        let mut turn = MyTurn::wait(&self.0, deadline)?;
        let mut connection = match turn.take() {
            Current::Open(connection) => connection,
            Current::Replace => match self.0.config.open_blocking(deadline) {
                Ok(connection) => connection,
                Err(error) => {
                    turn.leave(Current::Replace);
                    return Err(if deadline.left().is_zero() { deadline.passed() } else { error.into() });
                }
            },
            Current::Broken(cause) => {
                turn.leave(Current::Broken(cause.clone()));
                return Err(CallError::not_connected(cause));
            }
            Current::Closed => return Err(CallError::not_connected(Disconnect::Closed.into())),
        };
        match connection.call(method, body, options, deadline) {
            Ok(response) => {
                turn.leave(Current::Open(connection));
                Ok(response)
            }
            Err(Fault::Unsent(error)) => {
                turn.leave(Current::Open(connection));
                Err(error)
            }
            Err(Fault::Timeout { whole }) => {
                let kept = whole && !self.0.config.server_answers_in_order;
                turn.leave(if kept { Current::Open(connection) } else { Current::Replace });
                Err(deadline.passed())
            }
            Err(Fault::Disconnect(cause)) => {
                let cause = Arc::new(cause);
                turn.leave(Current::Broken(cause.clone()));
                Err(CallError::disconnected(cause))
            }
        }
    }

    /// Whether calls can be made: the client is connected, or will connect anew by itself. Waits for a call under way.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        let mut turn = MyTurn::wait_however_long(&self.0);
        let current = turn.take();
        let connected = matches!(current, Current::Open(_) | Current::Replace);
        turn.leave(current);
        connected
    }

    /// Connects again if the client was closed or its connection broke; does nothing if it is connected (C2). Sequences start
    /// again at 1 (C1). Waits for a call under way.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub fn reconnect(&self) -> Result<(), ConnectError> {
        let mut turn = MyTurn::wait_however_long(&self.0);
        let current = turn.take();
        if matches!(current, Current::Open(_)) {
            turn.leave(current);
            return Ok(());
        }
        match self.0.config.open_blocking(Deadline::NEVER) {
            Ok(connection) => {
                turn.leave(Current::Open(connection));
                Ok(())
            }
            Err(error) => {
                turn.leave(current);
                Err(error)
            }
        }
    }

    /// Closes the connection, after a call under way. Does nothing if it is closed (C2).
    pub fn close(&self) {
        MyTurn::wait_however_long(&self.0).take();
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
        let slot = Mutex::new(Some(Current::Open(connection)));
        Ok(Client(Arc::new(Inner { config: self, slot, free: Condvar::new() })))
    }

    /// Makes a connection, by the deadline of the call that needs it.
    fn open_blocking(&self, call: Deadline) -> Result<Connection, ConnectError> {
        let deadline = Deadline::after(Some(self.connect_timeout)).or_before(call);
        let socket = self.open_socket(deadline)?;
        match self.wire {
            WireMode::Fixed(wire) => Ok(Connection::new(socket, wire, self.message_limit, 0)),
            WireMode::Auto => match self.probe_blocking(&socket, deadline)? {
                Wire::Chunked => {
                    Ok(Connection::new(socket, Wire::Chunked, self.message_limit, PROBE_SEQUENCE))
                }
                // Some plain servers close upon the probe.
                Wire::Plain => {
                    let socket = self.open_socket(deadline)?;
                    Ok(Connection::new(socket, Wire::Plain, self.message_limit, 0))
                }
            },
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
    /// Where a call's head is written, again and again.
    head: Vec<u8>,
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
    fn new(socket: Socket, wire: Wire, message_limit: usize, last_sequence: i64) -> Self {
        let codec = Codec::new(wire, message_limit);
        Connection { socket, wire, codec, calls: Calls::new(last_sequence), head: Vec::new() }
    }

    fn call(
        &mut self,
        method: Method,
        body: Bytes,
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
        call: Call,
        options: &CallOptions,
        deadline: Deadline,
    ) -> Result<Option<Response>, Fault> {
        let mut head = std::mem::take(&mut self.head);
        head.clear();
        call.encode_head(&mut head);
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
        self.head = head;
        Ok(early)
    }

    /// Receives the response to the one call that waits.
    fn receive(&mut self, deadline: Deadline) -> Result<Response, Fault> {
        loop {
            if deadline.at.is_some() && !self.socket.wait_readable(deadline.at)? {
                return Err(Fault::Timeout { whole: true });
            }
            if let Some(response) = self.receive_packet()? {
                return Ok(response);
            }
        }
    }

    /// Receives one packet; gives the response that it completes, if the call waits for it.
    fn receive_packet(&mut self) -> Result<Option<Response>, Fault> {
        let packet = self.socket.recv(self.codec.rest())?.ok_or(Disconnect::ByPeer)?;
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

/// The right to use the connection. Dropped, it passes on.
struct MyTurn<'a> {
    inner: &'a Inner,
    current: Current,
}

impl<'a> MyTurn<'a> {
    fn wait(inner: &'a Inner, deadline: Deadline) -> Result<Self, CallError> {
        let mut slot = inner.slot();
        loop {
            if let Some(current) = slot.take() {
                return Ok(MyTurn { inner, current });
            }
            slot = match deadline.at {
                None => inner.free.wait(slot).unwrap_or_else(PoisonError::into_inner),
                Some(_) if deadline.left().is_zero() => return Err(deadline.passed()),
                Some(_) => {
                    inner.free.wait_timeout(slot, deadline.left()).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn wait_however_long(inner: &'a Inner) -> Self {
        let slot = inner.free.wait_while(inner.slot(), |slot| slot.is_none());
        let current = slot.unwrap_or_else(PoisonError::into_inner).take();
        MyTurn { inner, current: current.unwrap_or(Current::Closed) }
    }

    fn take(&mut self) -> Current {
        std::mem::replace(&mut self.current, Current::Closed)
    }

    /// What the next call is to find.
    fn leave(&mut self, current: Current) {
        self.current = current;
    }
}

impl Drop for MyTurn<'_> {
    fn drop(&mut self) {
        *self.inner.slot() = Some(self.take());
        self.inner.free.notify_one();
    }
}

impl Inner {
    fn slot(&self) -> MutexGuard<'_, Option<Current>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
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
