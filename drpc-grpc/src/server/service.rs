//! The way of one call: from a path and bytes to the module, and back. One service for all modules.

use std::collections::HashMap;
use std::convert::Infallible;
use std::error::Error as _;
use std::future::{Future, ready};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::wire::{Call, CallFields, Credit, Response, ResponseFields};
use drpc::{
    Body, Context, Failure, Method, ModuleService, Processing, Session, Status, Stream, TraceContext,
};
use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt};
use http::{Extensions, HeaderMap, HeaderName, HeaderValue};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::timeout_at;
use tonic::Code;
use tonic::metadata::MetadataMap;
use tonic::server::{Grpc, ServerStreamingService, StreamingService, UnaryService};

use super::connection::session_of;
use super::ending::Ending;
use super::whole::Whole;
use crate::codec::Bodies;
use crate::forward::Unreachable;
use crate::{names, status};

/// Carries out the calls of all modules.
#[derive(Clone)]
pub(crate) struct Calls(Arc<Shared>);

/// The methods, by the paths that name them.
pub(super) type Paths = HashMap<String, Method>;

pub(super) struct Shared {
    modules: Arc<ModuleService>,
    paths: Paths,
    limits: Limits,
    /// One for each call that may still be begun.
    places: Arc<Semaphore>,
    /// How many calls have come, each of which is a session.
    calls: AtomicU64,
    ending: Ending,
}

/// What a server takes.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// How many bytes a message may have.
    pub(super) messages: usize,
    /// How long a handler may take, of a method that does not say so itself.
    pub(super) handlers: Option<Duration>,
    /// How many calls are carried out at a time.
    pub(super) calls: usize,
}

pub(super) type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What HTTP answers.
pub(super) type Answered = Result<http::Response<tonic::body::Body>, Infallible>;

impl Calls {
    pub(super) fn new(shared: Shared) -> Self {
        Calls(shared.into())
    }

    pub(super) fn method(&self, path: &str) -> Option<Method> {
        self.0.paths.get(path).copied()
    }

    pub(super) fn ending(&self) -> Ending {
        self.0.ending.clone()
    }

    /// Carries out a call of a method.
    pub(super) fn carry_out<B>(&self, method: Method, request: http::Request<B>) -> Answer<Answered>
    where
        B: http_body::Body + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        let (came, shared) = (Instant::now(), self.0.clone());
        Box::pin(async move {
            if shared.ending.is_cut() {
                return Ok(shut_down().into_http());
            }
            let limit = shared.limits.messages;
            let streams = method.is_client_streaming() || method.is_streaming();
            let bodies = if streams { Bodies::MANY } else { Bodies::SINGLE };
            let mut grpc =
                Grpc::new(bodies).max_decoding_message_size(limit).max_encoding_message_size(limit);
            let call = OneCall { came, shared, method };
            Ok(match (method.is_client_streaming(), method.is_streaming()) {
                (false, false) => grpc.unary(call, request).await,
                (false, true) => grpc.server_streaming(call, request).await,
                // Also where one message answers: so its caller is told that the stream is open before it sends.
                (true, _) => grpc.streaming(call, request.map(Whole::new)).await,
            })
        })
    }
}

impl<B> tower_service::Service<http::Request<B>> for Calls
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Answer<Answered>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let path = request.uri().path();
        match self.method(path) {
            Some(method) => self.carry_out(method, request),
            None => Box::pin(ready(Ok(status::to_grpc(self.0.unknown(path), None).into_http()))),
        }
    }
}

/// What a call is told that comes, or goes on, when nothing is carried out any more.
fn shut_down() -> tonic::Status {
    tonic::Status::unavailable("the server has shut down before the call was done")
}

impl Shared {
    pub(super) fn new(modules: Arc<ModuleService>, paths: Paths, limits: Limits, ending: Ending) -> Self {
        let places = Arc::new(Semaphore::new(limits.calls.min(Semaphore::MAX_PERMITS)));
        Shared { modules, paths, limits, places, calls: AtomicU64::new(1), ending }
    }

    /// A call's place among those that are carried out. It has it until its handler is done, whether its caller waits for that or not.
    fn place(&self) -> Result<OwnedSemaphorePermit, tonic::Status> {
        if self.ending.is_cut() {
            return Err(shut_down());
        }
        self.places.clone().try_acquire_owned().map_err(|_| {
            let text = format!(
                "the call was not begun: the server carries out no more than {} at a time",
                self.limits.calls
            );
            status::unavailable(Status::FAILURE, Some(&ResponseFields::new(&text, Bytes::new())))
        })
    }

