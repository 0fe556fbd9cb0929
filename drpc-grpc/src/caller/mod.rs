//! The calling half.

pub(crate) mod blocking;
mod builder;

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use drpc::wire::Response;
use drpc::{Attempt, CallError, CallOptions, Caller, ConnectError, Method, Payload, Status};
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
/// A method that answers by a stream can't be called: streams do not go over gRPC yet. `CallOptions::no_response` waits for the response, which gRPC always sends, and drops it.
///
/// Cancel safe: a call that is dropped tells the server so, whose handler is told in turn.
#[derive(Clone)]
pub struct GrpcCaller(Arc<Inner>);

struct Inner {
    address: String,
    /// A call holds its connection while it is under way, so that the holders tell how busy one is.
    connections: Vec<Arc<Channel>>,
    message_limit: usize,
    defaults: CallOptions,
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

    /// There is none: streams do not go over gRPC yet.
    type Streaming<R> = Infallible;

    /// As that.
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

    /// Streams do not go over gRPC yet: nothing is sent, and the error, of the kind [`NoStream`](drpc::CallErrorKind::NoStream), says so.
    fn open<Q: Payload, R: Payload>(&self, _: Method, _: Q, _: &CallOptions) -> Self::Outcome<Infallible> {
        Box::pin(ready(Err(CallError::no_streams_over("gRPC"))))
    }

    /// As [`open`](Self::open).
    fn upload<Q: Payload, T: Payload, R: Payload>(
        &self,
        _: Method,
        _: Q,
        _: &CallOptions,
    ) -> Self::Outcome<Infallible> {
        Box::pin(ready(Err(CallError::no_streams_over("gRPC"))))
    }

    /// As [`open`](Self::open).
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
        let Attempt { body, time_left, trace, .. } = attempt;
        if body.len() > self.message_limit {
            return Err(CallError::too_long(body.len(), self.message_limit));
        }
        let connection = self.least_busy();
        let limit = self.message_limit;
        let mut grpc = Grpc::new((*connection).clone()).max_decoding_message_size(limit);
        let mut request = Request::new(body);
        if let Some(time_left) = time_left {
            // It is over here first, where it is the caller's time-out.
            request.set_timeout(time_left.saturating_add(AHEAD));
        }
        if let Some(trace) = trace {
            put(request.metadata_mut(), "traceparent", &trace.to_string());
            put(request.metadata_mut(), "tracestate", trace.state());
        }
        let answer = match grpc.ready().await {
            Ok(()) => grpc.unary(request, names::path_of(method), Bodies).await,
            Err(error) => Err(tonic::Status::from_error(error.into())),
        };
        match answer {
            Ok(reply) => {
                let submitted = reply.metadata().contains_key(status::SUBMITTED);
                let status = if submitted { Status::SUBMITTED } else { Status::SUCCESS };
                Ok(Response { status, body: reply.into_inner(), ..Response::default() })
            }
            Err(status) => status::from_grpc(&status, &self.address, time_left),
        }
    }

    fn least_busy(&self) -> Arc<Channel> {
        let least = self.connections.iter().min_by_key(|connection| Arc::strong_count(connection));
        least.expect("a caller has a connection").clone()
    }
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
