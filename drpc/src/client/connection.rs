//! One connection of the async client: many calls in flight, matched by sequence.
//!
//! A call sends itself, on its own task, as far as the socket takes it. What the socket does not take goes into the outbox,
//! and the connection's driver sends it on: so a call that is cancelled half sent still goes out whole (W10).
//!
//! A call without company also receives its response itself, which saves the way through another task. As soon as there
//! are two, the driver receives for all:
//!
//! ```text
//!            a call begins alone           it has its response
//!  Driver ───────────────────────▶ Call ──────────────────────▶ Nobody
//!    ▲                              │                             │
//!    └── another begins, or it is ──┴─────────────────────────────┘
//!        given up
//! ```

#[cfg(all(test, shuttle))]
mod model;

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::{io, mem};

use futures_util::task::AtomicWaker;

use super::answers::{Answers, Key, is_last};
use super::builder::ClientBuilder;
use super::calls::{Addressee, Calls};
use super::descriptors::{Passing, attach, refused};
use super::error::{CallError, Disconnect};
use super::outgo::Outgo;
use super::packs::Packs;
use super::reply::{report_unknown, submitted};
use super::runtime::{Runtime, Task};
use super::turns::Turns;
use super::unpacking::{Step, Unpacking};
use crate::descriptors::Limits;
use crate::handler::method::Method;
use crate::observe::metrics;
use crate::observe::peer_log::PeerLog;
use crate::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::transport::{Link, generation, is_peer_gone};
use crate::wire::{
    Body, Call, CallFields, Codec, Control, Credit, Gathered, Head, MessageTooLong, Pack, Packets, Part,
    Response, ResponseFields, Wire,
};

/// A live connection. Dropped, it closes.
pub(super) struct Connection {
    shared: Arc<Shared>,
    driver: Task,
    /// For calls that each are to be alone on it.
    turns: Turns,
    /// The process that it was made in, as [`generation`] numbers it.
    process: u64,
    _counted: metrics::OpenConnection,
}

/// What the callers and the driver share.
#[derive(Debug)]
struct Shared {
    link: Link,
    wire: Wire,
    message_limit: usize,
    /// What the link takes as one packet, in bytes (W7).
    longest_packet: usize,
    state: Mutex<State>,
    /// Held by who receives, until it has somebody to wake or nothing is there any more. Taken before `state`.
    incoming: Mutex<Codec>,
    /// Who receives: a call by its sequence, [`DRIVER`], or [`NOBODY`]. A call or the driver is made to receive under
    /// the lock of `state`.
    reader: AtomicI64,
    /// Woken when there is something for the driver to do, or the connection is no more. It then looks at everything, whatever it
    /// waits for.
    driver: AtomicWaker,
    /// The server has shown that it knows what may be said of calls that run.
    takes_control: AtomicBool,
    /// What the server may have logged.
    log: Arc<PeerLog>,
}

/// The driver receives. (A call's sequence is greater than 0.)
const DRIVER: i64 = 0;

/// Nobody receives, since there is nothing to wait for.
const NOBODY: i64 = -1;

/// No call has this sequence.
const CONTROL: i64 = 0;

#[derive(Debug)]
struct State {
    calls: Calls<Key>,
    answers: Answers,
    /// What the socket did not take at once. Only the first may be partly sent.
    outbox: VecDeque<Outgoing>,
    packs: Packs,
    /// What is in the outbox waits a turn for what would go with it.
    gathers: bool,
    /// The streams that wait until that is empty.
    held_up: Vec<Arc<Outgo>>,
    /// Set once, when the connection is no more.
    broken: Option<Arc<Disconnect>>,
}

/// A call that is not wholly sent, or what is said of one.
#[derive(Debug)]
struct Outgoing {
    /// [`CONTROL`] for what is no call.
    sequence: i64,
    head: Head,
    body: Body,
    /// How many of its packets are sent. From the first on it can't be taken back.
    sent: u32,
    /// Who waits for no more than that it is sent (C6).
    on_sent: Option<Key>,
}

