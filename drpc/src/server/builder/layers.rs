use std::error::Error;

use tower_layer::Layer;
use tower_service::Service;

use super::ServerBuilder;
use crate::dispatch::middleware::{Dispatch, Request};
use crate::handler::reply::Reply;

impl ServerBuilder {
    /// Puts a layer around the handlers of all modules: a time-out, a limit, a counter, by [`tower`](https://docs.rs/tower) or your
    /// own. As in `tower::ServiceBuilder`, the first that is added is the outermost.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use drpc::Server;
    /// use tower::limit::ConcurrencyLimitLayer;
    /// use tower::timeout::TimeoutLayer;
    ///
    /// let server = Server::builder()
    ///     .layer(TimeoutLayer::new(Duration::from_secs(5))) // of waiting and working together
    ///     .layer(ConcurrencyLimitLayer::new(16));
    /// ```
    ///
    /// What the layer makes is cloned for each call. An error of it that is no [`Failure`](struct@crate::Failure) answers FAILURE, and is
    /// logged. A layer is applied when the server is made; one that needs a runtime for that, such as `tower`'s buffer, needs
    /// [`bind`](Self::bind) to be called on one. [The chapter on middleware](crate::guide::middleware) has more.
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Dispatch> + Send + Sync + 'static,
        L::Service: Service<
                Request,
                Response = Reply,
                Error: Into<Box<dyn Error + Send + Sync>>,
                Future: Send + 'static,
            > + Clone
            + Send
            + Sync
            + 'static,
    {
        self.layers.add(layer);
        self
    }
}
