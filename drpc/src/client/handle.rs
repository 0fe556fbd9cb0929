mod connecting;
mod pipeline;
mod streaming;

pub(super) use streaming::{Patience, Source, Target};
pub use streaming::{Sending, Streaming, Upload};

use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::{fmt, mem};

use futures_util::lock;

use super::batch::Batch;
use super::builder::ClientBuilder;
use super::call_state::CallState;
use super::caller::{CallOptions, Caller};
use super::connection::{Connection, GivenUp, InFlight};
use super::descriptors::Passing;
use super::error::{CallError, ConnectError};
use super::on_tokio::Tokio;
use super::pool::Pool;
use super::reply::reply_of;
use super::retry::Attempts;
use super::runtime::Runtime;
use super::turns::Turn;
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::observe::client::MadeCall;
use crate::observe::metrics;
use crate::transport::{Link, generation};
use crate::wire::{Body, CallFields, Response, Wire};

/// An async client of one server, on tokio.
///
/// # Example
///
/// ```no_run
/// use drpc::{Client, drpc_module};
///
/// #[drpc_module(id = 5, client_only)]
/// pub trait Greeter {
///     #[method(1)]
///     fn hello(&self);
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let client = Client::connect("/run/greeter.sock").await?;
///     GreeterClient::new(client).hello().await?;
///     Ok(())
/// }
/// ```
///
/// It is a handle: clones share its connections (one, unless [`ClientBuilder::connections`] says otherwise), each with any number of calls in flight. The next call
/// replaces a connection that broke ([`ClientBuilder::auto_reconnect`]). Generated stubs take it; [`call_raw`](Self::call_raw) calls by number,
/// [`batch`](Self::batch) makes many calls at once. [The chapter](crate::guide::client) has more.
///
/// Calls from a task of a multi-threaded runtime (by `tokio::spawn`) are faster than from the future of `#[tokio::main]` itself, which does not run on one of the
/// runtime's workers.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: ClientBuilder,
    pool: Mutex<Pool<Arc<Connection>>>,
    /// All connections that are left, in the pool or not. Locked after that.
    made: Mutex<Vec<Weak<Connection>>>,
    /// Held by the one call that makes a new connection.
    connecting: lock::Mutex<()>,
    runtime: Runtime,
    /// The process that the client was made in: see [`generation`].
    process: u64,
}

impl Client {
    /// Connects to a server that speaks the chunked wire format, with the defaults of [`ClientBuilder`].
    ///
    /// # Errors
    ///
    /// [`ConnectError`] with the path, the system's error, and what to do ([C8](crate::guide::rules#client)); also if there is no tokio runtime.
    ///
    /// # Panics
    ///
    /// On a tokio runtime without I/O or time enabled.
    #[cfg(feature = "client")]
    pub async fn connect(path: impl AsRef<Path>) -> Result<Client, ConnectError> {
        Self::builder(path).connect().await
    }

    /// Returns a builder with the default settings.
    pub fn builder(path: impl AsRef<Path>) -> ClientBuilder {
        ClientBuilder::new(path.as_ref())
    }

    /// A client that is connected already, by the link; `config` says how it connects again.
    #[cfg(all(feature = "server", feature = "client"))]
    pub(crate) fn of_link(config: ClientBuilder, link: Link) -> Client {
        let wire = if config.wire == Wire::Plain.into() { Wire::Plain } else { Wire::Chunked };
        let runtime = Runtime::Tokio(Tokio);
        let connection = Connection::spawn(&runtime, link, wire, &config, 0);
        let pool = Pool::new(config.limit(), Arc::new(connection));
        Client::new(config, pool, runtime)
    }

    pub(super) fn new(config: ClientBuilder, pool: Pool<Arc<Connection>>, runtime: Runtime) -> Client {
        let made = Mutex::new(pool.open().iter().map(Arc::downgrade).collect());
        let (pool, connecting) = (Mutex::new(pool), lock::Mutex::new(()));
        Client(Arc::new(Inner { config, pool, made, connecting, runtime, process: generation() }))
    }

