//! What a handler answers a call with, if it does not fail.

use bytes::Bytes;

use crate::handler::payload::Payload;
use crate::wire::{Body, Status};

/// What a call is answered with: a [`Module`](crate::Module) gives it, beside a [`Failure`](struct@crate::Failure).
///
/// A body becomes one by `into()`:
///
/// ```
/// use drpc::{Bytes, Reply, Status};
///
/// assert_eq!(Reply::from(Bytes::from("pong")).status(), Status::SUCCESS);
/// assert_eq!(Reply::Submitted.status(), Status::SUBMITTED);
/// ```
#[derive(Clone, Debug)]
pub enum Reply {
    /// The call is done, and this is its reply.
    Success(Body),
    /// The call was accepted and goes on: there is no reply to it ([E3](crate::guide::rules#envelope), [D3](crate::guide::rules#dispatch)).
    Submitted,
}

impl Reply {
    /// The status that travels.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Reply::Success(_) => Status::SUCCESS,
            Reply::Submitted => Status::SUBMITTED,
        }
    }

    /// The body that travels: only SUCCESS carries one ([D3](crate::guide::rules#dispatch)).
    #[must_use]
    pub fn into_body(self) -> Body {
        match self {
            Reply::Success(body) => body,
            Reply::Submitted => Body::new(),
        }
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

/// What a handler returns that has accepted its call and goes on with it in the background: the caller is answered SUBMITTED
/// ([E3](crate::guide::rules#envelope)), without a body.
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
/// [`Context::spawn`](crate::Context::spawn) says what becomes of the work. The generated client's method gives `Ok(())` for
/// SUBMITTED: how the work ends is for another method to tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Submitted;

/// What a handler may return: whatever may travel, or [`Submitted`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't travel in the body of a dRPC call",
    label = "not a request or reply type",
    note = "a request or reply is a prost message (`#[derive(prost::Message)]`), `bytes::Bytes` for raw bytes, or `()` for nothing"
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
