//! One session of the progress server: the same as the tokio server's (`server/tokio/session.rs`), a turn at a time.
//!
//! ```text
//!              incoming              begin                     reply            flush
//! socket.recv ─────────▶ message ───────────▶ handler ready ─────────▶ unsent ─────────▶ socket.send
//!                                      │                         ▲
//!                                      └─▶ running, if it waits ─┘
//! ```
//!
//! Nothing here waits. While replies are unsent, or as many calls run as may, nothing is read, no call begins that was read before, and no
//! stream gives an item: so a client that does not read its replies is held in its own socket, and memory is bounded. One that may say something of calls that run is read
//! even while no further call may begin, up to a bound: the calls in between are kept.

use std::collections::VecDeque;
use std::future::Future;
use std::io::ErrorKind;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustix::event::epoll::EventFlags;

use super::running::{Running, Streaming};
use super::shared::{Core, Due, WaitedFor};
use super::step::Progress;
use crate::handler::cancellation::Cancelled;
use crate::handler::session::{Session, Worker};
use crate::server::hooks::Opened;
use crate::server::kept::{Kept, KeptCalls};
use crate::server::packing::Packing;
use crate::server::permits::{Permit, Turn};
use crate::server::protocol::{
    Incoming, SessionFault, Unsent, bytes_of, context_of, drop_reply, give_up_sending, head_of, incoming,
    list, log_closed, log_idle, log_opened, not_received, read_call, refusal, without_descriptors,
};
use crate::steps::poller::Poller;
use crate::steps::timers::Key;
use crate::transport::{Socket, is_peer_gone};
use crate::wire::{Body, Codec, Response};

/// How many messages a session may receive, and packets it may send, in one turn. What is left comes in the next step, after all others
/// had theirs; but for a pack, of which nothing is left.
const PACKETS_PER_TURN: usize = 32;

pub(super) struct SessionState {
    /// `None` once the client has left, and nothing of it is left to be read.
    socket: Option<Socket>,
    codec: Codec,
    session: Arc<Session>,
    /// Whether more calls are to be read.
    reading: bool,
    /// A message that has begun, whose rest is due.
    rest: Option<Box<Rest>>,
    /// When it has been idle for too long.
    idle: Option<Key>,
    /// The call that waits until the server, or a step, has room for it.
    queued: Option<Box<Queued>>,
    /// What there is besides in a session whose client says something of its calls; made when it is first needed.
    besides: Option<Box<Besides>>,
    /// How many of its calls run; at most what the order allows.
    running: usize,
    /// The replies that wait for those behind them, in a session whose client takes packs.
    packing: Option<Box<Packing>>,
    /// The responses that wait for room in the socket, the first of which may be half sent. No more than may run, and one.
    unsent: VecDeque<Unsent>,
    /// How many bytes of responses wait behind the first of these.
    unsent_bytes: usize,
    /// What ended the reading, if it was a fault.
    fault: Option<SessionFault>,
    /// What the poller watches the socket for; `None` if it doesn't.
    watched: Option<EventFlags>,
    /// It is to end at once, and its handlers with it.
    cut: bool,
    /// For others to see which handler runs.
    worker: Arc<Worker>,
    /// Dropped last: the session has ended then.
    _opened: Opened,
}

/// A call that waits.
struct Queued {
    call: Kept,
    came: Instant,
    /// As how many bytes it counts in a step.
    weight: usize,
    /// Its place among those that wait for a permit.
    turn: Turn,
    /// It stands in the queue of those that wait for a step.
    in_queue: bool,
}

/// What there is beside calls that are read and carried out.
#[derive(Default)]
struct Besides {
    /// How many streams are open.
    streams: usize,
    kept: KeptCalls,
    /// The client has left: what it sent before is all read, so that its socket can be let go of.
    client_left: bool,
}

/// The rest of a message. While replies that wait hold the reading up, its time stands still, but for no longer than it is in all.
struct Rest {
    begun: Instant,
    /// How long it stood still before.
    held: Duration,
    /// Since when it stands still, if it does.
    held_since: Option<Instant>,
    timer: Option<Key>,
}

