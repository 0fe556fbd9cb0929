//! All that is served: the modules, and what tools ask beside them.

use std::convert::Infallible;
use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::TryFutureExt;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::{Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tonic::service::Routes;
use tower_service::Service;

use super::ending::Ending;
use super::service::{Answer, Answered, Calls};

/// The calls of the modules, and the services of gRPC's own beside them.
#[derive(Clone)]
pub(super) struct Served {
    calls: Calls,
    others: Routes,
}

impl Served {
    pub(super) fn new(calls: Calls, others: Routes) -> Self {
        let others = Routes::from(others.into_axum_router().fallback_service(calls.clone()));
        Served { calls, others: others.prepare() }
    }
}

impl Service<Request<Body>> for Served {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer<Answered>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if !is_grpc(&request) {
            let mut answer = Response::new(Body::empty());
            *answer.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Box::pin(ready(Ok(answer)));
        }
        if let Some(method) = self.calls.method(request.uri().path()) {
            return self.calls.carry_out(method, request);
        }
        let ending = self.calls.ending();
        Box::pin(
            self.others.call(request).map_ok(|answer| answer.map(|body| Body::new(Ended::new(body, ending)))),
        )
    }
}

/// Whether a request is one of gRPC, by what its protocol says. A browser's form, which may be sent to any address, is none.
fn is_grpc<B>(request: &Request<B>) -> bool {
    let content = request.headers().get(CONTENT_TYPE).map(|content| content.as_bytes());
    request.method() == Method::POST
        && content.is_some_and(|content| content.starts_with(b"application/grpc"))
}

/// An answer that ends when the server begins to: who watches its health, or lists its services, does so without end, and would hold it up.
struct Ended {
    /// `None` once it is cut short.
    body: Option<Body>,
    begins: Answer<()>,
}

impl Ended {
    fn new(body: Body, ending: Ending) -> Self {
        Ended { body: Some(body), begins: Box::pin(async move { ending.begins().await }) }
    }
}

impl http_body::Body for Ended {
    type Data = Bytes;
    type Error = Status;

    /// What is there is sent first: so who watches is told.
    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        if let Poll::Ready(next) = Pin::new(body).poll_frame(context) {
            return Poll::Ready(next);
        }
        ready!(self.begins.as_mut().poll(context));
        self.body = None;
        let mut trailers = HeaderMap::new();
        Status::unavailable("the server shuts down").add_header(&mut trailers)?;
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use drpc::{Context as CallContext, Failure, Module, ModuleService, Reply};

    use super::super::detached;
    use super::*;

    struct Echo;

    const ECHO: drpc::Method = drpc::Method::new(5, 501, "echo");

    #[drpc::async_trait]
    impl Module for Echo {
        fn id(&self) -> i32 {
            5
        }

        fn is_remote(&self) -> bool {
            true
        }

        fn name(&self) -> &str {
            "echo"
        }

        fn get_method(&self, id: i32) -> Option<drpc::Method> {
            (id == ECHO.id()).then_some(ECHO)
        }

        async fn handle_call(
            self: Arc<Self>,
            _: CallContext,
            _: drpc::Method,
            body: Bytes,
        ) -> Result<Reply, Failure> {
            Ok(body.into())
        }
    }

    fn modules() -> ModuleService {
        let mut modules = ModuleService::new();
        modules.register(Echo).unwrap();
        modules
    }

    /// Of an empty message.
    fn call(method: Method, content: &str) -> Request<Body> {
        let request = Request::builder().method(method).uri("/drpc.5/501").header(CONTENT_TYPE, content);
        request.body(Body::new("\0\0\0\0\0".to_owned())).unwrap()
    }

    async fn answer(served: &mut Served, request: Request<Body>) -> Response<Body> {
        match served.call(request).await {
            Ok(answer) => answer,
            Err(never) => match never {},
        }
    }

    #[tokio::test]
    async fn what_is_not_grpc_is_no_call() {
        let (calls, _ends) = detached(modules(), 1000).unwrap();
        let mut served = Served::new(calls, Routes::default());
        for (method, content, status) in [
            (Method::POST, "application/grpc", 200),
            (Method::POST, "application/grpc+proto", 200),
            (Method::POST, "text/plain", 415),
            (Method::POST, "application/json", 415),
            (Method::GET, "application/grpc", 415),
        ] {
            let answer = answer(&mut served, call(method, content)).await;
            assert_eq!(answer.status(), status, "{content}");
        }
    }

    #[tokio::test]
    async fn nothing_is_begun_once_the_server_is_no_more() {
        let (calls, ends) = detached(modules(), 1000).unwrap();
        let mut served = Served::new(calls, Routes::default());
        let request = || call(Method::POST, "application/grpc");
        let before = answer(&mut served, request()).await;
        assert!(!before.headers().contains_key("grpc-status"));
        // One that has come already, too.
        let between = served.call(request());
        drop(ends);
        let Ok(between) = between.await;
        for answer in [between, answer(&mut served, request()).await] {
            assert_eq!(answer.headers()["grpc-status"], "14");
        }
    }
}
