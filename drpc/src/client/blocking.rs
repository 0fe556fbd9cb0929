mod lease;
mod lines;
mod pipeline;
mod streaming;

pub use streaming::{Exchange, Streaming, Upload};

use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use bytes::Bytes;

use self::lines::{Line, Lines};
use super::batch::Batch;
use super::builder::ClientBuilder;
use super::call_state::CallState;
use super::caller::{CallOptions, Caller};
use super::calls::{Addressee, Calls};
use super::deadline::Deadline;
use super::descriptors::{Passing, attach, refused};
use super::error::{CallError, ConnectError, Disconnect};
use super::packs::Packs;
use super::pool::Pool;
use super::probe::{PROBE, PROBE_SEQUENCE, Prober};
use super::reply::{reply_of, report_unknown, submitted};
use super::retry::Attempts;
use crate::descriptors::Limits;
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::observe::client::{MadeCall, batch_span};
use crate::observe::metrics;
use crate::observe::metrics::OpenConnection;
use crate::observe::peer_log::PeerLog;
use crate::sync::parking_lot::{Condvar, Mutex};
use crate::transport::{Mode, Ready, Socket, Spin, generation, is_peer_gone};
use crate::wire::{
    Body, Call, CallFields, Codec, Control, MAX_PLAIN_MESSAGE, Packet, Response, UNREADABLE_CALL, Wire,
    WireMode,
};

/// A client whose calls block their thread until the reply arrives, without a runtime.
///
/// # Example
///
/// ```no_run
/// use drpc::blocking::Client;
/// use drpc::drpc_module;
///
/// #[drpc_module(id = 5, client_only)]
/// pub trait Greeter {
///     #[method(1)]
///     fn hello(&self);
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let client = Client::connect("/run/greeter.sock")?;
///     GreeterClient::new(client).hello()?;
///     Ok(())
/// }
/// ```
///
/// It is a handle: clones share its connections, each of which carries one call at a time; other calls wait their turn. There is one connection, unless
/// [`ClientBuilder::connections`] allows more. The next call replaces a connection that broke ([`ClientBuilder::auto_reconnect`]). [`call_raw`](Self::call_raw)
/// calls by number, [`batch`](Self::batch) makes many calls at once. [The chapter](crate::guide::client) has more.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: ClientBuilder,
    /// A connection is lent to a call from its beginning to its end.
    pool: Mutex<Pool<Box<Connection>>>,
    /// A place in the pool is free again.
    freed: Condvar,
    /// A connection has come back that nobody waits for but those that wait for the server.
    came: Condvar,
    lines: Lines,
    /// The process that its connections are of: see [`generation`].
    process: AtomicU64,
}

impl Client {
    /// Connects to a server that speaks the chunked wire format, with the defaults of [`ClientBuilder`].
    ///
    /// # Errors
    ///
    /// [`ConnectError`] with the path, the system's error, and what to do ([C8](crate::guide::rules#client)).
    pub fn connect(path: impl AsRef<Path>) -> Result<Client, ConnectError> {
        Self::builder(path).connect_blocking()
    }

    /// Returns a builder with the default settings.
    pub fn builder(path: impl AsRef<Path>) -> ClientBuilder {
        ClientBuilder::new(path.as_ref())
    }