impl Besides {
    /// Of a client that has left there is no more than its socket held; what is too much stays there, and keeps its descriptor.
    fn may_read_ahead(&self) -> bool {
        !if self.client_left { self.kept.is_full_of_rest() } else { self.kept.is_full() }
    }
}

impl SessionState {
    /// A session whose socket is watched for calls.
    pub(super) fn new(socket: Socket, session: Arc<Session>, codec: Codec, opened: Opened) -> Self {
        session.span().in_scope(|| log_opened(&session));
        SessionState {
            socket: Some(socket),
            codec,
            worker: session.add_worker(),
            session,
            reading: true,
            rest: None,
            idle: None,
            queued: None,
            besides: None,
            running: 0,
            packing: None,
            unsent: VecDeque::new(),
            unsent_bytes: 0,
            fault: None,
            watched: Some(EventFlags::IN),
            cut: false,
            _opened: opened,
        }
    }

    pub(super) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Whether it is to end at once.
    pub(super) fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether there is nothing left to do.
    pub(super) fn is_finished(&self) -> bool {
        !self.reading && !self.is_at_work() && self.unsent.is_empty()
    }

    /// Whether something is carried out for the client, or is to be.
    fn is_at_work(&self) -> bool {
        self.running > 0 || self.queued.is_some() || self.is_busy_besides()
    }

    /// Whether a stream is open, or a call was read that there is no room for.
    #[inline]
    fn is_busy_besides(&self) -> bool {
        self.besides.as_ref().is_some_and(|besides| besides.streams > 0 || !besides.kept.is_empty())
    }

    /// Does what can be done now, up to its share: sends, receives, and carries out the calls that have come.
    ///
    /// Gives what the socket was ready for in vain: all of it, if there was nothing to be done.
    pub(super) fn turn(&mut self, core: &mut Core, ready: EventFlags, done: &mut Progress) -> EventFlags {
        let _entered = self.session.enter();
        let mut share = PACKETS_PER_TURN;
        let has_left = ready.contains(EventFlags::HUP);
        if has_left && self.is_at_work() {
            self.outlive_client();
            if !core.may_read_rest() {
                // It is ready in the next step as well.
                return EventFlags::empty();
            }
        }
        self.take_turn(&mut share, core, done);
        if has_left && self.is_at_work() {
            self.outlive_client();
            self.take_turn(&mut share, core, done);
            self.let_go();
        }
        if share == PACKETS_PER_TURN { ready } else { EventFlags::empty() }
    }

    fn take_turn(&mut self, share: &mut usize, core: &mut Core, done: &mut Progress) {
        while self.take_pack(share, core, done) && *share > 0 {
            let Some(socket) = &self.socket else { break };
            let longest = self.codec.longest_packet();
            match socket.recv(self.codec.rest(), longest) {
                Ok(packet) => self.take(packet, core, done),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => {
                    let fault = not_received(&mut self.codec, error);
                    self.fail(fault);
                }
            }
            *share -= 1;
        }
        self.time_rest(core);
    }

    /// Carries out what is left of a pack, and sends; gives whether a message is to be received next.
    #[inline(always)]
    fn take_pack(&mut self, share: &mut usize, core: &mut Core, done: &mut Progress) -> bool {
        loop {
            if self.besides.is_some() {
                return self.take_pack_behind_kept(share, core, done);
            }
            let may_wait = self.packing.is_some() && self.may_wait_for_next(core);
            self.flush(share, may_wait, done);
            if !self.wants_calls(core) {
                return false;
            }
            let Some(message) = self.codec.next_packed() else { return true };
            // What came with the pack came with its first.
            self.take_message(Kept { message, arrived: None }, core, done);
            *share = share.saturating_sub(1);
        }
    }

