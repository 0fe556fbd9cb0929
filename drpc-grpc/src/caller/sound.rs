//! Answers as tonic can take them: it panics at details that are not in base64, and who answers may be anybody.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::TryFutureExt;
use futures_util::future::MapOk;
use http::{HeaderMap, HeaderName};
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tower_service::Service;

/// A channel, or the body of an answer, without such details.
pub(super) struct Sound<T>(pub(super) T);

static DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Leaves details out that can't be read.
pub(crate) fn make_sound(headers: &mut HeaderMap) {
    if !headers.contains_key(&DETAILS) {
        return;
    }
    let metadata = MetadataMap::from_headers(mem::take(headers));
    let is_sound = metadata.get_bin(DETAILS.as_str()).is_some_and(|details| details.to_bytes().is_ok());
    *headers = metadata.into_headers();
    if !is_sound {
        headers.remove(&DETAILS);
    }
}

/// A channel for calls whose requests are one message each: HTTP/2 is told with it that it is the last, and needs no frame of its own for that.
pub(super) struct OfOneMessage(pub(super) Sound<Channel>);

impl Service<http::Request<Body>> for OfOneMessage {
    type Response = Answer;
    type Error = tonic::transport::Error;
    type Future = <Sound<Channel> as Service<http::Request<Body>>>::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.call(request.map(|body| Body::new(LookingAhead { body, next: None, is_over: false })))
    }
}

/// A body that knows, as it gives a frame, whether that is the last. tonic's learns that when it is asked for the next.
struct LookingAhead {
    body: Body,
    /// The frame after that which was given.
    next: Option<Next>,
    is_over: bool,
}

type Next = Result<Frame<<Body as http_body::Body>::Data>, <Body as http_body::Body>::Error>;

impl LookingAhead {
    fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Next>> {
        let next = ready!(http_body::Body::poll_frame(Pin::new(&mut self.body), context));
        self.is_over = next.is_none();
        Poll::Ready(next)
    }
}

impl http_body::Body for LookingAhead {
    type Data = <Body as http_body::Body>::Data;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Next>> {
        let frame = match self.next.take() {
            Some(frame) => Some(frame),
            None if self.is_over => None,
            None => ready!(self.poll_body(context)),
        };
        if let (Some(Ok(_)), false) = (&frame, self.is_over)
            && let Poll::Ready(next) = self.poll_body(context)
        {
            self.next = next;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.is_over && self.next.is_none()
    }
}

type Answer = http::Response<Sound<Body>>;

impl Service<http::Request<Body>> for Sound<Channel> {
    type Response = Answer;
    type Error = tonic::transport::Error;
    type Future =
        MapOk<<Channel as Service<http::Request<Body>>>::Future, fn(http::Response<Body>) -> Answer>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        self.0.call(request).map_ok(|mut answer| {
            make_sound(answer.headers_mut());
            answer.map(Sound)
        })
    }
}

impl http_body::Body for Sound<Body> {
    type Data = <Body as http_body::Body>::Data;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut next = ready!(Pin::new(&mut self.0).poll_frame(context));
        if let Some(Ok(frame)) = &mut next
            && let Some(trailers) = frame.trailers_mut()
        {
            make_sound(trailers);
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use http_body::Body as _;

    use super::*;

    #[tokio::test]
    async fn the_last_frame_of_a_body_is_known_as_the_last() {
        let body = Body::new("all of it".to_owned());
        let mut body = LookingAhead { body, next: None, is_over: false };
        assert!(!body.is_end_stream());
        let mut next = async || {
            let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
            (frame.map(|frame| frame.unwrap().into_data().unwrap()), body.is_end_stream())
        };
        assert_eq!(next().await, (Some("all of it".into()), true));
        assert_eq!(next().await, (None, true));
    }

    #[test]
    fn details_that_can_not_be_read_are_left_out() {
        for (details, is_left) in
            [("ZGV0YWlscw", true), ("ZGV0YWlscw==", true), ("a", false), ("no base64", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", "13".parse().unwrap());
            headers.insert(&DETAILS, details.parse().unwrap());
            make_sound(&mut headers);
            assert_eq!((headers.contains_key(&DETAILS), headers.len()), (is_left, 1 + usize::from(is_left)));
            assert_eq!(tonic::Status::from_header_map(&headers).unwrap().code(), tonic::Code::Internal);
        }
    }
}
