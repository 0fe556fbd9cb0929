//! The streams of the async client.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::{Pin, pin};
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;

use super::{Abandonable, Client, Wanted};
use crate::client::caller::CallOptions;
use crate::client::connection::{Inflow, Outflow};
use crate::client::deadline::Deadline;
use crate::client::descriptors::Passing;
use crate::client::error::{CallError, CallErrorKind, Disconnect};
use crate::client::on_tokio::{Carried, CarriedItems};
use crate::client::reply::{item_body, item_of, reply_of};
use crate::client::runtime::{Runtime, Sleep};
use crate::client::unpacking::Step;
use crate::gather::Gatherer;
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::observe::client::{MadeCall, MadeStream, SentItems};
use crate::wire::{Body, CallFields, Credit, Gathered, Response};

impl Client {
    /// Calls a [streaming](Method::streaming) method with a marshalled body; returns the stream of its items as they are, once the
    /// server has opened it.
    ///
    /// ```no_run
    /// use drpc::{CallOptions, Client, Method};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let client = Client::connect("/run/events.sock").await?;
    ///     let watch = Method::new(7, 704, "watch").streaming();
    ///     let mut events = client.open_raw(watch, "", &CallOptions::new()).await?;
    ///     while let Some(event) = events.next().await {
    ///         println!("{} bytes", event?.len());
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// Cancel safe as [`call_raw`](Self::call_raw) is.
    ///
    /// # Errors
    ///
    /// [`CallError`] if no stream was opened: one with a status if the handler refused, and of kind
    /// [`NoStream`](crate::CallErrorKind::NoStream) if the server answered otherwise.
    pub async fn open_raw(
        &self,
        method: Method,
        body: impl Into<Body>,
        options: &CallOptions,
    ) -> Result<Streaming, CallError> {
        self.open_stream(method, body.into(), options).await
    }

    pub(super) async fn open_stream<R: Payload>(
        &self,
        method: Method,
        body: Body,
        options: &CallOptions,
    ) -> Result<Streaming<R>, CallError> {
        let Flow { inflow, patience, observed } = self.open_flow(&method, body, options, true, false).await?;
        Ok(Streaming::new(inflow.map(Source::Connection), patience, observed, self.reply_limit()))
    }

    pub(super) async fn open_upload<T: Payload, R: Payload>(
        &self,
        method: Method,
        body: Body,
        options: &CallOptions,
    ) -> Result<Upload<T, R>, CallError> {
        let flow = self.open_flow(&method, body, options, false, true).await?;
        let sending = self.sending(&flow, options);
        let Flow { inflow, patience, observed } = flow;
        let source = inflow.map(Source::Connection);
        Ok(Upload::new(source, patience, observed, self.reply_limit(), sending))
    }

    pub(super) async fn open_exchange<T: Payload, R: Payload>(
        &self,
        method: Method,
        body: Body,
        options: &CallOptions,
    ) -> Result<(Sending<T>, Streaming<R>), CallError> {
        let flow = self.open_flow(&method, body, options, true, true).await?;
        let sending = self.sending(&flow, options);
        let Flow { inflow, patience, observed } = flow;
        let limit = self.reply_limit();
        Ok((sending, Streaming::new(inflow.map(Source::Connection), patience, observed, limit)))
    }

    async fn open_flow(
        &self,
        method: &Method,
        mut body: Body,
        options: &CallOptions,
        receives: bool,
        sends: bool,
    ) -> Result<Flow, CallError> {
        let window = receives.then(|| options.of_stream().credit);
        let takes_many = receives && self.0.config.message_limit >= Gathered::LONGEST;
        let opening = Opening { window, takes_many, sends, opened: Mutex::default() };
        let passing = Passing::of(method, &body);
        let observed = MadeCall::begin(method, &self.0.config.path, body.len());
        let call = async {
            let outcome = self.call_in_time(method, &mut body, options, &opening).await;
            CallError::unless_opened(passing.check(outcome)?)
        };
        let (_, observed) = observed.carry_out_to_open(pin!(call)).await?;
        let inflow = opening.opened.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok(Flow { inflow, patience: Patience::of(&self.0.runtime, options), observed })
    }

