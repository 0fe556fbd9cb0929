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
mod outbox;
mod shared;
mod streams;

pub(super) use self::streams::{Inflow, Outflow};

use std::collections::VecDeque;
use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_util::task::AtomicWaker;

use self::shared::{BreakOnDrop, DRIVER, Shared, State, drive, wake};
use super::answers::{Answers, Key, is_last};
use super::builder::ClientBuilder;
use super::calls::Calls;
use super::descriptors::Passing;
use super::error::{CallError, Disconnect};
use super::packs::Packs;
use super::runtime::{Runtime, Task};
use super::turns::Turns;
use crate::descriptors::Limits;
use crate::handler::method::Method;
use crate::observe::metrics;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use crate::transport::{Link, generation};
use crate::wire::{Body, Call, CallFields, Codec, Control, Credit, Response, Wire};

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
        self.key.take().map(|key| Inflow::new(connection.clone(), self.sequence, key, window))
    }

    /// Gives the call up, unless it has ended.
    pub(super) fn abandon(&mut self) -> GivenUp {
        let key = self.key.take();
        key.map_or(GivenUp::Done, |key| self.connection.abandon(self.sequence, key))
    }
}
