//! One client's connection, as handlers, hooks and the server's owner see it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::{self, Poll};
use std::time::{Duration, Instant, SystemTime};
use std::{fmt, mem};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tracing::Span;
use tracing::span::EnteredSpan;

use crate::budget::{Absence, Account, Budget, Lease, OverBudget, Purpose, STREAM};
use crate::buffer::SMALL;
use crate::handler::background::Background;
use crate::handler::cancellation::{Cancellation, Cancelled};
use crate::handler::control::{Controls, StreamLimits};
use crate::handler::decoding::DEFAULT_DECODE_LIMIT;
use crate::handler::extensions::Extensions;
use crate::handler::method::Method;
use crate::observe::peer_log::{Line, PeerLog, PeerLogs};
use crate::observe::session::session_span;
use crate::rate::{Bucket, Rate};
use crate::transport::{Address, PeerCredentials};
use crate::wire::{Body, Control, ResponseFields};

/// A client's connection, as its handlers see it.
///
/// ```
/// use drpc::{Context, Failure, drpc_module};
///
/// struct Counter;
///
/// struct Calls(u64);
///
/// #[drpc_module(id = 9)]
/// impl Counter {
///     #[method(1)]
///     fn count(&self, context: &Context) -> Result<(), Failure> {
///         let session = context.session();
///         let before = session.extensions().get::<Calls>().map_or(0, |calls| calls.0);
///         session.extensions().insert(Calls(before + 1));
///         println!("call {before} of session {}, {}", session.id(), session.peer());
///         Ok(())
///     }
/// }
/// ```
///
/// The peer's credentials are read once, when the connection is accepted ([D8](crate::guide::rules#dispatch)).
pub struct Session {
    id: u64,
    peer: PeerCredentials,
    /// What the session does is in it. Disabled, if nobody watches, or no server made the session.
    span: Span,
    /// Where what it holds is counted; `None` outside of any server.
    account: Option<Arc<Account>>,
    /// That the peer's groups are counted, of which there may be many; or why there is no room for them.
    groups: Result<Lease, OverBudget>,
    /// To how many bytes requests are decoded, unless their method says otherwise.
    request_limit: usize,
    presence: Mutex<Presence>,
    /// What its user may have logged.
    log: Arc<PeerLog>,
    /// The bad calls that its client may still make.
    bad_calls: Mutex<Bucket>,
    opened_at: SystemTime,
    extensions: Extensions,
    cancellation: Cancellation,
    /// The calls that the client may say something of, once it has asked whether it may.
    controls: OnceLock<Arc<Controls>>,
    /// The client takes packs.
    packs: AtomicBool,
    /// Nothing more is heard of the client, whether it has asked that or not.
    read: AtomicBool,
    /// The client is known to have left. Handlers may have been told of something else before.
    left: AtomicBool,
    /// Asked whether the client has left, where nobody is told of that.
    connection: OnceLock<Weak<dyn Connection>>,
    /// Where its work in the background is done; `None` outside of any server.
    background: Option<Arc<dyn Background>>,
    /// The session is to take no more calls (S7).
    stopping: AtomicBool,
    /// The session's loop, to be told of that.
    task: AtomicWaker,
    /// Calls that have ended.
    calls_done: AtomicU64,
    /// Where the methods are found that its workers carry out; nothing outside of any server.
    methods: Option<Arc<dyn Methods>>,
    /// The calls whose handlers wait for something.
    running: Mutex<Running>,
}

/// How many bad calls a client may make before its session is closed.
const BAD_CALLS: Rate = Rate { most: 1000, once_in: Duration::from_millis(10) };

/// Whether the client is there.
#[derive(Default)]
enum Presence {
    #[default]
    Present,
    /// It has left, and what it has asked for is still carried out. Counted, where there is a server that counts.
    Left(#[allow(dead_code, reason = "it counts until it is dropped")] Option<Absence>),
    /// The session has ended, too.
    Ended,
}

/// A connection that can be asked about its other end.
pub(crate) trait Connection: Send + Sync {
    /// Whether the client has closed it altogether: a half-close does not count.
    fn peer_has_left(&self) -> bool;
}

/// The methods of a server.
pub(crate) trait Methods: Send + Sync {
    fn find(&self, module: i32, method: i32) -> Option<Method>;
    /// The modules as a caller may see them, by ascending ID.
    #[cfg(feature = "reflection")]
    fn served_to(&self, caller: &Session) -> Vec<ServedModule>;
}

/// A module, and how far a caller may call it.
#[cfg(feature = "reflection")]
pub(crate) struct ServedModule {
    pub(crate) id: i32,
    pub(crate) name: String,
    pub(crate) rule: Option<String>,
    pub(crate) is_remote: bool,
    /// Whether its rule lets the caller in; else all of its methods are closed.
    pub(crate) is_open: bool,
    /// Those that the caller may call, by ascending ID.
    pub(crate) open: Vec<Method>,
    /// The others.
    pub(crate) closed: Vec<Method>,
    /// Where it comes from, as the registry of declared modules shows one.
    pub(crate) origin: String,
}

#[derive(Default)]
struct Running {
    last: u64,
    /// By the order in which they came.
    calls: BTreeMap<u64, RunningCall>,
    /// What carries the session's calls out.
    workers: Vec<Weak<Worker>>,
}

impl Session {
    /// A session with this number and peer.
    #[must_use]
    pub fn new(id: u64, peer: PeerCredentials) -> Self {
        Session::logged_in(Arc::default(), id, peer, SystemTime::now())
    }

