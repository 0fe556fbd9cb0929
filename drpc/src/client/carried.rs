//! Calls that something else than this crate's sockets carries.

use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use super::caller::CallOptions;
use super::deadline::Deadline;
use super::descriptors::DescriptorFault;
use super::error::CallError;
use super::on_tokio::Tokio;
use super::reply::{reply_of, submitted};
use super::retry::Attempts;
use super::runtime::Runtime;
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::observe::client::MadeCall;
use crate::wire::{Body, Response, TraceContext};

/// One attempt at a call, for who carries it to the server: see [`CallOptions::carry_out`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The request, marshalled.
    pub body: Body,
    /// How long the caller will still wait; for ever without it.
    pub time_left: Option<Duration>,
    /// The caller's trace context.
    pub trace: Option<TraceContext>,
}

impl CallOptions {
    /// The same options, with the time-out and the retry policy of others where these have none.
    #[must_use]
    pub fn or(mut self, defaults: &CallOptions) -> Self {
        self.timeout = self.timeout.or(defaults.timeout);
        self.retry = self.retry.or_else(|| defaults.retry.clone());
        self
    }

    /// Makes a call that something else than this crate's sockets carries, for a [`Caller`](crate::Caller) of one's own: time, retries and the reply mean
    /// what they mean for [`Client`](crate::Client). On tokio.
    ///
    /// `attempt` carries the call to the server at `address`, once, and gives the response, whatever its status. If it has none, its error says
    /// whether the call may have been executed. With [`no_response`](Self::no_response), the response is waited for and then dropped.
    ///
    /// A reply of more than `reply_limit` bytes is not decoded.
    ///
    /// ```
    /// use drpc::wire::Response;
    /// use drpc::{CallOptions, Method, Status};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), drpc::CallError> {
    /// const HELLO: Method = Method::new(5, 501, "hello");
    /// let reply: bytes::Bytes = CallOptions::new()
    ///     .carry_out("nowhere", HELLO, bytes::Bytes::from("World"), 1 << 20, async |attempt| {
    ///         Ok(Response { status: Status::SUCCESS, body: attempt.body.into_bytes(), ..Response::default() })
    ///     })
    ///     .await?;
    /// assert_eq!(reply, "World");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`]; with the kind `Timeout` it says that the call may have been executed, unless there was no time for it at all.
    pub async fn carry_out<R: Payload, A>(
        &self,
        address: &str,
        method: Method,
        request: impl Payload,
        reply_limit: usize,
        attempt: impl Fn(Attempt) -> A,
    ) -> Result<R, CallError>
    where
        A: Future<Output = Result<Response, CallError>>,
    {
        let runtime = Runtime::Tokio(Tokio);
        let now = runtime.clock();
        let deadline = Deadline::by(now, self.timeout).or_before(Deadline::at(now, self.deadline));
        if deadline.limit == Some(Duration::ZERO) {
            return Err(deadline.unsent());
        }
        let body = request.into_body();
        if method.has_fds() || body.has_descriptors() {
            return Err(CallError::descriptors(DescriptorFault::OtherHost));
        }
        let observed = MadeCall::begin(&method, Path::new(address), body.len());
        let attempts = async {
            let mut attempts = Attempts::of(self.retry.as_ref(), None);
            loop {
                let time_left = deadline.at.map(|at| at.saturating_duration_since(now()));
                let trace = self.trace().cloned();
                let outcome = attempt(Attempt { body: body.clone(), time_left, trace }).await;
                match attempts.next(&method, outcome, deadline) {
                    ControlFlow::Continue(pause) => runtime.sleep(pause).await,
                    ControlFlow::Break(outcome) => return outcome,
                }
            }
        };
        let in_time = async {
            let response =
                runtime.by(deadline.at, pin!(attempts)).await.unwrap_or_else(|| Err(deadline.passed()))?;
            // The server cuts a handler off when its caller's time is over: that is the caller's time-out.
            match deadline.at {
                Some(at) if response.status.is_failure() && at <= now() => Err(deadline.passed()),
                _ if self.no_response && !response.status.is_failure() => Ok(submitted()),
                _ => Ok(response),
            }
        };
        reply_of(observed.carry_out(pin!(in_time)).await?, reply_limit)
    }
}