    /// As [`take_pack`](Self::take_pack), where calls may have been kept, which go first.
    #[cold]
    #[inline(never)]
    fn take_pack_behind_kept(&mut self, share: &mut usize, core: &mut Core, done: &mut Progress) -> bool {
        loop {
            self.begin_kept(share, core, done);
            if !self.wants_calls(core) {
                return false;
            }
            let Some(message) = self.codec.next_packed() else { return true };
            self.take_message(Kept { message, arrived: None }, core, done);
            *share = share.saturating_sub(1);
        }
    }

    /// Goes on with a pack that has waited for room. Nothing is received: that is for the next turn, when all others had theirs.
    fn go_on_with_pack(&mut self, core: &mut Core, done: &mut Progress) {
        if self.codec.packed().len() > 0 {
            self.take_pack(&mut { PACKETS_PER_TURN }, core, done);
        }
    }

    /// A call of this session is done, and may have opened a stream.
    pub(super) fn finish(
        &mut self,
        response: Response<Body>,
        stream: Option<Streaming>,
        core: &mut Core,
        done: &mut Progress,
    ) {
        let _entered = self.session.enter();
        self.running -= 1;
        self.reply(response);
        if let Some(stream) = stream {
            self.stream(stream, core);
        }
        self.go_on(core, done);
        self.time_rest(core);
        self.bound_unsent(core);
        if self.reading && self.session.is_stopping() {
            // What is left to be read may be no more than its end.
            self.take_turn(&mut { PACKETS_PER_TURN }, core, done);
        } else {
            self.go_on_with_pack(core, done);
        }
    }

    /// A stream has a response to send, which is its last if it is no part.
    pub(super) fn send_part(&mut self, response: Response<Body>, core: &mut Core, done: &mut Progress) {
        let _entered = self.session.enter();
        if let Some(besides) = &mut self.besides {
            besides.streams -= usize::from(response.part().is_none());
        }
        self.reply(response);
        self.go_on(core, done);
        self.time_rest(core);
        self.go_on_with_pack(core, done);
    }

    fn stream(&mut self, stream: Streaming, core: &mut Core) {
        self.besides.get_or_insert_default().streams += 1;
        core.streams.push(stream);
    }

    /// Begins the call that waits, if there is room for it now. Else it waits on, for its permit or for a step.
    pub(super) fn begin_queued(&mut self, waited_for: WaitedFor, core: &mut Core, done: &mut Progress) {
        let _entered = self.session.enter();
        if let (Some(queued), WaitedFor::Step) = (&mut self.queued, waited_for) {
            queued.in_queue = false;
        }
        if self.try_queued(core) {
            self.go_on(core, done);
            self.time_rest(core);
            self.bound_unsent(core);
            self.go_on_with_pack(core, done);
        }
    }

    #[cold]
    fn try_queued(&mut self, core: &mut Core) -> bool {
        let Some(mut queued) = self.queued.take() else { return false };
        let id = self.session.id();
        let turn = core.turns.waker_of(id);
        if !core.has_room_for(queued.weight) {
            queued.turn.step_aside();
            if !mem::replace(&mut queued.in_queue, true) {
                core.queue.push_back(id);
            }
        } else if let Poll::Ready(permit) = queued.turn.poll(&task::Context::from_waker(&turn)) {
            core.count(queued.weight);
            self.begin(queued.call, Some(queued.came), permit, core);
            return true;
        }
        self.queued = Some(queued);
        false
    }

    /// Sets the timer for a session that does nothing, from now on if it has been `active`; takes it back from one that does.
    pub(super) fn time_idleness(&mut self, core: &mut Core, active: bool) {
        let Some(limit) = core.config.limits.idle else { return };
        let idle = !self.is_at_work() && self.rest.as_ref().is_none_or(|rest| rest.held_since.is_some());
        if idle && !active && self.idle.is_some() {
            return;
        }
        core.timers.cancel(self.idle.take());
        if idle {
            self.idle = core.timers.set_after(limit, Due::Idle(self.session.id()));
        }
    }