impl Connection {
    /// Takes a link over; its calls carry the sequences after `last_sequence`.
    pub(super) fn spawn(
        runtime: &Runtime,
        link: Link,
        wire: Wire,
        config: &ClientBuilder,
        last_sequence: i64,
    ) -> Self {
        let (message_limit, longest_packet) = (config.message_limit, link.longest_packet());
        let state = State {
            calls: Calls::new(last_sequence),
            answers: Answers::default(),
            outbox: VecDeque::new(),
            packs: Packs::of(config.added_fields.packs(), message_limit.min(longest_packet)),
            gathers: false,
            held_up: Vec::new(),
            broken: None,
        };
        let shared = Arc::new(Shared {
            longest_packet,
            link,
            wire,
            message_limit,
            state: Mutex::new(state),
            incoming: Mutex::new(Codec::new(wire, message_limit)),
            reader: AtomicI64::new(DRIVER),
            driver: AtomicWaker::new(),
            takes_control: AtomicBool::new(false),
            log: config.log.clone(),
        });
        let driver = runtime.spawn(drive(BreakOnDrop(shared.clone())));
        let (turns, process) = (Turns::default(), generation());
        Connection { shared, driver, turns, process, _counted: metrics::OpenConnection::begin() }
    }

    /// For calls that each are to be alone on the connection.
    pub(super) fn turns(&self) -> &Turns {
        &self.turns
    }

    pub(super) fn wire(&self) -> Wire {
        self.shared.wire
    }

    /// Whether the connection is no more.
    pub(super) fn is_broken(&self) -> bool {
        self.shared.state().broken.is_some()
    }

    /// Sends a call; gives what its response will come through. One without response is answered SUBMITTED once it is
    /// sent (C6).
    ///
    /// The body is taken once some of it is sent. Until then the call may still turn out to be [`CallError::not_connected`], there or
    /// by its response, and be made on another connection.
    pub(super) fn begin(
        &self,
        method: &Method,
        body: &mut Body,
        no_response: bool,
        mut added: Option<Box<CallFields>>,
    ) -> Result<InFlight<'_>, CallError> {
        let passing = Passing::of(method, body);
        if !passing.is_none() {
            passing.announce(body, self.shared.wire, no_response, &mut added)?;
            self.shared.link.take_descriptors(Limits::TRUSTING);
        }
        let mut state = self.shared.state();
        if let Some(cause) = &state.broken {
            return Err(CallError::not_connected(cause.clone()));
        }
        state.packs.ask(&mut added);
        let key = state.answers.begin();
        let mut may_receive = !no_response;
        if let Some(added) = &mut added {
            added.asks_control &= !self.shared.takes_control.load(Ordering::Relaxed);
            if added.credit.is_some() || added.sends_items {
                // Who sends may wait for credit while nobody wants an item.
                may_receive &= !added.sends_items;
                let outgo = added.sends_items.then(Arc::default);
                state.answers.expect_stream(key, added.credit.unwrap_or_default(), outgo);
            }
        }
        let (on_response, on_sent) = if no_response { (None, Some(key)) } else { (Some(key), None) };
        let sequence = state.calls.begin(on_response);
        let (module, method) = (method.module(), method.id());
        let mut call = Call { module, method, sequence, body: mem::take(body), added };
        let told = match self.shared.send_now(&mut state, &mut call, on_sent) {
            Ok(told) => told,
            Err(error) => {
                *body = call.body;
                state.calls.take_back(sequence);
                state.answers.free(key);
                return Err(error);
            }
        };
        if state.outbox.back().is_some_and(|queued| queued.sequence == sequence && queued.sent == 0) {
            *body = call.body;
        }
        let alone = state.calls.len() == 1 && may_receive;
        self.shared.set_reader(if alone { sequence } else { DRIVER });
        drop(state);
        wake(told);
        Ok(InFlight { connection: self, sequence, key: Some(key) })
    }

    /// Gives a call up that has not ended yet.
    fn abandon(&self, sequence: i64, key: Key) -> GivenUp {
        let mut state = self.shared.state();
        state.answers.free(key);
        let given_up = match state.outbox.iter().position(|call| call.sequence == sequence) {
            Some(at) if state.outbox[at].sent == 0 => {
                state.outbox.remove(at);
                state.calls.take_back(sequence);
                GivenUp::Unsent
            }
            unsent => {
                if let Some(at) = unsent {
                    state.outbox[at].on_sent = None;
                }
                match state.calls.abandon(sequence) || unsent.is_some() {
                    true => GivenUp::UnderWay,
                    false => GivenUp::Done,
                }
            }
        };
        if given_up == GivenUp::UnderWay && self.shared.takes_control.load(Ordering::Relaxed) {
            self.shared.control(&mut state, sequence, Control::Cancel);
        }
        self.shared.set_reader(DRIVER);
        let told = state.no_longer_held_up();
        drop(state);
        wake(told);
        given_up
    }

    /// Gives the server credit for more of a stream.
    fn give_credit(&self, sequence: i64, key: Key, credit: Credit) {
        let mut state = self.shared.state();
        state.answers.give_credit(key, credit);
        self.shared.control(&mut state, sequence, Control::Credit(credit));
    }

    /// Closes the connection; every call that waits on it fails (C7).
    pub(super) fn close(&self) {
        let (told, has_streams) = {
            let mut state = self.shared.state();
            let has_streams = state.calls.has_streams();
            (state.break_off(Disconnect::Closed), has_streams)
        };
        wake(told);
        self.driver.abort();
        // In a child that was forked, the connection is the parent's, and goes on.
        if has_streams && self.process == generation() {
            // Whoever holds one may not look at it for long, and the link lives until then.
            self.shared.link.hang_up();
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// How far a call had come that is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GivenUp {
    /// Nothing of it was sent, nor will be.
    Unsent,
    /// The server may be at work on it, or has some of it.
    UnderWay,
    /// It has been answered, or it was sent and no answer was wanted.
    Done,
}

/// A call that waits for its response.
pub(super) struct InFlight<'a> {
    connection: &'a Connection,
    sequence: i64,
    /// `None` once the call is done with.
    key: Option<Key>,
}

