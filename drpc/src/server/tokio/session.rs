//! One session: the loop that takes a client's calls and answers them (S5, S6, S10).
//!
//! ```text
//!            poll_message              begin                   try_reply
//! link.recv ─────────────▶ message ───────────▶ handler ready ───────────▶ link.send
//!                                      │                          ▲
//!                                      └──▶ running, if it waits ─┘
//! ```
//!
//! A handler is polled once where its call was read. One that is ready is answered there and then; one that waits joins
//! `running`. While `running` is full, nothing is read: with room for one call, that is the serial order of DAOS's Go server;
//! with room for more, the concurrent one of its engine (S5).
//!
//! A handler that answers with a stream is done once that is open; its items are sent beside the calls, whenever nothing else is to be
//! done. What the client says of calls that run is heeded even while no further call may begin: calls that stand before it are kept.
//!
//! A **call fault** (an unknown ID, a bad body, a failing handler) becomes a response. A **session fault** (a broken frame, an
//! I/O error) stops the reading; the calls that run are still answered, and then the connection is closed. So it
//! is with a client that closes: what it sent before is executed (S6).

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{self, Poll, ready};

use futures_util::stream::{FuturesUnordered, SelectAll, StreamExt};
use tokio::task::coop;
use tokio::time::{Instant, Sleep, sleep_until};
use tracing::Instrument;

use super::idle::Idle;
use super::queue::CallQueue;
use super::rest::Rest;
use super::shared::{Shared, leave_sockets_to_another_thread};
use crate::dispatch::outflow::Outflow;
use crate::dispatch::processing::Processing;
use crate::handler::session::{Listed, Session, Worker};
use crate::server::admission::log_refused;
use crate::server::hooks::Opened;
use crate::server::kept::{Kept, KeptCalls};
use crate::server::packing::Packing;
use crate::server::permits::{Permit, Turn};
use crate::server::protocol::{
    Incoming, SessionFault, Unsent, bytes_of, context_of, drop_reply, give_up_sending, head_of, incoming,
    list, log_closed, log_idle, log_opened, not_received, read_call, refusal, without_descriptors,
};
use crate::transport::{Link, PeerCredentials, is_peer_gone};
use crate::wire::{Body, Codec, Packet, Response};

/// A session's task.
pub(super) struct SessionLoop {
    link: Link,
    codec: Codec,
    session: Arc<Session>,
    server: Arc<Shared>,
    /// Whether more calls are to be read.
    reading: bool,
    /// It reads what the client has sent already, and then ends (S7).
    ending: bool,
    /// When the rest of a message that has begun is due.
    rest: Option<Box<Rest>>,
    /// The calls whose handlers wait for something.
    running: FuturesUnordered<Handling>,
    /// What there is besides in a session whose client says something of its calls; made when it is first needed.
    besides: Option<Box<Besides>>,
    /// What handlers answered while another response was on its way.
    finished: VecDeque<Response<Body>>,
    /// How many bytes these have.
    finished_bytes: usize,
    /// The replies that wait for those behind them, in a session whose client takes packs.
    packing: Option<Box<Packing>>,
    /// The call that waits until the server has room for it.
    queue: CallQueue,
    idle: Idle,
    /// For others to see which handler runs.
    worker: Arc<Worker>,
    /// Dropped last: the session has ended then.
    opened: Option<Opened>,
}

/// What there is beside calls that are read and carried out.
#[derive(Default)]
struct Besides {
    /// The streams that handlers answered with.
    streams: SelectAll<Box<Outflow>>,
    kept: KeptCalls,
    /// What gives the session its turns to read what a client that has left sent before, until its connection can be let go of.
    client_left: Option<Turn>,
}

/// What a session has to act upon.
enum Event {
    /// A call is done.
    Answered(Response<Body>),
    /// Nothing is there for which replies might wait.
    Rest,
    /// The client has closed its end.
    Closed,
    Fault(SessionFault),
}

/// A client's message, whole, and what came with it; `None` once the client has closed its end.
type Received = Result<Option<Kept>, SessionFault>;

