//! Layers around the handlers: [`tower`](https://docs.rs/tower)'s, or your own.
//!
//! [The chapter on middleware](crate::guide::middleware) tells which to take for what.

use std::error::Error;
use std::fmt;
use std::future::{poll_fn, ready};
use std::sync::{Arc, OnceLock};
use std::task::{self, Poll};

use bytes::Bytes;
use tower_layer::Layer;
use tower_service::Service;

use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::failure::guard::guarded;
use crate::handler::method::Method;
use crate::handler::module::{HandlerFuture, Module};
use crate::handler::reply::Reply;

type BoxError = Box<dyn Error + Send + Sync>;

/// A call on its way to its handler, as a layer sees it. Its module and method exist, and the caller is allowed to call them.
///
/// ```
/// use drpc::Server;
/// use drpc::middleware::Request;
/// use tower::util::MapRequestLayer;
///
/// let server = Server::builder().layer(MapRequestLayer::new(|request: Request| {
///     println!("{} calls {}.{}", request.context().peer(), request.module_name(), request.method());
///     request
/// }));
/// ```
#[derive(Clone)]
pub struct Request {
    context: Context,
    module: Arc<dyn Module>,
    method: Method,
    body: Bytes,
}

impl Request {
    pub(crate) fn new(context: Context, module: Arc<dyn Module>, method: Method, body: Bytes) -> Self {
        Request { context, module, method, body }
    }

    /// Who calls, in which session, and whether they still wait.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The name of the module that is called. Its ID is [`method().module()`](Method::module).
    #[must_use]
    pub fn module_name(&self) -> &str {
        self.module.name()
    }

    /// The method that is called.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The marshalled request.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The same call with another body.
    #[must_use]
    pub fn with_body(self, body: impl Into<Bytes>) -> Self {
        Request { body: body.into(), ..self }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("module", &self.module_name())
            .field("method", &self.method)
            .field("sequence", &self.context.sequence())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .finish_non_exhaustive()
    }
}

/// The rest of a call's way: the [`Service`] that a layer wraps, with the handler at its end.
///
/// ```
/// use drpc::Server;
/// use drpc::middleware::{Dispatch, Request};
/// use tower::layer::layer_fn;
/// use tower::util::MapRequest;
///
/// fn pass(request: Request) -> Request {
///     request
/// }
///
/// let server = Server::builder().layer(layer_fn(|next: Dispatch| MapRequest::new(next, pass)));
/// ```
#[derive(Clone, Default)]
pub struct Dispatch(Option<Box<dyn Layered>>);

impl Dispatch {
    /// Waits until the layers are ready for the call, and sends it through them.
    pub(crate) fn oneshot(mut self, request: Request) -> HandlerFuture<'static> {
        Box::pin(async move {
            poll_fn(|context| self.poll_ready(context)).await?;
            self.call(request).await
        })
    }
}

impl Service<Request> for Dispatch {
    type Response = Reply;
    type Error = Failure;
    type Future = HandlerFuture<'static>;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), Failure>> {
        match &mut self.0 {
            Some(layered) => layered.ready(context),
            None => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request) -> HandlerFuture<'static> {
        match &mut self.0 {
            Some(layered) => layered.send(request),
            None => {
                let Request { context, module, method, body } = request;
                // A module written by hand may panic before it gives a future: not in the hands of a layer (S10).
                guarded(|| module.handle_call(context, method, body))
                    .unwrap_or_else(|panic| Box::pin(ready(Err(Failure::panicked(panic, false)))))
            }
        }
    }
}

impl fmt::Debug for Dispatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dispatch").field("layered", &self.0.is_some()).finish()
    }
}

/// A layered service, whatever its type.
trait Layered: Send + Sync {
    fn ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), Failure>>;
    fn send(&mut self, request: Request) -> HandlerFuture<'static>;
    fn clone_box(&self) -> Box<dyn Layered>;
}

impl<S> Layered for S
where
    S: Service<Request, Response = Reply, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + Sync
        + 'static,
{
    fn ready(&mut self, context: &mut task::Context<'_>) -> Poll<Result<(), Failure>> {
        self.poll_ready(context).map_err(Failure::from_error)
    }

    fn send(&mut self, request: Request) -> HandlerFuture<'static> {
        let answer = self.call(request);
        Box::pin(async move { answer.await.map_err(Failure::from_error) })
    }

    fn clone_box(&self) -> Box<dyn Layered> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Layered> {
    fn clone(&self) -> Self {
        (**self).clone_box()
    }
}

/// The layers of a server, and what they make of the way of a call.
#[derive(Default)]
pub(crate) struct Layers {
    /// The outermost first.
    layers: Vec<Box<dyn Fn(Dispatch) -> Dispatch + Send + Sync>>,
    /// Made when it is first asked for.
    all: OnceLock<Dispatch>,
}

impl Layers {
    /// Adds a layer within those that are there.
    pub(crate) fn add<L>(&mut self, layer: L)
    where
        L: Layer<Dispatch> + Send + Sync + 'static,
        L::Service: Service<Request, Response = Reply, Error: Into<BoxError>, Future: Send + 'static>
            + Clone
            + Send
            + Sync
            + 'static,
    {
        self.layers.push(Box::new(move |next| Dispatch(Some(Box::new(layer.layer(next))))));
        self.all = OnceLock::new();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }

    /// The whole way, through all layers; `None` if there is none.
    pub(crate) fn all(&self) -> Option<&Dispatch> {
        if self.is_empty() {
            return None;
        }
        let wrap = || self.layers.iter().rev().fold(Dispatch::default(), |next, layer| layer(next));
        Some(self.all.get_or_init(wrap))
    }
}