impl InFlight<'_> {
    /// Waits for the response.
    pub(super) async fn response(&mut self) -> Result<Response, CallError> {
        let response = poll_fn(|context| self.poll_response(context)).await;
        if is_last(&response) {
            self.key = None;
        }
        response
    }

    fn poll_response(&self, context: &mut Context<'_>) -> Poll<Result<Response, CallError>> {
        match self.key {
            Some(key) => self.connection.poll_response(context, self.sequence, key),
            None => Poll::Ready(Err(CallError::disconnected(Disconnect::Closed.into()))),
        }
    }

    /// The rest of the stream that the response has opened; nothing, if it has opened none.
    pub(super) fn take_stream(&mut self, connection: &Arc<Connection>, window: Credit) -> Option<Inflow> {
        let (connection, sequence) = (connection.clone(), self.sequence);
        self.key.take().map(|key| {
            let outgo = connection.shared.state().answers.outgo(key).cloned();
            Inflow { connection, sequence, key: Some(key), unpacking: Unpacking::of(window), outgo }
        })
    }

    /// Gives the call up, unless it has ended.
    pub(super) fn abandon(&mut self) -> GivenUp {
        let key = self.key.take();
        key.map_or(GivenUp::Done, |key| self.connection.abandon(self.sequence, key))
    }
}

/// A stream that comes in. Dropped before its end, it is given up, and its server told so.
pub(super) struct Inflow {
    connection: Arc<Connection>,
    sequence: i64,
    /// `None` once it has ended.
    key: Option<Key>,
    unpacking: Unpacking,
    /// What is sent on the same call, if it is.
    outgo: Option<Arc<Outgo>>,
}

impl Inflow {
    /// The way out for the items of its caller.
    pub(super) fn outflow(&self) -> Option<Outflow> {
        let (connection, sequence, outgo) = (self.connection.clone(), self.sequence, self.outgo.clone()?);
        Some(Outflow { connection, sequence, outgo, is_open: true })
    }

