//! Calls that something else than this crate's sockets carries.

use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::Stream;

use super::Streaming;
use super::caller::CallOptions;
use super::deadline::Deadline;
use super::descriptors::DescriptorFault;
use super::error::CallError;
use super::handle::{Patience, Source};
use super::on_tokio::{Carried, Tokio};
use super::reply::{reply_of, submitted};
use super::retry::Attempts;
use super::runtime::Runtime;
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::observe::client::MadeCall;
use crate::wire::{Body, Part, Response, ResponseFields, TraceContext};

/// One attempt at a call, for who carries it to the server: see [`CallOptions::carry_out`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The request, marshalled.
    pub body: Body,
    /// How long the caller will still wait, for the reply or the end of the stream; for ever without it.
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
        let body = request.into_body();
        let observed = MadeCall::begin(&method, Path::new(address), body.len());
        let call = self.carry(method, body, Time::of_call(self), attempt);
        let outcome = observed.carry_out(pin!(call)).await?;
        let response = if self.no_response && !outcome.status.is_failure() { submitted() } else { outcome };
        reply_of(response, reply_limit)
    }

    /// Opens a stream that something else than this crate's sockets carries, as [`carry_out`](Self::carry_out) makes a call.
    ///
    /// `attempt` gives what the stream consists of once the server has opened it, or the response that it was answered with in place of a stream. An item is a
    /// response of status SUCCESS; one that is a failure is the last. The carrier sees to it that it takes in no more than its reader has room for:
    /// [`stream_credit`](Self::stream_credit) is said to nobody.
    ///
    /// The attempt's time is that of the whole stream: it is left out unless these options have a [`deadline`](Self::deadline).
    ///
    /// ```
    /// use drpc::wire::Response;
    /// use drpc::{CallError, CallOptions, Method};
    /// use futures_util::stream;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), drpc::CallError> {
    /// const TICKS: Method = Method::new(7, 704, "ticks").streaming();
    /// let mut ticks = CallOptions::new()
    ///     .carry_stream::<bytes::Bytes, _, _>("nowhere", TICKS, (), 1 << 20, async |_| {
    ///         let item = |body: &'static str| Ok::<_, CallError>(Response { body: body.into(), ..Response::default() });
    ///         Ok(Ok(stream::iter(["tick", "tack"].map(item))))
    ///     })
    ///     .await?;
    /// assert_eq!(ticks.next().await.unwrap()?, "tick");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`] if no stream was opened.
    pub async fn carry_stream<R: Payload, A, S>(
        &self,
        address: &str,
        method: Method,
        request: impl Payload,
        item_limit: usize,
        attempt: impl Fn(Attempt) -> A,
    ) -> Result<Streaming<R>, CallError>
    where
        A: Future<Output = Result<Result<S, Response>, CallError>>,
        S: Stream<Item = Result<Response, CallError>> + Send + 'static,
    {
        let opened = Mutex::new(None);
        let (opens, attempt) = (&opened, &attempt);
        let open = move |made| async move {
            Ok(match attempt(made).await? {
                Ok(items) => {
                    *opens.lock().unwrap_or_else(PoisonError::into_inner) = Some(items);
                    Response {
                        added: Some(ResponseFields::of_part(Part::Opened).into()),
                        ..Response::default()
                    }
                }
                Err(answered) => answered,
            })
        };
        let body = request.into_body();
        let observed = MadeCall::begin(&method, Path::new(address), body.len());
        let call =
            async { CallError::unless_opened(self.carry(method, body, Time::of_stream(self), open).await?) };
        let (_, observed) = observed.carry_out_to_open(pin!(call)).await?;
        let items = opened.into_inner().unwrap_or_else(PoisonError::into_inner);
        let source = items.map(|items| Source::Carried(Carried::new(items)));
        Ok(Streaming::new(source, Patience::of(&Runtime::Tokio(Tokio), self), observed, item_limit))
    }

    async fn carry<A>(
        &self,
        method: Method,
        body: Body,
        Time { answered: deadline, told }: Time,
        attempt: impl Fn(Attempt) -> A,
    ) -> Result<Response, CallError>
    where
        A: Future<Output = Result<Response, CallError>>,
    {
        let runtime = Runtime::Tokio(Tokio);
        let now = runtime.clock();
        if deadline.limit == Some(Duration::ZERO) {
            return Err(deadline.unsent());
        }
        if method.has_fds() || body.has_descriptors() {
            return Err(CallError::descriptors(DescriptorFault::OtherHost));
        }
        let attempts = async {
            let mut attempts = Attempts::of(self.retry.as_ref(), None);
            loop {
                let time_left = told.at.map(|at| at.saturating_duration_since(now()));
                let trace = self.trace().cloned();
                let outcome = attempt(Attempt { body: body.clone(), time_left, trace }).await;
                match attempts.next(&method, outcome, deadline) {
                    ControlFlow::Continue(pause) => runtime.sleep(pause).await,
                    ControlFlow::Break(outcome) => return outcome,
                }
            }
        };
        let response =
            runtime.by(deadline.at, pin!(attempts)).await.unwrap_or_else(|| Err(deadline.passed()))?;
        // The server cuts a handler off when its caller's time is over: that is the caller's time-out.
        match deadline.at {
            Some(at) if response.status.is_failure() && at <= now() => Err(deadline.passed()),
            _ => Ok(response),
        }
    }
}

/// How long a call may take.
struct Time {
    /// Until there is a response.
    answered: Deadline,
    /// What the server is told of it.
    told: Deadline,
}

impl Time {
    fn of_call(options: &CallOptions) -> Self {
        let now = Runtime::Tokio(Tokio).clock();
        let answered = Deadline::by(now, options.timeout).or_before(Deadline::at(now, options.deadline));
        Time { answered, told: answered }
    }

    /// What it takes to open a stream is no limit of what follows.
    fn of_stream(options: &CallOptions) -> Self {
        let now = Runtime::Tokio(Tokio).clock();
        Time { told: Deadline::at(now, options.deadline), ..Self::of_call(options) }
    }
}