impl SessionLoop {
    pub(super) fn new(link: Link, session: Arc<Session>, server: Arc<Shared>) -> Self {
        let codec = server.config.codec(&session, link.longest_packet());
        SessionLoop {
            link,
            codec,
            queue: CallQueue::new(&server, session.peer().uid()),
            idle: Idle::new(&server.config.limits),
            worker: session.add_worker(),
            session,
            server,
            reading: true,
            ending: false,
            rest: None,
            running: FuturesUnordered::new(),
            besides: None,
            finished: VecDeque::new(),
            finished_bytes: 0,
            packing: None,
            opened: None,
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.session.id()
    }

    /// Serves the session to its end.
    #[allow(
        clippy::manual_async_fn,
        reason = "an `async fn` would keep `self` twice, for as long as the session lives"
    )]
    pub(super) fn run(mut self) -> impl Future<Output = ()> + Send {
        let span = self.session.span().clone();
        let serving = async move {
            match Opened::new(&self.server.config.hooks, &self.session) {
                Ok(opened) => self.opened = Some(opened),
                Err(refusal) => return log_refused(&self.session, &refusal),
            }
            log_opened(&self.session);
            let outcome = self.serve().await;
            log_closed(&self.session, outcome.as_ref().err());
        };
        serving.instrument(span)
    }

    async fn serve(&mut self) -> Result<(), SessionFault> {
        let mut outcome = Ok(());
        while let Some(event) = poll_fn(|context| self.poll_event(context)).await {
            let mut unsent = match event {
                Event::Answered(response) => self.answer(response),
                Event::Rest => self.try_packed(),
                Event::Closed => {
                    self.stop_reading();
                    None
                }
                Event::Fault(fault) => {
                    self.stop_reading();
                    // What has come of a message is let go of, however long the session goes on.
                    self.codec = self.codec.for_sending();
                    self.rest = None;
                    let refusal = refusal(&fault);
                    outcome = Err(fault);
                    refusal.and_then(|refusal| self.answer(refusal))
                }
            };
            while let Some(rest) = unsent {
                self.send(rest).await?;
                unsent = self.try_packed();
            }
        }
        outcome
    }

    /// Sends a reply, unless it waits for those behind it, as far as there is room for it now; gives what is left of it.
    #[inline(always)]
    fn answer(&mut self, reply: Response<Body>) -> Option<Box<Unsent>> {
        if self.session.packs() { self.pack(reply) } else { self.try_reply(reply) }
    }

    #[inline(never)]
    fn pack(&mut self, reply: Response<Body>) -> Option<Box<Unsent>> {
        self.packing.get_or_insert_default().put(&self.session, reply);
        // What was answered meanwhile is there already.
        if !self.finished.is_empty() || self.replies_may_wait() { None } else { self.try_packed() }
    }

    /// Whether replies wait for those behind them.
    #[inline]
    fn replies_wait(&self) -> bool {
        self.packing.as_ref().is_some_and(|packing| !packing.is_empty())
    }

    /// Whether the next thing to be done is a call of a pack that will not take long.
    fn replies_may_wait(&self) -> bool {
        self.packing.as_ref().is_some_and(|packing| packing.may_wait_for_next(&self.codec))
            && self.queue.is_empty()
            && self.has_room()
            && self.besides.as_ref().is_none_or(|besides| besides.kept.is_empty())
    }

    /// Whether another call may begin.
    #[inline]
    fn has_room(&self) -> bool {
        self.running.len() < self.server.config.order.limit()
    }

    /// Sends the replies that wait; gives what is left of one.
    fn try_packed(&mut self) -> Option<Box<Unsent>> {
        while let Some(response) = self.packing.as_mut()?.next(&self.session) {
            if let Some(unsent) = self.try_reply(response) {
                return Some(unsent);
            }
        }
        None
    }

    /// Begins the calls that come, and waits for what is next; `None` once nothing is read any more and nothing runs.
    fn poll_event(&mut self, context: &mut task::Context<'_>) -> Poll<Option<Event>> {
        loop {
            if let Some(turn) = self.besides.as_ref().and_then(|besides| besides.client_left.as_ref()) {
                // Until it reads on: what follows may block this thread.
                turn.step_aside();
            }
            if let Some(response) = self.finished.pop_front() {
                self.finished_bytes -= bytes_of(&response);
                return Poll::Ready(Some(Event::Answered(response)));
            }
            if self.replies_wait() {
                return self.poll_behind_replies(context);
            }
            if !self.running.is_empty() {
                // A handler may block this thread, and no permit that is free is to wait for that (S1).
                if !self.queue.is_empty() {
                    self.queue.step_aside();
                }
                if let Poll::Ready(Some(done)) = self.running.poll_next_unpin(context) {
                    self.server.slow.note_reply(done.ids, done.made);
                    add_stream(&mut self.besides, done.stream);
                    return Poll::Ready(Some(Event::Answered(done.response)));
                }
            }
            let (streams, kept) = match &self.besides {
                None => (false, false),
                Some(besides) => (!besides.streams.is_empty(), !besides.kept.is_empty()),
            };
            let busy = !self.running.is_empty() || streams;
            if !self.ending && self.session.poll_stop(context).is_ready() {
                self.end();
            }
            let calls_wait = !self.queue.is_empty() || kept;
            if !self.reading && !busy && !calls_wait {
                return Poll::Ready(None);
            }
            if self.has_room()
                && (self.reading || calls_wait)
                && let Poll::Ready(received) = self.poll_call(context)
            {
                let call = match received {
                    Ok(Some(call)) => call,
                    Ok(None) => return Poll::Ready(Some(Event::Closed)),
                    Err(fault) => return Poll::Ready(Some(Event::Fault(fault))),
                };
                match self.begin(call, context) {
                    Some(response) => return Poll::Ready(Some(Event::Answered(response))),
                    None => continue,
                }
            }
            return self.poll_rest(busy, context);
        }
    }

    /// Begins the next call of a pack, if replies may wait for it; or else has them sent.
    #[inline(never)]
    fn poll_behind_replies(&mut self, context: &mut task::Context<'_>) -> Poll<Option<Event>> {
        while self.replies_may_wait()
            && let Poll::Ready(Some(call)) = self.poll_next_packed(context)
        {
            let call = self.heed(call).and_then(|call| self.queue.enter(call));
            if let Some(response) = call.and_then(|call| self.begin(call, context)) {
                return Poll::Ready(Some(Event::Answered(response)));
            }
        }
        Poll::Ready(Some(Event::Rest))
    }

    /// What there is to wait for while no call comes.
    #[inline(always)]
    fn poll_rest(&mut self, busy: bool, context: &mut task::Context<'_>) -> Poll<Option<Event>> {
        if (self.besides.is_some() || self.session.controls().is_some())
            && let Poll::Ready(event) = self.poll_besides(context)
        {
            return Poll::Ready(Some(event));
        }
        if (busy || !self.queue.is_empty())
            && !self.session.caller_has_left()
            && let Poll::Ready(closed) = self.link.poll_peer_closed(context)
        {
            self.outlive_client();
            if let Err(error) = closed {
                return Poll::Ready(Some(Event::Fault(SessionFault::Io(error))));
            }
            if let Poll::Ready(event) = self.poll_besides(context) {
                return Poll::Ready(Some(event));
            }
        }
        let idle = !self.ending && !busy && self.rest.is_none() && self.queue.is_empty();
        if idle && self.idle.poll(context).is_ready() {
            log_idle(&self.session);
            self.end();
        }
        Poll::Pending
    }

    /// Takes nothing more than what the client has sent by now, which is carried out (S7): so a call is either answered, or its
    /// client knows that it was not sent.
    fn end(&mut self) {
        self.ending = true;
        self.link.end_receiving();
    }

    fn stop_reading(&mut self) {
        self.reading = false;
        self.session.is_read();
        self.let_go();
    }

    /// The client has left while its calls run, or wait (S6): what it sent before is still to be read.
    #[cold]
    fn outlive_client(&mut self) {
        self.session.outlive_client();
        let turn = Turn::new(self.server.turns(), self.session.peer().uid());
        self.besides.get_or_insert_default().client_left = Some(turn);
        self.let_go();
    }

    /// Gives the descriptor of a client back that has left, once nothing of it is left to be read.
    fn let_go(&mut self) {
        if let Some(besides) = &mut self.besides
            && besides.client_left.is_some()
            && !self.reading
        {
            self.link = Link::to_nobody();
        }
    }

    /// Reads what there is no room for yet, since the client may say something of what runs behind it; or else gives the next response of
    /// a stream.
    #[cold]
    #[inline(never)]
    fn poll_besides(&mut self, context: &mut task::Context<'_>) -> Poll<Event> {
        if let Poll::Ready(event) = self.poll_ahead(context) {
            return Poll::Ready(event);
        }
        let reads_on = self.may_read_ahead();
        let Some(besides) = self.besides.as_mut().filter(|besides| !besides.streams.is_empty()) else {
            return Poll::Pending;
        };
        // Only as often as the runtime likes: one may always have another.
        let coop = ready!(coop::poll_proceed(context));
        self.queue.step_aside();
        besides.client_left.iter().for_each(Turn::step_aside);
        let polled = besides.streams.poll_next_unpin(context);
        self.queue.step_in(context);
        if let Some(turn) = besides.client_left.as_ref().filter(|_| reads_on) {
            turn.step_in(context);
        }
        match polled {
            Poll::Ready(Some(response)) => {
                coop.made_progress();
                Poll::Ready(Event::Answered(response))
            }
            Poll::Ready(None) => {
                // With the last of them the session may have come to its end.
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Pending => Poll::Pending,
        }
    }

    /// Reads calls that there is no room for yet; of a client that has left, in turns.
    fn poll_ahead(&mut self, context: &mut task::Context<'_>) -> Poll<Event> {
        if !self.may_read_ahead() {
            return Poll::Pending;
        }
        let client_left = self.besides.as_mut().and_then(|besides| besides.client_left.as_mut());
        let _turn = match client_left {
            Some(turn) => Some(ready!(turn.poll(context))),
            None => None,
        };
        while self.may_read_ahead() {
            match ready!(self.poll_message(context)) {
                Ok(Some(call)) => {
                    self.besides.get_or_insert_default().kept.put(call, self.session.account());
                }
                Ok(None) => return Poll::Ready(Event::Closed),
                Err(fault) => return Poll::Ready(Event::Fault(fault)),
            }
        }
        Poll::Pending
    }

    fn may_read_ahead(&self) -> bool {
        self.reading && self.besides.as_ref().is_none_or(|besides| besides.may_read_ahead())
    }

    /// The next of the calls that were kept. Without one, nothing is to be waited for if nothing is read any more.
    #[cold]
    fn poll_kept(&mut self, context: &mut task::Context<'_>) -> Option<Poll<Received>> {
        let kept = &mut self.besides.as_mut()?.kept;
        if kept.is_empty() {
            return (!self.reading).then_some(Poll::Pending);
        }
        // Only as often as the runtime likes: nothing else here may have to be waited for.
        let Poll::Ready(coop) = coop::poll_proceed(context) else { return Some(Poll::Pending) };
        coop.made_progress();
        let call = kept.take()?;
        Some(match self.queue.enter(call) {
            Some(call) => Poll::Ready(Ok(Some(call))),
            None => self.queue.poll(context).map(|call| Ok(Some(call))),
        })
    }

    /// Does what a message says of a call that runs; gives back one that is a call.
    #[inline(always)]
    fn heed(&self, call: Kept) -> Option<Kept> {
        match self.session.controls().is_none() {
            true => Some(call),
            false => self.heed_controlled(call),
        }
    }

    #[cold]
    fn heed_controlled(&self, call: Kept) -> Option<Kept> {
        (!self.session.heeds(&call.message)).then_some(call)
    }

    /// Receives the next message, and waits until the server has room for its call.
    #[inline(always)]
    fn poll_call(&mut self, context: &mut task::Context<'_>) -> Poll<Received> {
        if self.queue.is_empty() {
            if self.besides.is_some()
                && let Some(polled) = self.poll_kept(context)
            {
                return polled;
            }
            match ready!(self.poll_message(context)) {
                Ok(Some(call)) => {
                    if let Some(call) = self.queue.enter(call) {
                        return Poll::Ready(Ok(Some(call)));
                    }
                }
                ended => return Poll::Ready(ended),
            }
        }
        self.queue.poll(context).map(|call| Ok(Some(call)))
    }

    /// Receives the next message that is a call. What has come of it so far is kept in the codec, and its descriptors at the link: these come
    /// with its first packet.
    // It is a part of `poll_event`, as far as a session without `besides` is concerned.
    #[inline(always)]
    fn poll_message(&mut self, context: &mut task::Context<'_>) -> Poll<Received> {
        loop {
            if self.codec.packed().len() > 0
                && let Some(call) = ready!(self.poll_packed(context))
            {
                return Poll::Ready(Ok(Some(call)));
            }
            // Handlers that wait may want this thread.
            let idle = self.running.is_empty();
            let longest = self.codec.longest_packet();
            let packet = match self.link.poll_recv(context, self.codec.rest(), longest, idle) {
                Poll::Ready(Ok(packet)) => packet,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(not_received(&mut self.codec, error))),
                Poll::Pending => {
                    return match &mut self.rest {
                        Some(rest) => rest.poll(context).map(|()| Err(SessionFault::HalfMessage)),
                        None => Poll::Pending,
                    };
                }
            };
            match incoming(&mut self.codec, packet) {
                Ok(Incoming::Message(message)) => {
                    self.rest = None;
                    match self.heed(Kept { message, arrived: self.link.arrived() }) {
                        Some(call) => return Poll::Ready(Ok(Some(call))),
                        None => continue,
                    }
                }
                Ok(Incoming::Part) => {}
                Ok(Incoming::Closed) => return Poll::Ready(Ok(None)),
                Err(fault) => return Poll::Ready(Err(fault)),
            }
            match &self.rest {
                None => self.rest = Some(Rest::new(self.server.config.message_timeout).into()),
                // Chunks that keep coming leave the timer no chance to be looked at.
                Some(rest) if rest.is_over() => return Poll::Ready(Err(SessionFault::HalfMessage)),
                Some(_) => {}
            }
        }
    }

    /// The next message of a pack that is a call; `None` once there is no other.
    #[inline(never)]
    fn poll_packed(&mut self, context: &mut task::Context<'_>) -> Poll<Option<Kept>> {
        loop {
            let Some(call) = ready!(self.poll_next_packed(context)) else { return Poll::Ready(None) };
            if let Some(call) = self.heed(call) {
                return Poll::Ready(Some(call));
            }
        }
    }

    /// The next message of a pack, but only as often as the runtime likes. What came with the pack came with its first.
    fn poll_next_packed(&mut self, context: &mut task::Context<'_>) -> Poll<Option<Kept>> {
        let coop = ready!(coop::poll_proceed(context));
        let message = self.codec.next_packed();
        if message.is_some() {
            coop.made_progress();
        }
        Poll::Ready(message.map(|message| Kept { message, arrived: None }))
    }

    /// Begins a call; gives its answer if the handler is ready at once.
    #[inline(always)]
    fn begin(&mut self, call: Kept, context: &mut task::Context<'_>) -> Option<Response<Body>> {
        self.idle.interrupt();
        let (permit, came, turn) = (self.queue.take_permit(), self.queue.take_came(), self.queue.take_turn());
        if turn.is_some() {
            leave_sockets_to_another_thread();
        }
        let Kept { message, arrived } = call;
        let mut stopwatch = self.server.slow.stopwatch(message.len());
        let mut call = match read_call(&self.codec, &self.session, message, arrived) {
            Ok(call) => call,
            Err(response) => return Some(response),
        };
        let now = || Instant::now().into_std();
        let calls = context_of(&self.session, &mut call, &self.server.config, came, now);
        self.worker.begin(call.module, call.method, call.sequence);
        if let Some(packing) = &mut self.packing {
            packing.begin((call.module, call.method));
        }
        self.server.slow.start(&mut stopwatch, (call.module, call.method));
        let mut processing = self.server.service.process_at(calls, call, now);
        let polled = Pin::new(&mut processing).poll(context);
        self.worker.rest();
        self.server.slow.stop(&stopwatch, &processing, &polled);
        match polled {
            Poll::Ready(response) => {
                match processing.take_stream() {
                    None => self.session.call_done(),
                    Some(stream) => add_stream(&mut self.besides, Some(stream.listed(list(&processing)))),
                }
                Some(response)
            }
            Poll::Pending => {
                if let Some(packing) = &mut self.packing {
                    packing.waits();
                }
                let listed = list(&processing);
                self.running.push(Handling { processing, cut_off: None, listed, _permit: permit });
                None
            }
        }
    }

    /// Sends a response, as far as there is room for it now; gives what is left of it.
    fn try_reply(&self, mut response: Response<Body>) -> Option<Box<Unsent>> {
        let head = head_of(&self.codec, &self.session, &mut response);
        let mut sent = 0;
        if let Ok(packets) = self.codec.packets(&head, &response.body) {
            let all = packets.len();
            for packet in packets {
                match self.link.try_send(&packet) {
                    Ok(()) => sent += 1,
                    Err(_) => break,
                }
            }
            if sent == all {
                return None;
            }
        }
        // Another error than that there is no room comes again, where the rest is sent.
        Some(Unsent { head, response, packets: sent as u32 }.into())
    }

    /// Sends what is left of a response, so that it goes out whole (W10).
    async fn send(&mut self, mut unsent: Box<Unsent>) -> Result<(), SessionFault> {
        'response: loop {
            let Unsent { head, response, packets: sent } = &mut *unsent;
            let packets = self.codec.packets(&*head, &response.body).map_err(io::Error::other)?;
            for packet in packets.skip_sent(*sent) {
                match self.wait_to_send(&packet).await {
                    Err(SessionFault::Io(error)) if is_peer_gone(&error) => {
                        give_up_sending(&self.session, response);
                        break;
                    }
                    Err(SessionFault::Io(error)) if !packet.descriptors().is_empty() => {
                        let mut instead =
                            without_descriptors(&self.session, response, &error).ok_or(error)?;
                        let head = head_of(&self.codec, &self.session, &mut instead);
                        *unsent = Unsent { head, response: instead, packets: 0 };
                        continue 'response;
                    }
                    result => result?,
                }
            }
            return Ok(());
        }
    }

    /// Sends one packet of a response, for which there was no room.
    ///
    /// Until there is, the calls that run go on: they may hold what other sessions wait for (S1), and
    /// they are told of a shutdown (S7). None is begun, so that what they answer meanwhile is no more than may run at once.
    async fn wait_to_send(&mut self, packet: &Packet<'_>) -> Result<(), SessionFault> {
        let SessionLoop {
            link,
            session,
            server,
            running,
            besides,
            finished,
            finished_bytes,
            queue,
            idle,
            rest,
            ..
        } = self;
        let limit = server.config.limits.pending_replies;
        queue.step_back();
        if let Some(turn) = besides.as_ref().and_then(|besides| besides.client_left.as_ref()) {
            turn.step_aside();
        }
        idle.interrupt();
        let held = rest.as_mut().map(|rest| rest.hold());
        let mut sending = pin!(link.send(packet));
        let sent = poll_fn(|context| {
            if let Poll::Ready(result) = sending.as_mut().poll(context) {
                return Poll::Ready(result.map_err(SessionFault::Io));
            }
            if let Some(rest) = rest
                && rest.poll(context).is_ready()
            {
                return Poll::Ready(Err(SessionFault::HalfMessage));
            }
            // The handlers see it by themselves; here it is only waited for.
            let _ = session.poll_stop(context);
            while let Poll::Ready(Some(Done { ids, made, response, stream })) =
                running.poll_next_unpin(context)
            {
                server.slow.note_reply(ids, made);
                add_stream(besides, stream);
                *finished_bytes += bytes_of(&response);
                finished.push_back(response);
                if *finished_bytes > limit {
                    return Poll::Ready(Err(SessionFault::RepliesUnread { bytes: *finished_bytes, limit }));
                }
            }
            // A stream that is open is as little idle as a call that runs.
            match running.is_empty() && session.open_streams() == 0 {
                true => idle.poll(context).map(|()| Err(SessionFault::ReplyUnread)),
                false => Poll::Pending,
            }
        })
        .await;
        idle.interrupt();
        if let (Some(rest), Some(held)) = (rest, held) {
            rest.go_on(held);
        }
        sent
    }
}

