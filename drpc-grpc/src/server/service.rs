//! The way of one call: from a path and bytes to the module, and back. One service for all modules.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context as TaskContext, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::wire::{Call, CallFields, Response};
use drpc::{Body, Context, ModuleService, Processing, Session, Status, TraceContext};
use http::HeaderMap;
use tokio::runtime::Handle;
use tokio::time::timeout_at;
use tonic::server::{Grpc, UnaryService};

use super::connection::caller;
use crate::codec::Bodies;
use crate::forward::Unreachable;
use crate::status;

/// Carries out the calls of all modules.
#[derive(Clone)]
pub(super) struct Calls(Arc<Shared>);

/// The IDs of module and method, by the paths that name them.
pub(super) type Paths = HashMap<String, (i32, i32)>;

pub(super) struct Shared {
    pub(super) modules: Arc<ModuleService>,
    pub(super) paths: Paths,
    pub(super) message_limit: usize,
    pub(super) handler_timeout: Option<Duration>,
    /// How many calls have come, each of which is a session.
    pub(super) calls: AtomicU64,
}

type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Calls {
    pub(super) fn new(shared: Shared) -> Self {
        Calls(shared.into())
    }
}

impl<B> tower_service::Service<http::Request<B>> for Calls
where
    B: http_body::Body + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Answer<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut TaskContext<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let (came, shared) = (Instant::now(), self.0.clone());
        Box::pin(async move {
            let path = request.uri().path();
            let Some((module, method)) = shared.paths.get(path).copied() else {
                return Ok(status::to_grpc(shared.unknown(path), None).into_http());
            };
            let limit = shared.message_limit;
            let mut grpc =
                Grpc::new(Bodies).max_decoding_message_size(limit).max_encoding_message_size(limit);
            Ok(grpc.unary(OneCall { came, shared, module, method }, request).await)
        })
    }
}

impl Shared {
    /// What a path is told that names no method (D2).
    fn unknown(&self, path: &str) -> Status {
        let service_of = |path: &str| path.rsplit_once('/').map(|(service, _)| service.to_owned());
        match self.paths.keys().any(|known| service_of(known) == service_of(path)) {
            true => Status::UNKNOWN_METHOD,
            false => Status::UNKNOWN_MODULE,
        }
    }
}

struct OneCall {
    came: Instant,
    shared: Arc<Shared>,
    module: i32,
    method: i32,
}

impl UnaryService<Bytes> for OneCall {
    type Response = Body;
    type Future = Answer<Result<tonic::Response<Body>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let (metadata, noted, body) = request.into_parts();
        let headers = metadata.into_headers();
        // Over gRPC a caller's calls come on any of several connections, so that nothing is kept between them: each is a session.
        let number = self.shared.calls.fetch_add(1, Ordering::Relaxed);
        let session = Arc::new(Session::new(number, caller(&noted)));
        let time_left = time_left(&headers).map(|time| time.saturating_sub(self.came.elapsed() + AHEAD));
        let fields = CallFields { time_left, wants_error: true, ..CallFields::default() };
        let (module, method) = (self.module, self.method);
        let call = Call { module, method, sequence: 1, body, added: Some(fields.into()) };
        let context = self.context(session.clone(), time_left, &headers);
        let mut running =
            Running { session, call: Some(Box::pin(finish(self.shared.modules.process(context, call)))) };
        let limit = self.shared.message_limit;
        Box::pin(async move {
            let response = running.wait().await;
            answer(response, limit, running.session.extensions().get::<Unreachable>().is_some())
        })
    }
}

/// By how much a caller's time is over earlier here: tonic has a timer of its own for it, which would answer `CANCELLED`.
pub(crate) const AHEAD: Duration = Duration::from_millis(1);

impl OneCall {
    fn context(&self, session: Arc<Session>, time_left: Option<Duration>, headers: &HeaderMap) -> Context {
        let context = Context::new(session, 1);
        let limit = self.shared.handler_timeout.into_iter().chain(time_left).min();
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

/// A call, which goes on when nobody waits for it any more, as one of a client that left its socket does (S6). Its handler is told.
struct Running {
    session: Arc<Session>,
    call: Option<Answer<Response<Body>>>,
}

impl Running {
    async fn wait(&mut self) -> Response<Body> {
        let call = self.call.as_mut().expect("it is waited for once");
        let response = call.await;
        self.call = None;
        response
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            self.session.cancel();
            // Without a runtime, the server itself is no more.
            if let Ok(runtime) = Handle::try_current() {
                runtime.spawn(call);
            }
        }
    }
}

/// The response to a call, whose handler has its time and no more.
async fn finish(mut processing: Processing) -> Response<Body> {
    match processing.context().deadline() {
        None => processing.await,
        Some(at) => match timeout_at(at.into(), &mut processing).await {
            Ok(response) => response,
            Err(_) => processing.cut_off(),
        },
    }
}

fn answer(
    response: Response<Body>,
    limit: usize,
    unreachable: bool,
) -> Result<tonic::Response<Body>, tonic::Status> {
    let fields = response.added.as_deref();
    match response.status {
        // D4: a reply that can't be sent is a failure of its call alone.
        Status::SUCCESS if response.body.len() > limit => Err(status::to_grpc(Status::FAILED_MARSHAL, None)),
        Status::SUCCESS => Ok(tonic::Response::new(response.body)),
        Status::SUBMITTED => {
            let mut reply = tonic::Response::new(Body::new());
            reply.metadata_mut().insert(status::SUBMITTED, tonic::metadata::MetadataValue::from_static("1"));
            Ok(reply)
        }
        failure if unreachable => Err(status::unavailable(failure, fields)),
        failure => Err(status::to_grpc(failure, fields)),
    }
}

/// How long the caller will still wait: `grpc-timeout` is up to eight digits and a unit. One that is not so is as good as none.
fn time_left(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
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
    let trace: TraceContext = text("traceparent")?.parse().ok()?;
    let with_state = text("tracestate").and_then(|state| trace.clone().with_state(state).ok());
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
