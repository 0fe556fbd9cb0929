//! The calling half.

pub(crate) mod blocking;
mod builder;
mod connector;

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::wire::Response;
use drpc::{
    Attempt, Body, CallError, CallOptions, Caller, ConnectError, Method, Payload, Status, Stream, Streaming,
};
use futures_util::StreamExt;
use tonic::Request;
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;

pub use self::builder::GrpcCallerBuilder;
use crate::codec::Bodies;
use crate::server::AHEAD;
use crate::tls::Tls;
use crate::{names, status};

/// Calls the modules of another host: what a stub takes in place of a [`Client`](drpc::Client).
///
/// ```no_run
/// use drpc::drpc_module;
/// use drpc_grpc::{GrpcCaller, Tls};
///
/// #[drpc_module(id = 5, client_only)]
/// pub trait Greeter {
///     #[method(1)]
///     fn hello(&self);
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let tls = Tls::from_files("admin.pem", "admin.key", "ca.pem")?;
/// let greeter = GreeterClient::new(GrpcCaller::connect("https://host-3:7443", tls).await?);
/// greeter.hello().await?;
/// # Ok(())
/// # }
/// ```
///
/// It is a handle: clones share its connections, which are made anew when they break. Time-outs, deadlines and retries are those of
/// [`CallOptions`], and a call that fails is the same [`CallError`], with text, details and cause of the handler's failure, which need not be asked for here.
///
/// A call that fails to connect was not executed, and is [retryable](CallError::is_retryable); one whose connection breaks, or whose time is over, may have been.
/// `CallOptions::no_response` waits for the response, which gRPC always sends, and drops it.
///
/// Cancel safe: a call that is dropped tells the server so, whose handler is told in turn.
#[derive(Clone)]
pub struct GrpcCaller(Arc<Inner>);

struct Inner {
    address: String,
    /// A call holds its connection while it is under way, so that the holders tell how busy one is.
    connections: Vec<Arc<Connection>>,
    message_limit: usize,
    defaults: CallOptions,
}

struct Connection {
    /// Its host's.
    address: String,
    channel: Channel,
    /// When its host was last found not to be there.
    down: Mutex<Option<Instant>>,
}

impl GrpcCaller {
    /// Connects to a host, with the defaults of [`GrpcCallerBuilder`].
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the address is none, the certificates can't be used, or the host can't be reached.
    pub async fn connect(address: impl Into<String>, tls: Tls) -> Result<Self, ConnectError> {
        Self::builder(address).tls(tls).connect().await
    }

    /// Settings for a caller of a host, such as `https://host-3:7443`.
    pub fn builder(address: impl Into<String>) -> GrpcCallerBuilder {
        GrpcCallerBuilder::new(address.into())
    }

    /// The host's address, as it was given.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0.address
    }
}

impl Caller for GrpcCaller {
    type Outcome<R> = Pin<Box<dyn Future<Output = Result<R, CallError>> + Send>>;

    type Streaming<R> = Streaming<R>;

    /// There is none: what a caller sends as a stream does not go over gRPC yet.
    type Upload<T, R> = Infallible;

    /// As that.
    type Exchange<T, R> = Infallible;

    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<R> {
        let (caller, options) = (self.0.clone(), options.clone().or(&self.0.defaults));
        Box::pin(async move {
            let attempt = |attempt| caller.attempt(method, attempt);
            options.carry_out(&caller.address, method, request, caller.message_limit, attempt).await
        })
    }

    /// How much of the stream may come before it is taken, HTTP/2 says: 2 MiB, whatever [`stream_credit`](CallOptions::stream_credit) does.
    fn open<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<Streaming<R>> {
        let (caller, options) = (self.0.clone(), options.clone().or(&self.0.defaults));
        Box::pin(async move {
            let attempt = |attempt| caller.open(method, attempt);
            options.carry_stream(&caller.address, method, request, caller.message_limit, attempt).await
        })
    }

    /// Nothing is sent, and the error, of the kind [`NoStream`](drpc::CallErrorKind::NoStream), says so.
    fn upload<Q: Payload, T: Payload, R: Payload>(
        &self,
        _: Method,
        _: Q,
        _: &CallOptions,
    ) -> Self::Outcome<Infallible> {
        Box::pin(ready(Err(CallError::no_streams_over("gRPC"))))
    }

    /// As [`upload`](Self::upload).
    fn exchange<Q: Payload, T: Payload, R: Payload>(
        &self,
        _: Method,
        _: Q,
        _: &CallOptions,
    ) -> Self::Outcome<Infallible> {
        Box::pin(ready(Err(CallError::no_streams_over("gRPC"))))
    }
}

impl Inner {
    async fn attempt(&self, method: Method, attempt: Attempt) -> Result<Response, CallError> {
        let mut hosts = self.hosts();
        loop {
            let connection = hosts.next();
            match self.attempt_on(&connection, method, &attempt).await {
                Err(error) if error.is_connect() && hosts.are_left_without(&connection) => {}
                outcome => return outcome,
            }
        }
    }