impl Besides {
    /// Of a client that has left there is no more than its socket held; what is too much stays there, and keeps its descriptor.
    fn may_read_ahead(&self) -> bool {
        !if self.client_left.is_some() { self.kept.is_full_of_rest() } else { self.kept.is_full() }
    }
}

/// Takes a stream that a call has opened, if it has.
fn add_stream(besides: &mut Option<Box<Besides>>, stream: Option<Box<Outflow>>) {
    if let Some(stream) = stream {
        besides.get_or_insert_default().streams.push(stream);
    }
}

impl Drop for SessionLoop {
    fn drop(&mut self) {
        for reply in self.finished.drain(..) {
            drop_reply(&self.session, reply);
        }
        if let Some(packing) = self.packing.take() {
            packing.discard(&self.session);
        }
        self.server.sessions.close(&self.session);
    }
}

/// A call whose handler waits, within the time that the server gives it.
struct Handling {
    processing: Processing,
    /// When the handler is cut off.
    cut_off: Option<Pin<Box<Sleep>>>,
    /// The call's entry in the session's list.
    listed: Option<Listed>,
    /// That it may run, where calls are limited.
    _permit: Option<Permit>,
}

/// A call whose handler is done.
struct Done {
    /// Of module and method.
    ids: (i32, i32),
    /// How many bytes of reply the handler has made.
    made: usize,
    response: Response<Body>,
    stream: Option<Box<Outflow>>,
}