    /// A session for one of the calls that come on a connection of another protocol, which this session stands for: its peer, and what that may have logged, are this one's.
    #[doc(hidden)]
    #[must_use]
    pub fn of_call(&self, id: u64) -> Self {
        Session::logged_in(self.log.clone(), id, self.peer.clone(), self.opened_at)
    }

    /// The same session, whose peer has its share of the log together with that of another.
    #[doc(hidden)]
    #[must_use]
    pub fn with_log_of(self, other: &Session) -> Self {
        let log = other.log.clone();
        Session { extensions: Extensions::logged_in(log.clone()), log, ..self }
    }

    fn logged_in(log: Arc<PeerLog>, id: u64, peer: PeerCredentials, opened_at: SystemTime) -> Self {
        Session {
            id,
            peer,
            span: Span::none(),
            account: None,
            groups: Ok(Lease::default()),
            request_limit: DEFAULT_DECODE_LIMIT,
            presence: Mutex::default(),
            bad_calls: Mutex::new(Bucket::new(BAD_CALLS)),
            opened_at,
            extensions: Extensions::logged_in(log.clone()),
            log,
            cancellation: Cancellation::default(),
            controls: OnceLock::new(),
            packs: AtomicBool::new(false),
            read: AtomicBool::new(false),
            left: AtomicBool::new(false),
            connection: OnceLock::new(),
            background: None,
            stopping: AtomicBool::new(false),
            task: AtomicWaker::new(),
            calls_done: AtomicU64::new(0),
            methods: None,
            running: Mutex::default(),
        }
    }

    /// The same session, whose work in the background is done there.
    pub(crate) fn with_background(self, background: Arc<dyn Background>) -> Self {
        Session { background: Some(background), ..self }
    }

    /// The same session, of a server with these methods.
    pub(crate) fn with_methods(self, methods: Arc<dyn Methods>) -> Self {
        Session { methods: Some(methods), ..self }
    }

    /// The same session, with a span; the server's address is said in it.
    pub(crate) fn observed(self, address: Option<&Address>) -> Self {
        Session { span: session_span(self.id, &self.peer, address), ..self }
    }

    /// The same session, whose peer has its share of a server's log.
    pub(crate) fn with_log(self, logs: &PeerLogs) -> Self {
        let log = logs.of(self.peer.uid());
        Session { extensions: Extensions::logged_in(log.clone()), log, ..self }
    }

    /// The same session, whose bytes are counted as its user's.
    pub(crate) fn with_budget(self, budget: &Budget) -> Self {
        let account = budget.of(self.peer.uid());
        let mut lease = account.lease(Purpose::Request);
        let groups = lease.resize(size_of_val(self.peer.groups())).map(|()| lease);
        Session { account: Some(account), groups, ..self }
    }

    /// Whether there is room for what it keeps of its peer.
    pub(crate) fn check_room(&self) -> Result<(), OverBudget> {
        self.groups.as_ref().map_or_else(|over| Err(*over), |_| Ok(()))
    }

    /// The same session, whose requests are decoded up to so many bytes.
    pub(crate) fn with_request_limit(self, bytes: usize) -> Self {
        Session { request_limit: bytes, ..self }
    }

    pub(crate) fn request_limit(&self) -> usize {
        self.request_limit
    }

    pub(crate) fn account(&self) -> Option<&Arc<Account>> {
        self.account.as_ref()
    }

    /// Has a reply of one of its calls counted until it is sent.
    #[inline]
    pub(crate) fn hold_reply(&self, reply: &mut Body) -> Result<(), OverBudget> {
        match reply.len() {
            0..=SMALL => Ok(()),
            len => self.hold_large_reply(reply, len),
        }
    }