    /// Calls a method with a marshalled body; returns the response, whatever its status.
    ///
    /// ```no_run
    /// use drpc::{CallOptions, Client, Method};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let client = Client::connect("/run/daos_agent/daos_agent.sock").await?;
    ///     let response = client.call_raw(Method::new(1, 101, "request_creds"), "", &CallOptions::new()).await?;
    ///     println!("{}: {} bytes", response.status, response.body.len());
    ///     Ok(())
    /// }
    /// ```
    ///
    /// Cancel safe: a call whose future is dropped before it was sent is not made; after that, its reply is dropped when it comes ([C4](crate::guide::rules#client)).
    ///
    /// # Errors
    ///
    /// [`CallError`] if there is no response. A response with a failing status is not an error.
    pub async fn call_raw(
        &self,
        method: Method,
        body: impl Into<Body>,
        options: &CallOptions,
    ) -> Result<Response, CallError> {
        self.make(&method, &mut body.into(), options, Reply).await
    }

    /// Makes a call. It borrows what each of the futures in it would else hold once more.
    async fn make(
        &self,
        method: &Method,
        body: &mut Body,
        options: &CallOptions,
        wanted: impl Wanted,
    ) -> Result<Response, CallError> {
        let passing = Passing::of(method, body);
        let observed = MadeCall::begin(method, &self.0.config.path, body.len());
        passing.check(observed.carry_out(pin!(self.call_in_time(method, body, options, wanted))).await)
    }

    async fn call_in_time(
        &self,
        method: &Method,
        body: &mut Body,
        options: &CallOptions,
        wanted: impl Wanted,
    ) -> Result<Response, CallError> {
        let mut state = self.begin(options);
        let mut attempts = Attempts::of(options.retry.as_ref(), self.0.config.retry.as_ref());
        let at = state.deadline.at;
        let outcome = {
            let call = pin!(self.call_unlimited(method, body, options, wanted, &mut state, &mut attempts));
            self.0.runtime.by(at, call).await
        };
        outcome.unwrap_or_else(|| attempts.cut_short(state.attempt_was_sent(), || state.timed_out()))
    }

    async fn call_unlimited(
        &self,
        method: &Method,
        body: &mut Body,
        options: &CallOptions,
        wanted: impl Wanted,
        state: &mut CallState<'_>,
        attempts: &mut Attempts<'_>,
    ) -> Result<Response, CallError> {
        loop {
            let mut copy;
            let body = match attempts.is_last() {
                true => &mut *body,
                false => {
                    copy = Box::new(body.clone());
                    &mut *copy
                }
            };
            let outcome = self.attempt(method, body, options, wanted, state).await;
            match attempts.next(method, outcome, state.deadline) {
                ControlFlow::Continue(pause) => self.0.runtime.sleep(pause).await,
                ControlFlow::Break(outcome) => return outcome,
            }
        }
    }

