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
use super::{report_unknown, submitted};
use crate::Method;
use crate::transport::{Link, is_peer_gone};
use crate::wire::{Call, Codec, MessageTooLong, Packets, Response, Wire};

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
    /// The outbox has got something to send, or the connection is no more.
    changed: Notify,
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
#[derive(Debug)]
struct Outgoing {
    sequence: i64,
    head: Bytes,
    body: Bytes,
    /// How many of its packets are sent.
    sent: u32,
    /// The driver is at it, or some of it is sent: it can't be taken back any more.
    begun: bool,
    /// Who waits for no more than that it is sent (C6).
    on_sent: Option<Waiter>,
}

impl Connection {
    /// Takes a link over; its calls carry the sequences after `last_sequence`.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub(super) fn spawn(link: Link, wire: Wire, message_limit: usize, last_sequence: i64) -> Self {
        let state = State { calls: Calls::new(last_sequence), outbox: VecDeque::new(), broken: None };
        let shared =
            Arc::new(Shared { link, wire, message_limit, state: Mutex::new(state), changed: Notify::new() });
        let driver = tokio::spawn(drive(BreakOnDrop(shared.clone()))).abort_handle();
        Connection { shared, driver }
    }

    /// Whether the connection is no more.
    pub(super) fn is_broken(&self) -> bool {
        self.shared.state().broken.is_some()
    }

    /// Sends a call; gives what its response will come through. One without response is answered SUBMITTED once it is
    /// sent (C6).
    pub(super) fn begin(
        &self,
        method: Method,
        body: Bytes,
        no_response: bool,
    ) -> Result<InFlight<'_>, CallError> {
        let mut state = self.shared.state();
        if let Some(cause) = &state.broken {
            return Err(CallError::not_connected(cause.clone()));
        }
        let (waiter, response) = oneshot::channel();
        let (on_response, on_sent) = if no_response { (None, Some(waiter)) } else { (Some(waiter), None) };
        let sequence = state.calls.begin(on_response);
        let call = Call { module: method.module(), method: method.id(), sequence, body };
        if let Err(error) = self.shared.send_now(&mut state, call, on_sent) {
            state.calls.take_back(sequence);
            return Err(error.into());
        }
        Ok(InFlight { connection: self, sequence, response: Some(response) })
    }

    /// Gives a call up. True if the server may be at work on it, and a response to it was wanted.
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
        self.shared.state().break_off(Disconnect::Closed);
        self.driver.abort();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.close();
    }
}

/// A call that waits for its response.
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
        let result = match &mut self.response {
            Some(response) => response.await.ok(),
            None => None,
        };
        self.response = None;
        // `break_off` answers every call that nothing else does, even when the driver is dropped.
        result.unwrap_or_else(|| Err(Arc::new(Disconnect::Closed))).map_err(CallError::disconnected)
    }

    /// Gives the call up, unless its response is there. True if the server may still be at work on it.
    pub(super) fn abandon(&mut self) -> bool {
        self.response.take().is_some() && self.connection.abandon(self.sequence)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a call as far as the socket takes it, and leaves the rest to the driver.
    fn send_now(&self, state: &mut State, call: Call, on_sent: Option<Waiter>) -> Result<(), MessageTooLong> {
        let mut head = Vec::with_capacity(64);
        call.encode_head(&mut head);
        let packets = Packets::new(self.wire, &head, &call.body, self.message_limit)?;

        let mut unsent = packets.len();
        let mut sent = 0;
        if state.outbox.is_empty() {
            for packet in packets {
                match self.link.try_send(&packet.slices()) {
                    Ok(()) => {
                        sent += 1;
                        unsent -= 1;
                    }
                    // What a server said before it went is still to be received. The driver does that, finds the same as we
                    // did here, and tells all calls (C7).
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock || is_peer_gone(&error) => break,
                    Err(error) => {
                        state.break_off(error.into());
                        self.changed.notify_one();
                        return Ok(());
                    }
                }
            }
        }
        if unsent == 0 {
            if let Some(waiter) = on_sent {
                drop(waiter.send(Ok(submitted())));
            }
            return Ok(());
        }
        let Call { sequence, body, .. } = call;
        state.outbox.push_back(Outgoing {
            sequence,
            head: head.into(),
            body,
            sent,
            begun: sent > 0,
            on_sent,
        });
        self.changed.notify_one();
        Ok(())
    }

    /// Sends what is in the outbox, until the connection is no more.
    async fn flush(&self) -> Result<(), Disconnect> {
        loop {
            let Some((head, body, sent)) = self.begin_first()? else {
                self.changed.notified().await;
                continue;
            };
            let packets =
                Packets::new(self.wire, &head, &body, self.message_limit).map_err(io::Error::other)?;
            for packet in packets.skip_sent(sent) {
                self.link.send(&packet.slices()).await?;
            }
            let done = self.state().outbox.pop_front();
            if let Some(waiter) = done.and_then(|call| call.on_sent) {
                drop(waiter.send(Ok(submitted())));
            }
        }
    }

    /// The first call in the outbox, which from now on can't be taken back: its head, its body, and how many of its
    /// packets are sent.
    fn begin_first(&self) -> Result<Option<(Bytes, Bytes, u32)>, Disconnect> {
        let mut state = self.state();
        if state.broken.is_some() {
            return Err(Disconnect::Closed);
        }
        Ok(state.outbox.front_mut().map(|first| {
            first.begun = true;
            (first.head.clone(), first.body.clone(), first.sent)
        }))
    }

    /// Receives responses and hands them out, until the connection is no more.
    async fn receive(&self) -> Result<(), Disconnect> {
        let mut codec = Codec::new(self.wire, self.message_limit);
        loop {
            let packet = self.link.recv(codec.rest()).await?.ok_or(Disconnect::ByPeer)?;
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
}

impl State {
    /// Marks the connection as no more, and tells every call that waits on it the same cause (C7).
    fn break_off(&mut self, cause: Disconnect) {
        if self.broken.is_some() {
            return;
        }
        let cause = Arc::new(cause);
        self.broken = Some(cause.clone());
        let unsent = self.outbox.drain(..).filter_map(|call| call.on_sent);
        for waiter in self.calls.drain().chain(unsent) {
            drop(waiter.send(Err(cause.clone())));
        }
    }
}

/// Moves the packets of one connection, both ways, until it is no more.
async fn drive(guard: BreakOnDrop) {
    let shared = &*guard.0;
    let receiving = shared.receive();
    tokio::pin!(receiving);
    let end = tokio::select! {
        end = &mut receiving => end,
        end = shared.flush() => match end {
            // The server may have answered before it went: what it sent is received first.
            Err(Disconnect::ByPeer) => receiving.await,
            end => end,
        }
    };
    if let Err(cause) = end {
        shared.state().break_off(cause);
    }
    // The server need not wait for a client that listens no more, though its handle may live on.
    shared.link.hang_up();
}

/// Tells the calls of a connection whose driver is dropped with its runtime, also before it has begun.
struct BreakOnDrop(Arc<Shared>);

impl Drop for BreakOnDrop {
    fn drop(&mut self) {
        self.0.state().break_off(Disconnect::Runtime);
    }
}
