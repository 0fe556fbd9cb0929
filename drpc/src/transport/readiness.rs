use std::io::{self, IoSlice};

use bytes::Bytes;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::Socket;

/// A non-blocking [`Socket`] that can be waited on under tokio.
#[derive(Debug)]
pub(crate) struct AsyncSocket(AsyncFd<Socket>);

impl AsyncSocket {
    /// # Panics
    ///
    /// Outside of a tokio runtime with its I/O driver on.
    #[allow(unsafe_code, reason = "tokio can't see that the descriptor stays open; the type sees to it")]
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        // SAFETY: the Socket owns its descriptor, always names the same one, and never closes it before it is dropped.
        // The AsyncFd owns the Socket from here on and lends it out by shared reference alone.
        let registered = unsafe { AsyncFd::register(socket) }?;
        Ok(AsyncSocket(registered))
    }

    pub(crate) fn socket(&self) -> &Socket {
        self.0.get_ref()
    }

    /// Waits until `operation` does not say `WouldBlock`. Cancel safe if the operation is.
    pub(crate) async fn when_readable<T>(
        &self,
        operation: impl FnMut(&Socket) -> io::Result<T>,
    ) -> io::Result<T> {
        self.0.async_io(Interest::READABLE, operation).await
    }

    /// Receives one packet, whole; `None` at end of file. Cancel safe.
    pub(crate) async fn recv(&self) -> io::Result<Option<Bytes>> {
        self.when_readable(Socket::recv).await
    }

    /// Sends one packet, whole, if there is room for it now.
    pub(crate) fn try_send(&self, packet: &[IoSlice<'_>]) -> io::Result<()> {
        // Not by the readiness that tokio remembers: the socket itself knows better, at the same cost.
        self.socket().send(packet)
    }

    /// Sends one packet, whole. Cancel safe: it is sent or it is not.
    pub(crate) async fn send(&self, packet: &[IoSlice<'_>]) -> io::Result<()> {
        match self.try_send(packet) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.0.async_io(Interest::WRITABLE, |socket| socket.send(packet)).await
            }
            result => result,
        }
    }

    /// Waits until the peer has closed altogether. Cancel safe.
    pub(crate) async fn peer_closed(&self) -> io::Result<()> {
        // A closed peer makes a socket writable, and sends look at the socket first: so it is writability whose
        // memory is cleared here to be woken again.
        self.0
            .async_io(Interest::WRITABLE, |socket| match socket.peer_closed()? {
                true => Ok(()),
                false => Err(io::ErrorKind::WouldBlock.into()),
            })
            .await
    }
}