    /// It has asked for nothing and taken no reply for too long, unless that has come meanwhile.
    pub(super) fn has_been_idle(&mut self, core: &mut Core, done: &mut Progress) {
        let _entered = self.session.enter();
        self.idle = None;
        let mut share = PACKETS_PER_TURN;
        self.take_turn(&mut share, core, done);
        if share < PACKETS_PER_TURN {
            return;
        }
        if self.unsent.is_empty() {
            log_idle(&self.session);
            self.end_receiving();
        } else {
            self.abandon(SessionFault::ReplyUnread);
        }
    }

    /// Sets the timer for the rest of a message that has begun.
    #[inline]
    fn time_rest(&mut self, core: &mut Core) {
        if self.rest.is_some() || (self.reading && self.codec.is_mid_message()) {
            self.time_rest_of_message(core);
        }
    }

    /// While replies hold the reading up, the time stands still, and the session is idle if its client takes nothing of them.
    #[cold]
    fn time_rest_of_message(&mut self, core: &mut Core) {
        if !self.reading || !self.codec.is_mid_message() {
            return self.end_rest(core);
        }
        let (now, timeout) = (Instant::now(), core.config.message_timeout);
        let (is_new, is_held) = (self.rest.is_none(), !self.unsent.is_empty());
        let rest = self.rest.get_or_insert_with(|| {
            Rest { begun: now, held: Duration::ZERO, held_since: None, timer: None }.into()
        });
        if !is_new && rest.held_since.is_some() == is_held {
            return;
        }
        if let Some(since) = rest.held_since.take() {
            rest.held = rest.held.saturating_add(now.saturating_duration_since(since)).min(timeout);
        }
        rest.held_since = is_held.then_some(now);
        let held = if is_held { timeout } else { rest.held };
        core.timers.cancel(rest.timer.take());
        let due = rest.begun.checked_add(timeout.saturating_add(held));
        rest.timer = due.map(|due| core.timers.set(due, Due::RestOfMessage(self.session.id())));
    }

    /// There is no message any more that has begun.
    #[inline]
    fn end_rest(&mut self, core: &mut Core) {
        if let Some(rest) = self.rest.take() {
            core.timers.cancel(rest.timer);
        }
    }

    /// The rest of a message is due. What is there already has come in time.
    pub(super) fn rest_is_due(&mut self, core: &mut Core, done: &mut Progress) {
        let _entered = self.session.enter();
        let due = self.rest.as_ref().and_then(|rest| rest.timer);
        let mut share = PACKETS_PER_TURN;
        self.take_turn(&mut share, core, done);
        let Some(rest) = self.rest.as_mut().filter(|rest| rest.timer == due) else { return };
        if share == 0 {
            // There may be more.
            rest.timer = Some(core.timers.set(Instant::now(), Due::RestOfMessage(self.session.id())));
        } else if self.unsent.is_empty() {
            self.fail(SessionFault::HalfMessage);
            self.end_rest(core);
        } else {
            self.abandon(SessionFault::HalfMessage);
        }
    }

    /// The timers that are of no more use once the session ends.
    pub(super) fn take_timers(&mut self) -> [Option<Key>; 2] {
        [self.rest.take().and_then(|rest| rest.timer), self.idle.take()]
    }

    /// Takes nothing more than what the client has sent by now, which is carried out, and tells the handlers that run (S7): so a call is
    /// either answered, or its client knows that it was not sent.
    pub(super) fn stop(&mut self, reason: Cancelled) {
        self.end_receiving();
        self.session.stop(reason);
    }

    fn end_receiving(&self) {
        if let Some(socket) = &self.socket {
            socket.end_receiving();
        }
    }

    /// The client has left while its calls run, or wait: these are told, and finish (S6). What it sent before is still to be read.
    #[cold]
    fn outlive_client(&mut self) {
        self.session.outlive_client();
        self.besides.get_or_insert_default().client_left = true;
    }

