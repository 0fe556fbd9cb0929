//! The twin of `readiness` for builds without tokio, which have no such socket.

use std::io;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::seqpacket::Socket;
use crate::wire::Packet;

#[derive(Debug)]
pub(crate) enum AsyncSocket {}

impl AsyncSocket {
    pub(crate) fn socket(&self) -> &Socket {
        match *self {}
    }

    pub(crate) fn poll_recv(
        &self,
        _: &mut Context<'_>,
        _: Option<&mut Vec<u8>>,
        _: usize,
        _: bool,
    ) -> Poll<io::Result<Option<Bytes>>> {
        match *self {}
    }

    pub(crate) fn try_send(&self, _: &Packet<'_>) -> io::Result<()> {
        match *self {}
    }

    pub(super) async fn when_there_is_room<T>(&self, _: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match *self {}
    }

    pub(crate) async fn peer_stopped_sending(&self) -> io::Result<()> {
        match *self {}
    }

    pub(crate) fn poll_peer_closed(&self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match *self {}
    }
}
