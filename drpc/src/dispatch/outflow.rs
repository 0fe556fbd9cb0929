//! A stream that goes out: from what a handler answered with to the responses of its call.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::Stream;

use super::router::{Opened, Processing};
use crate::budget::Lease;
use crate::handler::control::{Halt, OpenStream};
use crate::handler::failure::Failure;
use crate::handler::reply::ReplyStream;
use crate::handler::session::Listed;
use crate::observe::metrics;
use crate::wire::{Body, Part, Response, ResponseFields, Status};

/// The responses that follow the one that opened a stream: an item each, as far as the caller has room, and the last one, which ends it.
///
/// Its handler is told of its caller's leaving or giving up, and what the items come from is dropped then.
pub(crate) struct Outflow {
    call: Processing,
    /// `None` once it has ended.
    stream: Option<(ReplyStream, OpenStream)>,
    /// The call's entry in its session's list.
    listed: Option<Listed>,
    counted: metrics::OpenStream,
    _lease: Lease,
}

impl Outflow {
    pub(super) fn new(call: Processing, Opened { items, open, lease }: Opened) -> Self {
        let counted = metrics::OpenStream::begin();
        Outflow { call, stream: Some((items, open)), listed: None, counted, _lease: lease }
    }

    /// The same stream, of a call that is listed.
    pub(crate) fn listed(mut self: Box<Self>, listed: Option<Listed>) -> Box<Self> {
        self.listed = listed;
        self
    }

    /// Ends the stream before its time; gives its last response.
    pub(crate) fn fail(&mut self, failure: Failure) -> Response<Body> {
        self.stop();
        self.call.failed(failure)
    }

    fn stop(&mut self) {
        if let Some((items, open)) = self.stream.take() {
            self.call.drop_items(items);
            drop(open);
        }
        self.listed = None;
    }

    /// Whether nobody waits for the items any more.
    fn is_unwanted(&self) -> bool {
        let context = self.call.context();
        context.was_given_up() || context.session().caller_has_left()
    }
}

impl Stream for Outflow {
    type Item = Response<Body>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Response<Body>>> {
        let this = &mut *self;
        let Some((_, open)) = &this.stream else { return Poll::Ready(None) };
        // It registers its waker first of all.
        let may_send = open.call().may_send(context);
        if this.is_unwanted() {
            this.stop();
            // The client counts on an end, but nobody failed.
            return Poll::Ready(Some(this.call.end_stream(Status::FAILURE)));
        }
        match may_send {
            Ok(()) => {}
            Err(Halt::ForNow) => return Poll::Pending,
            Err(Halt::ForGood) => {
                let failure = "the session ends, and the caller has no room for more of the stream";
                return Poll::Ready(Some(this.fail(failure.into())));
            }
        }
        let Some((items, open)) = &mut this.stream else { return Poll::Ready(None) };
        match ready!(this.call.poll_items(items, context)) {
            // They are announced by a call, and an item is none.
            Some(Ok(body)) if !body.descriptors().is_empty() => {
                let failure =
                    "an item of a stream passes no descriptors: pass them by a call of another method";
                Poll::Ready(Some(this.fail(failure.into())))
            }
            Some(Ok(mut body)) => {
                if let Err(over) = this.call.context().session().hold_reply(&mut body) {
                    return Poll::Ready(Some(this.fail(Failure::marshal(over))));
                }
                open.call().sent(body.len());
                this.counted.item(body.len());
                let added = Some(ResponseFields::of_part(Part::Item).into());
                Poll::Ready(Some(Response {
                    sequence: this.call.sequence(),
                    status: Status::SUCCESS,
                    body,
                    added,
                }))
            }
            Some(Err(failure)) => Poll::Ready(Some(this.fail(failure))),
            None => {
                this.stop();
                Poll::Ready(Some(this.call.end_stream(Status::SUCCESS)))
            }
        }
    }
}

/// What is left of it is dropped where it waits, in a session that is cut.
impl Drop for Outflow {
    fn drop(&mut self) {
        self.stop();
    }
}