    /// Waits for what comes next; `None` once the last was given.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Step, CallError>>> {
        loop {
            if let Some((item, credit)) = self.unpacking.next() {
                if let (Some(credit), Some(key)) = (credit, self.key) {
                    self.connection.give_credit(self.sequence, key, credit);
                }
                return Poll::Ready(Some(Ok(Step::Item(item))));
            }
            let Some(key) = self.key else { return Poll::Ready(None) };
            let outcome = ready!(self.connection.poll_response(context, self.sequence, key));
            let last = match outcome {
                Ok(response) => match self.unpacking.put(response) {
                    None => continue,
                    Some(last) => Ok(Step::Last(last)),
                },
                Err(error) => Err(error),
            };
            self.key = None;
            self.tell_sender();
            return Poll::Ready(Some(last));
        }
    }

    /// Has who sends see that the call is over.
    fn tell_sender(&self) {
        wake(self.outgo.as_ref().map(Outgo::waker));
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.connection.abandon(self.sequence, key);
            self.tell_sender();
        }
    }
}

/// A stream that goes out. Dropped before its end, the server is told that these were not all of its items.
pub(super) struct Outflow {
    connection: Arc<Connection>,
    sequence: i64,
    outgo: Arc<Outgo>,
    /// Its end was not sent.
    is_open: bool,
}

impl Outflow {
    /// Waits until there is room for an item, at the server and in the socket; false if no more are taken.
    pub(super) fn poll_ready(&mut self, context: &Context<'_>) -> Poll<bool> {
        if !ready!(self.outgo.poll_room(context)) {
            return Poll::Ready(false);
        }
        let mut state = self.connection.shared.state();
        if state.outbox.is_empty() {
            return Poll::Ready(true);
        }
        if !state.held_up.iter().any(|waiting| Arc::ptr_eq(waiting, &self.outgo)) {
            state.held_up.push(self.outgo.clone());
        }
        Poll::Pending
    }

    /// Waits until no more items are taken.
    pub(super) fn poll_end(&self, context: &Context<'_>) -> Poll<()> {
        self.outgo.poll_end(context)
    }

    /// Whether several items may go in one message: the server takes that, and it can be sent here, however long it gets.
    pub(super) fn takes_many(&self) -> bool {
        let Shared { message_limit, longest_packet, .. } = self.connection.shared.as_ref();
        self.outgo.takes_many() && *message_limit.min(longest_packet) >= Gathered::LONGEST
    }

    /// Whether there is room for an item behind these.
    pub(super) fn is_open_behind(&self, gathered: &Gathered) -> bool {
        self.outgo.is_open_behind(gathered)
    }

    /// Sends items for which there is room.
    pub(super) fn send(&mut self, items: Gathered) -> Result<(), CallError> {
        let (count, bytes) = (items.len(), items.bytes());
        let (body, several) = items.into_body();
        let control = if several { Control::Items } else { Control::Item };
        let shared = &self.connection.shared;
        let said = shared.say(&mut shared.state(), self.sequence, control, body);
        said.map_err(|error| CallError::from(error).of_item())?;
        self.outgo.take(count, bytes);
        Ok(())
    }

    /// These were all.
    pub(super) fn end(&mut self) {
        self.stop(Control::End);
    }

    fn stop(&mut self, control: Control) {
        if mem::replace(&mut self.is_open, false) && !self.outgo.has_ended() {
            let shared = &self.connection.shared;
            shared.control(&mut shared.state(), self.sequence, control);
        }
    }
}

impl Drop for Outflow {
    fn drop(&mut self) {
        self.stop(Control::Abort);
    }
}