    async fn attempt(
        &self,
        method: &Method,
        body: &mut Body,
        options: &CallOptions,
        wanted: impl Wanted,
        state: &mut CallState<'_>,
    ) -> Result<Response, CallError> {
        state.begin_attempt();
        loop {
            let connection = self.connection(state).await?;
            let Ok(_turn) = self.turn(&connection).await else { continue };
            let mut added = state.added(options);
            wanted.ask(&mut added);
            state.stamp(&mut added);
            let outcome = match connection.begin(method, body, options.no_response, added) {
                Ok(in_flight) => {
                    let call = Abandonable { client: self, connection: &connection, in_flight };
                    SingleCall { call, state: &mut *state, is_unsent: false }.response(wanted).await
                }
                Err(error) => Err(error),
            };
            match outcome {
                Ok(response) => return state.in_time(response),
                Err(error) if !self.goes_on_after(&error, &connection, state) => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// Waits until no other call is under way on the connection, if each is to be alone there.
    async fn turn<'a>(&self, connection: &'a Arc<Connection>) -> Result<Option<Turn<'a>>, HeldUp> {
        let config = &self.0.config;
        if !config.one_call_at_a_time {
            return Ok(None);
        }
        let turn = connection.turns().take().await;
        // One that no other call sees is in no pool.
        let is_good =
            config.connection_per_call || self.pool().open().iter().any(|open| Arc::ptr_eq(open, connection));
        is_good.then_some(Some(turn)).ok_or(HeldUp)
    }

    /// Makes many calls at once, and returns one result per call, in the order of the calls.
    ///
    /// They are sent back to back on one connection, without waiting for replies. Requests and replies are all held in memory. The time-out of the options, or of the
    /// client, covers the whole batch.
    ///
    /// All requests are of one type, and so are all replies; [`Bytes`](crate::Bytes) leaves either as it is. Only the decoder checks that a method's reply is `R`.
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
        let limit = self.reply_limit();
        responses.into_iter().map(|response| reply_of(response?, limit)).collect()
    }

    /// How many bytes a reply may have that is decoded.
    pub(super) fn reply_limit(&self) -> usize {
        self.0.config.reply_limit
    }

    /// Like [`batch`](Self::batch), with marshalled bodies; returns the responses, whatever their statuses.
    pub async fn batch_raw(
        &self,
        calls: impl IntoIterator<Item = (Method, impl Into<Body>)>,
        options: &CallOptions,
    ) -> Vec<Result<Response, CallError>> {
        let calls = calls.into_iter().map(|(method, body)| (method, body.into()));
        self.run_batch(Batch::new(calls), options).await
    }