    fn sending<T>(&self, flow: &Flow, options: &CallOptions) -> Sending<T> {
        let patience = Patience::of(&self.0.runtime, options);
        let target = flow.inflow.as_ref().and_then(Inflow::outflow).map(Target::Connection);
        Sending::new(target, patience, flow.observed.sending())
    }
}

/// A call that is a stream, once it is open.
struct Flow {
    inflow: Option<Inflow>,
    patience: Patience,
    observed: MadeStream,
}

/// A call that is a stream, and what has become of it.
struct Opening {
    /// How much of a stream may come, if the call asks for one.
    window: Option<Credit>,
    /// It may come as several items in one message.
    takes_many: bool,
    sends: bool,
    opened: Mutex<Option<Inflow>>,
}

impl Wanted for &Opening {
    fn ask(self, added: &mut Option<Box<CallFields>>) {
        let added = added.get_or_insert_default();
        added.credit = self.window;
        added.sends_items = self.sends;
        added.takes_many = self.takes_many;
    }

    fn keep(self, call: &mut Abandonable<'_>) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) =
            call.in_flight.take_stream(call.connection, self.window.unwrap_or_default());
    }
}

/// How long is waited for a stream.
pub(in crate::client) struct Patience {
    runtime: Runtime,
    /// When the stream must be over, and what tells of that.
    whole: Deadline,
    over: Option<Sleep>,
    item_timeout: Option<Duration>,
    /// Set while the next step is waited for.
    stalled: Option<Sleep>,
}

impl Patience {
    pub(in crate::client) fn of(runtime: &Runtime, options: &CallOptions) -> Self {
        let whole = Deadline::at(runtime.clock(), options.deadline);
        Patience {
            over: whole.at.map(|at| runtime.sleep_until(at)),
            whole,
            item_timeout: options.of_stream().item_timeout,
            stalled: None,
            runtime: runtime.clone(),
        }
    }

    /// What comes of a step, within the time for it.
    fn poll<T>(
        &mut self,
        context: &mut Context<'_>,
        step: Poll<Result<T, CallError>>,
    ) -> Poll<Result<T, CallError>> {
        let polled = match step {
            Poll::Pending => self.poll_time(context).map(Err),
            ready => ready,
        };
        if polled.is_ready() {
            self.stalled = None;
        }
        polled
    }

    fn poll_time(&mut self, context: &mut Context<'_>) -> Poll<CallError> {
        if let Poll::Ready(error) = self.poll_whole(context) {
            return Poll::Ready(error);
        }
        let Some(timeout) = self.item_timeout else { return Poll::Pending };
        let stalled = self.stalled.get_or_insert_with(|| self.runtime.sleep(timeout));
        stalled.as_mut().poll(context).map(|()| CallError::stalled(timeout))
    }

    /// Waits until the stream must be over, however long a step may take.
    fn poll_whole(&mut self, context: &mut Context<'_>) -> Poll<CallError> {
        match &mut self.over {
            Some(over) => over.as_mut().poll(context).map(|()| self.whole.passed()),
            None => Poll::Pending,
        }
    }

    /// A step after which the stream goes on, unless it must be over: where something is always there, nothing is waited for. The clock is
    /// read only if there is such a time.
    fn in_time<T>(&self, step: T) -> Result<T, CallError> {
        match self.whole.at {
            Some(at) if at <= (self.runtime.clock())() => Err(self.whole.passed()),
            _ => Ok(step),
        }
    }
}