impl Connection {
    fn poll_response(
        &self,
        context: &mut Context<'_>,
        sequence: i64,
        key: Key,
    ) -> Poll<Result<Response, CallError>> {
        let shared = &self.shared;
        // First of all, so that whoever receives from now on knows whom to wake.
        if let Some(result) = shared.state().answers.take_or_wait(key, context) {
            return Poll::Ready(result);
        }
        match ready!(shared.poll_receive(context, sequence, Some(key))) {
            Ok(Some(response)) => return Poll::Ready(Ok(response)),
            Ok(None) => {}
            Err(cause) => shared.end(cause),
        }
        let closed = || Err(CallError::disconnected(Disconnect::Closed.into()));
        Poll::Ready(shared.state().answers.take_or_wait(key, context).unwrap_or_else(closed))
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says who receives from now on. To be called under the lock of `state`.
    fn set_reader(&self, reader: i64) {
        if self.reader.swap(reader, Ordering::AcqRel) != reader && reader == DRIVER {
            self.driver.wake();
        }
    }

    fn incoming(&self) -> MutexGuard<'_, Codec> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn packets<'a>(&self, head: &'a Head, body: &'a Body) -> Result<Packets<'a>, MessageTooLong> {
        Packets::fitting(self.wire, head, body, self.message_limit, self.longest_packet)
    }

    /// Sends a call as far as the socket takes it, and leaves the rest to the driver, with the body. Gives who is to be woken, since
    /// the connection broke.
    fn send_now(
        &self,
        state: &mut State,
        call: &mut Call<Body>,
        on_sent: Option<Key>,
    ) -> Result<Vec<Waker>, CallError> {
        let head = call.head();
        let packets = self.packets(&head, &call.body)?;

        let mut unsent = packets.len();
        let mut sent = 0;
        let gathers = state.gathers(&call.body);
        if state.outbox.is_empty() && !gathers {
            for packet in packets {
                match self.link.try_send(&packet) {
                    Ok(()) => {
                        sent += 1;
                        unsent -= 1;
                    }
                    // The driver will find that the server is gone. This call was not under way.
                    Err(error) if is_peer_gone(&error) && sent == 0 => {
                        return Err(CallError::not_connected(Disconnect::ByPeer.into()));
                    }
                    // What a server said before it went is still to be received. The driver does that, finds the same as we
                    // did here, and tells all calls (C7).
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock || is_peer_gone(&error) => break,
                    Err(error) => {
                        if let Some(refused) = refused(&error, &packet) {
                            return Err(refused);
                        }
                        let key = state.calls.take_back(call.sequence).or(on_sent);
                        let mut told = state.break_off(error.into());
                        if let (Some(key), Some(cause)) = (key, state.broken.clone()) {
                            told.extend(state.answers.put(key, Err(CallError::unfinished(cause))));
                        }
                        self.driver.wake();
                        return Ok(told);
                    }
                }
            }
        }
        if unsent == 0 {
            // Nobody waits for it yet.
            let _nobody = on_sent.and_then(|key| state.answers.put(key, Ok(submitted())));
            return Ok(Vec::new());
        }
        let (sequence, body) = (call.sequence, call.body.clone());
        if state.outbox.is_empty() {
            state.gathers = gathers;
            self.driver.wake();
        }
        state.outbox.push_back(Outgoing { sequence, head, body, sent, on_sent });
        Ok(Vec::new())
    }

    /// Says something of a call that has no body.
    fn control(&self, state: &mut State, sequence: i64, control: Control) {
        // It is one packet, which is never too long.
        let _ = self.say(state, sequence, control, Body::new());
    }

    /// Says something of a call, as far as the socket takes it, and leaves the rest to the driver. If the connection is no more, whoever
    /// receives will find that.
    fn say(
        &self,
        state: &mut State,
        sequence: i64,
        control: Control,
        body: Body,
    ) -> Result<(), MessageTooLong> {
        let added = CallFields { control: Some(control), ..CallFields::default() };
        let call = Call { module: 0, method: 0, sequence, body, added: Some(added.into()) };
        let head = call.head();
        let packets = self.packets(&head, &call.body)?;
        let (mut unsent, mut sent) = (packets.len(), 0);
        if state.outbox.is_empty() {
            for packet in packets {
                match self.link.try_send(&packet) {
                    Ok(()) => {
                        sent += 1;
                        unsent -= 1;
                    }
                    Err(error) if is_peer_gone(&error) => return Ok(()),
                    // The driver tries again, and finds what else is wrong.
                    Err(_) => break,
                }
            }
            if unsent == 0 {
                return Ok(());
            }
            self.driver.wake();
        }
        state.outbox.push_back(Outgoing { sequence: CONTROL, head, body: call.body, sent, on_sent: None });
        Ok(())
    }

