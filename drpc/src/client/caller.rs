use std::sync::Arc;
use std::time::{Duration, Instant};

use super::retry::RetryPolicy;
use crate::handler::context::Context;
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::wire::{Credit, TraceContext};

/// A client that generated stubs can call through: [`Client`](crate::Client), or [`blocking::Client`](crate::blocking::Client).
///
/// The caller decides what a call returns: the async client a future of `Result<R, CallError>`, the blocking one the `Result` itself, the progress
/// client a [`PendingCall`](crate::progress::PendingCall).
///
/// ```
/// use drpc::{CallError, Caller, drpc_module};
///
/// #[drpc_module(id = 5, client_only)]
/// pub trait Greeter {
///     #[method(1)]
///     fn hello(&self);
/// }
///
/// /// Code that works with any client.
/// fn hello<C: Caller>(client: &C) -> C::Outcome<()> {
///     GreeterClient::new(client.clone()).hello()
/// }
///
/// fn from_a_thread(client: &drpc::blocking::Client) -> Result<(), CallError> {
///     hello(client)
/// }
///
/// async fn from_a_task(client: &drpc::Client) -> Result<(), CallError> {
///     hello(client).await
/// }
/// ```
pub trait Caller: Clone {
    /// What a call returns.
    type Outcome<R>;

    /// A stream that comes in.
    type Streaming<R>;

    /// A stream that goes out, and the reply to it.
    type Upload<T, R>;

    /// A stream that goes out, and one that comes in.
    type Exchange<T, R>;

    /// Calls a method.
    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<R>;

    /// Calls a method that answers by a [stream](crate::guide::streams).
    fn open<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<Self::Streaming<R>>;

    /// Calls a method that takes a [stream](crate::guide::streams), and answers it by one reply.
    fn upload<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<Self::Upload<T, R>>;

    /// Calls a method that takes a stream and answers by one.
    fn exchange<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<Self::Exchange<T, R>>;
}

/// Options for one call.
///
/// # Example
///
/// ```no_run
/// use std::time::Duration;
///
/// use drpc::{CallError, CallOptions, drpc_module};
///
/// #[drpc_module(id = 5, client_only)]
/// pub trait Greeter {
///     #[method(1)]
///     fn hello(&self);
/// }
///
/// fn quick_hello(client: drpc::blocking::Client) -> Result<(), CallError> {
///     GreeterClient::new(client).with(CallOptions::new().timeout(Duration::from_millis(50))).hello()
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) no_response: bool,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) deadline: Option<Instant>,
    /// What is seldom said; in one place, so that options are small.
    seldom: Option<Arc<Seldom>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seldom {
    trace: Option<Arc<TraceContext>>,
    stream: StreamOptions,
}

/// Options for a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamOptions {
    pub(super) credit: Credit,
    pub(super) item_timeout: Option<Duration>,
}

impl Default for StreamOptions {
    fn default() -> Self {
        StreamOptions { credit: Credit { items: 4096, bytes: 1 << 20 }, item_timeout: None }
    }
}

impl CallOptions {
    /// The client's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait for the reply, instead of the client's default. Connecting and retries count. Of a stream it is how long to wait
    /// until it is open.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// When the call must be over, whatever its [`timeout`](Self::timeout) or the client's default: for a call that is part of something with a deadline. If both are set,
    /// the earlier one counts.
    ///
    /// A call made after its deadline is not sent; it fails with [`Timeout`](crate::CallErrorKind::Timeout).
    #[must_use]
    pub fn deadline(mut self, at: Instant) -> Self {
        self.deadline = Some(self.deadline.map_or(at, |before| before.min(at)));
        self
    }

    /// What is said of streams.
    pub(super) fn of_stream(&self) -> StreamOptions {
        self.seldom.as_ref().map_or_else(StreamOptions::default, |seldom| seldom.stream)
    }

    /// The call's trace context, if one was given.
    pub(super) fn trace(&self) -> Option<&TraceContext> {
        self.seldom.as_ref()?.trace.as_deref()
    }

    fn seldom(&mut self) -> &mut Seldom {
        Arc::make_mut(self.seldom.get_or_insert_default())
    }

    /// How much of a [stream](crate::guide::streams) may have been sent and not been taken yet: 4096 items and 1 MiB in their bodies,
    /// unless this says otherwise. One item may be longer than what is left of the bytes. 0 is taken as 1.
    #[must_use]
    pub fn stream_credit(mut self, items: u32, bytes: u64) -> Self {
        self.seldom().stream.credit = Credit { items: items.max(1), bytes: bytes.max(1) };
        self
    }

    /// How long to wait for each item of a stream, for its end, and for room for an item that is sent. One that takes longer is given up, and fails with
    /// [`Timeout`](crate::CallErrorKind::Timeout). Without it, only the [`deadline`](Self::deadline) counts, which is that of the whole stream.
    #[must_use]
    pub fn item_timeout(mut self, timeout: Duration) -> Self {
        self.seldom().stream.item_timeout = Some(timeout);
        self
    }

    /// The call's trace context, instead of what the [client's hook](crate::ClientBuilder::trace_context) returns. Clients send it if they send
    /// [`AddedFields::TRACE`](crate::AddedFields::TRACE).
    #[must_use]
    pub fn trace_context(mut self, trace: TraceContext) -> Self {
        self.seldom().trace = Some(trace.into());
        self
    }

    /// For a call that a handler makes on behalf of its caller: takes over the handler's [deadline](Context::deadline) and its caller's
    /// [trace context](Context::trace_context). A handler with a span of its own sets that with [`trace_context`](Self::trace_context) afterwards.
    ///
    /// In a [stream](crate::guide::streams) that is open, the deadline may be over, as it was that for opening it: pass on what else a call needs by itself there.
    ///
    /// The deadline applies here in any case. Whether either is sent on depends on the client's [`added_fields`](crate::ClientBuilder::added_fields).
    #[must_use]
    pub fn on_behalf_of(self, context: &Context) -> Self {
        let mut options = match context.deadline() {
            Some(deadline) => self.deadline(deadline),
            None => self,
        };
        if let Some(trace) = context.shared_trace() {
            options.seldom().trace = Some(trace);
        }
        options
    }

    /// Don't wait for a response: the call is done, with SUBMITTED, once the socket has it ([C6](crate::guide::rules#client)). The server may execute it, fail, or be gone.
    ///
    /// A method whose reply is `()` then returns `Ok(())`. Any other has no reply to return, and fails with [`Submitted`](crate::CallErrorKind::Submitted).
    #[must_use]
    pub fn no_response(mut self) -> Self {
        self.no_response = true;
        self
    }

    /// Whether and how to retry the call if it fails, instead of the client's default.
    ///
    /// Keep the policy, or these options, for calls that should share its budget. `RetryPolicy::new(1)` makes one attempt.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }
}