    #[cold]
    fn hold_large_reply(&self, reply: &mut Body, len: usize) -> Result<(), OverBudget> {
        let Some(account) = &self.account else { return Ok(()) };
        let mut lease = account.lease(Purpose::Reply);
        lease.resize(len)?;
        *reply = mem::take(reply).leased(lease);
        Ok(())
    }

    /// Has what a caller is told of a failure counted until it is sent. There is none of the details if there is no room for them.
    pub(crate) fn hold_details(&self, told: &mut ResponseFields) {
        let Some(account) = &self.account else { return };
        let mut lease = account.lease(Purpose::Reply);
        let details = mem::take(&mut told.details);
        // One that waits to be sent has been encoded as well.
        if lease.resize(2 * (told.error.len() + details.len())).is_ok() {
            told.details = lease.around(details);
        }
    }

    /// Has an open stream of one of its calls counted for as long as there is this.
    pub(crate) fn hold_stream(&self) -> Result<Lease, OverBudget> {
        let mut lease =
            self.account.as_ref().map(|account| account.lease(Purpose::Request)).unwrap_or_default();
        lease.resize(STREAM).map(|()| lease)
    }

    /// Whether one more line of what its peer can cause is to be logged.
    pub(crate) fn may_log(&self, line: Line) -> bool {
        self.log.admits(line)
    }

    /// What its peer may have logged.
    pub(crate) fn log(&self) -> &Arc<PeerLog> {
        &self.log
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// Makes what follows part of the session's span, until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&self) -> Option<EnteredSpan> {
        (!self.span.is_disabled()).then(|| self.span.clone().entered())
    }

    /// The session's number for a log line, unless the span says it.
    pub(crate) fn id_without_span(&self) -> Option<u64> {
        self.span.is_disabled().then_some(self.id)
    }

    /// The session's number, unique within its server.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The process at the other end ([D8](crate::guide::rules#dispatch)).
    #[must_use]
    pub fn peer(&self) -> &PeerCredentials {
        &self.peer
    }

    /// When the connection was accepted.
    #[must_use]
    pub fn opened_at(&self) -> SystemTime {
        self.opened_at
    }

    /// What handlers and hooks keep of this session.
    #[must_use]
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// How many calls have ended: carried out, refused or cut. An unreadable one does not count.
    #[must_use]
    pub fn calls_done(&self) -> u64 {
        self.calls_done.load(Ordering::Relaxed)
    }

    /// The calls that are being carried out: those whose handlers wait for something, the oldest first; then those whose handlers
    /// run, or block their threads.
    #[must_use]
    pub fn running_calls(&self) -> Vec<RunningCall> {
        let running = self.running();
        let mut calls: Vec<_> = running.calls.values().cloned().collect();
        let workers: Vec<_> = running.workers.iter().filter_map(Weak::upgrade).collect();
        // A module may be asked, which is others' code.
        drop(running);
        if let Some(methods) = &self.methods {
            calls.extend(workers.iter().filter_map(|worker| worker.call(&**methods)));
        }
        calls
    }

    /// What its server serves, and how far the client may call it.
    #[cfg(feature = "reflection")]
    pub(crate) fn served_modules(&self) -> Vec<ServedModule> {
        self.methods.as_ref().map(|methods| methods.served_to(self)).unwrap_or_default()
    }

    /// One more thread or task that carries calls of the session out.
    pub(crate) fn add_worker(&self) -> Arc<Worker> {
        let worker = Arc::<Worker>::default();
        let mut running = self.running();
        running.workers.retain(|worker| worker.strong_count() > 0);
        running.workers.push(Arc::downgrade(&worker));
        worker
    }

    /// Closes the session as a shutdown would ([S7](crate::guide::rules#server)): the socket refuses further calls, those already in it are executed, running handlers are notified
    /// ([`Cancelled::SessionClosed`]), all are answered, and then the connection ends. Returns at once.
    ///
    /// A handler may close its own session; its answer is still sent. `ServerHandle::cut_session` does not wait for handlers.
    pub fn close(&self) {
        self.stop(Cancelled::SessionClosed);
    }

    /// The client has made a call that can't be read, is of nothing that there is, or is not allowed it. Who does so without end is closed.
    #[cold]
    pub(crate) fn count_bad_call(&self) {
        let may_go_on = self.bad_calls.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
        if may_go_on || self.is_stopping() {
            return;
        }
        if self.may_log(Line::SessionFaulted) {
            let Rate { most, once_in } = BAD_CALLS;
            let each_second = Duration::from_secs(1).as_millis() / once_in.as_millis();
            tracing::warn!(
                session = self.id_without_span(),
                peer = %self.peer,
                "closing the session: of its calls, more than {most}, and {each_second} in each second, can't be read, name nothing \
                 that there is, or are denied"
            );
        }
        self.close();
    }

