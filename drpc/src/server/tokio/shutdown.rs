use std::fmt;
use std::future::Future;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::shared::Shared;
use crate::handler::session::Session;

/// Stops a [`Server`](super::Server) from elsewhere, and shows what it is doing. Cheap to clone.
#[derive(Clone)]
pub struct ServerHandle(Arc<Shared>);

impl ServerHandle {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        ServerHandle(shared)
    }

    /// Begins a graceful shutdown (S7) and returns at once; `serve` returns when it is done.
    pub fn shutdown(&self) {
        self.0.shutdown.send_replace(true);
        self.0.sessions.stop();
    }

    /// The live sessions, the oldest first: who is connected, since when, and what their calls are doing.
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
        self.0.sessions.list()
    }

    /// Ends a session at once, by its [number](Session::id): its handlers are dropped where they wait, their calls are not
    /// answered, and the connection is closed. For a client that does not read its replies, or a handler that never ends;
    /// [`Session::close`] lets calls finish. A handler that blocks its thread is cut when it next waits.
    ///
    /// False if there is no such session (any more).
    pub fn cut_session(&self, id: u64) -> bool {
        self.0.sessions.cut(id)
    }
}

impl fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerHandle").finish_non_exhaustive()
    }
}

/// Waits until the server is to stop. Cancel safe.
pub(super) async fn draining(mut shutdown: watch::Receiver<bool>) {
    if shutdown.wait_for(|stop| *stop).await.is_err() {
        // Nobody is left who could stop it.
        std::future::pending::<()>().await;
    }
}

/// A future that is ready at SIGTERM or SIGINT (ctrl-c): what asks a daemon to stop. For
/// [`Server::serve_until`](super::Server::serve_until).
///
/// From this call on, and not only once the future is polled, these signals no longer end the process by themselves.
///
/// # Panics
///
/// If the process can't install a signal handler, or outside of a tokio runtime with its I/O driver on.
pub fn shutdown_signal() -> impl Future<Output = ()> + Send + 'static {
    let mut terminate = signal(SignalKind::terminate()).expect("SIGTERM can be handled");
    let mut interrupt = signal(SignalKind::interrupt()).expect("SIGINT can be handled");
    async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
