//! The streams of the async client.

use std::fmt;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;

use super::{Abandonable, Client, Wanted};
use crate::client::caller::{CallOptions, StreamOptions};
use crate::client::connection::Inflow;
use crate::client::deadline::Deadline;
use crate::client::error::CallError;
use crate::client::on_tokio::Carried;
use crate::client::reply::{item_of, reply_of};
use crate::client::runtime::{Runtime, Sleep};
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::wire::{Body, CallFields, Credit};

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
        mut body: Body,
        options: &CallOptions,
    ) -> Result<Streaming<R>, CallError> {
        let StreamOptions { credit: window, .. } = options.of_stream();
        let opening = Opening { window, opened: Mutex::default() };
        let response = self.make(&method, &mut body, options, &opening).await?;
        CallError::unless_opened(response)?;
        let inflow = opening.opened.into_inner().unwrap_or_else(PoisonError::into_inner);
        let source = inflow.map(Source::Connection);
        Ok(Streaming::new(source, self.0.runtime.clone(), options, self.reply_limit()))
    }
}

/// A stream, and what has become of it.
struct Opening {
    window: Credit,
    opened: Mutex<Option<Inflow>>,
}

impl Wanted for &Opening {
    fn ask(self, added: &mut Option<Box<CallFields>>) {
        added.get_or_insert_default().credit = Some(self.window);
    }

    fn keep(self, call: &mut Abandonable<'_>) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) =
            call.in_flight.take_stream(call.connection, self.window);
    }
}

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
    runtime: Runtime,
    /// How much of an item is decoded.
    limit: usize,
    /// When the stream must be over, and what tells of that.
    whole: Deadline,
    over: Option<Sleep>,
    item_timeout: Option<Duration>,
    /// Set while the next item is waited for.
    stalled: Option<Sleep>,
    item: PhantomData<fn() -> R>,
}

/// Where the items come from.
pub(in crate::client) enum Source {
    Connection(Inflow),
    /// Something else than this crate's sockets: see [`CallOptions::carry_stream`].
    Carried(Carried),
}

impl Source {
    fn poll_item<R: Payload>(
        &mut self,
        limit: usize,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<R, CallError>>> {
        match self {
            Source::Connection(inflow) => {
                inflow.poll_next(context).map(|outcome| outcome.and_then(|outcome| item_of(outcome, limit)))
            }
            Source::Carried(items) => items
                .poll_next(context)
                .map(|outcome| outcome.map(|outcome| outcome.and_then(|item| reply_of(item, limit)))),
        }
    }
}

impl<R> Streaming<R> {
    pub(in crate::client) fn new(
        source: Option<Source>,
        runtime: Runtime,
        options: &CallOptions,
        limit: usize,
    ) -> Self {
        let whole = Deadline::at(runtime.clock(), options.deadline);
        Streaming {
            source,
            limit,
            over: whole.at.map(|at| runtime.sleep_until(at)),
            whole,
            item_timeout: options.of_stream().item_timeout,
            stalled: None,
            runtime,
            item: PhantomData,
        }
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
        let item = match source.poll_item(self.limit, context) {
            Poll::Ready(item) => item,
            Poll::Pending => match self.poll_time(context) {
                Poll::Ready(error) => Some(Err(error)),
                Poll::Pending => return Poll::Pending,
            },
        };
        self.stalled = None;
        if !matches!(item, Some(Ok(_))) {
            self.source = None;
        }
        Poll::Ready(item)
    }

    fn poll_time(&mut self, context: &mut Context<'_>) -> Poll<CallError> {
        if let Some(over) = &mut self.over
            && over.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(self.whole.passed());
        }
        let Some(timeout) = self.item_timeout else { return Poll::Pending };
        let stalled = self.stalled.get_or_insert_with(|| self.runtime.sleep(timeout));
        stalled.as_mut().poll(context).map(|()| CallError::stalled(timeout))
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
