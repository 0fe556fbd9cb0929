//! One session: the loop that takes a client's calls and answers them (S5, S6, S10).
//!
//! ```text
//!            next_message              begin                     reply
//! link.recv ─────────────▶ message ───────────▶ handler ready ───────────▶ link.send
//!                                      │                          ▲
//!                                      └──▶ running, if it waits ─┘
//! ```
//!
//! A handler is polled once where its call was read. One that is ready is answered there and then; one that waits joins
//! `running`. While `running` is full, nothing is read: with room for one call, that is the serial order of DAOS's Go server;
//! with room for more, the concurrent one of its engine (S5).
//!
//! A **call fault** (an unknown ID, a bad body, a failing handler) becomes a response. A **session fault** (a broken frame, an
//! I/O error) stops the reading; the calls that run are still answered, and then the connection is closed. So it
//! is with a client that closes: what it sent before is executed (S6).

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;
use std::{fmt, io};

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::timeout_at;

use super::accept::Shared;
use super::shutdown::draining;
use crate::transport::{Link, is_peer_gone};
use crate::wire::{Call, Codec, FrameError, Packet, Response, Wire};
use crate::{Context, PeerCredentials, Session, Status};

/// A session's task.
pub(super) struct SessionLoop {
    link: Link,
    codec: Codec,
    session: Arc<Session>,
    server: Arc<Shared>,
    /// The calls whose handlers wait for something.
    running: FuturesUnordered<Pin<Box<dyn Future<Output = Response> + Send>>>,
    /// What handlers answered while another response was on its way.
    finished: VecDeque<Response>,
    /// When the rest of a message that has begun is due.
    rest_due: Option<Instant>,
    /// Where a response's head is written, again and again.
    head: Vec<u8>,
}

impl SessionLoop {
    pub(super) fn new(link: Link, session: Session, server: Arc<Shared>) -> Self {
        SessionLoop {
            link,
            codec: Codec::new(server.config.wire, server.config.message_limit),
            session: Arc::new(session),
            server,
            running: FuturesUnordered::new(),
            finished: VecDeque::new(),
            rest_due: None,
            head: Vec::new(),
        }
    }

    /// Serves the session to its end.
    pub(super) async fn run(mut self) {
        let id = self.session.id();
        let peer = self.session.peer().clone();
        tracing::debug!(session = id, ?peer, "session opened");
        match self.serve().await {
            Ok(()) => tracing::debug!(session = id, "session closed"),
            Err(fault) => tracing::warn!(session = id, ?peer, "session closed: {fault}"),
        }
        self.session.cancel();
    }

    async fn serve(&mut self) -> Result<(), SessionFault> {
        let limit = self.server.config.order.limit();
        let shutdown = draining(self.server.shutdown.subscribe());
        tokio::pin!(shutdown);
        let mut outcome = Ok(());
        let mut reading = true;
        while reading || !self.running.is_empty() || !self.finished.is_empty() {
            if let Some(response) = self.finished.pop_front() {
                self.reply(response).await?;
                continue;
            }
            let busy = !self.running.is_empty();
            let room = self.running.len() < limit;
            tokio::select! {
                biased;
                Some(response) = self.running.next(), if busy => self.reply(response).await?,
                () = &mut shutdown, if reading => {
                    // S7: what runs may finish; nothing new is begun.
                    self.session.cancel();
                    reading = false;
                }
                message = next_message(&self.link, &mut self.codec, &mut self.rest_due, &self.server), if reading && room => {
                    match message {
                        Ok(Some(message)) => self.begin(message).await?,
                        Ok(None) => reading = false,
                        Err(fault) => {
                            self.refuse(&fault).await?;
                            outcome = Err(fault);
                            reading = false;
                        }
                    }
                }
                closed = self.link.peer_closed(), if busy && !self.session.is_cancelled() => {
                    closed?;
                    self.session.cancel();
                }
            }
        }
        outcome
    }

    /// Begins a call, and answers it if its handler is ready at once.
    async fn begin(&mut self, message: Bytes) -> Result<(), SessionFault> {
        let framed = self.codec.wire() == Some(Wire::Plain) && crate::wire::is_first_chunk(&message);
        let call = match Call::decode(message) {
            Ok(call) => call,
            Err(error) => {
                // D1: the session goes on. W8: a peer of the other wire is named.
                let hint = if framed { ": peer speaks the chunked wire of DAOS 2.8" } else { "" };
                tracing::warn!(session = self.session.id(), "{error}{hint}");
                return self.reply(Response::unreadable_call()).await;
            }
        };
        let mut handling = Box::pin(handle(self.server.clone(), self.session.clone(), call));
        match poll_fn(|context| Poll::Ready(handling.as_mut().poll(context))).await {
            Poll::Ready(response) => self.reply(response).await,
            Poll::Pending => {
                self.running.push(handling);
                Ok(())
            }
        }
    }

    /// Sends a response, whole (W10).
    async fn reply(&mut self, mut response: Response) -> Result<(), SessionFault> {
        if let Err(error) = self.encode(&response) {
            // D4: a reply that can't be sent is a failure of its call alone.
            tracing::warn!(
                session = self.session.id(),
                sequence = response.sequence,
                "can't send the reply: {error}"
            );
            response = Response::failure(response.sequence, Status::FAILED_MARSHAL);
            self.encode(&response).map_err(|error| SessionFault::Io(io::Error::other(error)))?;
        }
        let head = std::mem::take(&mut self.head);
        let packets = self.codec.packets(&head, &response.body).map_err(io::Error::other)?;
        for packet in packets {
            match self.send(&packet).await {
                // S6: a client that has left needs no reply. What it sent before is still executed.
                Err(error) if is_peer_gone(&error) => break,
                result => result?,
            }
        }
        self.head = head;
        Ok(())
    }

