//! A connection without a socket, for tests: the same packets, the same back-pressure, the same end of file.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use event_listener::Event;

/// Packets that wait in one direction before a sender has to; about what a socket's send buffer holds.
const QUEUE_LIMIT: usize = 256;

/// One end of a pair.
#[derive(Debug)]
pub(crate) struct MemoryEnd {
    incoming: Arc<Queue>,
    outgoing: Arc<Queue>,
}

/// One direction.
#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    /// Something that an end may wait for has changed.
    changed: Event,
}

#[derive(Debug, Default)]
struct State {
    packets: VecDeque<Bytes>,
    /// Either end is gone.
    closed: bool,
}

impl MemoryEnd {
    pub(crate) fn pair() -> (MemoryEnd, MemoryEnd) {
        let (one, other) = (Arc::new(Queue::default()), Arc::new(Queue::default()));
        (
            MemoryEnd { incoming: one.clone(), outgoing: other.clone() },
            MemoryEnd { incoming: other, outgoing: one },
        )
    }

    pub(super) async fn recv(&self, into: Option<&mut Vec<u8>>) -> io::Result<Option<Bytes>> {
        let received = self.incoming.wait_for(|state| match state.packets.pop_front() {
            Some(packet) => Some(Ok(Some(packet))),
            None => state.closed.then_some(Ok(None)),
        });
        let packet = received.await?;
        Ok(match (packet, into) {
            (Some(packet), Some(into)) => {
                into.extend_from_slice(&packet);
                Some(Bytes::new())
            }
            (packet, _) => packet,
        })
    }

    pub(super) fn try_send(&self, packet: &[IoSlice<'_>]) -> io::Result<()> {
        let result = self.outgoing.state().push(packet);
        if result.is_ok() {
            self.outgoing.changed.notify(usize::MAX);
        }
        result
    }

    pub(super) async fn send(&self, packet: &[IoSlice<'_>]) -> io::Result<()> {
        let result = self
            .outgoing
            .wait_for(|state| match state.push(packet) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
                result => Some(result),
            })
            .await;
        self.outgoing.changed.notify(usize::MAX);
        result
    }

    pub(super) async fn peer_closed(&self) -> io::Result<()> {
        self.outgoing.wait_for(|state| state.closed.then_some(Ok(()))).await
    }

    pub(super) fn hang_up(&self) {
        for queue in [&self.incoming, &self.outgoing] {
            queue.state().closed = true;
            queue.changed.notify(usize::MAX);
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
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn wait_for<T>(&self, mut ready: impl FnMut(&mut State) -> Option<io::Result<T>>) -> io::Result<T> {
        loop {
            let listener = self.changed.listen();
            if let Some(result) = ready(&mut self.state()) {
                self.changed.notify(usize::MAX);
                return result;
            }
            listener.await;
        }
    }
}

impl State {
    fn push(&mut self, packet: &[IoSlice<'_>]) -> io::Result<()> {
        if self.closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        if self.packets.len() == QUEUE_LIMIT {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.packets.push_back(packet.iter().flat_map(|slice| &**slice).copied().collect());
        Ok(())
    }
}