    /// Sends what is in the outbox, until the connection is no more.
    async fn flush(&self) -> Result<(), Disconnect> {
        loop {
            poll_fn(|context| self.poll_unsent(context)).await?;
            // The call that is first now may be taken back until then.
            self.link.when_there_is_room(|| self.send_next()).await?;
        }
    }

    /// Waits for something in the outbox. The driver is woken when something is put there, unless it is at it already.
    fn poll_unsent(&self, context: &Context<'_>) -> Poll<Result<(), Disconnect>> {
        let mut state = self.state();
        let gathers = mem::take(&mut state.gathers);
        match &state.broken {
            Some(_) => Poll::Ready(Err(Disconnect::Closed)),
            None if state.outbox.is_empty() => Poll::Pending,
            None if gathers => {
                // Tasks that are ready, and may call, have their turn first.
                context.waker().wake_by_ref();
                Poll::Pending
            }
            None => Poll::Ready(Ok(())),
        }
    }

    /// Sends what is first in the outbox, as far as the socket takes it.
    fn send_next(&self) -> io::Result<()> {
        let mut state = self.state();
        match state.pack() {
            Some((pack, calls)) if self.send_pack(&pack)? => {
                let sent = state.outbox.drain(..calls).filter_map(|call| call.on_sent).collect();
                self.are_sent(state, sent);
                Ok(())
            }
            _ => self.send_first(state),
        }
    }

