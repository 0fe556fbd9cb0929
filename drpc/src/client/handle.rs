use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::{sleep, timeout, timeout_at};
use tracing::Instrument;

use super::batch::Batch;
use super::call_state::CallState;
use super::connection::{Connection, InFlight};
use super::deadline::Deadline;
use super::error::{CallError, ConnectError, Disconnect};
use super::pool::Pool;
use super::probe::{PROBE, PROBE_SEQUENCE, Prober};
use super::retry::{Attempts, worse};
use super::{CallOptions, Caller, ClientBuilder, reply_of};
use crate::observe::{MadeCall, batch_span, metrics};
use crate::transport::{AsyncSocket, Link, Mode, Socket};
use crate::wire::{Body, Response, Wire, WireMode};
use crate::{Method, Payload};

/// An async client of one server, on tokio.
///
/// It is a handle: clones share its connections, one if [`ClientBuilder::connections`] does not say otherwise, and any number of
/// calls may be in flight on each. A connection that broke is replaced by the next call
/// ([`ClientBuilder::auto_reconnect`]). Generated stubs take it (`GreeterClient::new(client)`);
/// [`call_raw`](Self::call_raw) calls by number, [`batch`](Self::batch) many at once.
///
/// Calls made from a task of a multi-threaded runtime (by `tokio::spawn`) are faster than those made from the future of
/// `#[tokio::main]` itself, which is not one of the runtime's workers.
///
/// # Example
///
/// ```no_run
/// use drpc::{CallOptions, Client, Method};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect("/run/daos_agent/daos_agent.sock").await?;
/// let response = client.call_raw(Method::new(1, 101, "request_credentials"), "", &CallOptions::new()).await?;
/// println!("{}: {} bytes", response.status, response.body.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: ClientBuilder,
    pool: Mutex<Pool<Arc<Connection>>>,
    /// Held by the one call that makes a new connection.
    connecting: tokio::sync::Mutex<()>,
}

impl Client {
    /// Connects to a server that speaks the chunked wire, with the defaults of [`ClientBuilder`].
    ///
    /// # Errors
    ///
    /// [`ConnectError`] with the path, what the system said, and what to do (C8).
    pub async fn connect(path: impl AsRef<Path>) -> Result<Client, ConnectError> {
        Self::builder(path).connect().await
    }

    /// Begins to set a client up.
    pub fn builder(path: impl AsRef<Path>) -> ClientBuilder {
        ClientBuilder::new(path.as_ref())
    }

    /// A client that is connected already, by the link; `config` says how it connects again.
    #[cfg(feature = "server")]
    pub(crate) fn of_link(config: ClientBuilder, link: Link) -> Client {
        let wire = if config.wire == Wire::Plain.into() { Wire::Plain } else { Wire::Chunked };
        let connection = Connection::spawn(link, wire, config.message_limit, 0);
        Client::new(config, connection)
    }

    fn new(config: ClientBuilder, connection: Connection) -> Client {
        Client(Arc::new(Inner {
            pool: Mutex::new(Pool::new(config.limit(), Arc::new(connection))),
            config,
            connecting: tokio::sync::Mutex::new(()),
        }))
    }

    /// Calls a method with a marshalled body; gives the response, whatever its status.
    ///
    /// Cancel safe: a call whose future is dropped before it was sent is not made; after that, its reply is dropped when it
    /// comes (C4).
    ///
    /// # Errors
    ///
    /// [`CallError`] if there is no response. A response with a failing status is none.
    pub async fn call_raw(
        &self,
        method: Method,
        body: impl Into<Body>,
        options: &CallOptions,
    ) -> Result<Response, CallError> {
        let body = body.into();
        let observed = MadeCall::begin(method, &self.0.config.path, body.len());
        observed.carry_out(pin!(self.call_in_time(method, body, options))).await
    }

