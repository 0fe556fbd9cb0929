//! What the callers of a connection and its driver share: who receives, and what has come of each call.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use futures_util::task::AtomicWaker;

use super::outbox::Outgoing;
use crate::client::answers::{Answers, Key};
use crate::client::calls::{Addressee, Calls};
use crate::client::descriptors::attach;
use crate::client::error::{CallError, Disconnect};
use crate::client::outgo::Outgo;
use crate::client::packs::Packs;
use crate::client::reply::report_unknown;
use crate::observe::metrics;
use crate::observe::peer_log::PeerLog;
use crate::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use crate::sync::{Mutex, MutexGuard};
use crate::transport::Link;
use crate::wire::{Codec, Control, Part, Response, ResponseFields, Wire};

/// What the callers and the driver share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) link: Link,
    pub(super) wire: Wire,
    pub(super) message_limit: usize,
    /// What the link takes as one packet, in bytes (W7).
    pub(super) longest_packet: usize,
    pub(super) state: Mutex<State>,
    /// Held by who receives, until it has somebody to wake or nothing is there any more. Taken before `state`.
    pub(super) incoming: Mutex<Codec>,
    /// Who receives: a call by its sequence, [`DRIVER`], or [`NOBODY`]. A call or the driver is made to receive under
    /// the lock of `state`.
    pub(super) reader: AtomicI64,
    /// Woken when there is something for the driver to do, or the connection is no more. It then looks at everything, whatever it
    /// waits for.
    pub(super) driver: AtomicWaker,
    /// The server has shown that it knows what may be said of calls that run.
    pub(super) takes_control: AtomicBool,
    /// What the server may have logged.
    pub(super) log: Arc<PeerLog>,
}

/// The driver receives. (A call's sequence is greater than 0.)
pub(super) const DRIVER: i64 = 0;

/// Nobody receives, since there is nothing to wait for.
pub(super) const NOBODY: i64 = -1;

#[derive(Debug)]
pub(super) struct State {
    pub(super) calls: Calls<Key>,
    pub(super) answers: Answers,
    /// What the socket did not take at once. Only the first may be partly sent.
    pub(super) outbox: VecDeque<Outgoing>,
    pub(super) packs: Packs,
    /// What is in the outbox waits a turn for what would go with it.
    pub(super) gathers: bool,
    /// The streams that wait until that is empty.
    pub(super) held_up: Vec<Arc<Outgo>>,
    /// Set once, when the connection is no more.
    pub(super) broken: Option<Arc<Disconnect>>,
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says who receives from now on. To be called under the lock of `state`.
    pub(super) fn set_reader(&self, reader: i64) {
        if self.reader.swap(reader, Ordering::AcqRel) != reader && reader == DRIVER {
            self.driver.wake();
        }
    }

    fn incoming(&self) -> MutexGuard<'_, Codec> {
        self.incoming.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As long as `reader` is who receives: receives responses and hands them out, up to the one for `own`, which is
    /// given, or `None` if it is among the answers, behind others. Else it is pending, and will be woken by who receives.
    pub(super) fn poll_receive(
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
    pub(super) fn end(&self, cause: Disconnect) {
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
    /// Marks the connection as no more, and tells every call that waits on it the same cause (C7), and whether it was sent. Gives who
    /// is to be woken, once no lock is held.
    #[must_use]
    pub(super) fn break_off(&mut self, cause: Disconnect) -> Vec<Waker> {
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
pub(super) fn wake(told: impl IntoIterator<Item = Waker>) {
    told.into_iter().for_each(Waker::wake);
}

/// Sends what the callers could not, and receives unless a caller does, until the connection is no more.
pub(super) async fn drive(guard: BreakOnDrop) {
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
pub(super) struct BreakOnDrop(pub(super) Arc<Shared>);

impl Drop for BreakOnDrop {
    fn drop(&mut self) {
        let told = self.0.state().break_off(Disconnect::Runtime);
        wake(told);
    }
}
