//! Answers as tonic can take them: it panics at details that are not in base64, and who answers may be anybody.

use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::TryFutureExt;
use futures_util::future::MapOk;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tower_service::Service;

/// A channel, or the body of an answer, without such details.
pub(super) struct Sound<T>(pub(super) T);

const DETAILS: &str = "grpc-status-details-bin";

/// Leaves details out that can't be read.
pub(crate) fn make_sound(headers: &mut HeaderMap) {
    if !headers.contains_key(DETAILS) {
        return;
    }
    let metadata = MetadataMap::from_headers(mem::take(headers));
    let is_sound = metadata.get_bin(DETAILS).is_some_and(|details| details.to_bytes().is_ok());
    *headers = metadata.into_headers();
    if !is_sound {
        headers.remove(DETAILS);
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
    use super::*;

    #[test]
    fn details_that_can_not_be_read_are_left_out() {
        for (details, is_left) in
            [("ZGV0YWlscw", true), ("ZGV0YWlscw==", true), ("a", false), ("no base64", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", "13".parse().unwrap());
            headers.insert(DETAILS, details.parse().unwrap());
            make_sound(&mut headers);
            assert_eq!((headers.contains_key(DETAILS), headers.len()), (is_left, 1 + usize::from(is_left)));
            assert_eq!(tonic::Status::from_header_map(&headers).unwrap().code(), tonic::Code::Internal);
        }
    }
}