    pub(crate) fn background(&self) -> Option<&Arc<dyn Background>> {
        self.background.as_ref()
    }

    /// What cancels its handlers. Whether the client has left is looked at now, where nobody is told of that.
    pub(crate) fn cancellation(&self) -> &Cancellation {
        if let Some(connection) = self.connection.get()
            && !self.caller_has_left()
            && connection.upgrade().is_some_and(|connection| connection.peer_has_left())
        {
            self.outlive_client();
        }
        &self.cancellation
    }

    /// The calls that the client may say something of; `None` if it has never asked whether it may.
    #[inline]
    pub(crate) fn controls(&self) -> Option<&Arc<Controls>> {
        self.controls.get()
    }

    /// Whether replies may go in packs, since the client takes them.
    #[inline]
    pub(crate) fn packs(&self) -> bool {
        self.packs.load(Ordering::Relaxed)
    }

    /// The client takes packs.
    pub(crate) fn may_pack(&self) {
        self.packs.store(true, Ordering::Relaxed);
    }

    /// As [`controls`](Self::controls), of a client that asks, which may have so many streams open.
    #[inline]
    pub(crate) fn controlled(&self, limits: StreamLimits) -> &Arc<Controls> {
        self.controls().unwrap_or_else(|| self.begin_control(limits))
    }

    #[cold]
    fn begin_control(&self, limits: StreamLimits) -> &Arc<Controls> {
        let controls = self.controls.get_or_init(|| Arc::new(Controls::new(limits)));
        // Another thread may have read the end of file since the call was read: of both, one sees what the other wrote.
        fence(Ordering::SeqCst);
        if self.read.load(Ordering::Relaxed) {
            controls.close();
        }
        controls
    }

    /// Does what a message says about a call that runs; false for one that is a call. Nothing is looked at if the client has never asked
    /// whether it may say such things.
    #[inline]
    pub(crate) fn heeds(&self, message: &Bytes) -> bool {
        self.controls().is_some_and(|controls| controls.heeds(message))
    }

    /// Ends the stream of a call as if its caller had given it up.
    pub(crate) fn give_up(&self, sequence: i64) {
        if let Some(controls) = self.controls() {
            controls.heed(sequence, Control::Cancel, Bytes::new());
        }
    }

    /// How many streams are open.
    pub(crate) fn open_streams(&self) -> usize {
        self.controls().map_or(0, |controls| controls.open_streams())
    }

    /// Nothing more is heard of the client.
    pub(crate) fn is_read(&self) {
        self.read.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        if let Some(controls) = self.controls() {
            controls.close();
        }
    }

    /// Has a connection asked whether its client has left.
    pub(crate) fn ask(&self, connection: Weak<dyn Connection>) {
        // One session has one connection.
        let _ = self.connection.set(connection);
    }

    /// Tells the session's handlers that their caller has left ([S6](crate::guide::rules#server)): for who processes calls that no server of this
    /// crate received, and for a test of a handler.
    pub fn cancel(&self) {
        self.left.store(true, Ordering::Release);
        self.cancellation.cancel(Cancelled::CallerLeft);
        if let Some(controls) = self.controls() {
            controls.wake();
        }
    }

    /// Tells the session's handlers that the server shuts down ([S7](crate::guide::rules#server)), for who processes calls that no server of this crate
    /// received: their replies are still wanted.
    pub fn shut_down(&self) {
        self.stop(Cancelled::ShuttingDown);
    }

    /// The client has left while something is carried out for it: tells the handlers, which go on.
    pub(crate) fn outlive_client(&self) {
        let mut presence = self.presence();
        if let Presence::Present = *presence {
            *presence = Presence::Left(self.account.as_ref().map(Account::absence));
        }
        drop(presence);
        self.cancel();
    }

    /// Looks now whether the client has left, where nobody is told of that, and something is carried out for it.
    pub(crate) fn look_for_client(&self) {
        if self.is_at_work() {
            self.cancellation();
        }
    }

    /// Whether a handler waits, runs, or blocks its thread.
    fn is_at_work(&self) -> bool {
        let running = self.running();
        let mut workers = running.workers.iter().filter_map(Weak::upgrade);
        !running.calls.is_empty() || workers.any(|worker| worker.is_at_work())
    }

