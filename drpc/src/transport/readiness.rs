use std::future::Future;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::pin::pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::seqpacket::{Mode, Socket};
use super::spin::Spin;
use crate::wire::Packet;

/// How long a send waits that can't be told when there is room.
const RETRY: Duration = Duration::from_millis(5);

/// How many packets are received by spinning before the runtime has a turn.
const IN_A_ROW: u32 = 16;

/// A non-blocking [`Socket`] that can be waited on under tokio.
///
/// It is registered for reading alone. A socket is nearly always writable, and to be told so after every packet that the peer
/// reads would double the wake-ups. Writability is first asked for when a send finds no room.
#[derive(Debug)]
pub(crate) struct AsyncSocket {
    socket: AsyncFd<Socket>,
    /// A second descriptor of the same socket, since epoll takes each but once.
    writable: OnceLock<AsyncFd<OwnedFd>>,
    spin: Spin,
    /// How many packets in a row were received by spinning.
    spun: AtomicU32,
}

impl AsyncSocket {
    /// # Panics
    ///
    /// Outside of a tokio runtime with its I/O driver on.
    pub(crate) fn new(socket: Socket) -> io::Result<Self> {
        let socket = register(socket, Interest::READABLE)?;
        Ok(AsyncSocket { socket, writable: OnceLock::new(), spin: Spin::default(), spun: AtomicU32::new(0) })
    }

    /// Spins for so long before it waits for a packet.
    pub(crate) fn spinning(self, limit: Duration) -> Self {
        AsyncSocket { spin: Spin::new(limit), ..self }
    }

    pub(crate) fn socket(&self) -> &Socket {
        self.socket.get_ref()
    }

    /// Accepts a connection, whose calls do not wait. Cancel safe.
    pub(crate) async fn accept(&self) -> io::Result<Socket> {
        self.socket.async_io(Interest::READABLE, |socket| socket.accept(Mode::NonBlocking)).await
    }

    /// As [`Socket::recv`]. The last task that asked is woken. One that is `idle`, and has nothing better to do than to wait, spins
    /// before it is pending.
    pub(crate) fn poll_recv(
        &self,
        context: &mut Context<'_>,
        mut into: Option<&mut Vec<u8>>,
        longest: usize,
        idle: bool,
    ) -> Poll<io::Result<Option<Bytes>>> {
        while let Poll::Ready(ready) = self.socket.poll_read_ready(context) {
            if let Ok(result) = ready?.try_io(|socket| socket.get_ref().recv(into.as_deref_mut(), longest)) {
                self.spin.received();
                return Poll::Ready(result);
            }
        }
        if idle { self.spin_recv(context, into, longest) } else { Poll::Pending }
    }

    fn spin_recv(
        &self,
        context: &mut Context<'_>,
        mut into: Option<&mut Vec<u8>>,
        longest: usize,
    ) -> Poll<io::Result<Option<Bytes>>> {
        let spun = self.spun.load(Ordering::Relaxed);
        if spun == IN_A_ROW {
            self.spun.store(0, Ordering::Relaxed);
            // It wakes this task once the runtime has looked at everything else.
            let _ = pin!(yield_now()).poll(context);
            return Poll::Pending;
        }
        // What is received so is told of again by the runtime, once, and for nothing.
        let received = self.spin.run(|| self.socket().recv(into.as_deref_mut(), longest));
        self.spun.store(if received.is_some() { spun + 1 } else { 0 }, Ordering::Relaxed);
        received.map_or(Poll::Pending, |result| {
            self.spin.received();
            Poll::Ready(result)
        })
    }

    /// Sends one packet, whole, if there is room for it now.
    pub(crate) fn try_send(&self, packet: &Packet<'_>) -> io::Result<()> {
        self.socket().send(packet)
    }

    /// Waits until an operation that sends does not say `WouldBlock`. Cancel safe if the operation is.
    pub(super) async fn when_there_is_room<T>(
        &self,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        loop {
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return result,
            }
            match self.writable() {
                Ok(writable) => return writable.async_io(Interest::WRITABLE, |_| operation()).await,
                // No descriptor is left (S4): no reason to cut a connection that has its own.
                Err(_) => sleep(RETRY).await,
            }
        }
    }

    fn writable(&self) -> io::Result<&AsyncFd<OwnedFd>> {
        if self.writable.get().is_none() {
            let descriptor = self.socket().as_fd().try_clone_to_owned()?;
            // Somebody else may have been faster; theirs is as good.
            let _ = self.writable.set(register(descriptor, Interest::WRITABLE)?);
        }
        self.writable.get().ok_or_else(|| io::Error::other("the descriptor for writing was just made"))
    }

    /// Waits until the peer has closed, or shut down its sending half; what it sends before wakes nobody here.
    pub(crate) async fn peer_stopped_sending(&self) -> io::Result<()> {
        // That end of the stream is all that this readiness can mean: a Unix socket has no priority data.
        self.socket.ready(Interest::PRIORITY).await?.retain_ready();
        Ok(())
    }

    /// Waits until the peer has closed altogether. The last task that asked is woken.
    pub(crate) fn poll_peer_closed(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            // Registered for reading alone, the socket is told to be writable when it hangs up, and not before.
            let mut ready = ready!(self.socket.poll_write_ready(context))?;
            let closed = ready.try_io(|socket| match socket.get_ref().peer_closed()? {
                true => Ok(()),
                false => Err(io::ErrorKind::WouldBlock.into()),
            });
            if let Ok(result) = closed {
                return Poll::Ready(result);
            }
        }
    }
}

/// Registers a descriptor with the runtime.
#[allow(unsafe_code, reason = "tokio can't see that a descriptor stays open; the types here see to it")]
fn register<T: AsFd + AsRawFd + OwnsDescriptor>(owner: T, interest: Interest) -> io::Result<AsyncFd<T>> {
    // SAFETY: the owner owns its descriptor, always names the same one, and never closes it before it is dropped. The
    // AsyncFd owns the owner from here on, and this module lends it out by shared reference alone.
    Ok(unsafe { AsyncFd::register_with_interest(owner, interest) }?)
}

/// A type that owns one descriptor for as long as it lives.
trait OwnsDescriptor {}
impl OwnsDescriptor for Socket {}
impl OwnsDescriptor for OwnedFd {}
