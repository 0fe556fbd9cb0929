//! One session: the loop of its threads (S5, S6, S10), of which there is one, unless its calls run side by side.
//!
//! ```text
//! turns.take ─▶ read_message ─▶ wait_for_permit ─▶ hand_over ─▶ carry_out ─▶ reply
//!     ▲                                               ┊                       │
//!     └───────────────────────────────────────────────┊───────────────────────┘
//!                                                     └┄▶ another thread's turn
//! ```
//!
//! Whoever has the [`Reader`] reads ([`Turns`]). With room for one call the thread keeps it: what it has read it carries out, and then it reads
//! again, by one receive and one send a call, and without a lock. With room for more, it is handed over before the call begins,
//! to a thread that waits for it or to a new one; a thread that was not needed for a while ends.
//!
//! A client that may say something of calls that run (`handler/control.rs`) is read even while no further call may begin, by one thread
//! more. The calls that it reads then are kept, and taken by who is done with another.

use std::future::Future;
use std::io::{self, ErrorKind};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::connection::{Connection, Stop};
use super::parking::{Parking, Unparked};
use super::shared::Shared;
use super::slow_turns::SlowTurn;
use super::streams::Streams;
use super::turns::Turns;
use crate::dispatch::outflow::Outflow;
use crate::dispatch::processing::Processing;
use crate::handler::session::{Connection as _, Session, Worker};
use crate::observe::peer_log::Line;
use crate::server::admission::log_refused;
use crate::server::hooks::Opened;
use crate::server::kept::Kept;
use crate::server::packing::Packing;
use crate::server::permits::{Permit, Waiting};
use crate::server::protocol::{
    Incoming, SessionFault, bytes_of, context_of, give_up_sending, head_of, incoming, list, log_closed,
    log_idle, log_opened, not_received, read_call, refusal, without_descriptors,
};
use crate::transport::{Spin, is_peer_gone, keeps_buffers, release_buffers};
use crate::wire::{Body, Codec, Head, Packet, Response};

/// How long a session that waits for a call keeps large buffers for it.
const KEEP_BUFFERS: Duration = Duration::from_secs(1);

/// A session, as its threads share it. It ends with the last of them.
pub(super) struct SessionState {
    pub(super) connection: Arc<Connection>,
    pub(super) session: Arc<Session>,
    server: Arc<Shared>,
    /// Frames replies, once the first message has told the wire.
    codec: OnceLock<Codec>,
    pub(super) streams: Streams,
    turns: Turns<Box<Reader>>,
    /// Whose turn it is to send: replies go out whole (W10).
    sending: Mutex<()>,
    unsent: Mutex<Unsent>,
    /// What ended the session first, if it was a fault.
    fault: Mutex<Option<SessionFault>>,
    /// Dropped last: the session has ended then.
    opened: OnceLock<Opened>,
}

/// What it takes to read.
struct Reader {
    codec: Codec,
    spin: Spin,
    /// When the rest of a message that has begun is due.
    rest_due: Option<Instant>,
    /// The socket's time-out for receiving.
    timeout: Option<Duration>,
    /// How long nothing has come.
    waited: Duration,
    /// The replies that wait for those behind them, where the client takes packs and calls run one at a time.
    packing: Option<Box<Packing>>,
}

/// What a thread of the session has to carry out calls.
struct Seat {
    parking: Parking,
    /// For others to see which handler runs.
    worker: Arc<Worker>,
    /// The turn of a call that will take long.
    turn: Option<SlowTurn>,
}

/// That a call may run; and since when it has waited, if it had to.
type Admitted = (Permit, Option<Instant>);

/// The replies that wait behind another.
#[derive(Default)]
struct Unsent {
    bytes: usize,
    /// The client takes nothing of the one before.
    stuck: bool,
}

impl SessionState {
    /// Serves a session on a thread of its own. Without a thread it has ended.
    pub(super) fn spawn(
        server: &Arc<Shared>,
        session: Arc<Session>,
        connection: Arc<Connection>,
    ) -> io::Result<()> {
        let config = &server.config;
        let reader = Reader {
            codec: config.codec(&session, connection.socket.longest_packet()),
            spin: Spin::new(config.spin),
            rest_due: None,
            timeout: None,
            waited: Duration::ZERO,
            packing: None,
        };
        let state = Arc::new(SessionState {
            connection,
            session,
            server: server.clone(),
            codec: OnceLock::new(),
            streams: Streams::default(),
            turns: Turns::new(Box::new(reader)),
            sending: Mutex::new(()),
            unsent: Mutex::default(),
            fault: Mutex::default(),
            opened: OnceLock::new(),
        });
        state.spawn_thread("", SessionState::begin)
    }

