//! From a handler that returns a stream to a reply: handler and stream are one future, which owns the module that they may borrow from.

use std::future::{Future, poll_fn, ready};
use std::mem;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_util::stream::Stream;

use crate::handler::context::Context as CallContext;
use crate::handler::failure::Failure;
use crate::handler::incoming::Incoming;
use crate::handler::method::Method;
use crate::handler::module::HandlerFuture;
use crate::handler::payload::Payload;
use crate::handler::reply::{Reply, ReplyStream};
use crate::private::requested::Requested;
use crate::wire::Body;

/// The call of a handler that returns a stream. What `run` gives calls the handler, and then [sends](Outlet::send) what it returned.
#[must_use]
pub fn stream<'a, F>(run: impl FnOnce(Outlet) -> F) -> HandlerFuture<'a>
where
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let slot = Arc::new(Slot::default());
    let mut running = Box::pin(run(Outlet(slot.clone())));
    Box::pin(async move {
        // Up to the stream's opening, which stands for no item.
        poll_fn(|context| match running.as_mut().poll(context) {
            Poll::Pending if slot.take().is_some() => Poll::Ready(Ok(())),
            polled => polled,
        })
        .await?;
        Ok(Reply::Stream(ReplyStream::new(Items { running: Some(running), slot })))
    })
}

/// The call of a handler that takes a stream. What `run` gives calls the handler, with a context without the deadline: that is over once the stream is open.
#[must_use]
pub fn taking<'a, T: Requested<Answer>, Answer>(
    context: CallContext,
    method: Method,
    run: impl FnOnce(CallContext, Incoming<T>) -> HandlerFuture<'static>,
) -> HandlerFuture<'a> {
    let context = context.without_deadline();
    let handed = context.clone();
    Box::pin(ready(T::taking(&context, method, |incoming| run(handed, incoming))))
}

/// What is on its way from the future to whoever polls it: both are polled together, so it is never waited for.
#[derive(Default)]
struct Slot(Mutex<Option<Sent>>);

enum Sent {
    Opened,
    Item(Body),
}

impl Slot {
    fn take(&self) -> Option<Sent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Where a handler's stream is sent.
pub struct Outlet(Arc<Slot>);

impl Outlet {
    /// Sends all of a stream, up to its first error.
    ///
    /// # Errors
    ///
    /// That, as the failure that it becomes.
    pub async fn send<Answer, S, T, E, F>(self, items: S, mut failure: F) -> Result<(), Failure>
    where
        S: Stream<Item = Result<T, E>>,
        T: Requested<Answer>,
        F: FnMut(E) -> Failure,
    {
        self.put(Sent::Opened).await;
        let mut items = pin!(items);
        // What an item is becomes a body, or a failure, at once: neither it nor its error need be `Send`.
        let mut body = |item: Result<T, E>| match item {
            Ok(item) => Ok(item.sent().into_body()),
            Err(error) => Err(failure(error)),
        };
        let mut next = poll_fn(|context| items.as_mut().poll_next(context).map(|item| item.map(&mut body)));
        while let Some(body) = (&mut next).await {
            self.put(Sent::Item(body?)).await;
        }
        Ok(())
    }

    /// Hands something over; goes on when the next is wanted.
    async fn put(&self, sent: Sent) {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sent);
        let mut is_taken = false;
        poll_fn(|_| if mem::replace(&mut is_taken, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }
}

/// The items that a future sends.
struct Items<F> {
    /// `None` once it has ended.
    running: Option<Pin<Box<F>>>,
    slot: Arc<Slot>,
}

impl<F: Future<Output = Result<(), Failure>>> Stream for Items<F> {
    type Item = Result<Body, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let Some(running) = &mut this.running else { return Poll::Ready(None) };
        match (running.as_mut().poll(context), this.slot.take()) {
            (Poll::Pending, Some(Sent::Item(item))) => Poll::Ready(Some(Ok(item))),
            (Poll::Pending, _) => Poll::Pending,
            (Poll::Ready(outcome), _) => {
                this.running = None;
                Poll::Ready(outcome.err().map(Err))
            }
        }
    }
}
