//! Who calls, and how long they will wait: what a handler may ask about its call.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::select;
use futures_util::stream::Stream;

use crate::descriptors::Descriptors;
use crate::handler::background::{Work, spawn_without_server};
use crate::handler::cancellation::{Cancellation, Cancelled};
use crate::handler::control::CallControl;
use crate::handler::decoding::Decoding;
use crate::handler::failure::Failure;
use crate::handler::inbox::Carried;
use crate::handler::method::Method;
use crate::handler::session::Session;
use crate::transport::PeerCredentials;
use crate::wire::TraceContext;

/// What a handler may know about its call.
///
/// A handler gets it by taking a `&Context` beside its request:
///
/// ```
/// # use drpc::{Bytes, Context, drpc_module};
/// # #[derive(Default)]
/// # struct Whoami;
/// #[drpc_module(id = 9)]
/// impl Whoami {
///     #[method(1)]
///     fn whoami(&self, context: &Context) -> Bytes {
///         format!("uid={}", context.peer().uid()).into()
///     }
/// }
/// ```
///
/// It is cheap to clone. [`spawn`](Self::spawn) is for work that continues after the reply.
#[derive(Clone, Debug)]
pub struct Context {
    session: Arc<Session>,
    sequence: i64,
    deadline: Option<Instant>,
    /// What came with the call besides its body; `None` if nothing did.
    added: Option<Arc<Added>>,
    /// It is that of work in the background, which goes on when the caller has left.
    in_background: bool,
}

/// What came with a call besides its body, or may be said of it while it runs.
#[derive(Clone, Debug, Default)]
struct Added {
    trace: Option<Arc<TraceContext>>,
    descriptors: Descriptors,
    control: Option<Arc<CallControl>>,
}

impl Context {
    /// The context of a call outside of any server, as in a unit test of a hand-written [`Module`](crate::Module).
    #[must_use]
    pub fn new(session: Arc<Session>, sequence: i64) -> Self {
        Context { session, sequence, deadline: None, added: None, in_background: false }
    }

    /// The same context, with a [deadline](Self::deadline). Who made it sees to it that the handler is cut off then.
    ///
    /// ```
    /// # use std::time::{Duration, Instant};
    /// # use drpc::{Context, PeerCredentials, Session};
    /// let session = Session::new(1, PeerCredentials::this_process());
    /// let at = Instant::now() + Duration::from_secs(5);
    /// assert_eq!(Context::new(session.into(), 1).with_deadline(at).deadline(), Some(at));
    /// ```
    #[must_use]
    pub fn with_deadline(self, at: Instant) -> Self {
        Context { deadline: Some(at), ..self }
    }

    /// The same context, for what no time is set.
    pub(crate) fn without_deadline(self) -> Self {
        Context { deadline: None, ..self }
    }

    /// The same context, with its caller's [trace context](Self::trace_context).
    #[must_use]
    pub fn with_trace_context(self, trace: TraceContext) -> Self {
        self.with_trace(Some(trace.into()))
    }

    /// The same context, of a call that may be answered by a [stream](crate::guide::streams), for who carries calls by something with a flow control
    /// of its own: [`Processing::take_items`](crate::Processing::take_items) gives the items, which are limited by nothing but how often they are asked for.
    #[must_use]
    pub fn with_polled_stream(self) -> Self {
        let control = CallControl::of_polled(self.sequence, None);
        self.with_control(control)
    }