    /// What a path is told that names no method (D2).
    fn unknown(&self, path: &str) -> Status {
        fn service_of(path: &str) -> Option<&str> {
            path.rsplit_once('/').map(|(service, _)| service)
        }
        match self.paths.keys().any(|known| service_of(known) == service_of(path)) {
            true => Status::UNKNOWN_METHOD,
            false => Status::UNKNOWN_MODULE,
        }
    }
}

struct OneCall {
    came: Instant,
    shared: Arc<Shared>,
    method: Method,
}

impl UnaryService<Bytes> for OneCall {
    type Response = Body;
    type Future = Answer<Result<tonic::Response<Body>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (metadata, noted, body) = request.into_parts();
        let call = self.begin(metadata, &noted, body, None);
        Box::pin(async move {
            let mut call = call?;
            call.wait().await?.reply(&call.about)
        })
    }
}

/// What is sent of a stream.
type Replies = Pin<Box<dyn Stream<Item = Result<Body, tonic::Status>> + Send>>;

impl ServerStreamingService<Bytes> for OneCall {
    type Response = Body;
    type ResponseStream = Replies;
    type Future = Answer<Result<tonic::Response<Replies>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (metadata, noted, body) = request.into_parts();
        let call = self.begin(metadata, &noted, body, None);
        Box::pin(async { call?.open(None).await })
    }
}

impl StreamingService<Bytes> for OneCall {
    type Response = Body;
    type ResponseStream = Replies;
    type Future = Answer<Result<tonic::Response<Replies>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<tonic::Streaming<Bytes>>) -> Self::Future {
        let (metadata, noted, items) = request.into_parts();
        match request_in(&metadata) {
            Ok(body) => {
                let (listens, over) = oneshot::channel();
                let call = self.begin(metadata, &noted, body, Some(Sent { items, over }));
                Box::pin(async { call?.open(Some(listens)).await })
            }
            Err(refused) => Box::pin(ready(Err(refused))),
        }
    }
}

/// The request of a call whose messages are its caller's items.
fn request_in(metadata: &MetadataMap) -> Result<Bytes, tonic::Status> {
    let Some(request) = metadata.get_bin(names::REQUEST) else { return Ok(Bytes::new()) };
    request.to_bytes().map_err(|_| {
        let text = format!("the metadata `{}` is not in base64", names::REQUEST);
        let fields = ResponseFields::new(&text, Bytes::new());
        status::to_grpc(Status::FAILED_UNMARSHAL_PAYLOAD, Some(&fields))
    })
}

/// The items that a caller sends.
struct Sent {
    items: tonic::Streaming<Bytes>,
    /// Done once nobody listens any more to what comes of the call.
    over: oneshot::Receiver<Infallible>,
}

impl Sent {
    fn items(self) -> impl Stream<Item = Result<Bytes, Failure>> {
        stream::unfold(self, async |mut sent| {
            let next = match select(sent.items.next(), &mut sent.over).await {
                Either::Left((next, _)) => next?.map_err(|status| cut_short(&status)),
                Either::Right(_) => {
                    Err("the call is over, or its caller has left, before all of its items have come".into())
                }
            };
            Some((next, sent))
        })
    }
}

/// Why a caller's items were not all.
fn cut_short(status: &tonic::Status) -> Failure {
    match status.source() {
        // It is the connection that says so, or its caller by a reset.
        Some(_) => "the caller stopped sending before it had sent all of its items".into(),
        None => {
            let text = format!("an item can't be read: {}", status.message());
            Failure::with_message(Status::FAILED_UNMARSHAL_PAYLOAD, text)
        }
    }
}

/// By how much a caller's time is over earlier here: tonic has a timer of its own for it, which would answer `CANCELLED`.
pub(crate) const AHEAD: Duration = Duration::from_millis(1);

impl OneCall {
    fn begin(
        &self,
        metadata: MetadataMap,
        noted: &Extensions,
        body: Bytes,
        items: Option<Sent>,
    ) -> Result<Running, tonic::Status> {
        let place = self.shared.place()?;
        let headers = metadata.into_headers();
        // Over gRPC a caller's calls come on any of several connections, so that nothing is kept between them: each is a session.
        let number = self.shared.calls.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(session_of(noted, number));
        let time_left = time_left(&headers).map(|time| time.saturating_sub(self.came.elapsed() + AHEAD));
        let fields = CallFields {
            time_left,
            wants_error: true,
            // HTTP/2 says how much its reader has room for.
            credit: self.method.is_streaming().then(Credit::default),
            sends_items: items.is_some(),
            ..CallFields::default()
        };
        let (module, method) = (self.method.module(), self.method.id());
        let call = Call { module, method, sequence: 1, body, added: Some(fields.into()) };
        let context = self.context(session.clone(), time_left, &headers);
        let context = match items {
            Some(sent) => context.with_polled_items(sent.items()),
            None if self.method.is_streaming() => context.with_polled_stream(),
            None => context,
        };
        let about = About {
            session,
            shared: self.shared.clone(),
            method: self.method,
            over: time_left.and_then(|time| Instant::now().checked_add(time)),
        };
        let processing = self.shared.modules.process(context, call);
        Ok(Running { about, call: Some(Box::pin(finish(processing, place))) })
    }