    async fn attempt_on(
        &self,
        connection: &Connection,
        method: Method,
        attempt: &Attempt,
    ) -> Result<Response, CallError> {
        let request = self.request(attempt)?;
        let mut grpc = Grpc::new(connection.channel.clone()).max_decoding_message_size(self.message_limit);
        let answer = match grpc.ready().await {
            Ok(()) => grpc.unary(request, names::path_of(method), Bodies).await,
            Err(error) => Err(tonic::Status::from_error(error.into())),
        };
        match answer {
            Ok(reply) => {
                let status = status_of(&reply);
                Ok(Response { status, body: reply.into_inner(), ..Response::default() })
            }
            Err(status) => status::from_grpc(&status, &connection.address, attempt.time_left),
        }
    }

    /// The responses of a stream; or the one that came in its place.
    async fn open(
        &self,
        method: Method,
        attempt: Attempt,
    ) -> Result<Result<impl Stream<Item = Result<Response, CallError>> + use<>, Response>, CallError> {
        let (mut hosts, time_left) = (self.hosts(), attempt.time_left);
        loop {
            let connection = hosts.next();
            match self.open_on(&connection, method, &attempt).await {
                Err(error) if error.is_connect() && hosts.are_left_without(&connection) => {}
                outcome => {
                    return outcome.map(|opened| {
                        opened.map(|items| {
                            items.map(move |item| match item {
                                Ok(body) => Ok(Response { body, ..Response::default() }),
                                Err(status) => status::from_grpc(&status, &connection.address, time_left),
                            })
                        })
                    });
                }
            }
        }
    }

    async fn open_on(
        &self,
        connection: &Connection,
        method: Method,
        attempt: &Attempt,
    ) -> Result<Result<tonic::Streaming<Bytes>, Response>, CallError> {
        let request = self.request(attempt)?;
        let mut grpc = Grpc::new(connection.channel.clone()).max_decoding_message_size(self.message_limit);
        let answer = match grpc.ready().await {
            Ok(()) => grpc.server_streaming(request, names::path_of(method), Bodies).await,
            Err(error) => Err(tonic::Status::from_error(error.into())),
        };
        match answer {
            Ok(reply) if status_of(&reply) == Status::SUCCESS => Ok(Ok(reply.into_inner())),
            Ok(reply) => Ok(Err(Response { status: status_of(&reply), ..Response::default() })),
            Err(status) => status::from_grpc(&status, &connection.address, attempt.time_left).map(Err),
        }
    }

    fn hosts(&self) -> Hosts<'_> {
        Hosts { connections: &self.connections, unreachable: Vec::new() }
    }

    fn request(&self, attempt: &Attempt) -> Result<Request<Body>, CallError> {
        let Attempt { body, time_left, trace, .. } = attempt;
        if body.len() > self.message_limit {
            return Err(CallError::too_long(body.len(), self.message_limit));
        }
        let mut request = Request::new(body.clone());
        if let Some(time_left) = time_left {
            // It is over here first, where it is the caller's time-out.
            request.set_timeout(time_left.saturating_add(AHEAD));
        }
        if let Some(trace) = trace {
            put(request.metadata_mut(), "traceparent", &trace.to_string());
            put(request.metadata_mut(), "tracestate", trace.state());
        }
        Ok(request)
    }
}

/// The hosts of one attempt, of which any will do.
struct Hosts<'a> {
    connections: &'a [Arc<Connection>],
    /// Their addresses.
    unreachable: Vec<String>,
}

impl Hosts<'_> {
    /// The least busy connection of those that may be there.
    fn next(&self) -> Arc<Connection> {
        let least_busy = match self.connections {
            [only] => Some(only),
            many => {
                let now = Instant::now();
                let load = |of: &&Arc<Connection>| (of.was_down(now), Arc::strong_count(of));
                many.iter().filter(|of| self.may_reach(of)).min_by_key(load)
            }
        };
        least_busy.expect("one host is left").clone()
    }

    /// Whether there are others than that of a connection, which can't be reached.
    fn are_left_without(&mut self, connection: &Connection) -> bool {
        connection.is_down();
        self.unreachable.push(connection.address.clone());
        self.connections.iter().any(|other| self.may_reach(other))
    }

    fn may_reach(&self, connection: &Connection) -> bool {
        !self.unreachable.contains(&connection.address)
    }
}

impl Connection {
    fn new(address: String, channel: Channel) -> Self {
        Connection { address, channel, down: Mutex::new(None) }
    }

    /// Its host was found not to be there.
    fn is_down(&self) {
        *self.down.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Whether that was so shortly before.
    fn was_down(&self, now: Instant) -> bool {
        let down = *self.down.lock().unwrap_or_else(PoisonError::into_inner);
        down.is_some_and(|at| now.saturating_duration_since(at) < PASSED_OVER)
    }
}

/// How long a host that could not be reached is asked after the others.
const PASSED_OVER: Duration = Duration::from_secs(1);

fn status_of<T>(reply: &tonic::Response<T>) -> Status {
    let submitted = reply.metadata().contains_key(status::SUBMITTED);
    if submitted { Status::SUBMITTED } else { Status::SUCCESS }
}

/// Nothing is put that is empty, or that no header can hold.
fn put(metadata: &mut MetadataMap, name: &'static str, value: &str) {
    if let (false, Ok(value)) = (value.is_empty(), value.parse()) {
        metadata.insert(name, value);
    }
}

impl fmt::Debug for GrpcCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcCaller").field("address", &self.0.address).finish_non_exhaustive()
    }
}
