//! Work that goes on after its call was answered ([`Context::spawn`](crate::Context::spawn)).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use tracing::Span;

use crate::handler::cancellation::Cancellation;
use crate::handler::failure::Escaped;
use crate::handler::failure::guard::guarded;
use crate::handler::session::Session;
use crate::observe::peer_log::{Line, PeerLog};

/// A piece of work of a call. Its panic is logged and ends nothing else (S10), also where it is dropped.
pub(crate) struct Work {
    /// `None` once it is dropped.
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    session: u64,
    sequence: i64,
    /// What the session's user may have logged.
    log: Arc<PeerLog>,
    /// What it logs is still of its call.
    span: Span,
}

/// Where a server does the work of its sessions.
pub(crate) trait Background: Send + Sync {
    /// Begins a piece of work, or drops it if the server has ended.
    fn spawn(&self, work: Work);

    /// Does something that takes long, without holding up the sessions that share this thread, where that can be.
    fn do_long(&self, work: &mut dyn FnMut()) {
        work();
    }

    /// Tells the work that the server is to stop (S7).
    fn cancellation(&self) -> &Cancellation;
}

impl Work {
    pub(crate) fn new(
        session: &Session,
        sequence: i64,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let (work, log) = (Some(Box::pin(work) as _), session.log().clone());
        Work { work, session: session.id(), sequence, log, span: Span::current() }
    }

    /// What may be logged of it.
    #[cfg(feature = "blocking-server")]
    pub(crate) fn log(&self) -> &Arc<PeerLog> {
        &self.log
    }

    #[cold]
    fn log_panic(&self, when: &str, panic: &str) {
        if !self.log.admits(Line::Panicked) {
            return;
        }
        tracing::error!(
            session = self.session,
            sequence = self.sequence,
            "work in the background panicked{when}: {}",
            Escaped(panic)
        );
    }
}

impl Future for Work {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let Some(work) = &mut this.work else { return Poll::Ready(()) };
        let _entered = this.span.enter();
        guarded(|| work.as_mut().poll(context)).unwrap_or_else(|panic| {
            this.log_panic("", &panic);
            Poll::Ready(())
        })
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        let work = self.work.take();
        let _entered = self.span.enter();
        if let Err(panic) = guarded(|| drop(work)) {
            self.log_panic(" as it was dropped", &panic);
        }
    }
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