    /// Sends a pack; false if that can't be done, and each of its calls is to be sent by itself.
    fn send_pack(&self, pack: &Call<Body>) -> io::Result<bool> {
        let head = pack.head();
        let Ok(packets) = self.packets(&head, &pack.body) else { return Ok(false) };
        for packet in packets {
            match self.link.try_send(&packet) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                Err(_) => return Ok(false),
                Ok(()) => {}
            }
        }
        Ok(true)
    }

    /// Sends the first call in the outbox, as far as the socket takes it.
    fn send_first(&self, mut state: MutexGuard<'_, State>) -> io::Result<()> {
        let Some(Outgoing { head, body, sent, .. }) = state.outbox.front_mut() else {
            self.are_sent(state, Vec::new());
            return Ok(());
        };
        let packets = self.packets(head, body).map_err(io::Error::other)?;
        let mut is_refused = None;
        for packet in packets.skip_sent(*sent) {
            if let Err(error) = self.link.try_send(&packet) {
                is_refused = Some(refused(&error, &packet).ok_or(error)?);
                break;
            }
            *sent += 1;
        }
        if let Some(error) = is_refused {
            let told = state.refuse_first(error);
            self.are_sent(state, Vec::new());
            wake(told);
            return Ok(());
        }
        let on_sent = state.outbox.pop_front().and_then(|call| call.on_sent);
        self.are_sent(state, on_sent.into_iter().collect());
        Ok(())
    }

    /// Tells those who wait for no more than that.
    fn are_sent(&self, mut state: MutexGuard<'_, State>, on_sent: Vec<Key>) {
        let mut told: Vec<_> =
            on_sent.into_iter().filter_map(|key| state.answers.put(key, Ok(submitted()))).collect();
        told.extend(state.no_longer_held_up());
        drop(state);
        wake(told);
    }

    /// As long as `reader` is who receives: receives responses and hands them out, up to the one for `own`, which is
    /// given, or `None` if it is among the answers, behind others. Else it is pending, and will be woken by who receives.
    fn poll_receive(
        &self,
        context: &mut Context<'_>,
        reader: i64,
        own: Option<Key>,
    ) -> Poll<Result<Option<Response>, Disconnect>> {
        if self.reader.load(Ordering::Acquire) != reader {
            return Poll::Pending;
        }
        let mut codec = self.incoming();
        // Looked at under the lock: who receives next waits for it, and is the last to ask the link.
        while self.reader.load(Ordering::Acquire) == reader {
            let message = match codec.next_packed() {
                Some(message) => message,
                None => {
                    // The driver is not idle: the calls that it has woken want this thread.
                    let longest = codec.longest_packet();
                    let received = self.link.poll_recv(context, codec.rest(), longest, own.is_some());
                    let packet = ready!(received)?.ok_or(Disconnect::ByPeer)?;
                    match codec.receive(packet)? {
                        None => continue,
                        Some(message) => {
                            let responses = Response::unpack(&message);
                            codec.unpack(message, responses)
                        }
                    }
                }
            };
            let mut response = Response::decode(message)?;
            if let Some(arrived) = self.link.arrived() {
                attach(&mut response, *arrived);
            }
            let mut state = self.state();
            let addressee = match &response.added {
                None => state.calls.resolve(&response),
                Some(added) => match self.resolve_added(&mut state, &response, added)? {
                    Resolved::To(addressee) => addressee,
                    Resolved::Sender(sender) => {
                        drop((state, codec));
                        wake(Some(sender));
                        codec = self.incoming();
                        continue;
                    }
                },
            };
            match addressee {
                Addressee::Waiting(key) if own == Some(key) => {
                    let is_last = response.part().is_none();
                    if is_last {
                        // If another call has begun meanwhile, it has said who receives.
                        let _ =
                            self.reader.compare_exchange(reader, NOBODY, Ordering::AcqRel, Ordering::Relaxed);
                    }
                    if state.answers.has_something(key) {
                        // Another who received has put it there just before.
                        let told = state.answers.put(key, Ok(response));
                        drop((state, codec));
                        // Who sends on the same call may wait for its end.
                        wake(told);
                        return Poll::Ready(Ok(None));
                    }
                    if is_last {
                        state.answers.free(key);
                    }
                    return Poll::Ready(Ok(Some(response)));
                }
                Addressee::Waiting(key) => {
                    let told = state.answers.put(key, Ok(response));
                    drop((state, codec));
                    wake(told);
                    codec = self.incoming();
                }
                Addressee::Abandoned => {}
                Addressee::Unknown => {
                    drop((state, codec));
                    report_unknown(&response, &self.log);
                    codec = self.incoming();
                }
            }
        }
        Poll::Pending
    }

    /// To whom a response with added fields belongs.
    #[cold]
    fn resolve_added(
        &self,
        state: &mut State,
        response: &Response,
        added: &ResponseFields,
    ) -> Result<Resolved, Disconnect> {
        state.packs.heed(added);
        if added.takes_control || added.part.is_some() {
            self.takes_control.store(true, Ordering::Relaxed);
        }
        let Some(part) = added.part else { return Ok(Resolved::To(state.calls.resolve(response))) };
        let addressee = state.calls.resolve_part(response.sequence);
        match addressee {
            Addressee::Waiting(key) => {
                if let Some(outgo) = state.answers.outgo(key) {
                    if part == Part::Opened {
                        outgo.open(added.takes_many);
                    }
                    outgo.add(added.credit.unwrap_or_default());
                    if part == Part::Enough {
                        outgo.end();
                    }
                    if matches!(part, Part::Credit | Part::Enough) {
                        return Ok(Resolved::Sender(outgo.waker()));
                    }
                }
                state.answers.count(key, part, &response.body)?;
            }
            // Only now it is known that the server can be told.
            Addressee::Abandoned if part == Part::Opened => {
                self.control(state, response.sequence, Control::Cancel);
            }
            _ => {}
        }
        Ok(Resolved::To(addressee))
    }

    /// The connection is no more: tells all calls, and the server, which need not wait for a client that listens no more
    /// though its handle may live on.
    fn end(&self, cause: Disconnect) {
        let told = {
            let mut state = self.state();
            self.set_reader(DRIVER);
            state.break_off(cause)
        };
        wake(told);
        self.driver.wake();
        self.link.hang_up();
    }
}

/// What a response with added fields comes to.
enum Resolved {
    To(Addressee<Key>),
    /// It says something to who sends items, which is woken once nothing is locked.
    Sender(Waker),
}

