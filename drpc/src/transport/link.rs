use std::future::poll_fn;
use std::io;
#[cfg(feature = "server")]
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::memory::MemoryEnd;
use super::readiness::AsyncSocket;
use super::stepped::SteppedSocket;
#[cfg(feature = "server")]
use crate::budget::Account;
use crate::descriptors::{Arrived, Limits};
use crate::wire::{MAX_PLAIN_MESSAGE, Packet};

/// One end of a connection, that can be waited on: a socket's, under tokio or in steps, or a pair's in memory.
///
/// For each of receiving, sending and the peer's end, one task can wait at a time: the last that asked is woken.
#[derive(Debug)]
pub(crate) enum Link {
    Socket(AsyncSocket),
    Stepped(SteppedSocket),
    Memory(MemoryEnd),
}

impl Link {
    /// One that ends here: for who has nothing more to say to a peer that has left.
    pub(crate) fn to_nobody() -> Self {
        Link::Memory(MemoryEnd::pair().0)
    }

    /// Receives one packet, whole; `None` at end of file. The packet is appended to `into`, if that is given, and the
    /// result is empty; else it has `longest` bytes at most. Who is `idle`, and has nothing better to do than to wait, spins first, if that was asked for.
    pub(crate) fn poll_recv(
        &self,
        context: &mut Context<'_>,
        into: Option<&mut Vec<u8>>,
        longest: usize,
        idle: bool,
    ) -> Poll<io::Result<Option<Bytes>>> {
        match self {
            Link::Socket(socket) => socket.poll_recv(context, into, longest, idle),
            Link::Stepped(socket) => socket.poll_recv(context, into, longest, idle),
            Link::Memory(end) => end.poll_recv(context, into),
        }
    }

    /// Receives one packet, of either wire. Cancel safe.
    pub(crate) async fn recv(&self) -> io::Result<Option<Bytes>> {
        poll_fn(|context| self.poll_recv(context, None, MAX_PLAIN_MESSAGE, false)).await
    }

    /// From now on the peer may pass descriptors; so many of them are taken.
    pub(crate) fn take_descriptors(&self, limits: Limits) {
        match self {
            Link::Socket(socket) => socket.socket().take_descriptors(limits),
            Link::Stepped(socket) => socket.socket().take_descriptors(limits),
            Link::Memory(end) => end.take_descriptors(limits),
        }
    }

    /// The descriptors that come from now on count as this user's.
    #[cfg(feature = "server")]
    pub(crate) fn charge_descriptors(&self, user: Option<&Arc<Account>>) {
        match self {
            Link::Socket(socket) => socket.socket().charge_descriptors(user),
            Link::Stepped(socket) => socket.socket().charge_descriptors(user),
            Link::Memory(end) => end.charge_descriptors(user),
        }
    }

    /// The descriptors that have come since this was last asked: those of one message, if it is asked after each.
    #[inline]
    pub(crate) fn arrived(&self) -> Option<Box<Arrived>> {
        match self {
            Link::Socket(socket) => socket.socket().arrived(),
            Link::Stepped(socket) => socket.socket().arrived(),
            Link::Memory(end) => end.arrived(),
        }
    }

    /// Sends one packet, whole, and passes descriptors with it, if there is room for it now.
    pub(crate) fn try_send(&self, packet: &Packet<'_>) -> io::Result<()> {
        match self {
            Link::Socket(socket) => socket.try_send(packet),
            Link::Stepped(socket) => socket.try_send(packet),
            Link::Memory(end) => end.try_send(packet),
        }
    }

    /// Sends one packet, whole. Cancel safe: it is sent or it is not.
    pub(crate) async fn send(&self, packet: &Packet<'_>) -> io::Result<()> {
        self.when_there_is_room(|| self.try_send(packet)).await
    }

    /// Waits until an operation that sends does not say `WouldBlock`. Cancel safe if the operation is.
    pub(crate) async fn when_there_is_room<T>(
        &self,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        if let Link::Socket(socket) = self {
            return socket.when_there_is_room(operation).await;
        }
        loop {
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            poll_fn(|context| self.poll_room(context)).await?;
        }
    }

    /// Waits until there may be room, after there was none.
    fn poll_room(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            // It waits otherwise.
            Link::Socket(_) => Poll::Ready(Ok(())),
            Link::Stepped(socket) => socket.poll_room(context),
            Link::Memory(end) => end.poll_room(context).map(Ok),
        }
    }

    /// How long a packet may be that is sent, in bytes.
    pub(crate) fn longest_packet(&self) -> usize {
        match self {
            Link::Socket(socket) => socket.socket().longest_packet(),
            Link::Stepped(socket) => socket.socket().longest_packet(),
            Link::Memory(_) => MAX_PLAIN_MESSAGE,
        }
    }

    /// Says that no more will be sent. In memory there is no such thing: an end that is still there may send.
    pub(crate) fn end_sending(&self) {
        match self {
            Link::Socket(socket) => socket.socket().end_sending(),
            Link::Stepped(socket) => socket.socket().end_sending(),
            Link::Memory(_) => {}
        }
    }

    /// Says that no more will be received: what the peer sends from now on is refused, and what it has sent before still comes.
    pub(crate) fn end_receiving(&self) {
        match self {
            Link::Socket(socket) => socket.socket().end_receiving(),
            Link::Stepped(socket) => socket.socket().end_receiving(),
            Link::Memory(end) => end.end_receiving(),
        }
    }

    /// Ends the connection both ways, as closing it does, for a link that is still shared.
    pub(crate) fn hang_up(&self) {
        match self {
            Link::Socket(socket) => socket.socket().hang_up(),
            Link::Stepped(socket) => socket.socket().hang_up(),
            Link::Memory(end) => end.hang_up(),
        }
    }

    /// Waits until the peer has closed, or shut down its sending half.
    pub(crate) async fn peer_stopped_sending(&self) -> io::Result<()> {
        match self {
            Link::Socket(socket) => socket.peer_stopped_sending().await,
            Link::Stepped(socket) => poll_fn(|context| socket.poll_peer_stopped_sending(context)).await,
            Link::Memory(end) => poll_fn(|context| end.poll_peer_closed(context)).await,
        }
    }

    /// Waits until the peer has closed altogether: a half-close does not count.
    pub(crate) fn poll_peer_closed(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Link::Socket(socket) => socket.poll_peer_closed(context),
            Link::Stepped(socket) => socket.poll_peer_closed(context),
            Link::Memory(end) => end.poll_peer_closed(context),
        }
    }
}
