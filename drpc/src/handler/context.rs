//! Who calls, and how long they will wait: what a handler may ask about its call.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::handler::background::{Work, spawn_without_server};
use crate::handler::cancellation::{Cancellation, Cancelled};
use crate::handler::method::Method;
use crate::handler::payload::{DEFAULT_DECODE_LIMIT, DecodeLimit};
use crate::handler::session::Session;
use crate::transport::PeerCredentials;
use crate::wire::TraceContext;

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
/// It is cheap to clone. [`spawn`](Self::spawn) is for work that goes on after the handler has answered.
#[derive(Clone, Debug)]
pub struct Context {
    session: Arc<Session>,
    sequence: i64,
    deadline: Option<Instant>,
    trace: Option<Arc<TraceContext>>,
    /// The server's limit for requests that are decoded.
    request_limit: usize,
    /// It is that of work in the background, which goes on when the caller has left.
    in_background: bool,
}

impl Context {
    /// The context of a call that came outside of any server, as in a test of a hand-written
    /// [`Module`](crate::Module).
    #[must_use]
    pub fn new(session: Arc<Session>, sequence: i64) -> Self {
        Context {
            session,
            sequence,
            deadline: None,
            trace: None,
            request_limit: DEFAULT_DECODE_LIMIT,
            in_background: false,
        }
    }

    /// The same context, whose handler may take so long from `now` on: the shorter of the server's limit and of what its caller has left.
    pub(crate) fn within(
        self,
        limit: Option<Duration>,
        callers: Option<Duration>,
        now: impl FnOnce() -> Instant,
    ) -> Self {
        let time = limit.into_iter().chain(callers).min();
        Context { deadline: time.and_then(|time| now().checked_add(time)), ..self }
    }

    pub(crate) fn with_trace(self, trace: Option<Arc<TraceContext>>) -> Self {
        Context { trace, ..self }
    }

    pub(crate) fn with_request_limit(self, bytes: usize) -> Self {
        Context { request_limit: bytes, ..self }
    }

    /// How much of a request of the method is decoded.
    pub(crate) fn request_limit(&self, method: Method) -> DecodeLimit {
        DecodeLimit::OfRequest(method.request_limit().unwrap_or(self.request_limit))
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

    /// When the handler will be cut off: when the [method's time-out](crate::Method::timeout) is over, or else the server's limit for
    /// handlers; or the caller's time, if the caller [sent it along](crate::guide::added_fields) (E5) and it ends before. The caller is then
    /// answered FAILURE.
    ///
    /// A call to another server passes it on by [`CallOptions::on_behalf_of`](crate::CallOptions::on_behalf_of).
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The caller's place in a trace, if the caller [sent it along](crate::guide::added_fields) (E5): the parent of the span that
    /// the handler makes.
    #[must_use]
    pub fn trace_context(&self) -> Option<&TraceContext> {
        self.trace.as_deref()
    }

    pub(crate) fn shared_trace(&self) -> Option<Arc<TraceContext>> {
        self.trace.clone()
    }

    /// Whether the answer is of no more use: the caller has left, or the server ends the session.
    /// [`cancellation`](Self::cancellation) says which.
    ///
    /// On a [server in threads](crate::blocking::Server) it is a system call, which looks whether the caller is still there.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.source().is_cancelled()
    }

    /// Why the answer is of no more use; `None` while it is wanted.
    ///
    /// A handler that stops early may tell a caller that left from a server that shuts down and would still answer:
    ///
    /// ```
    /// # use drpc::{Context, drpc_module};
    /// # struct Copier;
    /// use drpc::{Cancelled, Failure};
    ///
    /// #[drpc_module(id = 9)]
    /// impl Copier {
    ///     #[method(1)]
    ///     async fn copy(&self, context: &Context) -> Result<(), Failure> {
    ///         context.cancelled().await;
    ///         match context.cancellation() {
    ///             Some(Cancelled::CallerLeft) => Ok(()),
    ///             _ => Err("stopped half way: call again".into()),
    ///         }
    ///     }
    /// }
    /// ```
    #[must_use]
    pub fn cancellation(&self) -> Option<Cancelled> {
        self.source().reason()
    }

    /// Waits until [`is_cancelled`](Self::is_cancelled). A handler is told, never cut: calls of a client that left are
    /// still executed (S6) unless the handler decides otherwise.
    ///
    /// Cancel safe.
    pub async fn cancelled(&self) {
        self.source().cancelled().await;
    }

    /// Begins work in the background, that goes on when the call has been answered: usually by
    /// [`Submitted`](crate::Submitted).
    ///
    /// `work` is given a context of its own, that of the same call. It has no deadline, and a caller that leaves does not
    /// cancel it: a shutdown of the server alone does ([`Cancelled::ShuttingDown`]).
    ///
    /// ```
    /// # use drpc::{Context, Submitted, drpc_module};
    /// # struct Pools;
    /// #[drpc_module(id = 5)]
    /// impl Pools {
    ///     #[method(1)]
    ///     fn scrub(&self, context: &Context) -> Submitted {
    ///         context.spawn(|context| async move {
    ///             for block in 0..1000 {
    ///                 if context.is_cancelled() {
    ///                     return;
    ///                 }
    ///                 scrub(block).await;
    ///             }
    ///         });
    ///         Submitted
    ///     }
    /// }
    ///
    /// async fn scrub(_block: u32) {}
    /// ```
    ///
    /// The work is done by the server that the call came in:
    ///
    /// - by [`Server`](crate::Server), and by one in [memory](crate::testing), as a task on its runtime;
    /// - by a [server in threads](crate::blocking::Server), each piece on a thread of its own;
    /// - by a [progress server](crate::progress) in its steps, where work that blocks its thread holds up the loop.
    ///
    /// It survives its session, and one that is cut. A panic is logged, and ends the work alone (S10). A graceful shutdown waits for it as for a call:
    /// what is not done at the end of the drain timeout is dropped where it waits (S7). Nothing limits how much of it there
    /// is: a handler that is called often had better bound it itself.
    ///
    /// Outside of any server, with a [`Context::new`] as in a unit test, it is a task on the tokio runtime that this is called
    /// on.
    ///
    /// # Panics
    ///
    /// Outside of both a server and a tokio runtime.
    #[track_caller]
    pub fn spawn<W>(&self, work: impl FnOnce(Context) -> W)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let context = Context { deadline: None, in_background: true, ..self.clone() };
        let work = Work::new(self.session.id(), self.sequence, work(context));
        match self.session.background() {
            Some(background) => background.spawn(work),
            None => spawn_without_server(work),
        }
    }

    /// What cancels this.
    fn source(&self) -> &Cancellation {
        match self.session.background() {
            Some(background) if self.in_background => background.cancellation(),
            _ => self.session.cancellation(),
        }
    }
}