    async fn call_in_time(
        &self,
        method: Method,
        body: Body,
        options: &CallOptions,
    ) -> Result<Response, CallError> {
        let mut state = self.begin(options);
        let Some(at) = state.deadline.at else {
            return self.call_unlimited(method, body, options, &mut state).await;
        };
        match timeout_at(at.into(), self.call_unlimited(method, body, options, &mut state)).await {
            Ok(result) => result,
            Err(_) => Err(state.timed_out()),
        }
    }

    async fn call_unlimited(
        &self,
        method: Method,
        mut body: Body,
        options: &CallOptions,
        state: &mut CallState<'_>,
    ) -> Result<Response, CallError> {
        let mut attempts = Attempts::of(&self.0.config, options);
        let mut failed = None;
        loop {
            let body = if attempts.is_last() { std::mem::take(&mut body) } else { body.clone() };
            let error = match self.attempt(method, body, options, state).await {
                Ok(response) => {
                    attempts.answered();
                    return Ok(response);
                }
                Err(error) => error,
            };
            let again = attempts.again(method, &error, state.deadline);
            let error = worse(failed, error);
            match again {
                Some(pause) => sleep(pause).await,
                None => return Err(error),
            }
            failed = Some(error);
        }
    }

    async fn attempt(
        &self,
        method: Method,
        mut body: Body,
        options: &CallOptions,
        state: &mut CallState<'_>,
    ) -> Result<Response, CallError> {
        state.begin_attempt();
        loop {
            let connection = self.connection(state).await?;
            let mut added = state.added(options);
            state.stamp(&mut added);
            match connection.begin(method, &mut body, options.no_response, added) {
                Ok(in_flight) => {
                    state.is_sent();
                    let mut call = Abandonable { client: self, connection: &connection, in_flight };
                    let response = call.in_flight.response().await?;
                    return state.in_time(response);
                }
                Err(error) if !self.goes_on_after(&error, &connection, state) => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// Makes many calls at once, and gives their replies in the same order: each call's own result.
    ///
    /// They go out one behind the other on one connection, without waiting for replies in between, as far as the socket takes
    /// them. Requests and replies are all held in memory. The time of the options, or of the client, is that of the whole
    /// batch.
    ///
    /// All requests are of one type, and so are all replies; [`Bytes`](crate::Bytes) leaves either as it is. Nothing checks
    /// that a method replies `R`, other than the decoder.
    ///
    /// Cancel safe as [`call_raw`](Self::call_raw) is.
    ///
    /// # Example
    ///
    /// ```no_run
    /// # #[derive(Clone, PartialEq, prost::Message)] pub struct Hello { #[prost(string, tag = "1")] pub name: String }
    /// # #[derive(Clone, PartialEq, prost::Message)] pub struct HelloResponse { #[prost(string, tag = "1")] pub greeting: String }
    /// # #[drpc::drpc_module(id = 5, client_only)] pub trait Greeter { #[method(1)] fn hello(&self, req: Hello) -> HelloResponse; }
    /// # async fn example(client: drpc::Client) -> Result<(), drpc::CallError> {
    /// use drpc::CallOptions;
    ///
    /// let calls = ["Anna", "Ben"].map(|name| (GreeterMethod::Hello, Hello { name: name.into() }));
    /// for reply in client.batch(calls, &CallOptions::new()).await {
    ///     let reply: HelloResponse = reply?;
    ///     println!("{}", reply.greeting);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub async fn batch<Q: Payload, R: Payload>(
        &self,
        calls: impl IntoIterator<Item = (impl Into<Method>, Q)>,
        options: &CallOptions,
    ) -> Vec<Result<R, CallError>> {
        let calls = calls.into_iter().map(|(method, request)| (method.into(), request.into_body()));
        let responses = self.run_batch(Batch::new(calls), options).await;
        responses.into_iter().map(|response| reply_of(response?)).collect()
    }

    /// As [`batch`](Self::batch), with marshalled bodies; gives the responses, whatever their statuses.
    pub async fn batch_raw(
        &self,
        calls: impl IntoIterator<Item = (Method, impl Into<Body>)>,
        options: &CallOptions,
    ) -> Vec<Result<Response, CallError>> {
        let calls = calls.into_iter().map(|(method, body)| (method, body.into()));
        self.run_batch(Batch::new(calls), options).await
    }

    async fn run_batch(&self, mut batch: Batch, options: &CallOptions) -> Vec<Result<Response, CallError>> {
        let mut state = self.begin(options);
        let deadline = state.deadline;
        let span = batch_span(&self.0.config.path, batch.due().len());
        let gathering = async {
            let mut attempts = Attempts::of(&self.0.config, options);
            loop {
                self.attempt_batch(&mut batch, attempts.is_last(), options, &mut state).await;
                match batch.again(&mut attempts, deadline) {
                    Some(pause) => sleep(pause).await,
                    None => return,
                }
            }
        };
        match deadline.at {
            None => gathering.instrument(span).await,
            // What is missing then gets its error below.
            Some(at) => timeout_at(at.into(), gathering.instrument(span)).await.unwrap_or_default(),
        }
        batch.finish(|| state.timed_out())
    }

    async fn attempt_batch(
        &self,
        batch: &mut Batch,
        is_last: bool,
        options: &CallOptions,
        state: &mut CallState<'_>,
    ) {
        state.begin_attempt();
        loop {
            let connection = match self.connection(state).await {
                Ok(connection) => connection,
                Err(error) => return batch.settle_due(&error),
            };
            if self.pipeline(&connection, batch, is_last, options, state).await {
                return;
            }
        }
    }

    /// Sends calls one behind the other and gathers their responses. False if the connection was gone before anything was
    /// sent, and another may be taken.
    async fn pipeline(
        &self,
        connection: &Arc<Connection>,
        batch: &mut Batch,
        is_last: bool,
        options: &CallOptions,
        state: &mut CallState<'_>,
    ) -> bool {
        let mut sent = Vec::with_capacity(batch.due().len());
        for at in 0..batch.due().len() {
            let place = batch.due()[at];
            let mut added = state.added(options);
            state.stamp(&mut added);
            let begin = |method, body: &mut Body| connection.begin(method, body, options.no_response, added);
            match batch.with_call(place, is_last, begin) {
                Ok(in_flight) => sent.push((place, Abandonable { client: self, connection, in_flight })),
                Err(error) if sent.is_empty() && self.goes_on_after(&error, connection, state) => {
                    return false;
                }
                Err(error) => batch.settle(place, Err(error)),
            }
        }
        state.is_sent();
        let (deadline, tells_time) = (state.deadline, state.tells_time());
        let mut gathering = Gathering { batch, sent: sent.into(), deadline, tells_time };
        while let Some((place, call)) = gathering.sent.front_mut() {
            let response = call.in_flight.response().await;
            gathering.batch.settle(*place, response.and_then(|response| state.in_time(response)));
            gathering.sent.pop_front();
        }
        true
    }

    /// What is known of a call that begins.
    fn begin<'a>(&'a self, options: &CallOptions) -> CallState<'a> {
        let config = &self.0.config;
        // The runtime's clock, which a test may have paused.
        CallState::of_call(options, config, || tokio::time::Instant::now().into_std())
    }

