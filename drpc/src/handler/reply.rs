//! What a handler answers a call with, if it does not fail.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{self, Poll, ready};

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};

use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::incoming::Incoming;
use crate::handler::method::Method;
use crate::handler::module::HandlerFuture;
use crate::handler::payload::{NO_FDS_IN_ITEMS, Payload};
use crate::wire::{Body, Status};

/// The successful answer to a call, as a [`Module`](crate::Module) returns it. The other is a [`Failure`](struct@crate::Failure).
///
/// A body converts into one:
///
/// ```
/// use drpc::{Bytes, Reply, Status};
///
/// assert_eq!(Reply::from(Bytes::from("pong")).status(), Status::SUCCESS);
/// assert_eq!(Reply::Submitted.status(), Status::SUBMITTED);
/// ```
#[derive(Debug)]
pub enum Reply {
    /// The call is done, and this is its reply.
    Success(Body),
    /// The call was accepted and continues: there is no reply ([E3](crate::guide::rules#envelope), [D3](crate::guide::rules#dispatch)).
    Submitted,
    /// The call is answered by these items, one after the other.
    Stream(ReplyStream),
}

impl Reply {
    /// The answer of a method that [streams](crate::Method::streaming), for modules written by hand: each item goes out as soon as the
    /// caller has room for it, and the first failure ends the stream.
    ///
    /// ```
    /// use drpc::{Bytes, Reply, Status};
    /// use futures_util::stream;
    ///
    /// let reply = Reply::stream(stream::iter([Ok(Bytes::from("one")), Ok("two".into()), Err("no three".into())]));
    /// assert_eq!(reply.status(), Status::SUCCESS);
    /// ```
    pub fn stream<P: Payload>(items: impl Stream<Item = Result<P, Failure>> + Send + 'static) -> Self {
        Reply::Stream(ReplyStream::new(items.map(|item| item.map(Payload::into_body))))
    }

    /// The answer of a method that [takes a stream](crate::Method::client_streaming), for modules written by hand: the handler takes the items, while other calls of
    /// the session go on, and what it returns answers the call.
    ///
    /// ```
    /// use drpc::{Bytes, Context, Failure, Incoming, Method, Reply};
    ///
    /// fn count(context: &Context, method: Method) -> Result<Reply, Failure> {
    ///     Reply::taking(context, method, |mut pieces: Incoming<Bytes>| async move {
    ///         let mut bytes = 0;
    ///         while let Some(piece) = pieces.next().await {
    ///             bytes += piece?.len();
    ///         }
    ///         Ok(Bytes::from(bytes.to_string()).into())
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// If the context is that of a call whose caller sends no items, or there is no memory for them.
    pub fn taking<T, F>(
        context: &Context,
        method: Method,
        handler: impl FnOnce(Incoming<T>) -> F,
    ) -> Result<Reply, Failure>
    where
        T: Payload,
        F: Future<Output = Result<Reply, Failure>> + Send + 'static,
    {
        Self::taking_boxed(context, method, |incoming| Box::pin(handler(incoming)))
    }

    pub(crate) fn taking_boxed<T: Payload>(
        context: &Context,
        method: Method,
        handler: impl FnOnce(Incoming<T>) -> HandlerFuture<'static>,
    ) -> Result<Reply, Failure> {
        const { assert!(!T::WITH_FDS, "{}", NO_FDS_IN_ITEMS) };
        let Some(control) = context.control() else {
            return Err("it takes a stream of items, and there is none to be had here".into());
        };
        let source = control.take_items(context.session())?;
        let incoming = Incoming::new(source, context.clone(), method);
        Ok(Reply::Stream(ReplyStream(Source::Handler(handler(incoming)))))
    }

