//! The calling half.

pub(crate) mod blocking;
mod builder;
mod connector;
mod gathering;
mod sound;

use std::collections::HashMap;
use std::fmt;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::wire::Response;
use drpc::{
    Attempt, Body, CallError, CallOptions, Caller, ConnectError, Method, Outgoing, Payload, Sending, Status,
    Stream, Streaming, Upload,
};
use futures_util::stream::{self, StreamExt};
use http::uri::PathAndQuery;
use tonic::client::Grpc;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::transport::Channel;
use tonic::{CancellationHandle, Request};

pub use self::builder::GrpcCallerBuilder;
pub(crate) use self::sound::make_sound;
use self::sound::{OfOneMessage, Sound};
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
    /// Of the methods that were called, by their IDs and those of their modules.
    paths: Mutex<HashMap<(i32, i32), PathAndQuery>>,
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

    type Upload<T, R> = Upload<T, R>;

    type Exchange<T, R> = (Sending<T>, Streaming<R>);

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
            let attempt = |attempt| caller.open(method, attempt, None);
            options.carry_stream(&caller.address, method, request, caller.message_limit, attempt).await
        })
    }

    /// The request goes in the head of the call: one of more than 8 KiB fails, unsent, with the kind [`TooLong`](drpc::CallErrorKind::TooLong). How much may be sent before it is taken, HTTP/2
    /// says.
    fn upload<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<Upload<T, R>> {
        let (caller, options) = (self.0.clone(), options.clone().or(&self.0.defaults));
        Box::pin(async move {
            let attempt = |attempt, items| caller.upload(method, attempt, items);
            options.carry_upload(&caller.address, method, request, caller.message_limit, attempt).await
        })
    }

    /// As [`upload`](Self::upload). HTTP/2 ends a call both ways or not at all: a [`Sending`] that is dropped unfinished gives up the whole call.
    fn exchange<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<(Sending<T>, Streaming<R>)> {
        let (caller, options) = (self.0.clone(), options.clone().or(&self.0.defaults));
        Box::pin(async move {
            let attempt = |attempt, items| caller.open(method, attempt, Some(items));
            options.carry_exchange(&caller.address, method, request, caller.message_limit, attempt).await
        })
    }
}

/// The replies of a call that is a stream, once they are on their way, and who sends them; or the response that came in their place.
type Opened<T> = Result<Result<T, Response>, CallError>;

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
        let mut grpc = Grpc::new(OfOneMessage(Sound(connection.channel.clone())))
            .max_decoding_message_size(self.message_limit);
        let answer = match grpc.ready().await {
            Ok(()) => grpc.unary(request, self.path_of(method), Bodies::SINGLE).await,
            Err(error) => Err(tonic::Status::from_error(error.into())),
        };
        match answer {
            Ok(reply) => {
                let status = status_of(reply.metadata());
                Ok(Response { status, body: reply.into_inner(), ..Response::default() })
            }
            Err(status) => self.failed(&status, connection, attempt.time_left),
        }
    }

    /// What a call came to on a connection that gRPC answered so.
    fn failed(
        &self,
        status: &tonic::Status,
        connection: &Connection,
        time_left: Option<Duration>,
    ) -> Result<Response, CallError> {
        status::from_grpc(status, &connection.address, time_left, self.message_limit)
    }

    /// The responses of a stream, to which the caller sends one of its own if it has items.
    async fn open(
        &self,
        method: Method,
        attempt: Attempt,
        items: Option<Outgoing>,
    ) -> Opened<impl Stream<Item = Result<Response, CallError>> + use<>> {
        let opened = self.open_on_any(method, &attempt, items).await?;
        let limit = self.message_limit;
        Ok(opened.map(|(replies, connection)| items_of(replies, connection, attempt.time_left, limit)))
    }

    /// The one response to a stream that the caller sends.
    async fn upload(
        &self,
        method: Method,
        attempt: Attempt,
        items: Outgoing,
    ) -> Opened<impl Stream<Item = Result<Response, CallError>> + use<>> {
        let opened = self.open_on_any(method, &attempt, Some(items)).await?;
        let limit = self.message_limit;
        Ok(opened.map(|(replies, connection)| {
            stream::once(async move {
                match answer_of(replies).await {
                    Ok(response) => Ok(response),
                    Err(status) => status::from_grpc(&status, &connection.address, attempt.time_left, limit),
                }
            })
        }))
    }

    /// Opens a stream on the first host that is there. On the wire, one whose answer is one message is one both ways, so that the server may say that it is open before
    /// it has all of it.
    async fn open_on_any(
        &self,
        method: Method,
        attempt: &Attempt,
        items: Option<Outgoing>,
    ) -> Opened<(tonic::Streaming<Bytes>, Arc<Connection>)> {
        let items = items.map(|items| Arc::new(Mutex::new(Some(items))));
        let mut hosts = self.hosts();
        loop {
            let connection = hosts.next();
            let request = match &items {
                None => self.request(attempt)?.map(|body| stream::iter([body]).left_stream()),
                Some(items) => sending_request(attempt, items.clone())?.map(StreamExt::right_stream),
            };
            let mut grpc = self.grpc(&connection);
            let answer = match grpc.ready().await {
                Ok(()) => grpc.streaming(request, self.path_of(method), Bodies::MANY).await,
                Err(error) => Err(tonic::Status::from_error(error.into())),
            };
            let answered = match answer {
                Ok(reply) if status_of(reply.metadata()) == Status::SUCCESS => {
                    return Ok(Ok((reply.into_inner(), connection)));
                }
                Ok(reply) => Ok(Response { status: status_of(reply.metadata()), ..Response::default() }),
                Err(status) => self.failed(&status, &connection, attempt.time_left),
            };
            match answered {
                Err(error) if error.is_connect() && hosts.are_left_without(&connection) => {}
                answered => return answered.map(Err),
            }
        }
    }

    fn grpc(&self, connection: &Connection) -> Grpc<Sound<Channel>> {
        Grpc::new(Sound(connection.channel.clone())).max_decoding_message_size(self.message_limit)
    }

    /// The path of a method, which is made once.
    fn path_of(&self, method: Method) -> PathAndQuery {
        let mut paths = self.paths.lock().unwrap_or_else(PoisonError::into_inner);
        let path = paths.entry((method.module(), method.id()));
        path.or_insert_with(|| names::path_of(method)).clone()
    }

    fn hosts(&self) -> Hosts<'_> {
        Hosts { connections: &self.connections, unreachable: Vec::new() }
    }

    fn request(&self, attempt: &Attempt) -> Result<Request<Body>, CallError> {
        let body = &attempt.body;
        if body.len() > self.message_limit {
            return Err(CallError::too_long(body.len(), self.message_limit));
        }
        Ok(with_head(body.clone(), attempt))
    }
}