    fn context(&self, session: Arc<Session>, time_left: Option<Duration>, headers: &HeaderMap) -> Context {
        let context = Context::new(session, 1);
        let limit = self.shared.limits.handlers.into_iter().chain(time_left).min();
        let context = match limit.and_then(|limit| Instant::now().checked_add(limit)) {
            Some(at) => context.with_deadline(at),
            None => context,
        };
        match trace_of(headers) {
            Some(trace) => context.with_trace_context(trace),
            None => context,
        }
    }
}

/// What is to be known of a call as long as it takes.
#[derive(Clone)]
struct About {
    session: Arc<Session>,
    shared: Arc<Shared>,
    method: Method,
    /// When its caller's time is over.
    over: Option<Instant>,
}

impl About {
    /// What comes of a part of the call; an error if the server ends before that. The handler is told when it begins to end.
    async fn unless_cut<T>(&self, part: impl Future<Output = T> + Unpin) -> Result<T, tonic::Status> {
        let ending = &self.shared.ending;
        let part = match select(part, pin!(ending.begins())).await {
            Either::Left((done, _)) => return Ok(done),
            Either::Right(((), part)) => part,
        };
        self.session.shut_down();
        match select(part, pin!(ending.cuts())).await {
            Either::Left((done, _)) => Ok(done),
            Either::Right(_) => Err(shut_down()),
        }
    }

    fn failure(&self, status: Status, fields: Option<&ResponseFields>) -> tonic::Status {
        match self.session.extensions().get::<Unreachable>() {
            Some(_) => status::unavailable(status, fields),
            None => status::to_grpc(status, fields),
        }
    }
}

/// A call, which goes on when nobody waits for it any more, as one of a client that left its socket does (S6). Its handler is told.
struct Running {
    about: About,
    call: Option<Answer<Finished>>,
}

impl Running {
    async fn wait(&mut self) -> Result<Finished, tonic::Status> {
        let call = self.call.as_mut().expect("it is waited for once");
        let finished = self.about.unless_cut(call).await;
        self.call = None;
        finished
    }

    /// Waits until its stream is open. `listens` is dropped once nobody listens to what comes of it.
    async fn open(
        mut self,
        listens: Option<oneshot::Sender<Infallible>>,
    ) -> Result<tonic::Response<Replies>, tonic::Status> {
        let Finished { response, items } = self.wait().await?;
        match items {
            Some(items) => Ok(tonic::Response::new(items.of_call(self.about.clone(), listens))),
            None if response.status == Status::SUCCESS => {
                let text = "the method has given one reply, in place of a stream";
                let fields = ResponseFields::new(text, Bytes::new());
                Err(status::to_grpc(Status::FAILURE, Some(&fields)))
            }
            None => {
                let answered = Finished { response, items: None }.reply(&self.about)?;
                Ok(answered.map(|_| Box::pin(stream::empty()) as Replies))
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.about.session.cancel();
            // Without a runtime, the server itself is no more.
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(call);
            }
        }
    }
}

/// What a call has come to, and the items that follow if that is a stream.
struct Finished {
    response: Response<Body>,
    items: Option<Items>,
}

/// A call that is carried out by a handler who has its time and no more.
async fn finish(mut processing: Processing, place: OwnedSemaphorePermit) -> Finished {
    let response = match processing.context().deadline() {
        None => (&mut processing).await,
        Some(at) => match timeout_at(at.into(), &mut processing).await {
            Ok(response) => response,
            Err(_) => processing.cut_off(),
        },
    };
    let items = processing.take_items().map(|items| Items { items: Box::pin(items), _place: place });
    Finished { response, items }
}

impl Finished {
    fn reply(self, about: &About) -> Result<tonic::Response<Body>, tonic::Status> {
        let Response { status, body, added, .. } = self.response;
        match status {
            // D4: a reply that can't be sent is a failure of its call alone.
            Status::SUCCESS if body.len() > about.shared.limits.messages => {
                Err(status::to_grpc(Status::FAILED_MARSHAL, None))
            }
            Status::SUCCESS => Ok(tonic::Response::new(body)),
            Status::SUBMITTED => {
                let (mut reply, metadata) = (tonic::Response::new(Body::new()), submitted());
                *reply.metadata_mut() = metadata;
                Ok(reply)
            }
            failure => Err(about.failure(failure, added.as_deref())),
        }
    }
}