impl Handling {
    fn done(&self, response: Response<Body>, stream: Option<Box<Outflow>>) -> Done {
        Done { ids: self.processing.ids(), made: self.processing.made(), response, stream }
    }
}

impl Future for Handling {
    type Output = Done;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Done> {
        if let Poll::Ready(response) = Pin::new(&mut self.processing).poll(context) {
            let stream = self.processing.take_stream().map(|stream| stream.listed(self.listed.take()));
            return Poll::Ready(self.done(response, stream));
        }
        let Some(deadline) = self.processing.context().deadline() else { return Poll::Pending };
        let due = self.cut_off.get_or_insert_with(|| Box::pin(sleep_until(deadline.into())));
        ready!(due.as_mut().poll(context));
        let response = self.processing.cut_off();
        Poll::Ready(self.done(response, None))
    }
}

/// Spawns a session whose client, at the other end of the link, is in this process, and counts as `peer`.
pub(crate) fn spawn_in_memory(server: Arc<Shared>, link: Link, peer: PeerCredentials) {
    if let Some(session) = server.open_session(peer) {
        if let Some(limits) = server.config.takes_descriptors {
            link.take_descriptors(limits);
            link.charge_descriptors(session.account());
        }
        let id = session.id();
        if session.is_stopping() {
            link.end_receiving();
        }
        let task = tokio::spawn(SessionLoop::new(link, session, server.clone()).run());
        server.sessions.attach(id, task.abort_handle());
    }
}