    /// Whether calls can be made: the client is connected, or will connect anew by itself.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        let pool = self.pool();
        let makes_more = pool.makes_more() && (self.0.config.auto_reconnect || pool.open().is_empty());
        makes_more || pool.open().iter().any(|connection| !connection.is_broken())
    }

    /// Connects again if the client was closed or its connections broke; does nothing if it is connected (C2). Sequences
    /// start again at 1 (C1). It tries once, without a pause.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn reconnect(&self) -> Result<(), ConnectError> {
        let _connecting = self.0.connecting.lock().await;
        if self.pool().open().iter().any(|connection| !connection.is_broken()) {
            return Ok(());
        }
        let connection = self.0.config.open().await?;
        self.pool().restart(Arc::new(connection));
        metrics::reconnected();
        Ok(())
    }

    /// Closes the connections; calls under way fail. Does nothing if it is closed (C2).
    pub fn close(&self) {
        let open = self.pool().close();
        for connection in open {
            connection.close();
        }
    }

    /// The connection to make a call on: the one with the fewest calls, or a new one.
    async fn connection(&self, state: &mut CallState<'_>) -> Result<Arc<Connection>, CallError> {
        state.check_time()?;
        // What is seldom gone through stands in a box, so that the future of each call is small.
        if self.0.config.connection_per_call {
            return Box::pin(self.connection_of_its_own(state)).await;
        }
        let busy = {
            let pool = self.pool();
            match pool.least_busy()? {
                Some((connection, busy)) if !busy || !pool.has_room() => return Ok(connection.clone()),
                busy => busy.map(|(connection, _)| connection.clone()),
            }
        };
        match busy {
            None => Box::pin(self.first_connection(state)).await,
            Some(busy) => Ok(Box::pin(self.further_connection()).await.unwrap_or(busy)),
        }
    }

    /// A new connection where there is none, or the one that another call makes meanwhile.
    async fn first_connection(&self, state: &mut CallState<'_>) -> Result<Arc<Connection>, CallError> {
        state.waits();
        let _connecting = self.0.connecting.lock().await;
        loop {
            let epoch = {
                let pool = self.pool();
                if let Some((connection, _)) = pool.least_busy()? {
                    return Ok(connection.clone());
                }
                pool.epoch()
            };
            if let Some(connection) = self.try_to_connect(state).await? {
                self.pool().add(epoch, Arc::new(connection));
                metrics::reconnected();
            }
        }
    }

    /// One connection more, if that can be had, and unless another call is about to make one.
    async fn further_connection(&self) -> Option<Arc<Connection>> {
        let _connecting = self.0.connecting.try_lock().ok()?;
        let epoch = Some(self.pool()).filter(|pool| pool.has_room() && pool.makes_more())?.epoch();
        let connection = Arc::new(self.0.config.open().await.ok()?);
        self.pool().add(epoch, connection.clone());
        Some(connection)
    }

    /// A connection that no other call will see; the first is there already.
    async fn connection_of_its_own(&self, state: &mut CallState<'_>) -> Result<Arc<Connection>, CallError> {
        loop {
            match self.pool().take_out()? {
                Some(connection) => return Ok(connection),
                None => state.waits(),
            }
            if let Some(connection) = self.try_to_connect(state).await? {
                return Ok(Arc::new(connection));
            }
        }
    }

    /// Connects, or pauses before the next attempt.
    async fn try_to_connect(&self, state: &mut CallState<'_>) -> Result<Option<Connection>, CallError> {
        match self.0.config.open().await {
            Ok(connection) => Ok(Some(connection)),
            Err(error) => {
                let pause = state.refused(error).map_err(|error| state.gave_up(error))?;
                sleep(pause).await;
                Ok(None)
            }
        }
    }

    /// Whether a call of which nothing was sent may take another connection than this one, which is gone.
    fn goes_on_after(
        &self,
        error: &CallError,
        connection: &Arc<Connection>,
        state: &mut CallState<'_>,
    ) -> bool {
        let Some(cause) = error.not_connected_because() else { return false };
        let mut pool = self.pool();
        pool.remove(connection);
        if !self.0.config.auto_reconnect {
            pool.stop(cause.clone());
        }
        state.takes_another()
    }

    fn pool(&self) -> MutexGuard<'_, Pool<Arc<Connection>>> {
        self.0.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller for Client {
    type Reply<R> = Pin<Box<dyn Future<Output = Result<R, CallError>> + Send>>;

    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Reply<R> {
        let (client, options) = (self.clone(), options.clone());
        let body = request.into_body();
        Box::pin(async move { reply_of(client.call_raw(method, body, &options).await?) })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("path", &self.0.config.path)
            .field("connected", &self.is_connected())
            .finish()
    }
}