fn submitted() -> MetadataMap {
    let said = (status::SUBMITTED.clone(), HeaderValue::from_static("1"));
    MetadataMap::from_headers(HeaderMap::from_iter([said]))
}

/// The responses that follow the one that opened a stream.
struct Items {
    items: Pin<Box<dyn Stream<Item = Response<Body>> + Send>>,
    _place: OwnedSemaphorePermit,
}

impl Items {
    /// As gRPC sends them. They are asked for when HTTP/2 has room for more.
    fn of_call(self, about: About, listens: Option<oneshot::Sender<Infallible>>) -> Replies {
        let outgoing = Outgoing { about, items: Some(self), submitted: false, _listens: listens };
        Box::pin(stream::unfold(outgoing, async |mut outgoing| {
            let item = outgoing.next().await?;
            Some((item, outgoing))
        }))
    }
}

/// A stream that is sent. If it is dropped before its end, its handler is told that the caller has left.
struct Outgoing {
    about: About,
    /// `None` once it has ended.
    items: Option<Items>,
    /// What is still to be said after an empty reply.
    submitted: bool,
    /// As long as it is there, the caller's items are taken.
    _listens: Option<oneshot::Sender<Infallible>>,
}

impl Outgoing {
    async fn next(&mut self) -> Option<Result<Body, tonic::Status>> {
        if mem::take(&mut self.submitted) {
            return Some(Err(tonic::Status::with_metadata(Code::Ok, "", submitted())));
        }
        let next = self.about.unless_cut(self.items.as_mut()?.items.next());
        let next = match self.about.over {
            None => next.await,
            Some(at) => match timeout_at(at.into(), next).await {
                Ok(next) => next,
                Err(_) => {
                    self.give_up();
                    return Some(Err(tonic::Status::deadline_exceeded("the caller's time was over")));
                }
            },
        };
        let response = match next {
            Ok(Some(response)) => response,
            Ok(None) => return None,
            Err(cut) => {
                self.items = None;
                return Some(Err(cut));
            }
        };
        let is_last = response.part().is_none();
        let is_too_long = response.body.len() > self.about.shared.limits.messages;
        if is_last || is_too_long {
            self.items = None;
        }
        match response.status {
            Status::SUCCESS if is_last && self.about.method.is_streaming() => None,
            Status::SUCCESS if is_too_long => Some(Err(status::to_grpc(Status::FAILED_MARSHAL, None))),
            Status::SUCCESS => Some(Ok(response.body)),
            Status::SUBMITTED => {
                self.submitted = true;
                Some(Ok(Body::new()))
            }
            failure => Some(Err(self.about.failure(failure, response.added.as_deref()))),
        }
    }

    /// Nobody waits for it any more. A handler that takes items is told so by these, and finishes, as on a socket.
    fn give_up(&mut self) {
        let Some(Items { mut items, _place: place }) = self.items.take() else { return };
        self.about.session.cancel();
        if self.about.method.is_client_streaming()
            // Without a runtime, the server itself is no more.
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(async move {
                while items.next().await.is_some() {}
                drop(place);
            });
        }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.give_up();
    }
}

static TIME_OUT: HeaderName = HeaderName::from_static("grpc-timeout");
static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
static TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// How long the caller will still wait: `grpc-timeout` is up to eight digits and a unit. One that is not so is as good as none.
fn time_left(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(&TIME_OUT)?.to_str().ok()?;
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if number.len() > 8 || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let number: u64 = number.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

/// W3C's headers. What breaks its rules is left out.
fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let trace: TraceContext = text(&TRACE_PARENT)?.parse().ok()?;
    let with_state = text(&TRACE_STATE).and_then(|state| trace.clone().with_state(state).ok());
    Some(with_state.unwrap_or(trace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_out_is_read_as_grpc_writes_it() {
        let of = |text: &str| {
            time_left(&HeaderMap::from_iter([("grpc-timeout".parse().unwrap(), text.parse().unwrap())]))
        };
        for (text, time) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("0S", Some(Duration::ZERO)),
            ("99999999m", Some(Duration::from_millis(99_999_999))),
            ("5u", Some(Duration::from_micros(5))),
            ("7n", Some(Duration::from_nanos(7))),
            ("100000000m", None),
            ("5", None),
            ("m", None),
            ("+5m", None),
            ("5 m", None),
            ("", None),
        ] {
            assert_eq!(of(text), time, "{text}");
        }
        assert_eq!(time_left(&HeaderMap::new()), None);
    }
}
