//! A connection without a socket, for tests: the same packets, the same back-pressure, the same end of file.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;

use crate::budget::Account;
use crate::descriptors::{Arrived, Intake, Limits};
use crate::sync::{Mutex, MutexGuard};
use crate::wire::Packet;

/// Packets that wait in one direction before a sender has to; about what a socket's send buffer holds.
const QUEUE_LIMIT: usize = 256;

/// One end of a pair.
#[derive(Debug)]
pub(crate) struct MemoryEnd {
    incoming: Arc<Queue>,
    outgoing: Arc<Queue>,
}

/// How a client connects to something in this process: it is given one end of a pair, and who answers has the other.
#[derive(Clone)]
pub(crate) struct Connector(Arc<dyn Fn() -> MemoryEnd + Send + Sync>);

impl Connector {
    pub(crate) fn new(connect: impl Fn() -> MemoryEnd + Send + Sync + 'static) -> Self {
        Connector(Arc::new(connect))
    }

    pub(crate) fn connect(&self) -> MemoryEnd {
        (self.0)()
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Queue(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    packets: VecDeque<(Bytes, Vec<OwnedFd>)>,
    /// Either end is gone.
    closed: bool,
    /// The receiver takes nothing more than what is in there.
    refused: bool,
    /// What the receiver takes of the descriptors that are passed with packets; they are refused, if it takes none.
    intake: Option<Intake>,
    /// Who waits for a packet.
    receiver: Option<Waker>,
    /// Who waits for room.
    sender: Option<Waker>,
    /// Who waits for the end.
    watcher: Option<Waker>,
}

impl MemoryEnd {
    pub(crate) fn pair() -> (MemoryEnd, MemoryEnd) {
        let (one, other) = (Arc::new(Queue::default()), Arc::new(Queue::default()));
        (
            MemoryEnd { incoming: one.clone(), outgoing: other.clone() },
            MemoryEnd { incoming: other, outgoing: one },
        )
    }

    pub(super) fn poll_recv(
        &self,
        context: &mut Context<'_>,
        into: Option<&mut Vec<u8>>,
    ) -> Poll<io::Result<Option<Bytes>>> {
        let mut state = self.incoming.state();
        let Some((packet, descriptors)) = state.packets.pop_front() else {
            if state.closed || state.refused {
                return Poll::Ready(Ok(None));
            }
            state.receiver = Some(context.waker().clone());
            return Poll::Pending;
        };
        wake(&mut state.sender);
        if let Some(intake) = &state.intake {
            intake.take_in(descriptors)?;
        }
        Poll::Ready(Ok(Some(match into {
            Some(into) => {
                into.extend_from_slice(&packet);
                Bytes::new()
            }
            None => packet,
        })))
    }

    pub(super) fn take_descriptors(&self, limits: Limits) {
        self.incoming.state().intake.get_or_insert_with(|| Intake::new(limits)).set_limits(limits);
    }

    pub(super) fn charge_descriptors(&self, user: Option<&Arc<Account>>) {
        if let (Some(intake), Some(user)) = (&self.incoming.state().intake, user) {
            intake.charge_to(user);
        }
    }

    pub(super) fn arrived(&self) -> Option<Box<Arrived>> {
        self.incoming.state().intake.as_ref()?.arrived()
    }

    pub(super) fn try_send(&self, packet: &Packet<'_>) -> io::Result<()> {
        self.outgoing.state().push(packet)
    }

    /// Waits until a packet can be sent, or it is known that none can.
    pub(super) fn poll_room(&self, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.outgoing.state();
        if state.closed || state.refused || state.packets.len() < QUEUE_LIMIT {
            return Poll::Ready(());
        }
        state.sender = Some(context.waker().clone());
        Poll::Pending
    }

    pub(super) fn poll_peer_closed(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.outgoing.state();
        if state.closed {
            return Poll::Ready(Ok(()));
        }
        state.watcher = Some(context.waker().clone());
        Poll::Pending
    }

    pub(super) fn end_receiving(&self) {
        let mut state = self.incoming.state();
        state.refused = true;
        wake(&mut state.receiver);
        wake(&mut state.sender);
    }

    pub(super) fn hang_up(&self) {
        for queue in [&self.incoming, &self.outgoing] {
            let mut state = queue.state();
            state.closed = true;
            wake(&mut state.receiver);
            wake(&mut state.sender);
            wake(&mut state.watcher);
        }
    }
}

impl Drop for MemoryEnd {
    fn drop(&mut self) {
        self.hang_up();
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        if self.closed || self.refused {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.packets.len() == QUEUE_LIMIT {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        // As the kernel answers.
        if !packet.descriptors().is_empty() && self.intake.is_none() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        let descriptors = packet.descriptors().iter().map(OwnedFd::try_clone).collect::<io::Result<_>>()?;
        self.packets.push_back((packet.to_vec().into(), descriptors));
        wake(&mut self.receiver);
        Ok(())
    }
}

fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}