    /// The same, of a call whose caller sends a [stream](crate::guide::streams), too: a handler that takes one gets these items, each as it asks for it. They end by `None` only if the
    /// caller has sent all; a failure is the last, and says why no more come.
    ///
    /// ```
    /// use drpc::wire::{Call, CallFields};
    /// use drpc::{Bytes, Context, Failure, Incoming, ModuleService, PeerCredentials, Session, drpc_module};
    /// use futures_util::{StreamExt, stream};
    ///
    /// struct Store;
    ///
    /// #[drpc_module(id = 8)]
    /// impl Store {
    ///     #[method(1, stream)]
    ///     async fn count(&self, mut pieces: Incoming<Bytes>) -> Result<Bytes, Failure> {
    ///         let mut bytes = 0;
    ///         while let Some(piece) = pieces.next().await {
    ///             bytes += piece?.len();
    ///         }
    ///         Ok(bytes.to_string().into())
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut service = ModuleService::new();
    /// service.register(Store)?;
    /// let pieces = stream::iter(["one", "two"].map(|piece| Ok(piece.into())));
    /// let session = Session::new(1, PeerCredentials::this_process());
    /// let context = Context::new(session.into(), 1).with_polled_items(pieces);
    /// let sends = CallFields { sends_items: true, ..CallFields::default() };
    /// let call = Call { module: 8, method: 801, sequence: 1, body: "".into(), added: Some(sends.into()) };
    ///
    /// let mut processing = service.process(context, call);
    /// assert!((&mut processing).await.part().is_some(), "it is open");
    /// let mut responses = processing.take_items().expect("it has opened one");
    /// assert_eq!(responses.next().await.unwrap().body.into_bytes(), "6");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with_polled_items(
        self,
        items: impl Stream<Item = Result<Bytes, Failure>> + Send + 'static,
    ) -> Self {
        let control = CallControl::of_polled(self.sequence, Some(Carried::new(items)));
        self.with_control(control)
    }

    /// The same context, whose handler may take so long from `now` on: the shorter of the server's limit and of what its caller has left.
    pub(crate) fn within(
        self,
        limit: Option<Duration>,
        callers: Option<Duration>,
        now: impl FnOnce() -> Instant,
    ) -> Self {
        let time = match (limit, callers) {
            (None, None) => return self,
            (Some(limit), Some(callers)) => limit.min(callers),
            (Some(time), None) | (None, Some(time)) => time,
        };
        Context { deadline: now().checked_add(time), ..self }
    }

    pub(crate) fn with_trace(self, trace: Option<Arc<TraceContext>>) -> Self {
        let Some(trace) = trace else { return self };
        let added = Added { trace: Some(trace), ..self.added() };
        Context { added: Some(added.into()), ..self }
    }

    pub(crate) fn with_descriptors(self, descriptors: Descriptors) -> Self {
        let added = Added { descriptors, ..self.added() };
        Context { added: Some(added.into()), ..self }
    }

    pub(crate) fn with_control(self, control: Arc<CallControl>) -> Self {
        let added = Added { control: Some(control), ..self.added() };
        Context { added: Some(added.into()), ..self }
    }

    /// That its caller may say something of the call.
    pub(crate) fn control(&self) -> Option<&Arc<CallControl>> {
        self.added.as_ref()?.control.as_ref()
    }

    fn added(&self) -> Added {
        self.added.as_deref().cloned().unwrap_or_default()
    }

    /// How a request of the method is decoded.
    #[inline]
    pub(crate) fn decoding(&self, method: Method, body: &Bytes) -> Decoding {
        let limit = method.request_limit().unwrap_or_else(|| self.session.request_limit());
        Decoding::of_request(&self.session, body, limit)
    }

    /// The session that the call belongs to.
    #[must_use]
    pub fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// The calling process ([D8](crate::guide::rules#dispatch)).
    #[must_use]
    pub fn peer(&self) -> &PeerCredentials {
        self.session.peer()
    }

    /// The call's sequence number, chosen by the client.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// When the handler will be dropped: at the end of the [method's time-out](crate::Method::timeout), or else of the server's; or when the caller's time is over, if
    /// the caller [sent it](crate::guide::added_fields) ([E5](crate::guide::rules#envelope)) and that is earlier. The call is then answered FAILURE.
    ///
    /// Of a [stream](crate::guide::streams) it is when that must be open, and says nothing of its items. A handler that takes an [`Incoming`](crate::Incoming) has none, since that is
    /// open as soon as it begins.
    ///
    /// [`CallOptions::on_behalf_of`](crate::CallOptions::on_behalf_of) passes it on in a call to another server.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// The descriptors that came with the call, for a [`Module`](crate::Module) written by hand; a handler takes [`WithFds`](crate::WithFds). Its method
    /// is declared with [`fds`](Method::fds).
    ///
    /// They count as the session's until the last clone of this context is dropped, whoever has taken them.
    #[must_use]
    pub fn descriptors(&self) -> Descriptors {
        self.added.as_ref().map(|added| added.descriptors.clone()).unwrap_or_default()
    }

    /// The caller's trace context, if the caller [sent it](crate::guide::added_fields) ([E5](crate::guide::rules#envelope)): the parent of the handler's span.
    #[must_use]
    pub fn trace_context(&self) -> Option<&TraceContext> {
        self.added.as_ref()?.trace.as_deref()
    }

    pub(crate) fn shared_trace(&self) -> Option<Arc<TraceContext>> {
        self.added.as_ref()?.trace.clone()
    }

    /// Whether the reply is no longer of use, or soon won't be: the caller has left, or given up the call, or the server ends the session. [`cancellation`](Self::cancellation) says which.
    ///
    /// On a [blocking server](crate::blocking::Server) this is a system call that checks whether the caller is still there.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.source().is_cancelled() || self.was_given_up()
    }

    /// Why the reply is no longer of use; `None` while it is wanted.
    ///
    /// A handler that stops early may tell a caller that left from a server that is shutting down and would still send the reply:
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
        self.source().reason().or_else(|| self.own_source()?.reason())
    }

    /// Waits for [`is_cancelled`](Self::is_cancelled). A handler is notified, not dropped: calls of a client that left are still executed ([S6](crate::guide::rules#server)) unless the
    /// handler decides otherwise.
    ///
    /// Cancel safe.
    pub async fn cancelled(&self) {
        let of_session = self.source().cancelled();
        match self.own_source() {
            None => of_session.await,
            Some(own) => {
                select(pin!(of_session), pin!(own.cancelled())).await;
            }
        }
    }

    /// Starts background work, which continues after the call was answered, usually with [`Submitted`](crate::Submitted).
    ///
    /// `work` gets a context of its own for the same call. It has no deadline, and is not cancelled when the caller leaves, only when the server shuts down
    /// ([`Cancelled::ShuttingDown`]).
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
    /// The server that received the call runs it:
    ///
    /// - [`Server`](crate::Server), and one in [memory](crate::testing), as a task on its runtime;
    /// - a [blocking server](crate::blocking::Server) on a thread of its own;
    /// - a [progress server](crate::progress) in its steps, where work that blocks its thread holds up the loop.
    ///
    /// It outlives its session, even one that is cut. A panic is logged, and ends this work only ([S10](crate::guide::rules#server)). A graceful shutdown waits for it as for a call; what is not
    /// done after the drain time-out is dropped at its `await` ([S7](crate::guide::rules#server)). Its amount is not limited: a handler that is called often should bound it.
    ///
    /// Outside of any server, with a [`Context::new`] as in a unit test, it is a task on the current tokio runtime.
    ///
    /// # Panics
    ///
    /// Outside of both a server and a tokio runtime.
    #[track_caller]
    pub fn spawn<W>(&self, work: impl FnOnce(Context) -> W)
    where
        W: Future<Output = ()> + Send + 'static,
    {
        let context = Context { in_background: true, ..self.clone().without_deadline() };
        let work = Work::new(&self.session, self.sequence, work(context));
        match self.session.background() {
            Some(background) => background.spawn(work),
            None => spawn_without_server(work),
        }
    }

    /// Whether its caller has said that it has given the call up.
    pub(crate) fn was_given_up(&self) -> bool {
        self.own_source().is_some_and(Cancellation::is_cancelled)
    }

    /// What cancels this call alone.
    fn own_source(&self) -> Option<&Cancellation> {
        let control = self.control().filter(|_| !self.in_background);
        control.map(|control| control.cancellation())
    }

    /// What cancels this.
    fn source(&self) -> &Cancellation {
        match self.session.background() {
            Some(background) if self.in_background => background.cancellation(),
            _ => self.session.cancellation(),
        }
    }
}