impl State {
    /// Whether a call waits a turn, as it is in company and others may be about to be made.
    #[inline]
    fn gathers(&self, body: &Body) -> bool {
        self.packs == Packs::Taken && self.calls.len() > 1 && body.len() <= Pack::LONGEST
    }

    /// What is first in the outbox as one message, and how many calls that has, if these are several.
    fn pack(&self) -> Option<(Call<Body>, usize)> {
        if self.packs != Packs::Taken || self.outbox.len() < 2 {
            return None;
        }
        let mut pack = Pack::default();
        let whole = self.outbox.iter().take_while(|call| call.sent == 0);
        let calls = whole.take_while(|call| pack.put(&call.head, &call.body)).count();
        (calls > 1).then(|| (pack.into_call(), calls))
    }

    /// The kernel does not send the first call in the outbox. Gives who is to be woken.
    #[must_use]
    fn refuse_first(&mut self, error: CallError) -> Option<Waker> {
        let call = self.outbox.pop_front()?;
        let key = self.calls.take_back(call.sequence).or(call.on_sent)?;
        self.answers.put(key, Err(error))
    }

    /// The streams that have waited for an empty outbox, to be woken if it is.
    #[must_use]
    fn no_longer_held_up(&mut self) -> Vec<Waker> {
        match self.outbox.is_empty() {
            true => self.held_up.drain(..).map(|outgo| outgo.waker()).collect(),
            false => Vec::new(),
        }
    }

    /// Marks the connection as no more, and tells every call that waits on it the same cause (C7), and whether it was sent. Gives who
    /// is to be woken, once no lock is held.
    #[must_use]
    fn break_off(&mut self, cause: Disconnect) -> Vec<Waker> {
        let mut told = Vec::new();
        if self.broken.is_some() {
            return told;
        }
        let cause = Arc::new(cause);
        self.broken = Some(cause.clone());
        if !matches!(*cause, Disconnect::Closed) {
            metrics::connection_lost();
        }
        for call in mem::take(&mut self.outbox) {
            let key = self.calls.take_back(call.sequence).or(call.on_sent);
            let error = if call.sent > 0 { CallError::unfinished } else { CallError::not_connected };
            if let Some(key) = key {
                told.extend(self.answers.put(key, Err(error(cause.clone()))));
            }
        }
        for key in self.calls.drain() {
            told.extend(self.answers.put(key, Err(CallError::disconnected(cause.clone()))));
        }
        told.extend(self.no_longer_held_up());
        told
    }
}

/// To be called when nothing is locked: what a waker does is not known. It may drop its call at once, or make another.
fn wake(told: impl IntoIterator<Item = Waker>) {
    told.into_iter().for_each(Waker::wake);
}

/// Sends what the callers could not, and receives unless a caller does, until the connection is no more.
async fn drive(guard: BreakOnDrop) {
    let shared = &*guard.0;
    let mut flushing = pin!(shared.flush());
    let mut hanging_up = pin!(shared.link.peer_stopped_sending());
    // The server answers no more. What it sent before is received first: it may have answered. While nobody receives, since
    // no call waits, this alone tells that the next one needs another connection.
    let mut hung_up = false;
    let cause = poll_fn(|context| {
        shared.driver.register(context.waker());
        if !hung_up {
            match flushing.as_mut().poll(context) {
                Poll::Ready(Err(Disconnect::ByPeer)) => hung_up = true,
                Poll::Ready(Err(cause)) => return Poll::Ready(cause),
                _ => hung_up = hanging_up.as_mut().poll(context).is_ready(),
            }
            if hung_up {
                let _state = shared.state();
                shared.set_reader(DRIVER);
            }
        }
        match ready!(shared.poll_receive(context, DRIVER, None)) {
            Err(cause) => Poll::Ready(cause),
            // Given to a caller alone.
            Ok(_) => Poll::Pending,
        }
    })
    .await;
    shared.end(cause);
}

/// Tells the calls of a connection whose driver is dropped with its runtime, also before it has begun.
struct BreakOnDrop(Arc<Shared>);

impl Drop for BreakOnDrop {
    fn drop(&mut self) {
        let told = self.0.state().break_off(Disconnect::Runtime);
        wake(told);
    }
}