    /// What is known of a call that begins.
    fn begin<'a>(&'a self, options: &CallOptions) -> CallState<'a> {
        CallState::of_call(options, &self.0.config, self.0.runtime.clock())
    }

    /// Whether calls can be made: the client is connected, or reconnects by itself.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        let pool = self.pool();
        let makes_more = pool.makes_more() && (self.0.config.auto_reconnect || pool.open().is_empty());
        makes_more || pool.open().iter().any(|connection| !connection.is_broken())
    }

    /// The wire that its connections speak ([W8](crate::guide::rules#wire)): what the server was found to speak, unless the
    /// [builder](ClientBuilder::wire) named one. `None` while it is not connected.
    #[must_use]
    pub fn wire(&self) -> Option<Wire> {
        let pool = self.pool();
        pool.open().iter().find(|connection| !connection.is_broken()).map(|connection| connection.wire())
    }

    /// Connects again if the client was closed or its connections broke; does nothing if it is connected ([C2](crate::guide::rules#client)). Sequences start again at 1
    /// ([C1](crate::guide::rules#client)). It tries once, without a pause.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub async fn reconnect(&self) -> Result<(), ConnectError> {
        self.restart(self.0.config.open(&self.0.runtime)).await
    }

    /// As [`reconnect`](Self::reconnect), and waits for a server that is only starting, if the client is to.
    pub(super) async fn connect_patiently(&self) -> Result<(), ConnectError> {
        self.restart(self.0.config.open_patiently(&self.0.runtime)).await
    }

    async fn restart(
        &self,
        opening: impl Future<Output = Result<Connection, ConnectError>>,
    ) -> Result<(), ConnectError> {
        let _connecting = self.0.connecting.lock().await;
        let epoch = {
            let pool = self.pool();
            if pool.open().iter().any(|connection| !connection.is_broken()) {
                return Ok(());
            }
            pool.epoch()
        };
        let connection = Arc::new(opening.await?);
        let restarted = {
            let mut pool = self.pool();
            let restarted = pool.restart(epoch, connection.clone());
            if restarted.is_some() {
                self.0.keep(&connection);
            }
            restarted
        };
        match restarted {
            Some(true) => metrics::reconnected(),
            Some(false) => {}
            None => return Err(ConnectError::closed(&self.0.config.path)),
        }
        Ok(())
    }

    /// Closes the connections; calls in flight fail. Does nothing if it is closed ([C2](crate::guide::rules#client)).
    pub fn close(&self) {
        let mut pool = self.pool();
        let (open, made) = (pool.close(), mem::take(&mut *self.0.made()));
        drop(pool);
        // Those too that no other call takes any more, on which some may be under way.
        made.iter().filter_map(Weak::upgrade).for_each(|connection| connection.close());
        drop(open);
    }

    fn pool(&self) -> MutexGuard<'_, Pool<Arc<Connection>>> {
        self.0.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Has a new connection closed with the client. Under the lock of the pool, in the epoch in which it was asked for.
    fn keep(&self, connection: &Arc<Connection>) {
        let mut made = self.made();
        made.retain(|connection| connection.strong_count() > 0);
        made.push(Arc::downgrade(connection));
    }

    fn made(&self) -> MutexGuard<'_, Vec<Weak<Connection>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller for Client {
    type Outcome<R> = Pin<Box<dyn Future<Output = Result<R, CallError>> + Send>>;
    type Streaming<R> = Streaming<R>;
    type Upload<T, R> = Upload<T, R>;
    type Exchange<T, R> = (Sending<T>, Streaming<R>);

    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<R> {
        let (client, options) = (self.clone(), options.clone());
        let mut body = request.into_body();
        Box::pin(async move {
            let response = client.make(&method, &mut body, &options, Reply).await?;
            reply_of(response, client.reply_limit())
        })
    }

    fn open<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<Streaming<R>> {
        let (client, options) = (self.clone(), options.clone());
        let body = request.into_body();
        Box::pin(async move { client.open_stream(method, body, &options).await })
    }

    fn upload<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<Upload<T, R>> {
        let (client, options) = (self.clone(), options.clone());
        let body = request.into_body();
        Box::pin(async move { client.open_upload(method, body, &options).await })
    }

    fn exchange<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<(Sending<T>, Streaming<R>)> {
        let (client, options) = (self.clone(), options.clone());
        let body = request.into_body();
        Box::pin(async move { client.open_exchange(method, body, &options).await })
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

impl Abandonable<'_> {
    /// What holds this call up, be it before it was sent, would hold up the next one, too, where the server answers in order.
    fn give_up(&mut self) -> GivenUp {
        let given_up = self.in_flight.abandon();
        if given_up != GivenUp::Done && self.client.0.config.leaves_held_up() {
            self.client.pool().remove(self.connection);
        }
        given_up
    }
}

impl Drop for Abandonable<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

/// A call that was given up holds the connection up: another is to be taken.
struct HeldUp;

/// The one call of its state, which is told whether the call may be executed.
struct SingleCall<'a, 'c> {
    call: Abandonable<'a>,
    state: &'a mut CallState<'c>,
    /// Its error says that nothing was sent.
    is_unsent: bool,
}

impl SingleCall<'_, '_> {
    async fn response(mut self, wanted: impl Wanted) -> Result<Response, CallError> {
        let response = self.call.in_flight.response().await;
        self.is_unsent = response.as_ref().is_err_and(|error| error.not_connected_because().is_some());
        wanted.keep(&mut self.call);
        response
    }
}

/// What a call asks for. That of a reply is compiled to nothing.
trait Wanted: Copy + Send {
    fn ask(self, added: &mut Option<Box<CallFields>>);

    /// Takes over what is to follow the response.
    fn keep(self, call: &mut Abandonable<'_>);
}

/// One reply, and no more.
#[derive(Clone, Copy)]
struct Reply;

impl Wanted for Reply {
    fn ask(self, _: &mut Option<Box<CallFields>>) {}

    fn keep(self, _: &mut Abandonable<'_>) {}
}

impl Drop for SingleCall<'_, '_> {
    fn drop(&mut self) {
        if self.call.give_up() != GivenUp::Unsent && !self.is_unsent {
            self.state.is_sent();
        }
    }
}
