//! Work that goes on after its call was answered ([`Context::spawn`](crate::Context::spawn)).

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;

use futures_util::FutureExt;
use tracing::Instrument;

use crate::Context;
use crate::cancellation::Cancellation;
use crate::failure::panic_text;

/// A piece of work. It does not panic.
pub(crate) type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a server does the work of its sessions.
pub(crate) trait Background: Send + Sync {
    /// Begins a piece of work, or drops it if the server has ended.
    fn spawn(&self, work: Work);

    /// Tells the work that the server is to stop (S7).
    fn cancellation(&self) -> &Cancellation;
}

/// Work of a call, whose panic is logged and ends nothing else (S10).
pub(crate) fn work_of(context: Context, work: impl Future<Output = ()> + Send + 'static) -> Work {
    let guarded = async move {
        if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
            tracing::error!(
                session = context.session().id(),
                sequence = context.sequence(),
                "work in the background panicked: {}",
                panic_text(&*panic)
            );
        }
    };
    // What it logs is still of its call.
    Box::pin(guarded.in_current_span())
}

/// Begins work outside of any server.
#[cfg(any(feature = "server", feature = "client"))]
#[track_caller]
pub(crate) fn spawn_without_server(work: Work) {
    drop(tokio::spawn(work));
}

/// Begins work outside of any server.
#[cfg(not(any(feature = "server", feature = "client")))]
#[track_caller]
pub(crate) fn spawn_without_server(_: Work) {
    panic!("there is no server to do work in the background: the call came in none");
}

/// Tells that work came too late.
pub(crate) fn log_too_late() {
    tracing::warn!("work in the background is dropped: the server has ended");
}