/// The request of a call whose messages are its caller's items. They are taken once it is on its way: one that reaches no host leaves them for the next.
fn sending_request(
    attempt: &Attempt,
    items: Arc<Mutex<Option<Outgoing>>>,
) -> Result<Request<impl Stream<Item = Body> + Send + use<>>, CallError> {
    let body = &attempt.body;
    if body.len() > names::REQUEST_LIMIT {
        return Err(CallError::too_long(body.len(), names::REQUEST_LIMIT));
    }
    let mut request = with_head((), attempt);
    if !body.is_empty() {
        let body = MetadataValue::from_bytes(&body.clone().into_bytes());
        request.metadata_mut().insert_bin(names::REQUEST, body);
    }
    let reset = request.cancellation_handle();
    let taken = async move { items.lock().unwrap_or_else(PoisonError::into_inner).take() };
    let items = stream::once(taken).flat_map(stream::iter);
    Ok(request.map(|()| items.flat_map(move |items| sent(items, reset.clone()))))
}

/// A request with what is said of it beside its body.
fn with_head<T>(message: T, Attempt { time_left, trace, .. }: &Attempt) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(time_left) = time_left {
        // It is over here first, where it is the caller's time-out.
        request.set_timeout(time_left.saturating_add(AHEAD));
    }
    if let Some(trace) = trace {
        put(request.metadata_mut(), "traceparent", &trace.to_string());
        put(request.metadata_mut(), "tracestate", trace.state());
    }
    request
}

/// The items as they go out. If they were not all, the call is reset: an end would be that of all.
fn sent(items: Outgoing, reset: CancellationHandle) -> impl Stream<Item = Body> {
    stream::unfold((items, reset), async |(mut items, reset)| match items.next().await? {
        Ok(item) => Some((item, (items, reset))),
        Err(_) => {
            reset.cancel();
            pending().await
        }
    })
}

/// The responses that a stream consists of.
fn items_of(
    replies: tonic::Streaming<Bytes>,
    connection: Arc<Connection>,
    time_left: Option<Duration>,
    limit: usize,
) -> impl Stream<Item = Result<Response, CallError>> {
    replies.map(move |item| match item {
        Ok(body) => Ok(Response { body, ..Response::default() }),
        Err(status) => status::from_grpc(&status, &connection.address, time_left, limit),
    })
}

/// The one message that answers a stream, and what its trailers say.
async fn answer_of(mut replies: tonic::Streaming<Bytes>) -> Result<Response, tonic::Status> {
    let body = replies.message().await?;
    let body = body.ok_or_else(|| tonic::Status::internal("the server has not replied"))?;
    let trailers = replies.trailers().await?.unwrap_or_default();
    Ok(Response { status: status_of(&trailers), body, ..Response::default() })
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

fn status_of(metadata: &MetadataMap) -> Status {
    let submitted = metadata.as_ref().contains_key(&status::SUBMITTED);
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
