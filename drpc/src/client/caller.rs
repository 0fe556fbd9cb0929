use std::sync::Arc;
use std::time::{Duration, Instant};

use super::retry::RetryPolicy;
use crate::handler::context::Context;
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::wire::TraceContext;

/// A client that generated stubs can call through: [`Client`](crate::Client), or [`blocking::Client`](crate::blocking::Client).
///
/// The caller decides what a call returns: the async client a future of `Result<R, CallError>`, the blocking one the `Result` itself.
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
/// /// Code that works with either client.
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
    /// What a call gives.
    type Outcome<R>;

    /// Calls a method.
    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<R>;
}

/// How one call is to be made.
///
/// # Example
///
/// ```no_run
/// # use drpc::{drpc_module, CallError};
/// # struct Greeter;
/// # #[drpc_module(id = 5)]
/// # impl Greeter { #[method(1)] fn hello(&self) {} }
/// # fn example(client: drpc::blocking::Client) -> Result<(), CallError> {
/// use std::time::Duration;
/// use drpc::CallOptions;
///
/// let greeter = GreeterClient::new(client);
/// greeter.with(CallOptions::new().timeout(Duration::from_millis(50))).hello()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallOptions {
    pub(crate) timeout: Option<Duration>,
    pub(crate) no_response: bool,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) trace: Option<Arc<TraceContext>>,
}

impl CallOptions {
    /// The client's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait for the reply, in place of the client's default. Connecting and repetitions count.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// When the call's time is over at the latest, whatever its [`timeout`](Self::timeout) or the client's default: for a call that is a
    /// part of something that has a deadline. Of two, the earlier holds.
    ///
    /// A call that is made after its deadline is not sent; its error is one of kind [`Timeout`](crate::CallErrorKind::Timeout).
    #[must_use]
    pub fn deadline(mut self, at: Instant) -> Self {
        self.deadline = Some(self.deadline.map_or(at, |before| before.min(at)));
        self
    }

    /// The call's place in a trace, in place of what the [client's hook](crate::ClientBuilder::trace_context) says. It is sent by
    /// clients that send [`AddedFields::TRACE`](crate::AddedFields::TRACE).
    #[must_use]
    pub fn trace_context(mut self, trace: TraceContext) -> Self {
        self.trace = Some(trace.into());
        self
    }

    /// For a call that a handler makes on behalf of its caller: it takes over the [deadline](Context::deadline) of the handler, and its
    /// caller's [place in a trace](Context::trace_context). A handler that makes a span of its own gives that by
    /// [`trace_context`](Self::trace_context), afterwards.
    ///
    /// The time is heeded here in any case. What is sent on of both is up to the client's
    /// [`added_fields`](crate::ClientBuilder::added_fields).
    #[must_use]
    pub fn on_behalf_of(self, context: &Context) -> Self {
        let options = match context.deadline() {
            Some(deadline) => self.deadline(deadline),
            None => self,
        };
        CallOptions { trace: context.shared_trace().or(options.trace), ..options }
    }

    /// Don't wait for a response: the call is done, with SUBMITTED, once it is handed to the socket ([C6](crate::guide::rules#client)). The server may
    /// execute it, fail, or be gone.
    ///
    /// A method whose reply is `()` then gives `Ok(())`. For any other there is no reply to give: an error of kind
    /// [`Submitted`](crate::CallErrorKind::Submitted).
    #[must_use]
    pub fn no_response(mut self) -> Self {
        self.no_response = true;
        self
    }

    /// Whether and how to make the call again if it fails, in place of the client's default.
    ///
    /// Keep the policy, or these options, for the calls that are to share its budget. `RetryPolicy::new(1)` makes the call
    /// once.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = Some(policy);
        self
    }
}
