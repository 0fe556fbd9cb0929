//! The progress server (S9).

mod background;
mod bind;
mod running;
mod session;
mod shared;
mod step;
mod woken;

pub use self::step::Progress;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};
use std::{fmt, mem};

use futures_util::stream::{FuturesUnordered, SelectAll, StreamExt};
use rustc_hash::FxHashMap;
use rustix::event::epoll::EventFlags;

use self::background::InBackground;
use self::running::Finished;
use self::session::SessionState;
use self::shared::{Core, Due};
use self::woken::Woken;

use super::admission::{Admission, check_absent, check_access, check_descriptors, check_memory, log_refused};
use super::backoff::Backoff;
use super::builder::ServerBuilder;
use super::config::Config;
use super::error::BindError;
use super::hooks::Opened;
use super::listener::{Listener, accept_last};
use super::permits::CallPermits;
use super::shutdown::{self, Shutdown};
use super::slow::{LONG_REPLY, SlowMethods};
use super::systemd;
use crate::budget::Budget;
use crate::dispatch::router::ModuleService;
use crate::handler::background::Background;
use crate::handler::cancellation::Cancelled;
use crate::handler::failure::Failure;
use crate::handler::session::Session;
use crate::observe::peer_log::PeerLogs;
use crate::steps::Stepped;
use crate::steps::poller::{Found, Poller};
use crate::steps::timers::{Key, Timers};
use crate::transport::{Address, Mode, Socket};

/// How many connections are accepted in one step.
const ACCEPTS_PER_STEP: usize = 64;

/// How many items of streams are sent in one step.
const ITEMS_PER_STEP: usize = 256;

/// How many bytes of items are sent in one step, and the rest of the last item.
const ITEM_BYTES_PER_STEP: usize = 256 << 10;

/// The token of the listening socket. Sessions are numbered from 1.
const LISTENER: u64 = 0;

/// The token of the first of what is driven. No session has so high a number.
const FIRST_DRIVEN: u64 = 1 << 63;

/// A server that works in steps, whenever its owner says so ([S9](crate::guide::rules#server)).
///
/// ```no_run
/// use std::time::Duration;
///
/// use drpc::progress::Server;
///
/// let mut server = Server::builder().bind_progress("/run/greeter.sock")?;
/// loop {
///     server.progress(Duration::from_millis(10))?;
///     // and your own work
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A step never waits for a client: one that sends half a message, does not read its reply, or never stops sending gets its share of each step, and no
/// more.
///
/// When dropped, it closes its sessions, removes the socket file if it created it, and drops pending handlers and background work.
pub struct Server {
    address: Address,
    /// `None` once it is shutting down.
    listener: Option<Listening>,
    /// Whether a step was made.
    is_ready: bool,
    /// What was cut.
    cut: Shutdown,
    /// How it ended, once it has.
    outcome: Option<Shutdown>,
    /// Dropped before the sessions: none has ended while a handler of it is there.
    core: Core,
    /// By their numbers, which no peer chooses.
    sessions: FxHashMap<u64, SessionState>,
    last_session: u64,
    admission: Admission,
    logs: PeerLogs,
    budget: Budget,
    /// Those that were asked to close ([`Session::close`]).
    closings: Arc<Woken>,
    background: InBackground,
    poller: Poller,
    found: Found,
    /// What its steps drive, too.
    driven: Vec<Arc<dyn Stepped>>,
}

/// The listening socket, and how it fares.
struct Listening {
    listener: Listener,
    backoff: Backoff,
    /// Set while nothing is accepted: the kernel is out of something.
    paused: Option<Key>,
}