/// How long is waited for an answer.
type PollTime = fn(&mut Patience, &mut Context<'_>) -> Poll<CallError>;

/// A stream that a server sends: the items of a call of a [streaming](crate::guide::streams) method.
///
/// ```
/// use drpc::{Failure, Server, Stream, drpc_module, testing};
/// use futures_util::stream;
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// pub struct Tick {
///     #[prost(uint32, tag = "1")]
///     pub number: u32,
/// }
///
/// struct Clock;
///
/// #[drpc_module(id = 7)]
/// impl Clock {
///     #[method(4, stream)]
///     fn ticks(&self) -> impl Stream<Item = Result<Tick, Failure>> {
///         stream::iter((1..=3).map(|number| Ok(Tick { number })))
///     }
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let client = ClockClient::new(testing::client_of(Server::builder().module(Clock))?);
///     let mut ticks = client.ticks().await?;
///     while let Some(tick) = ticks.next().await {
///         println!("{}", tick?.number);
///     }
///     Ok(())
/// }
/// ```
///
/// It is a [`Stream`] too. The first error is the last thing that comes. The server sends no more than the
/// [credit](CallOptions::stream_credit) allows, which is renewed as items are taken: so one that is not read costs no more memory than that, and
/// holds up no other call.
///
/// Dropped before its end, it is given up, and the server told so: its handler's stream is dropped.
pub struct Streaming<R = Bytes> {
    /// `None` once it has ended.
    source: Option<Source>,
    patience: Patience,
    observed: MadeStream,
    /// How much of an item is decoded.
    limit: usize,
    item: PhantomData<fn() -> R>,
}

/// Where the items come from.
pub(in crate::client) enum Source {
    Connection(Inflow),
    /// Something else than this crate's sockets: see [`CallOptions::carry_stream`].
    Carried(Carried),
}

impl Source {
    fn poll_step(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Step, CallError>>> {
        match self {
            Source::Connection(inflow) => inflow.poll_next(context),
            Source::Carried(responses) => {
                responses.poll_next(context).map(|outcome| outcome.map(|outcome| outcome.map(Step::Last)))
            }
        }
    }

    fn poll_item<R: Payload>(
        &mut self,
        limit: usize,
        observed: &MadeStream,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<R, CallError>>> {
        match self {
            Source::Connection(inflow) => inflow
                .poll_next(context)
                .map(|outcome| outcome.and_then(|outcome| item_of(outcome, limit, observed))),
            Source::Carried(items) => items.poll_next(context).map(|outcome| {
                outcome.map(|outcome| {
                    let item = outcome?;
                    if !item.status.is_failure() {
                        observed.received(item.body.len());
                    }
                    reply_of(item, limit)
                })
            }),
        }
    }
}

impl<R> Streaming<R> {
    pub(in crate::client) fn new(
        source: Option<Source>,
        patience: Patience,
        observed: MadeStream,
        limit: usize,
    ) -> Self {
        Streaming { source, patience, observed, limit, item: PhantomData }
    }
}

impl<R: Payload> Streaming<R> {
    /// Waits for the next item; `None` once the stream has ended. Cancel safe.
    ///
    /// # Errors
    ///
    /// [`CallError`]: what the handler's stream failed with, or that the connection broke, or that it took too long. It is the last.
    pub async fn next(&mut self) -> Option<Result<R, CallError>> {
        poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<R, CallError>>> {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        let received = source.poll_item(self.limit, &self.observed, context).map(Option::transpose);
        let item = ready!(self.patience.poll(context, received)).transpose();
        let item = item.map(|item| self.patience.in_time(item?));
        if !matches!(item, Some(Ok(_))) {
            self.source = None;
            self.observed.end(item.as_ref().and_then(|last| last.as_ref().err()));
        }
        Poll::Ready(item)
    }
}

impl<R: Payload> Stream for Streaming<R> {
    type Item = Result<R, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(context)
    }
}

impl<R> fmt::Debug for Streaming<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").field("has_ended", &self.source.is_none()).finish_non_exhaustive()
    }
}

/// A stream that goes to a server, of a call of a [method](crate::guide::streams) that answers by a stream as well.
///
/// ```
/// use drpc::{Failure, Incoming, Server, Stream, drpc_module, testing};
/// use futures_util::StreamExt;
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// pub struct Number {
///     #[prost(uint64, tag = "1")]
///     pub number: u64,
/// }
///
/// struct Squares;
///
/// #[drpc_module(id = 7)]
/// impl Squares {
///     #[method(6, stream)]
///     fn square(&self, numbers: Incoming<Number>) -> impl Stream<Item = Result<Number, Failure>> {
///         numbers.map(|number| number.map(|Number { number }| Number { number: number * number }))
///     }
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let client = SquaresClient::new(testing::client_of(Server::builder().module(Squares))?);
///     let (mut numbers, mut squares) = client.square().await?;
///     for number in 1..=3 {
///         numbers.send(Number { number }).await?;
///         println!("{}", squares.next().await.unwrap()?.number);
///     }
///     numbers.finish();
///     assert!(squares.next().await.is_none());
///     Ok(())
/// }
/// ```
///
/// It sends no more than the server has [room](crate::ServerBuilder::stream_credit) for, and waits otherwise, holding up no other call. **Dropped without
/// [`finish`](Self::finish), the server's handler is told that these were not all.** When the [`Streaming`] beside it is dropped, the whole call is given up.
pub struct Sending<T = Bytes> {
    /// `None` once nothing more can be sent.
    target: Option<Target>,
    patience: Patience,
    observed: SentItems,
    item: PhantomData<fn(T)>,
}

/// Where the items go.
pub(in crate::client) enum Target {
    Connection(Outflow),
    /// Something else than this crate's sockets: see [`CallOptions::carry_upload`].
    Carrier(CarriedItems),
}

impl Target {
    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        match self {
            Target::Connection(outflow) => outflow.poll_ready(context),
            Target::Carrier(items) => items.poll_ready(context),
        }
    }

    /// Waits until nothing more is taken.
    fn poll_end(&self, context: &Context<'_>) -> Poll<()> {
        match self {
            Target::Connection(outflow) => outflow.poll_end(context),
            Target::Carrier(items) => items.poll_end(context),
        }
    }

    /// Whether several items go at once: what else carries them gathers them itself.
    fn takes_many(&self) -> bool {
        match self {
            Target::Connection(outflow) => outflow.takes_many(),
            Target::Carrier(_) => false,
        }
    }

    fn is_open_behind(&self, gathered: &Gathered) -> bool {
        match self {
            Target::Connection(outflow) => outflow.is_open_behind(gathered),
            Target::Carrier(_) => false,
        }
    }

    fn send(&mut self, items: Gathered) -> Result<(), CallError> {
        match self {
            Target::Connection(outflow) => outflow.send(items),
            Target::Carrier(carried) => carried.send(items.into_body().0),
        }
    }

    fn end(&mut self) {
        match self {
            Target::Connection(outflow) => outflow.end(),
            Target::Carrier(items) => items.end(),
        }
    }
}