/// A call that, dropped without its response, leaves the connection fit for the next one (C4).
struct Abandonable<'a> {
    client: &'a Client,
    connection: &'a Arc<Connection>,
    in_flight: InFlight<'a>,
}

impl Drop for Abandonable<'_> {
    fn drop(&mut self) {
        if self.in_flight.abandon() && self.client.0.config.server_answers_in_order {
            self.client.pool().remove(self.connection);
        }
    }
}

/// The calls of a batch that were sent. Dropped, since the time is over, it keeps what has come by then; the others may have
/// been executed, whatever an earlier attempt met (C4).
struct Gathering<'a> {
    batch: &'a mut Batch,
    sent: VecDeque<(usize, Abandonable<'a>)>,
    deadline: Deadline,
    /// The server knows it, too.
    tells_time: bool,
}

impl Drop for Gathering<'_> {
    fn drop(&mut self) {
        for (place, mut call) in self.sent.drain(..) {
            let result = match call.in_flight.response().now_or_never() {
                Some(result) if !(self.tells_time && is_failure(&result)) => result,
                // One that came with the end of the time is that of a handler that was cut off: see `CallState::in_time`.
                _ => Err(self.deadline.passed()),
            };
            self.batch.settle(place, result);
        }
    }
}

fn is_failure(result: &Result<Response, CallError>) -> bool {
    result.as_ref().is_ok_and(|response| response.status.is_failure())
}