    /// Gives the descriptor of a client back that has left, once nothing of it is left to be read.
    fn let_go(&mut self) {
        if let Some(besides) = &self.besides
            && besides.client_left
            && !self.reading
            && self.socket.take().is_some()
        {
            self.watched = None;
        }
    }

    /// Has the socket watched for what the session waits for.
    ///
    /// To save system calls, something of no use now stays watched until the socket is ready for it `in_vain`.
    pub(super) fn watch(&mut self, core: &Core, poller: &Poller, in_vain: EventFlags) {
        let Some(socket) = &self.socket else { return };
        let token = self.session.id();
        let wanted = match self.unsent.is_empty() {
            true if self.wants_calls(core) => EventFlags::IN,
            true => EventFlags::empty(),
            false => EventFlags::OUT,
        };
        // The end of a connection is always watched, as long as anything is.
        let ended = wanted.is_empty() && in_vain.intersects(EventFlags::HUP | EventFlags::ERR);
        let result = match self.watched {
            None if wanted.is_empty() => return,
            None => poller.add(socket, token, wanted),
            Some(_) if ended => poller.delete(socket),
            Some(watched) if watched.contains(wanted) && in_vain.is_empty() => return,
            Some(_) => poller.modify(socket, token, wanted),
        };
        self.watched = (!ended).then_some(wanted);
        if let Err(error) = result {
            self.abandon(SessionFault::Io(error));
        }
    }

    fn wants_calls(&self, core: &Core) -> bool {
        let may_keep = || self.besides.as_ref().is_none_or(|besides| besides.may_read_ahead());
        self.reading && self.unsent.is_empty() && (self.has_room(core) || (self.reads_ahead() && may_keep()))
    }

    /// Whether messages are read while there is no room for a call.
    fn reads_ahead(&self) -> bool {
        self.session.controls().is_some() || self.besides.as_ref().is_some_and(|besides| besides.client_left)
    }

    /// Whether another call may begin.
    fn has_room(&self, core: &Core) -> bool {
        self.queued.is_none() && self.running < core.config.order.limit()
    }

    /// Sends what there is room for, and begins the calls that were kept.
    #[inline]
    fn go_on(&mut self, core: &mut Core, done: &mut Progress) {
        let share = &mut { PACKETS_PER_TURN };
        match self.besides.is_some() {
            true => self.begin_kept(share, core, done),
            false => self.flush(share, false, done),
        }
    }

    /// Sends what there is room for, and begins the calls that were read before there was room for them, as far as there is now: none while
    /// replies are unsent, as none is read then. So no more of these wait than of calls that were not kept.
    #[cold]
    fn begin_kept(&mut self, share: &mut usize, core: &mut Core, done: &mut Progress) {
        loop {
            let may_begin = self.may_begin_kept(core);
            let may_wait = !may_begin && self.packing.is_some() && self.may_wait_for_next(core);
            self.flush(share, may_wait, done);
            if !may_begin || self.cut || !self.unsent.is_empty() {
                return;
            }
            if let Some(besides) = &mut self.besides
                && let Some(call) = besides.kept.take()
            {
                self.call(call, core);
            }
        }
    }

    fn may_begin_kept(&self, core: &Core) -> bool {
        self.has_room(core) && self.besides.as_ref().is_some_and(|besides| !besides.kept.is_empty())
    }

    fn take(&mut self, packet: Option<Bytes>, core: &mut Core, done: &mut Progress) {
        match incoming(&mut self.codec, packet) {
            Ok(Incoming::Message(message)) => {
                self.end_rest(core);
                let arrived = self.socket.as_ref().and_then(Socket::arrived);
                self.take_message(Kept { message, arrived }, core, done);
            }
            Ok(Incoming::Part) => {}
            Ok(Incoming::Closed) => self.stop_reading(),
            Err(fault) => self.fail(fault),
        }
    }

    #[inline(always)]
    fn take_message(&mut self, call: Kept, core: &mut Core, done: &mut Progress) {
        let call = match self.reads_ahead() {
            false => {
                done.calls += 1;
                call
            }
            true => match self.heed(call, core, done) {
                Some(call) => call,
                None => return,
            },
        };
        self.call(call, core);
    }

