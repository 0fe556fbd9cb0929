//! One connection of the async client: many calls in flight, matched by sequence.
//!
//! A call sends itself, on its own task, as far as the socket takes it. What the socket does not take goes into the outbox,
//! and the connection's driver sends it on: so a call that is cancelled half sent still goes out whole (W10). The driver also
//! receives, and hands every response to the call that it answers.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::{Notify, oneshot};
use tokio::task::AbortHandle;

use super::calls::{Addressee, Calls};
use super::error::{CallError, Disconnect};
use super::report_unknown;
use crate::Method;
use crate::transport::Link;
use crate::wire::{Call, Codec, Packets, Response, Wire};

/// A live connection. Dropped, it closes.
#[derive(Debug)]
pub(super) struct Connection {
    shared: Arc<Shared>,
    driver: AbortHandle,
}

/// What the callers and the driver share.
#[derive(Debug)]
struct Shared {
    link: Link,
    wire: Wire,
    message_limit: usize,
    state: Mutex<State>,
    /// The outbox has got something to send.
    outbox_filled: Notify,
}

#[derive(Debug)]
struct State {
    calls: Calls<Waiter>,
    /// What the socket did not take at once. Only the first may be partly sent.
    outbox: VecDeque<Outgoing>,
    /// Set once, when the connection is no more.
    broken: Option<Arc<Disconnect>>,
}

type Waiter = oneshot::Sender<Result<Response, Arc<Disconnect>>>;

/// A call that is not wholly sent.
#[derive(Clone, Debug)]
struct Outgoing {
    sequence: i64,
    head: Bytes,
    body: Bytes,
    /// How many of its packets are sent.
    sent: u32,
    /// The driver is at it, or some of it is sent: it can't be taken back any more.
    begun: bool,
}

impl Connection {
    /// Takes a link over; its calls carry the sequences after `last_sequence`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub(super) fn spawn(link: Link, wire: Wire, message_limit: usize, last_sequence: i64) -> Self {
        let state = State { calls: Calls::new(last_sequence), outbox: VecDeque::new(), broken: None };
        let shared = Arc::new(Shared {
            link,
            wire,
            message_limit,
            state: Mutex::new(state),
            outbox_filled: Notify::new(),
        });
        let driver = tokio::spawn(drive(shared.clone())).abort_handle();
        Connection { shared, driver }
    }

    /// Why the connection is no more, if so.
    pub(super) fn broken(&self) -> Option<Arc<Disconnect>> {
        self.shared.state().broken.clone()
    }

    /// Sends a call; gives what its response will come through.
    pub(super) fn begin(&self, method: Method, body: Bytes) -> Result<InFlight<'_>, CallError> {
        let (waiter, response) = oneshot::channel();
        let sequence = self.send(method, body, Some(waiter))?;
        Ok(InFlight { connection: self, sequence, response: Some(response) })
    }

    /// Sends a call whose response is not wanted (C6).
    pub(super) fn begin_without_response(&self, method: Method, body: Bytes) -> Result<(), CallError> {
        self.send(method, body, None).map(drop)
    }

    fn send(&self, method: Method, body: Bytes, waiter: Option<Waiter>) -> Result<i64, CallError> {
        let mut state = self.shared.state();
        if let Some(cause) = &state.broken {
            return Err(cause.clone().into());
        }
        let sequence = state.calls.begin(waiter);
        let result = self.shared.send_now(&mut state, sequence, method, body);
        if result.is_err() {
            state.calls.take_back(sequence);
        }
        result.map(|()| sequence)
    }

    /// Gives a call up. True if the server may be at work on it.
    fn abandon(&self, sequence: i64) -> bool {
        let mut state = self.shared.state();
        let unsent = state.outbox.iter().position(|call| call.sequence == sequence && !call.begun);
        match unsent {
            Some(place) => {
                state.outbox.remove(place);
                state.calls.take_back(sequence);
                false
            }
            None => state.calls.abandon(sequence),
        }
    }

    /// Closes the connection; every call that waits on it fails (C7).
    pub(super) fn close(&self) {
        self.shared.break_off(Disconnect::Closed);
        self.driver.abort();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// A call that waits for its response. Dropped before, the call is abandoned (C4).
#[derive(Debug)]
pub(super) struct InFlight<'a> {
    connection: &'a Connection,
    sequence: i64,
    /// `None` once the call is done with.
    response: Option<oneshot::Receiver<Result<Response, Arc<Disconnect>>>>,
}