    /// The session has ended: tells the handlers that go on by themselves.
    pub(crate) fn end(&self) {
        *self.presence() = Presence::Ended;
        self.cancel();
    }

    fn presence(&self) -> MutexGuard<'_, Presence> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is known that the client has left. Nobody is asked.
    pub(crate) fn caller_has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// Asks the session to take no more calls, and tells the handlers that run (S7).
    pub(crate) fn stop(&self, reason: Cancelled) {
        self.stopping.store(true, Ordering::Release);
        self.cancellation.cancel(reason);
        self.task.wake();
    }

    /// Whether it is to take no more calls.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Waits for [`stop`](Self::stop). For the session's own task: the last that asked is woken.
    pub(crate) fn poll_stop(&self, context: &mut task::Context<'_>) -> Poll<()> {
        self.task.register(context.waker());
        match self.is_stopping() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    /// A call has ended.
    pub(crate) fn call_done(&self) {
        self.calls_done.fetch_add(1, Ordering::Relaxed);
    }

    /// Lists a call whose handler waits, until what this gives is dropped. Then it has ended.
    pub(crate) fn call_waits(self: &Arc<Self>, method: Method, sequence: i64) -> Listed {
        let mut running = self.running();
        running.last += 1;
        let number = running.last;
        running.calls.insert(number, RunningCall { method, sequence, since: Instant::now() });
        drop(running);
        Listed { session: self.clone(), number }
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).field("peer", &self.peer).finish_non_exhaustive()
    }
}

/// A call in progress in a session.
///
/// ```
/// use drpc::Session;
///
/// fn print(session: &Session) {
///     for call in session.running_calls() {
///         println!("{} #{}, for {:?}", call.method(), call.sequence(), call.since().elapsed());
///     }
/// }
/// ```
#[derive(Clone, Debug)]
pub struct RunningCall {
    method: Method,
    sequence: i64,
    since: Instant,
}

impl RunningCall {
    /// The method that was called.
    #[must_use]
    pub fn method(&self) -> Method {
        self.method
    }

    /// The call's sequence number, as the client chose it.
    #[must_use]
    pub fn sequence(&self) -> i64 {
        self.sequence
    }

    /// Since when its handler waits. Of one that runs, or blocks its thread, nobody looked at the clock as it began: since it was first
    /// seen here.
    #[must_use]
    pub fn since(&self) -> Instant {
        self.since
    }
}

/// What a thread or task of a session is doing, for others to see. A call that is begun is noted without a lock or a look at the clock; once its
/// handler waits, it is [`Listed`].
#[derive(Default)]
pub(crate) struct Worker {
    /// Odd while a handler runs; another number for each.
    turn: AtomicU64,
    /// The IDs of module and method.
    ids: AtomicU64,
    sequence: AtomicI64,
    /// When a turn was first seen.
    seen: Mutex<Option<(u64, Instant)>>,
}

impl Worker {
    /// A call is begun. For the worker itself alone, as is [`rest`](Self::rest).
    pub(crate) fn begin(&self, module: i32, method: i32, sequence: i64) {
        let turn = self.turn.load(Ordering::Relaxed);
        // Who sees what follows sees that the turn before is over.
        fence(Ordering::Release);
        self.ids.store(u64::from(module as u32) << 32 | u64::from(method as u32), Ordering::Relaxed);
        self.sequence.store(sequence, Ordering::Relaxed);
        self.turn.store(turn | 1, Ordering::Release);
    }

    /// The handler has answered, or waits.
    pub(crate) fn rest(&self) {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn + (turn & 1), Ordering::Relaxed);
    }

    /// Whether a handler runs.
    fn is_at_work(&self) -> bool {
        self.turn.load(Ordering::Relaxed) & 1 == 1
    }

    /// The call whose handler runs, if there is one of that method.
    fn call(&self, methods: &dyn Methods) -> Option<RunningCall> {
        let turn = self.turn.load(Ordering::Acquire);
        let (ids, sequence) = (self.ids.load(Ordering::Relaxed), self.sequence.load(Ordering::Relaxed));
        fence(Ordering::Acquire);
        if turn & 1 == 0 || self.turn.load(Ordering::Relaxed) != turn {
            return None;
        }
        let method = methods.find((ids >> 32) as i32, ids as i32)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let since = match *seen {
            Some((before, since)) if before == turn => since,
            _ => Instant::now(),
        };
        *seen = Some((turn, since));
        Some(RunningCall { method, sequence, since })
    }
}

/// A call's place in the list of those that run.
pub(crate) struct Listed {
    session: Arc<Session>,
    number: u64,
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.session.running().calls.remove(&self.number);
        self.session.call_done();
    }
}