    /// Does what a message says of a call that runs, and keeps a call while no further one may begin; gives back one that may.
    #[cold]
    fn heed(&mut self, call: Kept, core: &Core, done: &mut Progress) -> Option<Kept> {
        if self.session.heeds(&call.message) {
            return None;
        }
        done.calls += 1;
        // None overtakes another that was kept.
        if self.has_room(core) && !self.may_begin_kept(core) {
            return Some(call);
        }
        self.besides.get_or_insert_default().kept.put(call, self.session.account());
        None
    }

    fn stop_reading(&mut self) {
        self.reading = false;
        self.session.is_read();
    }

    /// Begins a call, or has it wait until there is room for it.
    // As a part of `take`, as far as a session without `besides` is concerned.
    #[inline(always)]
    fn call(&mut self, call: Kept, core: &mut Core) {
        let weight = core.weight(&call.message);
        if core.has_room_for_next(weight)
            && let Some(permit) = core.permits.try_acquire(self.session.peer().uid())
        {
            core.count(weight);
            self.begin(call, None, permit, core);
        } else {
            self.queue(call, weight, core);
        }
    }

    #[cold]
    fn queue(&mut self, call: Kept, weight: usize, core: &mut Core) {
        let turn = Turn::new(&core.permits, self.session.peer().uid());
        let may_begin = core.has_room_for_next(weight);
        self.queued = Some(Queued { call, came: Instant::now(), weight, turn, in_queue: !may_begin }.into());
        match may_begin {
            // It takes its place among those that wait for a permit.
            true => drop(self.try_queued(core)),
            false => core.queue.push_back(self.session.id()),
        }
    }

    /// Begins a call, and answers it if its handler is ready at once.
    fn begin(&mut self, call: Kept, came: Option<Instant>, permit: Permit, core: &mut Core) {
        let Kept { message, arrived } = call;
        let mut call = match read_call(&self.codec, &self.session, message, arrived) {
            Ok(call) => call,
            Err(response) => return self.reply(response),
        };
        let context = context_of(&self.session, &mut call, &core.config, came, Instant::now);
        self.worker.begin(call.module, call.method, call.sequence);
        if let Some(packing) = &mut self.packing {
            packing.begin((call.module, call.method));
        }
        let mut stopwatch = core.slow.stopwatch(0);
        core.slow.start(&mut stopwatch, (call.module, call.method));
        let mut processing = core.service.process(context, call);
        // One that waits is polled again in this step, with a waker.
        let polled = Pin::new(&mut processing).poll(&mut task::Context::from_waker(Waker::noop()));
        self.worker.rest();
        core.slow.stop(&stopwatch, &processing, &polled);
        match polled {
            Poll::Ready(response) => {
                self.reply(response);
                match processing.take_stream() {
                    None => self.session.call_done(),
                    Some(stream) => {
                        let stream = stream.listed(list(&processing));
                        self.stream(Streaming::new(self.session.id(), stream), core);
                    }
                }
            }
            Poll::Pending => {
                if let Some(packing) = &mut self.packing {
                    packing.waits();
                }
                self.running += 1;
                core.running.push(Running::new(self.session.id(), processing, permit, &mut core.timers));
            }
        }
    }

    /// Puts a response where it is sent from.
    fn reply(&mut self, response: Response<Body>) {
        match self.session.packs() {
            false => self.reply_alone(response),
            true => self.packing.get_or_insert_default().put(&self.session, response),
        }
    }

    #[inline(always)]
    fn reply_alone(&mut self, mut response: Response<Body>) {
        let head = head_of(&self.codec, &self.session, &mut response);
        if !self.unsent.is_empty() {
            self.unsent_bytes += bytes_of(&response);
        }
        self.unsent.push_back(Unsent { head, response, packets: 0 });
    }