    /// The status to send.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Reply::Success(_) | Reply::Stream(_) => Status::SUCCESS,
            Reply::Submitted => Status::SUBMITTED,
        }
    }

    /// The body to send: only SUCCESS carries one ([D3](crate::guide::rules#dispatch)), and a stream has one for each item.
    #[must_use]
    pub fn into_body(self) -> Body {
        match self {
            Reply::Success(body) => body,
            Reply::Submitted | Reply::Stream(_) => Body::new(),
        }
    }
}

/// The items of a [`Reply::Stream`], as bodies; the first failure is the last that comes. Of a handler that [takes a stream](Reply::taking) it is what that
/// answers with: the items of its stream, or its reply alone.
pub struct ReplyStream(pub(crate) Source);

/// Where the items come from.
pub(crate) enum Source {
    Items(Pin<Box<dyn Stream<Item = Result<Body, Failure>> + Send>>),
    /// A handler that takes items, and then answers.
    Handler(HandlerFuture<'static>),
    Ended,
}

impl ReplyStream {
    pub(crate) fn new(items: impl Stream<Item = Result<Body, Failure>> + Send + 'static) -> Self {
        ReplyStream(Source::Items(Box::pin(items)))
    }
}

impl Stream for ReplyStream {
    type Item = Result<Body, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            let reply = match &mut self.0 {
                Source::Items(items) => return items.as_mut().poll_next(context),
                Source::Handler(handler) => ready!(handler.as_mut().poll(context)),
                Source::Ended => return Poll::Ready(None),
            };
            // The handler is dropped.
            let _ = mem::replace(&mut self.0, Source::Ended);
            match reply {
                Ok(Reply::Stream(stream)) => *self = stream,
                Ok(Reply::Success(body)) => return Poll::Ready(Some(Ok(body))),
                Ok(Reply::Submitted) => {}
                Err(failure) => return Poll::Ready(Some(Err(failure))),
            }
        }
    }
}

impl fmt::Debug for ReplyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplyStream").finish_non_exhaustive()
    }
}

impl From<Body> for Reply {
    fn from(body: Body) -> Self {
        Reply::Success(body)
    }
}

impl From<Bytes> for Reply {
    fn from(body: Bytes) -> Self {
        Reply::Success(body.into())
    }
}

/// Returned by a handler that accepted its call and continues in the background: the call is answered SUBMITTED ([E3](crate::guide::rules#envelope)), without a body.
///
/// ```
/// use drpc::{Bytes, Context, Failure, Submitted, drpc_module};
///
/// struct Pools;
///
/// #[drpc_module(id = 5)]
/// impl Pools {
///     #[method(1)]
///     fn rebuild(&self, context: &Context, pool: Bytes) -> Result<Submitted, Failure> {
///         if pool.is_empty() {
///             return Err("which pool?".into()); // FAILURE: nothing was submitted
///         }
///         context.spawn(|context| async move {
///             tokio::select! {
///                 () = rebuild(&pool) => {}
///                 () = context.cancelled() => {} // the server shuts down
///             }
///         });
///         Ok(Submitted)
///     }
/// }
///
/// async fn rebuild(_pool: &[u8]) {}
/// ```
///
/// [`Context::spawn`](crate::Context::spawn) says what happens to the work. The generated client method returns `Ok(())` for SUBMITTED; offer another method that tells
/// how the work ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Submitted;

/// What a handler may return: whatever may travel, or [`Submitted`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't travel in the body of a dRPC call",
    label = "not a request or reply type",
    note = "a request or reply is a message of prost 0.14 (`#[derive(prost::Message)]`), `bytes::Bytes` for raw bytes, or `()` for nothing"
)]
pub trait IntoReply {
    /// What a client is given for it.
    type Received: Payload;

    /// The answer.
    fn into_reply(self) -> Reply;
}

#[diagnostic::do_not_recommend]
impl<P: Payload> IntoReply for P {
    type Received = P;

    fn into_reply(self) -> Reply {
        Reply::Success(self.into_body())
    }
}

impl IntoReply for Submitted {
    type Received = ();

    fn into_reply(self) -> Reply {
        Reply::Submitted
    }
}