    /// One more thread of the session.
    pub(super) fn spawn_thread(
        self: &Arc<Self>,
        suffix: &str,
        run: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> io::Result<()> {
        let (state, name) = (self.clone(), format!("drpc-{}{suffix}", self.session.id()));
        self.server.threads.spawn(name, move || state.run(run))
    }

    /// A thread of the session.
    fn run(self: Arc<Self>, run: impl FnOnce(&Arc<Self>)) {
        let server = self.server.clone();
        let entered = self.session.enter();
        run(&self);
        drop(self);
        drop(entered);
        server.resume_accepting();
    }

    /// The session's first thread.
    fn begin(self: &Arc<Self>) {
        match Opened::new(&self.server.config.hooks, &self.session) {
            Ok(opened) => drop(self.opened.set(opened)),
            Err(refusal) => return log_refused(&self.session, &refusal),
        }
        log_opened(&self.session);
        let connection = Arc::downgrade(&self.connection);
        self.session.ask(connection.clone());
        let stop = Waker::from(Arc::new(Stop(connection)));
        // It can't have been asked yet, but for a hook that saw it begin.
        if self.session.poll_stop(&mut Context::from_waker(&stop)).is_ready() {
            self.connection.stop();
        }
        self.work();
    }

    /// Reads a call, carries it out and answers it, again and again.
    fn work(self: &Arc<Self>) {
        let mut seat = Seat { parking: Parking::default(), worker: self.session.add_worker(), turn: None };
        let mut reader = self.turns.take();
        while let Some(mut mine) = reader {
            let Some(call) = self.read_call_message(&mut mine) else { return self.close_reading(mine) };
            if self.session.controls().is_some() {
                reader = self.hand_over_and_answer(mine, call, &mut seat);
                continue;
            }
            let Some(admitted) = self.wait_for_permit(&call, &mut seat, Some(&mut *mine)) else {
                return self.close_reading(mine);
            };
            let mut kept = self.hand_over(mine);
            self.answer(call, admitted, &mut seat, kept.as_deref_mut());
            reader = kept.or_else(|| self.take_next(&mut seat));
        }
    }

    /// As [`work`](Self::work) does with a call, where the client may say something of calls that run: that is read also while this one waits
    /// until it may.
    #[cold]
    fn hand_over_and_answer(
        self: &Arc<Self>,
        reader: Box<Reader>,
        call: Kept,
        seat: &mut Seat,
    ) -> Option<Box<Reader>> {
        let reader = self.hand_over(reader);
        self.answer_kept(call, seat);
        reader.or_else(|| self.take_next(seat))
    }

    /// Carries out the calls that were kept, and waits for the turn to read.
    fn take_next(self: &Arc<Self>, seat: &mut Seat) -> Option<Box<Reader>> {
        self.turns.take_next(|call| self.answer_kept(call, seat))
    }

    /// Waits for the next message that is a call, and may begin.
    #[inline(always)]
    fn read_call_message(&self, reader: &mut Reader) -> Option<Kept> {
        loop {
            let message = self.read_message(reader)?;
            let call = Kept { message, arrived: self.connection.socket.arrived() };
            if self.session.controls().is_none() {
                return Some(call);
            }
            if let Some(call) = self.heed(call) {
                return Some(call);
            }
        }
    }

    /// Does what a message says of a call that runs, and keeps a call while no further one may begin; gives back one that may.
    #[cold]
    fn heed(&self, call: Kept) -> Option<Kept> {
        match self.session.heeds(&call.message) {
            true => None,
            false => self.turns.keep(call, self.session.account(), self.server.config.order.limit()),
        }
    }

    /// Carries out a call that may run, and answers it. Where calls run one at a time, the reply may wait for those behind it.
    // A part of `work`, as far as a session is concerned that keeps no calls.
    #[inline(always)]
    fn answer(
        self: &Arc<Self>,
        call: Kept,
        (permit, came): Admitted,
        seat: &mut Seat,
        mut reader: Option<&mut Reader>,
    ) {
        let mut stream = None;
        let response = self.carry_out(call, came, seat, reader.as_deref_mut(), &mut stream);
        drop(permit);
        if let Some(response) = response {
            match reader {
                Some(reader) if self.session.packs() => self.pack(response, reader, stream.is_none()),
                // It is among those that run until it is answered.
                _ => self.reply(response, 1),
            }
        }
        if let Some(stream) = stream {
            self.send_stream(stream);
        }
    }

    /// Carries out a call of a client that may say something of those that run; but in a session that is cut, none is begun any more.
    #[cold]
    fn answer_kept(self: &Arc<Self>, call: Kept, seat: &mut Seat) {
        if !self.connection.cut.is_cancelled()
            && let Some(admitted) = self.wait_for_permit(&call, seat, None)
        {
            self.answer(call, admitted, seat, None);
        }
    }

    /// Puts a reply behind those that wait, and sends what waits no longer.
    #[inline(never)]
    fn pack(&self, reply: Response<Body>, reader: &mut Reader, may_wait: bool) {
        let packing = reader.packing.get_or_insert_default();
        packing.put(&self.session, reply);
        if !may_wait || !packing.may_wait_for_next(&reader.codec) {
            self.send_packed(packing);
        }
    }

    fn send_packed(&self, packing: &mut Packing) {
        while let Some(response) = packing.next(&self.session) {
            self.reply(response, 0);
        }
    }

    /// Sends what waits, since it is not known for how long the thread will be busy.
    #[cold]
    fn flush(&self, reader: Option<&mut Reader>) {
        if let Some(packing) = reader.and_then(|reader| reader.packing.as_mut()) {
            packing.waits();
            self.send_packed(packing);
        }
    }

    /// Nothing more is read. In a session that is cut, replies may still wait.
    fn close_reading(&self, reader: Box<Reader>) {
        if let Some(packing) = reader.packing {
            packing.discard(&self.session);
        }
        self.turns.close();
        self.session.is_read();
    }

    /// Lets another thread read while this one carries out a call. Gives the reader back where there is room for one call alone.
    fn hand_over(self: &Arc<Self>, mut reader: Box<Reader>) -> Option<Box<Reader>> {
        let is_controlled = self.session.controls().is_some();
        let limit = self.server.config.order.limit() + usize::from(is_controlled);
        if limit == 1 {
            return Some(reader);
        }
        self.flush(Some(&mut *reader));
        if self.turns.hand_over(reader, limit) {
            self.add_thread();
        }
        None
    }

    fn add_thread(self: &Arc<Self>) {
        if let Err(error) = self.spawn_thread("", SessionState::work) {
            self.turns.has_no_thread();
            if self.session.may_log(Line::OutOfThreads) {
                tracing::warn!(
                    session = self.session.id_without_span(),
                    %error,
                    "no further thread can be had; the session goes on with those that it has"
                );
            }
        }
    }

    /// Waits for the next message; `None` if there is to be none.
    fn read_message(&self, reader: &mut Reader) -> Option<Bytes> {
        loop {
            if let Some(message) = reader.codec.next_packed() {
                return (!self.connection.cut.is_cancelled()).then_some(message);
            }
            if reader.packing.as_ref().is_some_and(|packing| !packing.is_empty()) {
                // What came of the pack behind them was no call.
                self.flush(Some(reader));
            }
            let received = self.receive(reader).and_then(|packet| incoming(&mut reader.codec, packet));
            if self.connection.cut.is_cancelled() {
                return None;
            }
            let fault = match received {
                Ok(Incoming::Message(message)) => {
                    reader.rest_due = None;
                    reader.waited = Duration::ZERO;
                    self.codec.get_or_init(|| reader.codec.for_sending());
                    return Some(message);
                }
                Ok(Incoming::Part) => match reader.rest_due {
                    // Chunks that keep coming leave no time to wait for.
                    Some(due) if due <= Instant::now() => SessionFault::HalfMessage,
                    Some(_) => continue,
                    None => {
                        reader.rest_due = Instant::now().checked_add(self.server.config.message_timeout);
                        continue;
                    }
                },
                Ok(Incoming::Closed) => {
                    if self.connection.peer_has_left() {
                        // Those who work for it are told, and finish (S6).
                        match self.turns.running() + self.session.open_streams() {
                            0 => self.session.cancel(),
                            _ => self.session.outlive_client(),
                        }
                    }
                    return None;
                }
                Err(fault) => fault,
            };
            if let Some(refusal) = refusal(&fault) {
                self.codec.get_or_init(|| reader.codec.for_sending());
                self.reply(refusal, 0);
            }
            self.note(fault);
            return None;
        }
    }

    /// Receives one packet; `None` at end of file.
    fn receive(&self, reader: &mut Reader) -> Result<Option<Bytes>, SessionFault> {
        self.receive_packet(reader).map_err(|fault| match fault {
            SessionFault::Io(error) => not_received(&mut reader.codec, error),
            fault => fault,
        })
    }

    /// As [`receive`](Self::receive). Once the session has been idle for too long, that is behind what was sent by then.
    fn receive_packet(&self, reader: &mut Reader) -> Result<Option<Bytes>, SessionFault> {
        let socket = &self.connection.socket;
        let longest = reader.codec.longest_packet();
        if reader.codec.is_mid_message() {
            loop {
                match socket.try_recv(reader.codec.rest(), longest) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    received => return Ok(received?),
                }
                if !socket.wait_readable(reader.rest_due)? {
                    return Err(SessionFault::HalfMessage);
                }
            }
        }
        if let Some(received) = reader.spin.run(|| socket.try_recv(None, longest)) {
            reader.spin.received();
            return Ok(received?);
        }
        loop {
            self.set_timeout(reader)?;
            match socket.recv(None, longest) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                received => {
                    reader.spin.received();
                    return Ok(received?);
                }
            }
            release_buffers();
            if self.is_idle(reader) {
                log_idle(&self.session);
                self.connection.stop();
            }
        }
    }

    /// Has the socket wait for as long as the session may be idle, and no longer than it may keep its buffers.
    #[inline]
    fn set_timeout(&self, reader: &mut Reader) -> io::Result<()> {
        if self.server.config.limits.idle.is_none() && reader.timeout.is_none() && !keeps_buffers() {
            return Ok(());
        }
        self.change_timeout(reader)
    }

    #[inline(never)]
    fn change_timeout(&self, reader: &mut Reader) -> io::Result<()> {
        let idle = self.server.config.limits.idle.map(|limit| limit.saturating_sub(reader.waited));
        let keep = keeps_buffers().then_some(KEEP_BUFFERS);
        let timeout = [idle, keep].into_iter().flatten().min();
        if timeout != reader.timeout {
            self.connection.socket.set_receive_timeout(timeout)?;
            reader.timeout = timeout;
        }
        Ok(())
    }

    /// Whether nothing has come, and no call has run, for too long.
    fn is_idle(&self, reader: &mut Reader) -> bool {
        reader.waited += reader.timeout.unwrap_or_default();
        if self.turns.was_active() || self.session.open_streams() > 0 {
            reader.waited = Duration::ZERO;
            return false;
        }
        self.server.config.limits.idle.is_some_and(|limit| reader.waited >= limit)
    }

    /// Waits until the server lets the call run. `None` if the session is cut meanwhile.
    #[inline(always)]
    fn wait_for_permit(&self, call: &Kept, seat: &mut Seat, reader: Option<&mut Reader>) -> Option<Admitted> {
        let server = &*self.server;
        if server.slow.has(&call.message) {
            self.flush(reader);
            return self.wait_for_turn(&call.message, seat);
        }
        match server.permits.acquire(self.session.peer().uid()) {
            Ok(permit) => Some((permit, None)),
            Err(waiting) => {
                self.flush(reader);
                self.wait_in_place(&waiting, &mut seat.parking)
            }
        }
    }

    #[cold]
    fn wait_in_place(&self, waiting: &Waiting, parking: &mut Parking) -> Option<Admitted> {
        let came = Some(Instant::now());
        let waker = parking.waker();
        let context = Context::from_waker(&waker);
        let mut park = self.park_until_cut(parking, &waker);
        loop {
            if let Poll::Ready(permit) = waiting.poll(&context) {
                return self.unless_cut((permit, came));
            }
            park(None)?;
        }
    }

    /// As a call that will take long.
    #[cold]
    fn wait_for_turn(&self, message: &Bytes, seat: &mut Seat) -> Option<Admitted> {
        let server = &*self.server;
        let came = Some(Instant::now());
        let mut both = server.slow_turns.with_permit(&server.permits, self.session.peer().uid());
        let (permit, turn) = match server.slow_turns.take(&mut both) {
            Some(taken) => taken,
            None => {
                let waker = seat.parking.waker();
                let park = self.park_until_cut(&seat.parking, &waker);
                server.slow_turns.wait(both, &Context::from_waker(&waker), park)?
            }
        };
        let admitted = self.unless_cut((permit, came))?;
        // Its method may have waited meanwhile, and so be one that has no turns.
        seat.turn = Some(turn).filter(|_| server.slow.has(message));
        Some(admitted)
    }

    /// The session may be cut while the call waited.
    fn unless_cut(&self, admitted: Admitted) -> Option<Admitted> {
        (!self.connection.cut.is_cancelled()).then_some(admitted)
    }

    /// Parks the thread, as often as that is called; `None` if the session is cut.
    fn park_until_cut(&self, parking: &Parking, waker: &Waker) -> impl FnMut(Option<Instant>) -> Option<()> {
        let mut cut = Box::pin(self.connection.cut.cancelled());
        move |deadline| {
            if cut.as_mut().poll(&mut Context::from_waker(waker)).is_ready() {
                return None;
            }
            self.park(parking, deadline);
            Some(())
        }
    }

    /// Waits to be woken, or for the deadline; and tells the handlers if the client leaves meanwhile (S6).
    pub(super) fn park(&self, parking: &Parking, deadline: Option<Instant>) {
        // Once it is known that the client has left, the socket would wake for ever.
        let watched = (!self.session.caller_has_left()).then_some(&self.connection.socket);
        if parking.park(watched, deadline) == Unparked::PeerLeft {
            self.session.outlive_client();
        }
    }

    /// Carries out a call; `None` if it is cut. If it opens a stream, that is put into `stream`, and sent behind the response.
    #[inline(always)]
    fn carry_out(
        &self,
        call: Kept,
        came: Option<Instant>,
        seat: &mut Seat,
        mut reader: Option<&mut Reader>,
        stream: &mut Option<Box<Outflow>>,
    ) -> Option<Response<Body>> {
        let Kept { message, arrived } = call;
        let mut stopwatch = self.server.slow.stopwatch_of_thread(message.len(), seat.turn.is_some());
        let mut call = match read_call(self.codec(), &self.session, message, arrived) {
            Ok(call) => call,
            Err(response) => {
                seat.turn = None;
                return Some(response);
            }
        };
        let context = context_of(&self.session, &mut call, &self.server.config, came, Instant::now);
        seat.worker.begin(call.module, call.method, call.sequence);
        if let Some(packing) = reader.as_mut().and_then(|reader| reader.packing.as_mut()) {
            packing.begin((call.module, call.method));
        }
        let slow = &self.server.slow;
        slow.start(&mut stopwatch, (call.module, call.method));
        let mut processing = self.server.service.process(context, call);
        let polled = poll_in_time(&mut processing, &mut Context::from_waker(&seat.parking.known_waker()));
        slow.stop(&stopwatch, &processing, &polled);
        seat.turn = None;
        seat.worker.rest();
        match polled {
            Poll::Ready(response) => {
                match processing.take_stream() {
                    None => self.session.call_done(),
                    Some(opened) => *stream = Some(opened.listed(list(&processing))),
                }
                Some(response)
            }
            Poll::Pending => {
                self.flush(reader);
                self.wait_for_handler(processing, &mut seat.parking, stream)
            }
        }
    }

    /// Waits for a handler that waits for something; `None` if the session is cut meanwhile.
    fn wait_for_handler(
        &self,
        mut processing: Processing,
        parking: &mut Parking,
        stream: &mut Option<Box<Outflow>>,
    ) -> Option<Response<Body>> {
        let listed = list(&processing);
        let deadline = processing.context().deadline();
        let waker = parking.waker();
        let mut context = Context::from_waker(&waker);
        let mut cut = pin!(self.connection.cut.cancelled());
        loop {
            if cut.as_mut().poll(&mut context).is_ready() {
                drop(processing);
                return None;
            }
            if let Poll::Ready(response) = poll_in_time(&mut processing, &mut context) {
                *stream = processing.take_stream().map(|opened| opened.listed(listed));
                return Some(response);
            }
            self.park(parking, deadline);
        }
    }

    /// Sends a response, whole (W10), once it is its turn. So many of the calls that run are this thread's `own`: one, or none.
    pub(super) fn reply(&self, mut response: Response<Body>, own: usize) {
        let codec = self.codec();
        let head = head_of(codec, &self.session, &mut response);
        let _turn = match self.sending.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => self.wait_to_send(bytes_of(&response)),
        };
        if let Err(fault) = self.send(codec, &head, &response, own) {
            self.not_sent(codec, &response, own, fault);
        }
    }

    /// A response can't be sent: it goes without its descriptors, if these are why, or else the session ends.
    #[cold]
    fn not_sent(&self, codec: &Codec, response: &Response<Body>, own: usize, fault: SessionFault) {
        let instead = match &fault {
            SessionFault::Io(error) => without_descriptors(&self.session, response, error),
            _ => None,
        };
        let sent = instead.map_or(Err(fault), |mut instead| {
            let head = head_of(codec, &self.session, &mut instead);
            self.send(codec, &head, &instead, own)
        });
        if let Err(fault) = sent {
            self.note(fault);
            self.connection.cut();
        }
    }

    fn wait_to_send(&self, bytes: usize) -> MutexGuard<'_, ()> {
        let mut unsent = self.unsent();
        unsent.bytes += bytes;
        self.bound(&unsent);
        drop(unsent);
        let turn = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        self.unsent().bytes -= bytes;
        turn
    }

    /// Ends a session whose client takes no replies, once too many wait.
    fn bound(&self, unsent: &Unsent) {
        let (bytes, limit) = (unsent.bytes, self.server.config.limits.pending_replies);
        if unsent.stuck && bytes > limit {
            self.note(SessionFault::RepliesUnread { bytes, limit });
            self.connection.cut();
        }
    }

    #[inline(always)]
    fn send(
        &self,
        codec: &Codec,
        head: &Head,
        response: &Response<Body>,
        own: usize,
    ) -> Result<(), SessionFault> {
        for packet in codec.packets(head, &response.body).map_err(io::Error::other)? {
            match self.send_packet(&packet, own) {
                Ok(()) => {}
                Err(SessionFault::Io(error)) if is_peer_gone(&error) => {
                    give_up_sending(&self.session, response);
                    break;
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(())
    }

    fn send_packet(&self, packet: &Packet<'_>, own: usize) -> Result<(), SessionFault> {
        match self.connection.socket.send(packet) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            result => return Ok(result?),
        }
        let mut unsent = self.unsent();
        unsent.stuck = true;
        self.bound(&unsent);
        drop(unsent);
        let sent = loop {
            if let Err(fault) = self.wait_for_room(own) {
                break Err(fault);
            }
            match self.connection.socket.send(packet) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => break result.map_err(SessionFault::Io),
            }
        };
        self.unsent().stuck = false;
        sent
    }

    /// Waits until the client has taken something, for as long as it may be idle.
    fn wait_for_room(&self, own: usize) -> Result<(), SessionFault> {
        loop {
            let idle = self.server.config.limits.idle;
            let deadline = idle.and_then(|limit| Instant::now().checked_add(limit));
            if self.connection.socket.wait_writable(deadline)? {
                return Ok(());
            }
            // Another call that still runs is no idleness, nor is a stream that is open.
            if self.turns.running() <= own && self.session.open_streams() == 0 {
                return Err(SessionFault::ReplyUnread);
            }
        }
    }

    fn codec(&self) -> &Codec {
        self.codec.get().expect("a reply follows a message, which has told the wire")
    }

    fn note(&self, fault: SessionFault) {
        self.fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(fault);
    }

    fn unsent(&self) -> MutexGuard<'_, Unsent> {
        self.unsent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Polls a handler. It is cut off once its time is over, and what it gives then comes too late: a handler that blocked its thread.
#[inline(always)]
fn poll_in_time(processing: &mut Processing, context: &mut Context<'_>) -> Poll<Response<Body>> {
    let polled = processing.poll_handler(context);
    let deadline = processing.context().deadline();
    match polled {
        Poll::Ready(Err(failure)) => Poll::Ready(processing.failed(failure)),
        _ if deadline.is_some_and(|deadline| deadline <= Instant::now()) => Poll::Ready(processing.cut_off()),
        Poll::Ready(outcome) => Poll::Ready(processing.respond(outcome)),
        Poll::Pending => Poll::Pending,
    }
}

impl Drop for SessionState {
    fn drop(&mut self) {
        // It may be the thread that has accepted it.
        let _entered = self.session.enter();
        if self.opened.get().is_some() {
            let fault = self.fault.get_mut().unwrap_or_else(PoisonError::into_inner);
            log_closed(&self.session, fault.as_ref());
        }
        self.server.sessions.close(&self.session);
    }
}
