//! Calls that something else than this crate's sockets carries.

use std::future::Future;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_channel::mpsc;
use futures_util::Stream;
use futures_util::task::AtomicWaker;

use super::caller::CallOptions;
use super::deadline::Deadline;
use super::descriptors::DescriptorFault;
use super::error::CallError;
use super::handle::{Patience, Source, Target};
use super::on_tokio::{Carried, CarriedItems, Tokio};
use super::reply::{reply_of, submitted};
use super::retry::Attempts;
use super::runtime::Runtime;
use super::{Sending, Streaming, Upload};
use crate::handler::failure::Failure;
use crate::handler::inbox::STOPPED;
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::observe::client::{MadeCall, MadeStream};
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

/// The items that a caller sends, for who carries them to the server: see [`CallOptions::carry_upload`]. It ends by `None` only if these were all; a failure is the
/// last, of a caller that stopped in the middle, and the server is to be told so.
///
/// An item waits with its caller until it is asked for here. Dropped, it takes no more, and the caller is told so.
#[derive(Debug)]
pub struct Outgoing {
    items: mpsc::Receiver<Body>,
    told: Arc<Told>,
}

/// What who sends the items and who carries them tell each other.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// By who sends them, at their end.
    pub(super) are_all: AtomicBool,
    /// Woken once no more are taken.
    pub(super) sender: AtomicWaker,
}

impl Outgoing {
    pub(super) fn new(items: mpsc::Receiver<Body>, told: Arc<Told>) -> Self {
        Outgoing { items, told }
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.items.close();
        self.told.sender.wake();
    }
}

impl Stream for Outgoing {
    type Item = Result<Body, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(match ready!(Pin::new(&mut self.items).poll_next(context)) {
            Some(item) => Some(Ok(item)),
            // What is said of the end is said once.
            None if self.told.are_all.swap(true, Ordering::AcqRel) => None,
            None => Some(Err(STOPPED.into())),
        })
    }
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
        let (items, observed) = self.carry_opening(address, method, request, attempt).await?;
        let source = items.map(|items| Source::Carried(Carried::new(items)));
        Ok(Streaming::new(source, self.patience(), observed, item_limit))
    }

    /// Makes a call whose caller sends a stream, and that something else than this crate's sockets carries, as [`carry_stream`](Self::carry_stream) opens one that comes.
    ///
    /// `attempt` carries the items, of no more than `limit` bytes each, as [`Outgoing`] has them, from when the server has opened the stream: in a task of its own, since nobody
    /// reads the responses while items are sent. What it gives has the one response that answers the call. When the server takes no more, it drops the `Outgoing`.
    ///
    /// ```
    /// use drpc::wire::Response;
    /// use drpc::{Body, Bytes, CallError, CallOptions, Failure, Method};
    /// use futures_util::{StreamExt, stream};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), CallError> {
    /// const COUNT: Method = Method::new(8, 801, "count").client_streaming();
    /// let count = CallOptions::new()
    ///     .carry_upload::<Bytes, Bytes, _, _>("nowhere", COUNT, (), 1 << 20, async |_, items| {
    ///         let length = |item: Result<Body, Failure>| item.map_or(0, |item| item.len());
    ///         let bytes = tokio::spawn(items.fold(0, move |bytes, item| async move { bytes + length(item) }));
    ///         let answer = async {
    ///             let bytes = bytes.await.expect("it does not panic");
    ///             Ok(Response { body: bytes.to_string().into(), ..Response::default() })
    ///         };
    ///         Ok(Ok(stream::once(answer)))
    ///     })
    ///     .await?;
    /// assert_eq!(count.finish_with(stream::iter(["one", "two"].map(Bytes::from))).await?, "6");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError`] if the server did not open the stream.
    pub async fn carry_upload<T: Payload, R: Payload, A, S>(
        &self,
        address: &str,
        method: Method,
        request: impl Payload,
        limit: usize,
        attempt: impl Fn(Attempt, Outgoing) -> A,
    ) -> Result<Upload<T, R>, CallError>
    where
        A: Future<Output = Result<Result<S, Response>, CallError>>,
        S: Stream<Item = Result<Response, CallError>> + Send + 'static,
    {
        let (sending, source, observed) = self.carry_items(address, method, request, limit, attempt).await?;
        Ok(Upload::new(source, self.patience(), observed, limit, sending))
    }

    /// Opens a stream each way, as [`carry_upload`](Self::carry_upload) and [`carry_stream`](Self::carry_stream) do one.
    ///
    /// # Errors
    ///
    /// As theirs.
    pub async fn carry_exchange<T: Payload, R: Payload, A, S>(
        &self,
        address: &str,
        method: Method,
        request: impl Payload,
        limit: usize,
        attempt: impl Fn(Attempt, Outgoing) -> A,
    ) -> Result<(Sending<T>, Streaming<R>), CallError>
    where
        A: Future<Output = Result<Result<S, Response>, CallError>>,
        S: Stream<Item = Result<Response, CallError>> + Send + 'static,
    {
        let (sending, source, observed) = self.carry_items(address, method, request, limit, attempt).await?;
        Ok((sending, Streaming::new(source, self.patience(), observed, limit)))
    }

    async fn carry_items<T, A, S>(
        &self,
        address: &str,
        method: Method,
        request: impl Payload,
        limit: usize,
        attempt: impl Fn(Attempt, Outgoing) -> A,
    ) -> Result<(Sending<T>, Option<Source>, MadeStream), CallError>
    where
        A: Future<Output = Result<Result<S, Response>, CallError>>,
        S: Stream<Item = Result<Response, CallError>> + Send + 'static,
    {
        let attempt = |made| {
            let (items, outgoing) = CarriedItems::new(limit);
            let opening = attempt(made, outgoing);
            async { Ok(opening.await?.map(|responses| (items, responses))) }
        };
        let (opened, observed) = self.carry_opening(address, method, request, attempt).await?;
        let (target, source) = opened
            .map(|(items, responses)| (Target::Carrier(items), Source::Carried(Carried::new(responses))))
            .unzip();
        Ok((Sending::new(target, self.patience(), observed.sending()), source, observed))
    }

    /// What an attempt gives that has opened a stream.
    async fn carry_opening<A, S>(
        &self,
        address: &str,
        method: Method,
        request: impl Payload,
        attempt: impl Fn(Attempt) -> A,
    ) -> Result<(Option<S>, MadeStream), CallError>
    where
        A: Future<Output = Result<Result<S, Response>, CallError>>,
    {
        let opened = Mutex::new(None);
        let (opens, attempt) = (&opened, &attempt);
        let open = move |made| async move {
            Ok(match attempt(made).await? {
                Ok(stream) => {
                    *opens.lock().unwrap_or_else(PoisonError::into_inner) = Some(stream);
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
        Ok((opened.into_inner().unwrap_or_else(PoisonError::into_inner), observed))
    }

    fn patience(&self) -> Patience {
        Patience::of(&Runtime::Tokio(Tokio), self)
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
