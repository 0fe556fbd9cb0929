//! Requests of many messages, which end as they were ended.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use http_body::{Body, Frame, SizeHint};

/// A request's body whose end is that of all of it. Where its caller has reset the call, hyper's may end likewise, and tonic takes its error for an end: half an upload
/// would be taken for a whole one.
pub(super) struct Whole<B>(Pin<Box<B>>);

impl<B> Whole<B> {
    pub(super) fn new(body: B) -> Self {
        Whole(Box::pin(body))
    }
}

impl<B: Body> Body for Whole<B> {
    type Data = B::Data;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<B::Data>>>> {
        Poll::Ready(match ready!(self.0.as_mut().poll_frame(context)) {
            Some(Ok(frame)) => Some(Ok(frame)),
            None if self.0.is_end_stream() => None,
            None | Some(Err(_)) => Some(Err(io::ErrorKind::ConnectionReset.into())),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}
