//! What is fuzzed: the mapping of calls and failures, without a network. No part of the API: it changes without notice.

use std::sync::Arc;

use bytes::Bytes;
use drpc::wire::{Response, ResponseFields};
use drpc::{CallError, ModuleService, Status};
use http::HeaderMap;
use tower_service::Service;

use crate::caller::make_sound;
use crate::server::{Calls, Ends, ServeError, detached};
use crate::status;

/// A failure, as the headers in which gRPC tells it.
pub fn told(status: Status, fields: &ResponseFields) -> HeaderMap {
    status::to_grpc(status, Some(fields)).into_http::<()>().into_parts().0.headers
}

/// What a caller makes of such headers; nothing, where they say nothing of a status.
pub fn understood(mut headers: HeaderMap) -> Option<Result<Response, CallError>> {
    make_sound(&mut headers);
    let status = tonic::Status::from_header_map(&headers)?;
    Some(status::from_grpc(&status, "a host", None, usize::MAX))
}

/// A server without a network.
#[allow(missing_debug_implementations)]
pub struct Server {
    calls: Calls,
    _ends: Ends,
}

impl Server {
    /// A server of these, whose messages have no more bytes than that.
    ///
    /// # Errors
    ///
    /// As `GrpcServerBuilder::bind`.
    pub fn new(modules: impl Into<Arc<ModuleService>>, message_limit: usize) -> Result<Self, ServeError> {
        let (calls, ends) = detached(modules, message_limit)?;
        Ok(Server { calls, _ends: ends })
    }

    /// The response to a request.
    pub async fn answer<B>(&self, request: http::Request<B>) -> http::Response<tonic::body::Body>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>> + Send,
    {
        match self.calls.clone().call(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}
