//! Who calls, and how long they will wait: what a handler may ask about its call.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{self, Poll};
use std::time::Instant;

use event_listener::Event;
use futures_util::task::AtomicWaker;

use crate::transport::PeerCredentials;

/// What a handler may know about the call that it serves.
///
/// A handler asks for it by taking a `&Context` beside its request:
///
/// ```
/// # use drpc::{Context, drpc_module};
/// # #[derive(Default)]
/// # struct Whoami;
/// #[drpc_module(id = 9)]
/// impl Whoami {
///     #[method(1)]
///     fn whoami(&self, context: &Context) -> bytes::Bytes {
///         format!("uid={}", context.peer().uid()).into()
///     }
/// }
/// ```
///
/// It is cheap to clone, for work that goes on after the handler has answered.
#[derive(Clone, Debug)]
pub struct Context {
    session: Arc<Session>,
    sequence: i64,
    deadline: Option<Instant>,
}

impl Context {
    /// The context of a call that came outside of any server, as in a test of a hand-written
    /// [`Module`](crate::Module).
    #[must_use]
    pub fn new(session: Arc<Session>, sequence: i64) -> Self {
        Context { session, sequence, deadline: None }
    }

    pub(crate) fn with_deadline(self, deadline: Option<Instant>) -> Self {
        Context { deadline, ..self }
    }

    /// The session that the call came in.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The process that called (D8).
    #[must_use]
    pub fn peer(&self) -> &PeerCredentials {
        self.session.peer()
    }

    /// The call's sequence number, as the client chose it.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// When the handler will be cut off, if the server has a limit for that. The caller is then answered FAILURE.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Whether the answer is of no more use: the caller has left, or the server is shutting down.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.session.cancellation.is_cancelled()
    }

    /// Waits until [`is_cancelled`](Self::is_cancelled). A handler is told, never cut: calls of a client that left are
    /// still executed (S6) unless the handler decides otherwise.
    ///
    /// Cancel safe.
    pub async fn cancelled(&self) {
        self.session.cancellation.cancelled().await;
    }
}

/// One client's connection, as its handlers see it.
///
/// The peer's credentials are read once, when the connection is accepted.
pub struct Session {
    id: u64,
    peer: PeerCredentials,
    cancellation: Cancellation,
    /// The session is to take no more calls (S7).
    stopping: AtomicBool,
    /// The session's loop, to be told of that.
    task: AtomicWaker,
}

impl Session {
    /// A session with this number and peer.
    #[must_use]
    pub fn new(id: u64, peer: PeerCredentials) -> Self {
        Session {
            id,
            peer,
            cancellation: Cancellation::default(),
            stopping: AtomicBool::new(false),
            task: AtomicWaker::new(),
        }
    }

    /// The session's number, unique within its server.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The process at the other end (D8).
    #[must_use]
    pub fn peer(&self) -> &PeerCredentials {
        &self.peer
    }

    /// Tells the handlers that run that nobody waits for them.
    pub(crate) fn cancel(&self) {
        self.cancellation.cancel();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled()
    }

    /// Asks the session to take no more calls, and tells the handlers that run (S7).
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        self.cancel();
        self.task.wake();
    }

    /// Waits for [`stop`](Self::stop). For the session's own task: the last that asked is woken.
    pub(crate) fn poll_stop(&self, context: &mut task::Context<'_>) -> Poll<()> {
        self.task.register(context.waker());
        match self.stopping.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// A flag that can be waited for, on any runtime or none.
#[derive(Default)]
struct Cancellation {
    cancelled: AtomicBool,
    event: Event,
}

impl Cancellation {
    fn cancel(&self) {
        self.cancelled.store(true, Ordering::Release);
        self.event.notify(usize::MAX);
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Acquire)
    }

    async fn cancelled(&self) {
        while !self.is_cancelled() {
            let listener = self.event.listen();
            // Looked at again: the flag may have been set before the listener was there.
            if !self.is_cancelled() {
                listener.await;
            }
        }
    }
}