impl Server {
    /// Returns a builder with the default settings; [`bind_progress`](ServerBuilder::bind_progress) makes the server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    pub(super) fn new(listener: Listener, service: ModuleService, config: Config) -> Result<Self, BindError> {
        listener.take_descriptors(&config);
        let address = listener.address.clone();
        let config = Config { address: Some(address.clone()), ..config };
        let watched = Poller::new().and_then(|poller| {
            poller.add(&listener.socket, LISTENER, EventFlags::IN)?;
            Ok(poller)
        });
        let poller = watched.map_err(|cause| BindError::io(address.as_ref(), cause))?;
        let waker = poller.waker().clone();
        Ok(Server {
            closings: Woken::new(waker.clone()),
            background: InBackground::new(waker.clone()),
            poller,
            found: Found::new(),
            driven: Vec::new(),
            address,
            listener: Some(Listening { listener, backoff: Backoff::default(), paused: None }),
            is_ready: false,
            cut: Shutdown::default(),
            outcome: None,
            sessions: FxHashMap::default(),
            last_session: 0,
            admission: Admission::default(),
            logs: PeerLogs::default(),
            budget: Budget::new(config.allowed()),
            core: Core {
                slow: SlowMethods::among(&service),
                service: Arc::new(service),
                permits: CallPermits::new(&config.limits),
                config,
                running: FuturesUnordered::new(),
                streams: SelectAll::new(),
                turns: Woken::new(waker),
                queue: VecDeque::new(),
                long: 0,
                rests: 0,
                more: false,
                timers: Timers::new(),
            },
        })
    }

    /// The address that it listens on, to print or to connect to.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// The modules that it serves.
    #[must_use]
    pub fn modules(&self) -> &ModuleService {
        &self.core.service
    }

    /// The open sessions, oldest first: who is connected, since when, and which calls are running.
    ///
    /// [`Session::close`] closes one, from any thread; it takes effect in the next step.
    #[must_use]
    pub fn sessions(&self) -> Vec<Arc<Session>> {
        let mut sessions: Vec<_> = self.sessions.values().map(|state| state.session().clone()).collect();
        sessions.sort_unstable_by_key(|session| session.id());
        sessions
    }

    /// Ends a session at once, by its [number](Session::id): its handlers are dropped at their `await`, their calls are not answered, and the connection is closed.
    /// [`Session::close`] lets calls finish.
    ///
    /// Returns false if there is no such session (any more).
    pub fn cut_session(&mut self, id: u64) -> bool {
        let is_there = self.sessions.contains_key(&id);
        if is_there {
            tracing::warn!(session = id, "cutting the session");
            self.drop_session(id);
        }
        is_there
    }

    /// Makes one step: accepts, receives, runs handlers and sends replies, as far as that is possible now. Each session gets at most 32 packets per step; the rest
    /// comes in the next.
    ///
    /// If there is nothing to do, it waits up to `timeout`, which the kernel rounds up to milliseconds; zero does not wait, and [`Duration::MAX`] waits indefinitely. It
    /// returns early at a signal, and when the [`waker`](Self::waker) is called.
    ///
    /// # Errors
    ///
    /// If polling fails. Faults of a session, and errors of `accept`, are logged and are not errors here ([S1](crate::guide::rules#server), [S4](crate::guide::rules#server)).
    pub fn progress(&mut self, timeout: Duration) -> io::Result<Progress> {
        if !mem::replace(&mut self.is_ready, true) {
            if let Some(Listening { listener, .. }) = &self.listener {
                listener.is_served_here();
            }
            if self.core.config.notify_systemd {
                systemd::notify("READY=1");
            }
            shutdown::log_listening(&self.address, &self.core.service);
        }
        let mut done = Progress::default();
        (self.core.long, self.core.rests, self.core.more) = (0, 0, false);
        let until_due = self.next_deadline().map(|due| due.saturating_duration_since(Instant::now()));
        self.poller.wait(until_due.map_or(timeout, |until_due| until_due.min(timeout)), &mut self.found)?;
        self.poller.stay_awake();
        let mut told = false;
        while let Some(ready) = self.found.pop_front() {
            done.woken = true;
            match ready.token {
                Poller::WAKEUP => {
                    self.poller.clear_wakeup();
                    told = true;
                }
                LISTENER => self.accept(ready.flags, &mut done),
                FIRST_DRIVEN.. => self.driven[(ready.token - FIRST_DRIVEN) as usize].step(Duration::ZERO)?,
                session => self.serve(session, ready.flags, &mut done),
            }
        }
        self.look_at_timers(&mut done)?;
        // What the waker was called for up to now is looked at from here on. A set of futures that has polled all of its own calls it
        // to be asked once more.
        told |= self.poller.stay_awake();
        self.poll_futures(&mut done);
        if self.poller.stay_awake() {
            told = true;
            if !self.core.more {
                self.poll_futures(&mut done);
            }
        }
        if told {
            self.close_sessions(&mut done);
        }
        self.wake_for_queued();
        self.close_if_drained();
        self.poller.fall_asleep();
        Ok(done)
    }

    /// When to call [`progress`](Self::progress) even if nothing happens, because a time-out is due; for programs that wait in another loop.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let driven = self.driven.iter().filter_map(|driven| driven.next_deadline());
        driven.chain(self.core.timers.next()).min()
    }

    /// Drives something else in its steps, from now on until it is dropped.
    pub(crate) fn drive_too(&mut self, driven: Arc<dyn Stepped>) -> io::Result<()> {
        let token = FIRST_DRIVEN + self.driven.len() as u64;
        self.poller.add(&driven, token, EventFlags::IN)?;
        self.driven.push(driven);
        Ok(())
    }

    /// Makes the [`progress`](Self::progress) that is waiting, or else the next one, return at once. It may be called from any thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.poller.waker().clone()
    }

    /// Begins a graceful shutdown ([S7](crate::guide::rules#server)): stops accepting, removes the socket file if it created it, closes idle sessions, and notifies running handlers and
    /// [background work](crate::Context::spawn). Further steps let these finish until the drain time-out, and then cut the rest. A handler that blocks the thread blocks
    /// the shutdown too.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # fn stop(mut server: drpc::progress::Server) -> std::io::Result<()> {
    /// server.begin_shutdown();
    /// while !server.is_drained() {
    ///     server.progress(Duration::from_millis(10))?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`outcome`](Self::outcome) tells how it went.
    pub fn begin_shutdown(&mut self) {
        let Some(Listening { listener: Listener { file, socket, is_ours, .. }, .. }) = self.listener.take()
        else {
            return;
        };
        if self.core.config.notify_systemd {
            systemd::notify("STOPPING=1");
        }
        // The file is dropped first: while the socket is open, no other file can come to have the number of ours.
        drop(file);
        if is_ours {
            self.accept_rest(&socket);
        }
        drop(socket);
        shutdown::log_stopping(&self.address, &self.sessions(), self.background.len());
        self.core.timers.set_after(self.core.config.drain_timeout, Due::Cut);
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.stop(id, Cancelled::ShuttingDown, &mut Progress::default());
        }
        self.wake_for_queued();
        self.background.inbox().cancellation().cancel(Cancelled::ShuttingDown);
        self.close_if_drained();
    }

    /// Takes no more work in the background once nothing is left that may begin any, but for contexts that were kept.
    fn close_if_drained(&mut self) {
        if self.is_drained() {
            self.background.close();
            if self.outcome.is_none() {
                shutdown::log_stopped(&self.address, &self.cut);
                self.outcome = Some(self.cut);
            }
        }
    }

    /// Whether a shutdown has begun and nothing is left to do.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.listener.is_none() && self.sessions.is_empty() && self.background.len() == 0
    }

    /// How the shutdown went: what was cut, if anything was. `None` until [`is_drained`](Self::is_drained).
    #[must_use]
    pub fn outcome(&self) -> Option<Shutdown> {
        self.outcome
    }

    /// Shuts down at once, as if the drain time-out of [`begin_shutdown`](Self::begin_shutdown) were over, whether or not that has begun. For a second signal.
    pub fn cut(&mut self) {
        self.begin_shutdown();
        self.cut_rest(&mut Progress::default());
        self.close_if_drained();
    }

    /// Serves those who had connected when the server was to stop, and may have sent calls: as if they had been accepted before (S7). A
    /// socket that was given stays open at its giver's, and they with it.
    fn accept_rest(&mut self, listener: &Socket) {
        for accepted in accept_last(listener, Mode::NonBlocking) {
            if let Err(error) = accepted.and_then(|socket| self.open(socket)) {
                tracing::error!(%error, "could not accept a connection");
            }
        }
    }

    fn accept(&mut self, ready: EventFlags, done: &mut Progress) {
        for _ in 0..ACCEPTS_PER_STEP {
            let Some(Listening { listener, .. }) = &self.listener else { return };
            let opened = match listener.socket.accept(Mode::NonBlocking) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !ready.intersects(EventFlags::HUP | EventFlags::ERR) {
                        return;
                    }
                    Err(Backoff::hung_up())
                }
                Err(error) => Err(error),
                Ok(socket) => self.open(socket),
            };
            let Some(Listening { listener, backoff, paused }) = &mut self.listener else { return };
            match opened {
                Ok(is_session) => {
                    done.accepted += usize::from(is_session);
                    backoff.reset();
                }
                // S4: no error ends the accepting.
                Err(error) => {
                    backoff.increase(&error);
                    if !backoff.wait().is_zero() && self.poller.delete(&listener.socket).is_ok() {
                        *paused = self.core.timers.set_after(backoff.wait(), Due::Accept);
                        return;
                    }
                }
            }
        }
    }

    /// Makes a session of a connection; false if it is refused.
    fn open(&mut self, socket: Socket) -> io::Result<bool> {
        self.last_session += 1;
        let id = self.last_session;
        let session = Session::new(id, socket.peer()?)
            .with_background(self.background.inbox().clone())
            .with_methods(self.core.service.clone())
            .with_log(&self.logs)
            .with_budget(&self.budget)
            .with_request_limit(self.core.config.request_limit)
            .observed(self.core.config.address.as_ref());
        let session = Arc::new(session);
        self.poller.add(&socket, id, EventFlags::IN)?;
        let opened = match self.admit(&session) {
            Ok(opened) => opened,
            Err(refusal) => {
                log_refused(&session, &refusal);
                return Ok(false);
            }
        };
        let closing = self.closings.waker_of(id);
        // It can't have been asked yet, but for a hook that saw it begin.
        if session.poll_stop(&mut task::Context::from_waker(&closing)).is_ready() {
            closing.wake();
        }
        socket.charge_descriptors(session.account());
        let codec = self.core.config.codec(&session, socket.longest_packet());
        let mut state = SessionState::new(socket, session, codec, opened);
        state.time_idleness(&mut self.core, true);
        self.sessions.insert(id, state);
        Ok(true)
    }

    /// Begins a session, unless its peer may not connect, there is no room for it, or a hook refuses it.
    fn admit(&mut self, session: &Arc<Session>) -> Result<Opened, Failure> {
        let config = &self.core.config;
        check_access(session, config)?;
        check_absent(session, &self.budget, config)?;
        check_descriptors(session, config)?;
        check_memory(session)?;
        self.admission.enter(session, config)?;
        Opened::new(&config.hooks, session).inspect_err(|_| self.admission.leave(session))
    }

    /// Accepts again, after a pause.
    fn resume_accepting(&mut self) {
        if let Some(Listening { listener, paused, .. }) = &mut self.listener
            && let Some(pause) = paused.take()
        {
            self.core.timers.cancel(Some(pause));
            if let Err(error) = self.poller.add(&listener.socket, LISTENER, EventFlags::IN) {
                tracing::error!(%error, "can't accept yet");
                *paused = self.core.timers.set_after(Backoff::LONGEST, Due::Accept);
            }
        }
    }

    fn serve(&mut self, id: u64, ready: EventFlags, done: &mut Progress) {
        if let Some(session) = self.sessions.get_mut(&id) {
            let in_vain = session.turn(&mut self.core, ready, done);
            self.settle(id, in_vain, done);
        }
    }

    fn look_at_timers(&mut self, done: &mut Progress) -> io::Result<()> {
        if self.next_deadline().is_none() {
            return Ok(());
        }
        let now = Instant::now();
        for driven in &self.driven {
            if driven.next_deadline().is_some_and(|due| due <= now) {
                done.woken = true;
                driven.step(Duration::ZERO)?;
            }
        }
        while let Some(due) = self.core.timers.pop(now) {
            done.woken = true;
            match due {
                Due::RestOfMessage(id) => {
                    if let Some(session) = self.sessions.get_mut(&id) {
                        session.rest_is_due(&mut self.core, done);
                        self.settle(id, EventFlags::empty(), done);
                    }
                }
                Due::Idle(id) => {
                    if let Some(session) = self.sessions.get_mut(&id) {
                        session.has_been_idle(&mut self.core, done);
                        self.settle(id, EventFlags::empty(), done);
                    }
                }
                Due::Handler(task) => task.wake(),
                Due::Accept => self.resume_accepting(),
                Due::Cut => self.cut_rest(done),
            }
        }
        Ok(())
    }

    fn poll_futures(&mut self, done: &mut Progress) {
        self.poll_handlers(done);
        if !self.core.streams.is_empty() {
            self.poll_streams(done);
        }
        self.background.poll();
    }

    /// Sends what streams have to send; what is too much for one step, in the next.
    fn poll_streams(&mut self, done: &mut Progress) {
        let mut bytes = 0;
        for _ in 0..ITEMS_PER_STEP {
            if self.core.streams.is_empty() {
                return;
            }
            if bytes >= ITEM_BYTES_PER_STEP {
                break;
            }
            let mut context = task::Context::from_waker(self.poller.waker());
            let Poll::Ready(Some((id, response))) = self.core.streams.poll_next_unpin(&mut context) else {
                return;
            };
            bytes += response.body.len();
            if let Some(session) = self.sessions.get_mut(&id) {
                session.send_part(response, &mut self.core, done);
                self.settle(id, EventFlags::empty(), done);
            }
        }
        self.core.more = true;
    }

    /// Polls the handlers that were woken, and begins the calls that have room now.
    fn poll_handlers(&mut self, done: &mut Progress) {
        // Each is done but once, so this ends.
        loop {
            self.begin_queued(done);
            if self.core.running.is_empty() {
                return;
            }
            let mut context = task::Context::from_waker(self.poller.waker());
            let Poll::Ready(Some(finished)) = self.core.running.poll_next_unpin(&mut context) else { return };
            let Finished { session: id, ids, made, response, stream, timer } = finished;
            self.core.timers.cancel(timer);
            self.core.slow.note_reply(ids, made);
            if let Some(session) = self.sessions.get_mut(&id) {
                session.finish(response, stream, &mut self.core, done);
                self.settle(id, EventFlags::empty(), done);
            }
            if made >= LONG_REPLY {
                // The others come when short calls have had their turn.
                self.core.more = true;
                return;
            }
        }
    }

    /// Begins the calls that waited for a permit, or for a step with room for them.
    fn begin_queued(&mut self, done: &mut Progress) {
        while let Some((id, waited_for)) = self.core.next_queued() {
            if let Some(session) = self.sessions.get_mut(&id) {
                session.begin_queued(waited_for, &mut self.core, done);
                self.settle(id, EventFlags::empty(), done);
            }
        }
    }

    /// Has the next step come at once if calls wait for no more than that.
    fn wake_for_queued(&self) {
        if self.core.waits_for_step() {
            self.poller.waker().wake_by_ref();
        }
    }

    /// Stops the sessions that were asked to close.
    fn close_sessions(&mut self, done: &mut Progress) {
        while let Some(id) = self.closings.next() {
            self.stop(id, Cancelled::SessionClosed, done);
        }
    }

    /// Stops a session, and does for it what can be done now: one that is idle ends.
    fn stop(&mut self, id: u64, reason: Cancelled, done: &mut Progress) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.stop(reason);
            self.serve(id, EventFlags::IN, done);
        }
    }

    /// After each turn of a session: has it watched for what it waits for, or closes it.
    fn settle(&mut self, id: u64, in_vain: EventFlags, done: &mut Progress) {
        let Some(session) = self.sessions.get_mut(&id) else { return };
        done.woken = true;
        if !session.is_finished() {
            session.watch(&self.core, &self.poller, in_vain);
            session.time_idleness(&mut self.core, in_vain.is_empty());
        }
        if session.is_cut() {
            self.drop_session(id);
            done.closed += 1;
        } else if session.is_finished() {
            self.remove(id);
            done.closed += 1;
        }
    }

    /// Drops a session, and its handlers where they wait.
    fn drop_session(&mut self, id: u64) {
        let (cut, kept): (Vec<_>, Vec<_>) =
            mem::take(&mut self.core.running).into_iter().partition(|running| running.session() == id);
        self.core.running = kept.into_iter().collect();
        cut.iter().for_each(|running| self.core.timers.cancel(running.timer()));
        drop(cut);
        let streams = mem::take(&mut self.core.streams).into_iter();
        self.core.streams = streams.filter(|stream| stream.session() != id).collect();
        // What is left is in other sets, and wakes nobody before it was polled there; and there may be room for a call that waits.
        self.poller.waker().wake_by_ref();
        self.remove(id);
    }

    fn remove(&mut self, id: u64) {
        if let Some(mut session) = self.sessions.remove(&id) {
            self.admission.leave(session.session());
            session.take_timers().into_iter().for_each(|timer| self.core.timers.cancel(timer));
            drop(session);
            // It has given its descriptor back: no reason to wait any longer.
            if let Some(Listening { backoff, .. }) = &mut self.listener {
                backoff.try_now();
            }
            self.resume_accepting();
        }
    }

    /// Ends what did not end by itself.
    fn cut_rest(&mut self, done: &mut Progress) {
        let background = self.background.len();
        if self.sessions.is_empty() && background == 0 {
            return;
        }
        self.cut = shutdown::cut(&self.core.service, &self.sessions(), background);
        self.background.close();
        done.closed += self.sessions.len();
        self.core.running.clear();
        self.core.streams.clear();
        for id in self.sessions.keys().copied().collect::<Vec<_>>() {
            self.remove(id);
        }
    }
}

/// The descriptor to wait on in another loop: it can be read when [`progress`](Server::progress) has something to do. Beside it, see
/// [`next_deadline`](Server::next_deadline).
impl AsFd for Server {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", &self.address)
            .field("sessions", &self.sessions.len())
            .field("running", &self.core.running.len())
            .finish_non_exhaustive()
    }
}
