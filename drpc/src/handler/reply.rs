//! What a handler answers a call with, if it does not fail.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};

use crate::handler::failure::Failure;
use crate::handler::payload::Payload;
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
        Reply::Stream(ReplyStream(Box::pin(items.map(|item| item.map(Payload::into_body)))))
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

/// The items of a [`Reply::Stream`], as bodies; the first failure is the last that comes.
pub struct ReplyStream(Pin<Box<dyn Stream<Item = Result<Body, Failure>> + Send>>);

impl ReplyStream {
    pub(crate) fn new(items: impl Stream<Item = Result<Body, Failure>> + Send + 'static) -> Self {
        ReplyStream(Box::pin(items))
    }
}

impl Stream for ReplyStream {
    type Item = Result<Body, Failure>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(context)
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