    /// Sends what there is room for, but for what may wait for those behind it. Streams wait until all of it is sent.
    fn flush(&mut self, share: &mut usize, may_wait: bool, done: &mut Progress) {
        if self.packing.is_some() && !may_wait {
            self.flush_packed(done);
        }
        self.send_unsent(share, done);
        if self.besides.is_some() {
            self.hold_streams();
        }
    }

    /// Whether the next call is there, and may begin, and will not take long.
    fn may_wait_for_next(&self, core: &Core) -> bool {
        self.wants_calls(core)
            && self.packing.as_ref().is_some_and(|packing| packing.may_wait_for_next(&self.codec))
    }

    #[inline(never)]
    fn flush_packed(&mut self, done: &mut Progress) {
        while let Some(packing) = &mut self.packing
            && let replies = packing.len()
            && let Some(response) = packing.next(&self.session)
        {
            // As one it is counted where it was sent.
            done.replies += replies - 1;
            self.reply_alone(response);
        }
    }

    #[cold]
    fn hold_streams(&self) {
        if let Some(controls) = self.session.controls() {
            controls.hold(!self.unsent.is_empty());
        }
    }

    /// Sends message by message (W10).
    #[inline(always)]
    fn send_unsent(&mut self, share: &mut usize, done: &mut Progress) {
        'messages: while let Some(Unsent { head, response, packets: sent }) = self.unsent.front_mut() {
            let packets = match self.codec.packets(&*head, &response.body) {
                Ok(packets) => packets,
                Err(error) => return self.abandon(SessionFault::Io(std::io::Error::other(error))),
            };
            for packet in packets.skip_sent(*sent) {
                if *share == 0 {
                    return;
                }
                // To a client that has left, nothing is sent.
                let Some(socket) = &self.socket else {
                    give_up_sending(&self.session, response);
                    break;
                };
                let sending = socket.send(&packet);
                match sending {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                    Err(error) if is_peer_gone(&error) => {
                        give_up_sending(&self.session, response);
                        break;
                    }
                    Err(error) => {
                        let Some(mut instead) = without_descriptors(&self.session, response, &error) else {
                            return self.abandon(SessionFault::Io(error));
                        };
                        *head = head_of(&self.codec, &self.session, &mut instead);
                        *response = instead;
                        continue 'messages;
                    }
                }
                *sent += 1;
                *share -= 1;
            }
            // Its bytes may be a stranger's.
            drop_reply(&self.session, self.unsent.pop_front());
            self.unsent_bytes -= self.unsent.front().map_or(0, |next| bytes_of(&next.response));
            done.replies += 1;
        }
    }

    /// Ends a session whose client takes no replies, once too many wait.
    fn bound_unsent(&mut self, core: &Core) {
        let (bytes, limit) = (self.unsent_bytes, core.config.limits.pending_replies);
        if bytes > limit {
            self.abandon(SessionFault::RepliesUnread { bytes, limit });
        }
    }

    /// Ends the reading; what runs is still answered.
    fn fail(&mut self, fault: SessionFault) {
        self.stop_reading();
        // What has come of a message is let go of, however long the session goes on.
        self.codec = self.codec.for_sending();
        if let Some(refusal) = refusal(&fault) {
            self.reply(refusal);
        }
        self.fault.get_or_insert(fault);
    }

    fn drop_replies(&mut self) {
        for unsent in mem::take(&mut self.unsent) {
            drop_reply(&self.session, unsent);
        }
        if let Some(packing) = self.packing.take() {
            packing.discard(&self.session);
        }
    }

    /// Ends the session at once: its replies can't be sent.
    fn abandon(&mut self, fault: SessionFault) {
        self.stop_reading();
        self.drop_replies();
        self.unsent_bytes = 0;
        self.cut = true;
        self.fault.get_or_insert(fault);
    }
}

impl Drop for SessionState {
    fn drop(&mut self) {
        let _entered = self.session.enter();
        log_closed(&self.session, self.fault.as_ref());
        self.drop_replies();
        self.session.end();
    }
}
