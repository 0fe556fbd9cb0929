use std::time::Duration;

use super::RetryPolicy;
use crate::{Method, Payload};

/// A client that generated stubs can call through.
///
/// One stub serves both clients: what a call gives is up to the caller. With the async [`Client`](crate::Client) it is
/// a future of `Result<R, CallError>`; with the blocking one it is the `Result` itself.
pub trait Caller: Clone {
    /// What a call gives.
    type Reply<R>;

    /// Calls a method.
    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Reply<R>;
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

    /// Don't wait for a response: the call is done, with SUBMITTED, once it is handed to the socket (C6). The server may
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
