use std::fmt;
use std::sync::Arc;

use crate::handler::session::Session;

/// A server that runs on threads of its own, as its handle sees it.
pub(crate) trait Handled: Send + Sync {
    fn shutdown(&self);
    fn cut(&self);
    fn sessions(&self) -> Vec<Arc<Session>>;
    fn cut_session(&self, id: u64) -> bool;
}

/// Stops a [`Server`](crate::Server) or a [`blocking::Server`](crate::blocking::Server) from elsewhere, and shows what it is doing. Cheap to clone.
///
/// ```no_run
/// use drpc::Server;
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let server = Server::builder().bind("/run/greeter.sock")?;
///     let handle = server.handle();
///     let serving = tokio::spawn(server.serve());
///
///     println!("{} sessions", handle.sessions().len());
///     handle.shutdown();
///     println!("{}", serving.await??);
///     Ok(())
/// }
/// ```
#[derive(Clone)]
pub struct ServerHandle(Arc<dyn Handled>);

impl ServerHandle {
    pub(crate) fn new(server: Arc<dyn Handled>) -> Self {
        ServerHandle(server)
    }

    /// Begins a graceful shutdown ([S7](crate::guide::rules#server)) and returns at once; `serve` returns when it is done.
    pub fn shutdown(&self) {
        self.0.shutdown();
    }

    /// Shuts down at once, as if the drain time-out of [`shutdown`](Self::shutdown) were over, whether or not that has begun. It is what a second signal does to a
    /// server that serves until [`shutdown_signal`](crate::server::shutdown_signal).
    pub fn cut(&self) {
        self.0.cut();
    }

    /// The open sessions, oldest first: who is connected, since when, and which calls are running.
    ///
    /// ```
    /// # fn example(handle: drpc::ServerHandle) {
    /// for session in handle.sessions() {
    ///     println!("{}: uid {}, {} calls", session.id(), session.peer().uid(), session.calls_done());
    ///     for call in session.running_calls() {
    ///         println!("    {} for {:?}", call.method(), call.since().elapsed());
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// [`Session::close`] closes one.
    #[must_use]
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        self.0.sessions()
    }

    /// Ends a session at once, by its [number](Session::id): its handlers are dropped at their `await`, their calls are not answered, and the connection is closed. For a
    /// client that does not read its replies, or a handler that never ends; [`Session::close`] lets calls finish. A handler that blocks its thread is dropped when it
    /// next awaits, or its reply is discarded.
    ///
    /// Returns false if there is no such session (any more).
    pub fn cut_session(&self, id: u64) -> bool {
        self.0.cut_session(id)
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").finish_non_exhaustive()
    }
}