    /// Sends one packet of a response.
    ///
    /// While the client has no room for it, the calls that run go on: they may hold what other sessions wait for (S1), and
    /// they are told of a shutdown (S7). None is begun, so that what they answer meanwhile is no more than may run at once.
    async fn send(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let slices = packet.slices();
        match self.link.try_send(&slices) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        let sending = self.link.send(&slices);
        let shutdown = draining(self.server.shutdown.subscribe());
        tokio::pin!(sending, shutdown);
        loop {
            let busy = !self.running.is_empty();
            tokio::select! {
                biased;
                result = &mut sending => return result,
                Some(response) = self.running.next(), if busy => self.finished.push_back(response),
                () = &mut shutdown, if !self.session.is_cancelled() => self.session.cancel(),
            }
        }
    }

    /// Writes the response's head, and says whether the whole can be sent.
    fn encode(&mut self, response: &Response) -> Result<(), crate::wire::MessageTooLong> {
        self.head.clear();
        response.encode_head(&mut self.head);
        self.codec.packets(&self.head, &response.body).map(drop)
    }

    /// Tells the peer, where it can be told in its own terms, that its packet was refused.
    ///
    /// As DAOS 2.8 does: a packet with a header is answered with sequence -1, one too short for a header is not (V).
    async fn refuse(&mut self, fault: &SessionFault) -> Result<(), SessionFault> {
        match fault {
            SessionFault::Frame(FrameError::ShortPacket { .. } | FrameError::OtherWire { .. }) => Ok(()),
            SessionFault::Frame(_) => self.reply(Response::unreadable_call()).await,
            _ => Ok(()),
        }
    }
}

/// Receives the rest of the next message; `None` once the client has closed its end. Cancel safe: what has come so far
/// is kept in the codec.
async fn next_message(
    link: &Link,
    codec: &mut Codec,
    rest_due: &mut Option<Instant>,
    server: &Shared,
) -> Result<Option<Bytes>, SessionFault> {
    loop {
        let packet = match *rest_due {
            None => link.recv(codec.rest()).await?,
            Some(due) => timeout_at(due.into(), link.recv(codec.rest()))
                .await
                .map_err(|_| SessionFault::HalfMessage)??,
        };
        match packet {
            None if codec.is_mid_message() => return Err(SessionFault::ClosedInMidMessage),
            None => return Ok(None),
            // W9: an empty packet is a message on the plain wire alone.
            Some(packet)
                if packet.is_empty() && !codec.is_mid_message() && codec.wire() != Some(Wire::Plain) =>
            {
                return Ok(None);
            }
            Some(packet) => {
                if let Some(message) = codec.receive(packet)? {
                    *rest_due = None;
                    return Ok(Some(message));
                }
                let now = Instant::now();
                match *rest_due {
                    None => *rest_due = now.checked_add(server.config.message_timeout),
                    // Chunks that keep coming leave the timer no chance to be looked at.
                    Some(due) if due <= now => return Err(SessionFault::HalfMessage),
                    Some(_) => {}
                }
            }
        }
    }
}

/// Carries out one call, within the time that the server gives a handler.
async fn handle(server: Arc<Shared>, session: Arc<Session>, call: Call) -> Response {
    let sequence = call.sequence;
    let deadline = server.config.handler_timeout.and_then(|limit| Instant::now().checked_add(limit));
    let context = Context::new(session, sequence).with_deadline(deadline);
    let Some(deadline) = deadline else {
        return server.service.process(&context, call).await;
    };
    let (module, method) = (call.module, call.method);
    match timeout_at(deadline.into(), server.service.process(&context, call)).await {
        Ok(response) => response,
        Err(_) => {
            let session = context.session().id();
            tracing::warn!(
                session,
                sequence,
                module,
                method,
                "call failed: the handler took too long and was cut off"
            );
            Response::failure(sequence, Status::FAILURE)
        }
    }
}

/// Spawns a session whose client is in this process; gives the client's end.
pub(crate) fn spawn_in_memory(server: Arc<Shared>) -> Link {
    let (ours, theirs) = Link::memory_pair();
    let session = Session::new(server.next_session_id(), PeerCredentials::this_process());
    tokio::spawn(SessionLoop::new(ours, session, server).run());
    theirs
}

/// What ends a session before its client does.
#[derive(Debug)]
enum SessionFault {
    Frame(FrameError),
    HalfMessage,
    ClosedInMidMessage,
    Io(io::Error),
}

impl fmt::Display for SessionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionFault::Frame(error) => write!(f, "{error}"),
            SessionFault::HalfMessage => f.write_str("the rest of a message did not come in time"),
            SessionFault::ClosedInMidMessage => f.write_str("the client closed in mid message"),
            SessionFault::Io(error) => write!(f, "{error}"),
        }
    }
}

impl From<FrameError> for SessionFault {
    fn from(error: FrameError) -> Self {
        SessionFault::Frame(error)
    }
}

impl From<io::Error> for SessionFault {
    fn from(error: io::Error) -> Self {
        SessionFault::Io(error)
    }
}