impl<T> Sending<T> {
    pub(in crate::client) fn new(target: Option<Target>, patience: Patience, observed: SentItems) -> Self {
        Sending { target, patience, observed, item: PhantomData }
    }
}

impl<T: Payload> Sending<T> {
    /// Sends an item, once there is room for it. Cancel safe: an item whose future is dropped was not sent.
    ///
    /// # Errors
    ///
    /// [`CallError`]: of kind [`NotTaken`](CallErrorKind::NotTaken) if the server takes no more, or the call is over, which the [`Streaming`] beside it tells of; of
    /// kind `Timeout` if the server had no room for too long; and of kind `TooLong` for an item that is too long for a message. After the last, others can be sent.
    pub async fn send(&mut self, item: T) -> Result<(), CallError> {
        self.send_gathered(Gathered::of(item_body(item))).await
    }

    /// Sends all of these, and [finishes](Self::finish); ends before if the server takes no more.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), but for `NotTaken`.
    pub async fn finish_with(mut self, items: impl Stream<Item = T>) -> Result<(), CallError> {
        self.send_all(items).await?;
        self.finish();
        Ok(())
    }

    /// These were all the items: the server's handler sees the end.
    pub fn finish(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(mut target) = self.target.take() {
            target.end();
        }
    }

    async fn send_all(&mut self, items: impl Stream<Item = T>) -> Result<(), CallError> {
        let mut items = pin!(items);
        let mut gatherer = Gatherer::default();
        loop {
            let Sending { target: Some(target), patience, .. } = self else { return Ok(()) };
            let gathered = poll_fn(|context| {
                let polled = gatherer.poll(target.takes_many(), |gathered| {
                    if !gathered.is_empty() && !target.is_open_behind(gathered) {
                        return Poll::Pending;
                    }
                    items.as_mut().poll_next(context).map(|item| item.map(item_body).ok_or(()))
                });
                match polled {
                    Poll::Ready(gathered) => Poll::Ready(Ok(gathered.ok())),
                    // There may never be another item.
                    Poll::Pending if target.poll_end(context).is_ready() => Poll::Ready(Ok(None)),
                    Poll::Pending => patience.poll_whole(context).map(Err),
                }
            });
            let Some(gathered) = gathered.await? else { return Ok(()) };
            match self.send_gathered(gathered).await {
                Err(error) if error.kind() == CallErrorKind::NotTaken => return Ok(()),
                sent => sent?,
            }
        }
    }

