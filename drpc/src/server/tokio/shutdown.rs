use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

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