impl InFlight<'_> {
    /// Waits for the response.
    pub(super) async fn response(&mut self) -> Result<Response, CallError> {
        let Some(response) = &mut self.response else { return Err(CallError::not_connected()) };
        let result = response.await;
        self.response = None;
        match result {
            Ok(result) => result.map_err(CallError::from),
            // The driver answers every call, even when it is dropped.
            Err(_) => Err(CallError::not_connected()),
        }
    }

    /// Gives the call up. True if the server may still be at work on it.
    pub(super) fn abandon(&mut self) -> bool {
        self.response.take().is_some() && self.connection.abandon(self.sequence)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a call as far as the socket takes it, and leaves the rest to the driver.
    fn send_now(
        &self,
        state: &mut State,
        sequence: i64,
        method: Method,
        body: Bytes,
    ) -> Result<(), CallError> {
        let call = Call { module: method.module(), method: method.id(), sequence, body };
        let mut head = Vec::with_capacity(64);
        call.encode_head(&mut head);
        let packets = Packets::new(self.wire, &head, &call.body, self.message_limit)?;

        let mut sent = 0;
        if state.outbox.is_empty() {
            for packet in packets {
                match self.link.try_send(&packet.slices()) {
                    Ok(()) => sent += 1,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    // The driver will find the same, and tells all calls, this one included (C7).
                    Err(_) => return Ok(()),
                }
            }
            if sent as usize == Packets::new(self.wire, &head, &call.body, self.message_limit)?.len() {
                return Ok(());
            }
        }
        state.outbox.push_back(Outgoing {
            sequence,
            head: head.into(),
            body: call.body,
            sent,
            begun: sent > 0,
        });
        self.outbox_filled.notify_one();
        Ok(())
    }

    /// Sends what is in the outbox, for ever. Cancel safe: what is sent is noted at once.
    async fn flush(&self) -> Result<(), Disconnect> {
        loop {
            let Some(call) = self.begin_first() else {
                self.outbox_filled.notified().await;
                continue;
            };
            let packets = Packets::new(self.wire, &call.head, &call.body, self.message_limit)
                .map_err(io::Error::other)?;
            for packet in packets.skip_sent(call.sent) {
                self.link.send(&packet.slices()).await?;
                if let Some(first) = self.state().outbox.front_mut() {
                    first.sent += 1;
                }
            }
            self.state().outbox.pop_front();
        }
    }

    fn begin_first(&self) -> Option<Outgoing> {
        let mut state = self.state();
        let first = state.outbox.front_mut()?;
        first.begun = true;
        Some(first.clone())
    }

    /// Receives responses and hands them out, until the connection is no more.
    async fn receive(&self) -> Result<(), Disconnect> {
        let mut codec = Codec::new(self.wire, self.message_limit);
        loop {
            let packet = self.link.recv().await?.ok_or(Disconnect::ByPeer)?;
            if let Some(message) = codec.receive(packet)? {
                let response = Response::decode(message)?;
                let addressee = self.state().calls.resolve(&response);
                match addressee {
                    // A call that was dropped at this very moment does not take it any more.
                    Addressee::Waiting(waiter) => drop(waiter.send(Ok(response))),
                    Addressee::Abandoned => {}
                    Addressee::Unknown => report_unknown(&response),
                }
            }
        }
    }

    /// Marks the connection as no more, and tells every call that waits on it the same cause (C7).
    fn break_off(&self, cause: Disconnect) {
        let mut state = self.state();
        if state.broken.is_some() {
            return;
        }
        let cause = Arc::new(cause);
        state.broken = Some(cause.clone());
        state.outbox.clear();
        for waiter in state.calls.drain() {
            drop(waiter.send(Err(cause.clone())));
        }
    }
}

/// Moves the packets of one connection, both ways.
async fn drive(shared: Arc<Shared>) {
    let guard = BreakOnDrop(&shared);
    let end = tokio::select! {
        end = shared.receive() => end,
        end = shared.flush() => match end {
            // The server may have answered before it closed: what it sent is received first.
            Err(Disconnect::ByPeer) => shared.receive().await,
            end => end,
        }
    };
    if let Err(cause) = end {
        guard.0.break_off(cause);
    }
}

/// Tells the calls of a connection whose driver is dropped with its runtime.
struct BreakOnDrop<'a>(&'a Shared);

impl Drop for BreakOnDrop<'_> {
    fn drop(&mut self) {
        self.0.break_off(Disconnect::Runtime);
    }
}