    async fn send_gathered(&mut self, items: Gathered) -> Result<(), CallError> {
        let (count, bytes) = (items.len(), items.bytes());
        self.ready().await?.send(items)?;
        self.observed.count(count, bytes);
        Ok(())
    }

    /// Waits until an item can be sent.
    async fn ready(&mut self) -> Result<&mut Target, CallError> {
        let Sending { target, patience, .. } = self;
        let is_taken = match target {
            Some(target) => poll_fn(|context| {
                let polled = target.poll_ready(context).map(Ok);
                patience.poll(context, polled)
            }),
            None => return Err(CallError::not_taken()),
        };
        let is_taken = match is_taken.await {
            Ok(true) => patience.in_time(true),
            is_taken => is_taken,
        };
        if !matches!(is_taken, Ok(true)) {
            *target = None;
        }
        target.as_mut().ok_or_else(|| is_taken.err().unwrap_or_else(CallError::not_taken))
    }
}

impl<T> fmt::Debug for Sending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sending").field("has_ended", &self.target.is_none()).finish_non_exhaustive()
    }
}

/// A stream that goes to a server, and then its reply: a call of a [method](crate::guide::streams) that takes an [`Incoming`](crate::Incoming).
///
/// ```no_run
/// # #[derive(Clone, PartialEq, prost::Message)] pub struct Piece { #[prost(bytes = "bytes", tag = "1")] pub bytes: drpc::Bytes }
/// # #[derive(Clone, PartialEq, prost::Message)] pub struct Stored { #[prost(uint64, tag = "1")] pub bytes: u64 }
/// # #[drpc::drpc_module(id = 8, client_only)]
/// # pub trait Store { #[method(1, stream)] fn upload(&self, pieces: drpc::Incoming<Piece>) -> Stored; }
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use drpc::Client;
///
/// let store = StoreClient::new(Client::connect("/run/store.sock").await?);
/// let mut upload = store.upload().await?;
/// for text in ["one", "two"] {
///     upload.send(Piece { bytes: text.into() }).await?;
/// }
/// println!("{} bytes are stored", upload.finish().await?.bytes);
/// # Ok(())
/// # }
/// ```
///
/// It sends no more than the server has [room](crate::ServerBuilder::stream_credit) for, and waits otherwise, holding up no other call. **Dropped before it
/// was finished, the call is given up**: the server's handler is told that these were not all.
pub struct Upload<T = Bytes, R = Bytes> {
    // Dropped first: the whole call is given up, and not its items alone.
    source: Option<Source>,
    patience: Patience,
    observed: MadeStream,
    limit: usize,
    sending: Sending<T>,
    /// What came before it was asked for.
    answer: Option<Result<Response, CallError>>,
    reply: PhantomData<fn() -> R>,
}