impl ClientBuilder {
    /// Connects the async client.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let mut state = CallState::of_client(&self);
        loop {
            match self.open().await {
                Ok(connection) => return Ok(Client::new(self, connection)),
                Err(error) => sleep(state.refused(error)?).await,
            }
        }
    }

    async fn open(&self) -> Result<Connection, ConnectError> {
        match timeout(self.connect_timeout, self.open_unlimited()).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::timeout(&self.path, self.connect_timeout)),
        }
    }

    async fn open_unlimited(&self) -> Result<Connection, ConnectError> {
        let link = self.open_link().await?;
        let wire = match self.wire {
            WireMode::Fixed(wire) => wire,
            WireMode::Auto => match probe(&link, self.message_limit).await {
                Ok(Wire::Chunked) => {
                    return Ok(Connection::spawn(link, Wire::Chunked, self.message_limit, PROBE_SEQUENCE));
                }
                // Some plain servers close upon the probe.
                Ok(Wire::Plain) => {
                    let link = self.open_link().await?;
                    return Ok(Connection::spawn(link, Wire::Plain, self.message_limit, 0));
                }
                Err(cause) => return Err(ConnectError::probe(&self.path, cause)),
            },
        };
        Ok(Connection::spawn(link, wire, self.message_limit, 0))
    }

    pub(crate) async fn open_link(&self) -> Result<Link, ConnectError> {
        if let Some(connector) = &self.in_memory {
            return Ok(Link::Memory(connector.connect()));
        }
        let path = self.checked_path()?;
        let failed = |cause| ConnectError::io(path, cause);
        let socket = Socket::new(Mode::NonBlocking).map_err(failed)?;
        // A full backlog has no event to wait for.
        let mut pause = Duration::from_micros(100);
        while let Err(cause) = socket.connect(path) {
            if cause.kind() != io::ErrorKind::WouldBlock {
                return Err(failed(cause));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        Ok(Link::Socket(AsyncSocket::new(socket).map_err(failed)?.spinning(self.spin)))
    }
}

async fn probe(link: &Link, message_limit: usize) -> Result<Wire, Disconnect> {
    link.send(&[io::IoSlice::new(&PROBE)]).await?;
    let mut prober = Prober::new(message_limit);
    loop {
        if let Some(wire) = prober.receive(link.recv().await?)? {
            return Ok(wire);
        }
    }
}