    /// Calls a method with a marshalled body; returns the response, whatever its status.
    ///
    /// ```no_run
    /// use drpc::blocking::Client;
    /// use drpc::{CallOptions, Method};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let client = Client::connect("/run/daos_agent/daos_agent.sock")?;
    ///     let response = client.call_raw(Method::new(1, 101, "request_creds"), "", &CallOptions::new())?;
    ///     println!("{}: {} bytes", response.status, response.body.len());
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`] if there is no response. A response with a failing status is not an error.
    pub fn call_raw(
        &self,
        method: Method,
        body: impl Into<Body>,
        options: &CallOptions,
    ) -> Result<Response, CallError> {
        let mut body = body.into();
        let passing = Passing::of(&method, &body);
        let observed = MadeCall::begin(&method, &self.0.config.path, body.len());
        passing.check(observed.run(|| self.call_in_time(&method, &mut body, options)))
    }

    fn call_in_time(
        &self,
        method: &Method,
        body: &mut Body,
        options: &CallOptions,
    ) -> Result<Response, CallError> {
        let mut state = self.begin(options);
        let mut attempts = Attempts::of(options.retry.as_ref(), self.0.config.retry.as_ref());
        loop {
            let body = if attempts.is_last() { std::mem::take(body) } else { body.clone() };
            let outcome = self.attempt(method, body, options, &mut state);
            match attempts.next(method, outcome, state.deadline) {
                ControlFlow::Continue(pause) => sleep(pause),
                ControlFlow::Break(outcome) => return outcome,
            }
        }
    }

    fn attempt(
        &self,
        method: &Method,
        mut body: Body,
        options: &CallOptions,
        state: &mut CallState<'_>,
    ) -> Result<Response, CallError> {
        state.begin_attempt();
        loop {
            // This may run the user's code: before a connection is lent, or the pool locked.
            let added = state.added(options);
            let mut connection = self.connection(state)?;
            let mut early = Vec::new();
            match connection
                .run(|connection| connection.call(method, &mut body, added, options, state, &mut early))
            {
                Ok(response) => return state.in_time(response),
                Err(Fault::Unsent(error)) => return Err(error),
                Err(Fault::Gone) => {
                    connection.broke(Disconnect::ByPeer.into());
                    if !state.takes_another() {
                        return Err(CallError::not_connected(Disconnect::ByPeer.into()));
                    }
                }
                Err(Fault::Timeout(sent)) => {
                    connection.is_held_up(sent);
                    return Err(match sent {
                        Sent::Nothing => state.deadline.unsent(),
                        Sent::Part | Sent::Whole => state.deadline.passed(),
                    });
                }
                Err(Fault::Disconnect(cause)) => {
                    connection.broke(cause.clone());
                    // It may have been answered before all of it was sent.
                    return match early.pop() {
                        Some(response) => state.in_time(response),
                        None => Err(CallError::disconnected(cause)),
                    };
                }
                Err(Fault::Unfinished(cause)) => {
                    connection.broke(cause.clone());
                    return early.pop().map_or_else(
                        || Err(CallError::unfinished(cause)),
                        |response| state.in_time(response),
                    );
                }
            }
        }
    }

    /// Makes many calls at once, and returns one result per call, in the order of the calls.
    ///
    /// They are sent back to back on one connection, without waiting for replies; replies that arrive meanwhile are received. Requests and replies are all held in memory. The time-out of the options, or of the
    /// client, covers the whole batch.
    ///
    /// All requests are of one type, and so are all replies; [`Bytes`](crate::Bytes) leaves either as it is. Only the decoder checks that a method's reply is `R`.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # #[derive(Clone, PartialEq, prost::Message)] pub struct Hello { #[prost(string, tag = "1")] pub name: String }
    /// # #[derive(Clone, PartialEq, prost::Message)] pub struct HelloResponse { #[prost(string, tag = "1")] pub greeting: String }
    /// # #[drpc::drpc_module(id = 5, client_only)] pub trait Greeter { #[method(1)] fn hello(&self, req: Hello) -> HelloResponse; }
    /// # fn example(client: drpc::blocking::Client) -> Result<(), drpc::CallError> {
    /// use drpc::CallOptions;
    ///
    /// let calls = ["Anna", "Ben"].map(|name| (GreeterMethod::Hello, Hello { name: name.into() }));
    /// for reply in client.batch(calls, &CallOptions::new()) {
    ///     let reply: HelloResponse = reply?;
    ///     println!("{}", reply.greeting);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn batch<Q: Payload, R: Payload>(
        &self,
        calls: impl IntoIterator<Item = (impl Into<Method>, Q)>,
        options: &CallOptions,
    ) -> Vec<Result<R, CallError>> {
        let calls = calls.into_iter().map(|(method, request)| (method.into(), request.into_body()));
        let responses = self.run_batch(Batch::new(calls), options);
        let limit = self.0.config.reply_limit;
        responses.into_iter().map(|response| reply_of(response?, limit)).collect()
    }

    /// Like [`batch`](Self::batch), with marshalled bodies; returns the responses, whatever their statuses.
    pub fn batch_raw(
        &self,
        calls: impl IntoIterator<Item = (Method, impl Into<Body>)>,
        options: &CallOptions,
    ) -> Vec<Result<Response, CallError>> {
        let calls = calls.into_iter().map(|(method, body)| (method, body.into()));
        self.run_batch(Batch::new(calls), options)
    }

    fn run_batch(&self, mut batch: Batch, options: &CallOptions) -> Vec<Result<Response, CallError>> {
        let _entered = batch_span(&self.0.config.path, batch.due().len()).entered();
        let mut state = self.begin(options);
        let mut attempts = Attempts::of(options.retry.as_ref(), self.0.config.retry.as_ref());
        loop {
            self.attempt_batch(&mut batch, attempts.is_last(), options, &mut state);
            match batch.again(&mut attempts, state.deadline) {
                Some(pause) => sleep(pause),
                None => return batch.finish(|| state.timed_out()),
            }
        }
    }

    fn attempt_batch(
        &self,
        batch: &mut Batch,
        is_last: bool,
        options: &CallOptions,
        state: &mut CallState<'_>,
    ) {
        state.begin_attempt();
        let one_at_a_time = self.0.config.one_call_at_a_time;
        loop {
            let added = batch.due().iter().map(|_| state.added(options)).collect();
            let mut connection = match self.connection(state) {
                Ok(connection) => connection,
                Err(error) => return batch.settle_due(&error),
            };
            match connection
                .run(|connection| connection.pipeline(batch, is_last, added, options, state, one_at_a_time))
            {
                Ok(()) => return,
                Err(Fault::Timeout(sent)) => return connection.is_held_up(sent),
                Err(Fault::Disconnect(cause) | Fault::Unfinished(cause)) => return connection.broke(cause),
                Err(Fault::Gone | Fault::Unsent(_)) => {
                    connection.broke(Disconnect::ByPeer.into());
                    if !state.takes_another() {
                        return batch.settle_due(&CallError::not_connected(Disconnect::ByPeer.into()));
                    }
                }
            }
        }
    }

    /// What is known of a call that begins.
    fn begin<'a>(&'a self, options: &CallOptions) -> CallState<'a> {
        let config = &self.0.config;
        CallState::of_call(options, config, Instant::now)
    }

    /// Whether calls can be made: the client is connected, or reconnects by itself.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        match self.0.pool.try_lock() {
            Some(pool) => pool.makes_more() || !pool.open().is_empty(),
            // A call has the only connection.
            None => !self.0.lines.is_closed(),
        }
    }

    /// Connects again if the client was closed or its connections broke; does nothing if it is connected ([C2](crate::guide::rules#client)). Sequences start again at 1
    /// ([C1](crate::guide::rules#client)). It tries once, without a pause. With one connection, it may wait for the call in flight.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn reconnect(&self) -> Result<(), ConnectError> {
        self.0.check_process();
        let pool = self.0.pool.lock();
        if pool.makes_more() && (pool.is_out() || !pool.open().is_empty()) {
            return Ok(());
        }
        let epoch = pool.epoch();
        drop(pool);
        let connection = self.0.config.open_blocking(Deadline::NEVER)?;
        self.0.lines.add(epoch, &connection.line);
        match self.0.pool.lock().restart(epoch, Box::new(connection)) {
            Some(true) => metrics::reconnected(),
            Some(false) => {}
            None => return Err(ConnectError::closed(&self.0.config.path)),
        }
        self.0.lines.reopen(epoch);
        self.0.wake_all();
        Ok(())
    }

    /// Closes the connections at once. Calls in flight, on other threads, fail ([C7](crate::guide::rules#client)). Does nothing if it is closed
    /// ([C2](crate::guide::rules#client)).
    pub fn close(&self) {
        // A call that keeps the pool locked ends by this.
        self.0.lines.close();
        let idle = self.0.pool.lock().close();
        self.0.wake_all();
        drop(idle);
    }
}

impl Inner {
    /// Has all that wait look again.
    fn wake_all(&self) {
        self.freed.notify_all();
        self.came.notify_all();
    }

    /// In a child of the process that the connections were made in, forgets them: the replies to its calls would be another's, and another's would
    /// be its own. They are closed here alone.
    fn check_process(&self) {
        if self.process.load(Ordering::Relaxed) != generation() {
            self.forget_connections();
        }
    }

    #[cold]
    fn forget_connections(&self) {
        let mut pool = self.pool.lock();
        if self.process.swap(generation(), Ordering::Relaxed) != generation() {
            self.lines.forget();
            pool.forget();
        }
    }
}

impl Caller for Client {
    type Outcome<R> = Result<R, CallError>;
    type Streaming<R> = Streaming<R>;
    type Upload<T, R> = Upload<T, R>;
    type Exchange<T, R> = Exchange<T, R>;

    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<R, CallError> {
        reply_of(self.call_raw(method, request.into_body(), options)?, self.0.config.reply_limit)
    }

    fn open<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<Streaming<R>, CallError> {
        self.open_stream(method, request.into_body(), options)
    }

    fn upload<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<Upload<T, R>, CallError> {
        self.open_upload(method, request.into_body(), options)
    }

    fn exchange<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<Exchange<T, R>, CallError> {
        self.open_exchange(method, request.into_body(), options)
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
    /// Those of [`Client::connect`].
    pub fn connect_blocking(self) -> Result<Client, ConnectError> {
        let mut state = CallState::of_client(&self);
        let first = loop {
            match self.open_blocking(Deadline::NEVER) {
                Ok(connection) => break Box::new(connection),
                Err(error) => sleep(state.refused(error)?),
            }
        };
        let lines = Lines::default();
        lines.add(0, &first.line);
        let pool = Mutex::new(Pool::new(self.limit(), first));
        let process = AtomicU64::new(generation());
        Ok(Client(Arc::new(Inner {
            config: self,
            pool,
            freed: Condvar::new(),
            came: Condvar::new(),
            lines,
            process,
        })))
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
        let longest_packet = socket.longest_packet();
        Connection {
            codec: Codec::new(wire, self.message_limit).sending_at_most(longest_packet),
            line: Line::new(socket),
            wire,
            calls: Calls::new(last_sequence),
            takes_control: false,
            packs: Packs::of(self.added_fields.packs(), self.message_limit.min(longest_packet)),
            has_stream: false,
            spin: Spin::new(self.spin),
            log: self.log.clone(),
            _counted: OpenConnection::begin(),
        }
    }

    fn open_socket(&self, deadline: Deadline) -> Result<Socket, ConnectError> {
        let path = self.checked_path()?;
        let failed = |cause: io::Error| match cause.kind() {
            io::ErrorKind::WouldBlock => ConnectError::timeout(path, deadline.limit.unwrap_or_default()),
            _ => ConnectError::io(path, cause),
        };
        let socket = Socket::new(Mode::Blocking).map_err(failed)?;
        loop {
            // The kernel takes a time of 0 as no limit.
            let left = deadline.left().max(Duration::from_millis(1));
            socket.set_connect_timeout(left).map_err(failed)?;
            match socket.connect(&self.lasting_path) {
                // A signal has come: nothing was connected.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                connected => {
                    connected.map_err(failed)?;
                    self.check_server(&socket)?;
                    return Ok(socket);
                }
            }
        }
    }

    fn probe_blocking(&self, socket: &Socket, deadline: Deadline) -> Result<Wire, ConnectError> {
        let failed = |cause| ConnectError::probe(&self.path, cause);
        socket.send(&Packet::raw(&PROBE, &[])).map_err(|error| failed(error.into()))?;
        let mut prober = Prober::new(self.message_limit);
        loop {
            if !socket.wait_readable(deadline.at).map_err(|error| failed(error.into()))? {
                return Err(ConnectError::timeout(&self.path, deadline.limit.unwrap_or_default()));
            }
            let packet = socket.recv(None, MAX_PLAIN_MESSAGE).map_err(|error| failed(error.into()))?;
            if let Some(wire) = prober.receive(packet).map_err(failed)? {
                return Ok(wire);
            }
        }
    }
}

/// One connection, used by one call at a time.
struct Connection {
    line: Arc<Line>,
    wire: Wire,
    codec: Codec,
    /// Those that timed out are remembered, so that their replies are not taken for another's.
    calls: Calls<()>,
    /// The server has shown that it knows what may be said of calls that run.
    takes_control: bool,
    packs: Packs,
    /// A stream was asked for.
    has_stream: bool,
    spin: Spin,
    /// What the server may have logged.
    log: Arc<PeerLog>,
    _counted: OpenConnection,
}

/// Why a call on a connection gave no response, and what that means for the connection.
enum Fault {
    /// Nothing was sent: the connection is as it was.
    Unsent(CallError),
    /// The connection is no more, and nothing was sent.
    Gone,
    /// The deadline passed.
    Timeout(Sent),
    /// The connection is no more.
    Disconnect(Arc<Disconnect>),
    /// The connection is no more, and not all of the call was sent.
    Unfinished(Arc<Disconnect>),
}

/// How much of a call was sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Nothing,
    /// The rest of it is what the server expects next (W10).
    Part,
    Whole,
}

impl Connection {
    /// Makes a call. The body is taken, unless the connection is [`Gone`](Fault::Gone). If the connection breaks, a response that
    /// came before is in `early`.
    fn call(
        &mut self,
        method: &Method,
        body: &mut Body,
        mut added: Option<Box<CallFields>>,
        options: &CallOptions,
        state: &CallState<'_>,
        early: &mut Vec<Response>,
    ) -> Result<Response, Fault> {
        let deadline = state.deadline;
        self.pass(method, body, options, &mut added)?;
        state.stamp(&mut added);
        self.packs.ask(&mut added);
        if let Some(added) = &mut added {
            added.asks_control &= !self.takes_control;
            self.has_stream |= added.credit.is_some() || added.sends_items;
        }
        let sequence = self.calls.begin((!options.no_response).then_some(()));
        let (module, method) = (method.module(), method.id());
        let call = Call { module, method, sequence, body: std::mem::take(body), added };
        let sent = self.send(&call, options, deadline, early);
        if let Err(Fault::Gone) = sent {
            *body = call.body;
        }
        let sent = sent?;
        if options.no_response {
            return Ok(submitted());
        }
        match early.pop().map_or_else(|| self.receive_own(sequence, deadline), Ok) {
            Err(Fault::Disconnect(cause)) if sent == Sent::Part => Err(Fault::Unfinished(cause)),
            received => {
                if matches!(received, Err(Fault::Timeout(_))) {
                    self.calls.abandon(sequence);
                    self.cancel(sequence);
                }
                received
            }
        }
    }

    /// Tells the server that a call was given up, if it knows that and there is room.
    fn cancel(&mut self, sequence: i64) {
        let head = about(sequence, Control::Cancel, Body::new()).head();
        if self.takes_control
            && let Ok(packets) = self.codec.packets(&head, b"")
        {
            for packet in packets {
                // Whether the server is gone, the next call finds out.
                let _ = self.line.send(&packet);
            }
        }
    }

    /// Gets ready for the descriptors of a call and its reply.
    fn pass(
        &self,
        method: &Method,
        body: &Body,
        options: &CallOptions,
        added: &mut Option<Box<CallFields>>,
    ) -> Result<(), Fault> {
        let passing = Passing::of(method, body);
        if !passing.is_none() {
            passing.announce(body, self.wire, options.no_response, added).map_err(Fault::Unsent)?;
            self.line.take_descriptors(Limits::TRUSTING);
        }
        Ok(())
    }

    /// Sends a call; puts the responses that come before all of it is sent into `early`. A part is all that was sent if the server went
    /// meanwhile, which may have answered.
    ///
    /// While there is no room for it, what the server sends is received: it may be stuck in replies to calls that nobody
    /// waits for (C4, C6), and would read no more until somebody took them.
    fn send(
        &mut self,
        call: &Call<Body>,
        options: &CallOptions,
        deadline: Deadline,
        early: &mut Vec<Response>,
    ) -> Result<Sent, Fault> {
        let head = call.head();
        let packets = match self.codec.packets(&head, &call.body) {
            Ok(packets) => packets,
            Err(error) => {
                self.calls.take_back(call.sequence);
                return Err(Fault::Unsent(error.into()));
            }
        };
        let mut sent = Sent::Nothing;
        for packet in packets {
            while let Err(error) = self.line.send(&packet) {
                if let Some(refused) = refused(&error, &packet) {
                    self.calls.take_back(call.sequence);
                    return Err(Fault::Unsent(refused));
                }
                match error.kind() {
                    io::ErrorKind::WouldBlock => {
                        match self.line.wait_either(deadline.at).map_err(unfinished)? {
                            Some(Ready::ToReceive) if !deadline.is_over() => {
                                early.extend(self.receive_packet().map_err(unfinished)?);
                            }
                            Some(Ready::ToSend) => {}
                            _ => {
                                if sent == Sent::Nothing {
                                    self.calls.take_back(call.sequence);
                                }
                                return Err(Fault::Timeout(sent));
                            }
                        }
                    }
                    _ if is_peer_gone(&error) && sent == Sent::Nothing => {
                        self.calls.take_back(call.sequence);
                        return Err(match self.line.ended() {
                            Disconnect::Closed => {
                                Fault::Unsent(CallError::not_connected(Disconnect::Closed.into()))
                            }
                            _ => Fault::Gone,
                        });
                    }
                    // The server is gone. What it said before it went is received first.
                    _ if is_peer_gone(&error) && !options.no_response => return Ok(Sent::Part),
                    _ => return Err(Fault::Unfinished(Arc::new(error.into()))),
                }
            }
            sent = Sent::Part;
        }
        Ok(Sent::Whole)
    }

    /// Receives the response to a call that alone waits (C5).
    fn receive_own(&mut self, sequence: i64, deadline: Deadline) -> Result<Response, Fault> {
        loop {
            let response = self.receive(deadline)?;
            if [sequence, UNREADABLE_CALL].contains(&response.sequence) {
                return Ok(response);
            }
            report_unknown(&response, &self.log);
        }
    }

    /// Receives the response to a call that waits.
    fn receive(&mut self, deadline: Deadline) -> Result<Response, Fault> {
        loop {
            if let Some(response) = self.take_packed()? {
                return Ok(response);
            }
            let longest = self.codec.longest_packet();
            let spun = self.spin.run(|| self.line.try_recv(self.codec.rest(), longest));
            if spun.is_none() && deadline.at.is_some() && !self.line.wait_readable(deadline.at)? {
                return Err(Fault::Timeout(Sent::Whole));
            }
            let packet = spun.unwrap_or_else(|| self.line.recv(self.codec.rest(), longest))?;
            self.spin.received();
            if let Some(response) = self.take_packet(packet)? {
                return Ok(response);
            }
            // There may always be something else to receive.
            if deadline.is_over() {
                return Err(Fault::Timeout(Sent::Whole));
            }
        }
    }

    /// Receives one packet that is there, unless something is left of a pack.
    fn receive_packet(&mut self) -> Result<Option<Response>, Fault> {
        if let Some(response) = self.take_packed()? {
            return Ok(Some(response));
        }
        let longest = self.codec.longest_packet();
        let packet = self.line.recv(self.codec.rest(), longest)?;
        self.take_packet(packet)
    }

    /// Takes the next response of a pack for which a call waits, if there is one.
    #[inline(always)]
    fn take_packed(&mut self) -> Result<Option<Response>, Fault> {
        if self.codec.packed().len() == 0 { Ok(None) } else { self.take_next_packed() }
    }

    #[inline(never)]
    fn take_next_packed(&mut self) -> Result<Option<Response>, Fault> {
        while let Some(message) = self.codec.next_packed() {
            if let Some(response) = self.take_message(message)? {
                return Ok(Some(response));
            }
        }
        Ok(None)
    }

    /// Takes a packet, `None` for end of file; gives the response that it completes, if the call waits for it.
    fn take_packet(&mut self, packet: Option<Bytes>) -> Result<Option<Response>, Fault> {
        let packet = packet.ok_or_else(|| self.line.ended())?;
        let Some(message) = self.codec.receive(packet).map_err(Disconnect::from)? else { return Ok(None) };
        let responses = Response::unpack(&message);
        let message = self.codec.unpack(message, responses);
        self.take_message(message)
    }

    /// Takes a message; gives the response that it is, if a call waits for it.
    #[inline(always)]
    fn take_message(&mut self, message: Bytes) -> Result<Option<Response>, Fault> {
        let mut response = Response::decode(message).map_err(Disconnect::from)?;
        if let Some(arrived) = self.line.arrived() {
            attach(&mut response, *arrived);
        }
        let addressee = match &response.added {
            None => self.calls.resolve(&response),
            Some(added) => {
                self.packs.heed(added);
                self.takes_control |= added.takes_control || added.part.is_some();
                match added.part {
                    None => self.calls.resolve(&response),
                    Some(_) => match self.calls.resolve_part(response.sequence) {
                        Addressee::Waiting(()) if !self.has_stream => return Err(Disconnect::Overrun.into()),
                        addressee => addressee,
                    },
                }
            }
        };
        match addressee {
            Addressee::Waiting(()) => return Ok(Some(response)),
            Addressee::Abandoned => {}
            Addressee::Unknown => report_unknown(&response, &self.log),
        }
        Ok(None)
    }
}

/// What says something of a call; an item is its body.
fn about(sequence: i64, control: Control, body: Body) -> Call<Body> {
    let added = CallFields { control: Some(control), ..CallFields::default() };
    Call { module: 0, method: 0, sequence, body, added: Some(added.into()) }
}

/// The fault of a connection on which a call was being sent.
fn unfinished(fault: impl Into<Fault>) -> Fault {
    match fault.into() {
        Fault::Disconnect(cause) => Fault::Unfinished(cause),
        fault => fault,
    }
}

impl From<Disconnect> for Fault {
    fn from(cause: Disconnect) -> Self {
        Fault::Disconnect(cause.into())
    }
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Disconnect::from(error).into()
    }
}
