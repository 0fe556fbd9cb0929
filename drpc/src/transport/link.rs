use std::io::{self, IoSlice};

use bytes::Bytes;

use super::AsyncSocket;
use super::memory::MemoryEnd;

/// One end of a connection, that can be waited on: a socket's, or a pair's in memory.
#[derive(Debug)]
pub(crate) enum Link {
    Socket(AsyncSocket),
    Memory(MemoryEnd),
}

impl Link {
    /// Two ends in memory, joined.
    pub(crate) fn memory_pair() -> (Link, Link) {
        let (one, other) = MemoryEnd::pair();
        (Link::Memory(one), Link::Memory(other))
    }

    /// Receives one packet, whole; `None` at end of file. The packet is appended to `into`, if that is given, and the
    /// result is empty. Cancel safe.
    pub(crate) async fn recv(&self, into: Option<&mut Vec<u8>>) -> io::Result<Option<Bytes>> {
        match self {
            Link::Socket(socket) => socket.recv(into).await,
            Link::Memory(end) => end.recv(into).await,
        }
    }

    /// Sends one packet, whole, if there is room for it now.
    pub(crate) fn try_send(&self, packet: &[IoSlice<'_>]) -> io::Result<()> {
        match self {
            Link::Socket(socket) => socket.try_send(packet),
            Link::Memory(end) => end.try_send(packet),
        }
    }

    /// Sends one packet, whole. Cancel safe: it is sent or it is not.
    pub(crate) async fn send(&self, packet: &[IoSlice<'_>]) -> io::Result<()> {
        match self {
            Link::Socket(socket) => socket.send(packet).await,
            Link::Memory(end) => end.send(packet).await,
        }
    }

    /// Ends the connection both ways, as closing it does, for a link that is still shared.
    pub(crate) fn hang_up(&self) {
        match self {
            Link::Socket(socket) => socket.socket().hang_up(),
            Link::Memory(end) => end.hang_up(),
        }
    }

    /// Waits until the peer has closed altogether: a half-close does not count. Cancel safe.
    pub(crate) async fn peer_closed(&self) -> io::Result<()> {
        match self {
            Link::Socket(socket) => socket.peer_closed().await,
            Link::Memory(end) => end.peer_closed().await,
        }
    }
}