impl<T, R> Upload<T, R> {
    pub(in crate::client) fn new(
        source: Option<Source>,
        patience: Patience,
        observed: MadeStream,
        limit: usize,
        sending: Sending<T>,
    ) -> Self {
        Upload { source, patience, observed, limit, sending, answer: None, reply: PhantomData }
    }
}

impl<T: Payload, R: Payload> Upload<T, R> {
    /// Sends an item, once there is room for it. Cancel safe: an item whose future is dropped was not sent.
    ///
    /// # Errors
    ///
    /// [`CallError`]: what the call failed with, if it did already; of kind [`NotTaken`](CallErrorKind::NotTaken) if the server takes no more, so that [`finish`](Self::finish)
    /// is next; of kind `Timeout` if the server had no room for too long; and of kind `TooLong` for an item that is too long for a message. After the last,
    /// others can be sent.
    pub async fn send(&mut self, item: T) -> Result<(), CallError> {
        match self.sending.send(item).await {
            Err(error) if error.kind() == CallErrorKind::NotTaken => match self.early_answer().await {
                Some(Err(failure)) => Err(failure.clone()),
                Some(Ok(response)) if response.status.is_failure() => {
                    Err(CallError::answered(response.status, response.added.clone()))
                }
                _ => Err(error),
            },
            sent => sent,
        }
    }

    /// Sends all of these, and waits for the reply; ends before if the server takes no more.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), but for `NotTaken`, and of [`finish`](Self::finish).
    pub async fn finish_with(mut self, items: impl Stream<Item = T>) -> Result<R, CallError> {
        self.sending.send_all(items).await?;
        self.finish().await
    }

    /// Says that these were all the items, and waits for the reply.
    ///
    /// # Errors
    ///
    /// [`CallError`] if the call failed, or there is no reply.
    pub async fn finish(mut self) -> Result<R, CallError> {
        self.sending.end();
        self.wait_for_answer(Patience::poll_time).await;
        let response = self.answer.take().unwrap_or_else(|| Err(CallError::not_taken()))?;
        reply_of(response, self.limit)
    }

    /// Waits until the call is answered, which may be before all items were sent; [`finish`](Self::finish) gives the answer. For who waits for its next item elsewhere
    /// meanwhile: no [`item_timeout`](CallOptions::item_timeout) counts. Cancel safe.
    pub async fn answered(&mut self) {
        self.wait_for_answer(Patience::poll_whole).await;
    }

    async fn wait_for_answer(&mut self, poll_time: PollTime) {
        if self.answer.is_none() {
            self.answer = poll_fn(|context| self.poll_answer(context, poll_time)).await;
        }
    }

    /// The answer, if it is here.
    async fn early_answer(&mut self) -> Option<&Result<Response, CallError>> {
        if self.answer.is_none() {
            self.answer = poll_fn(|context| match self.poll_answer(context, Patience::poll_whole) {
                Poll::Pending => Poll::Ready(None),
                ready => ready,
            })
            .await;
        }
        self.answer.as_ref()
    }

    fn poll_answer(
        &mut self,
        context: &mut Context<'_>,
        poll_time: PollTime,
    ) -> Poll<Option<Result<Response, CallError>>> {
        let Some(source) = &mut self.source else { return Poll::Ready(None) };
        let outcome = match source.poll_step(context) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => Some(Err(ready!(poll_time(&mut self.patience, context)))),
        };
        self.source = None;
        let outcome = outcome.map(|outcome| match outcome? {
            Step::Last(response) => Ok(response),
            // It has no credit for one.
            Step::Item(_) => Err(CallError::disconnected(Disconnect::Overrun.into())),
        });
        if let Some(outcome) = &outcome {
            self.observed.reply(outcome);
        }
        Poll::Ready(outcome)
    }
}

impl<T, R> fmt::Debug for Upload<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("has_ended", &self.source.is_none()).finish_non_exhaustive()
    }
}
