use std::collections::HashMap;
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use rustix::event::epoll::EventFlags;

use super::seqpacket::Socket;
use crate::steps::poller::{Found, Poller};
use crate::wire::Packet;

/// How many packets are received from a socket in one step. What is left comes in the next, after all others had theirs.
const PACKETS_PER_STEP: u32 = 32;

/// The sockets that are waited for in the steps of one loop.
pub(crate) struct Sockets {
    poller: Poller,
    by_token: Mutex<HashMap<u64, Arc<Watched>>>,
    last_token: AtomicU64,
    /// Kept from step to step, for its memory.
    found: Mutex<Found>,
}

/// A non-blocking [`Socket`] that can be waited on in steps.
#[derive(Debug)]
pub(crate) struct SteppedSocket {
    watched: Arc<Watched>,
    token: u64,
    sockets: Arc<Sockets>,
}

#[derive(Debug)]
struct Watched {
    socket: Socket,
    state: Mutex<State>,
}

/// What is known of a socket, and who waits for it.
#[derive(Debug)]
struct State {
    /// What the poller watches it for.
    flags: EventFlags,
    /// How many packets may be asked for before the poller has told again that there are any.
    packets: u32,
    /// Whether the poller has told that there is room since it was last asked for.
    room: bool,
    /// The peer has closed, or shut down its sending half: no receiving waits any more.
    ended: bool,
    /// The peer has closed altogether: nothing waits any more, nor is watched.
    closed: bool,
    receiver: Option<Waker>,
    sender: Option<Waker>,
    /// Of who waits for the end alone.
    observer: Option<Waker>,
}

impl Sockets {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Sockets {
            poller: Poller::new()?,
            by_token: Mutex::default(),
            last_token: AtomicU64::new(0),
            found: Mutex::default(),
        }))
    }

    pub(crate) fn poller(&self) -> &Poller {
        &self.poller
    }

    /// Waits up to `timeout` until something is ready, and wakes who waits for it. The poller stays awake.
    pub(crate) fn look(&self, timeout: Duration) -> io::Result<()> {
        // Nothing is locked meanwhile: what a waker does is not known.
        let mut found = mem::take(&mut *self.found());
        self.poller.wait(timeout, &mut found)?;
        self.poller.stay_awake();
        while let Some(ready) = found.pop_front() {
            if ready.token == Poller::WAKEUP {
                self.poller.clear_wakeup();
                self.poller.stay_awake();
            } else if let Some(watched) = { self.by_token().get(&ready.token).cloned() } {
                watched.is_ready(&self.poller, ready.token, ready.flags);
            }
        }
        *self.found() = found;
        Ok(())
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn by_token(&self) -> MutexGuard<'_, HashMap<u64, Arc<Watched>>> {
        self.by_token.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SteppedSocket {
    pub(crate) fn new(socket: Socket, sockets: &Arc<Sockets>) -> io::Result<Self> {
        let token = sockets.last_token.fetch_add(1, Ordering::Relaxed);
        let flags = EventFlags::IN | EventFlags::RDHUP;
        sockets.poller.add(&socket, token, flags)?;
        let state = State {
            flags,
            packets: 0,
            room: false,
            ended: false,
            closed: false,
            receiver: None,
            sender: None,
            observer: None,
        };
        let watched = Arc::new(Watched { socket, state: Mutex::new(state) });
        sockets.by_token().insert(token, watched.clone());
        Ok(SteppedSocket { watched, token, sockets: sockets.clone() })
    }

    pub(crate) fn socket(&self) -> &Socket {
        &self.watched.socket
    }

    /// As [`Socket::recv`]. The last task that asked is woken.
    ///
    /// One that is `idle` expects one packet, and does not ask for another before it is told of one: most often there is none.
    pub(crate) fn poll_recv(
        &self,
        context: &mut Context<'_>,
        into: Option<&mut Vec<u8>>,
        longest: usize,
        idle: bool,
    ) -> Poll<io::Result<Option<Bytes>>> {
        {
            let mut state = self.watched.state();
            if state.packets == 0 && !state.ended {
                return self.wait_for_packet(&mut state, context);
            }
            state.packets = if idle && into.is_none() { 0 } else { state.packets.saturating_sub(1) };
        }
        match self.watched.socket.recv(into, longest) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut state = self.watched.state();
                state.packets = 0;
                self.wait_for_packet(&mut state, context)
            }
            received => Poll::Ready(received),
        }
    }

    fn wait_for_packet<T>(&self, state: &mut State, context: &Context<'_>) -> Poll<io::Result<T>> {
        state.receiver = Some(context.waker().clone());
        self.watch(state, EventFlags::IN)
    }

    /// Sends one packet, whole, if there is room for it now.
    pub(crate) fn try_send(&self, packet: &Packet<'_>) -> io::Result<()> {
        self.watched.socket.send(packet)
    }

    /// Waits until there may be room in the socket, after it had none. The last task that asked is woken.
    pub(crate) fn poll_room(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.watched.state();
        if mem::take(&mut state.room) || state.closed {
            return Poll::Ready(Ok(()));
        }
        state.sender = Some(context.waker().clone());
        self.watch(&mut state, EventFlags::OUT)
    }

    /// Waits until the peer has closed, or shut down its sending half. The last task that asked is woken.
    pub(crate) fn poll_peer_stopped_sending(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.watched.state();
        self.poll_end(state.ended, &mut state, context)
    }

    /// Waits until the peer has closed altogether. The last task that asked is woken.
    pub(crate) fn poll_peer_closed(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.watched.state();
        self.poll_end(state.closed, &mut state, context)
    }

    fn poll_end(&self, is_over: bool, state: &mut State, context: &Context<'_>) -> Poll<io::Result<()>> {
        if is_over {
            return Poll::Ready(Ok(()));
        }
        state.observer = Some(context.waker().clone());
        Poll::Pending
    }

    /// Has the socket watched for one thing more, until it is ready for that.
    fn watch<T>(&self, state: &mut State, wanted: EventFlags) -> Poll<io::Result<T>> {
        if !state.flags.contains(wanted) && !state.closed {
            let flags = state.flags | wanted;
            if let Err(error) = self.sockets.poller.modify(&self.watched.socket, self.token, flags) {
                return Poll::Ready(Err(error));
            }
            state.flags = flags;
        }
        Poll::Pending
    }
}

impl Drop for SteppedSocket {
    fn drop(&mut self) {
        self.sockets.by_token().remove(&self.token);
    }
}

impl Watched {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes who waits for that.
    ///
    /// To save system calls, the socket stays watched for packets until one comes that nobody asks for.
    fn is_ready(&self, poller: &Poller, token: u64, ready: EventFlags) {
        let told = {
            let mut state = self.state();
            state.closed |= ready.intersects(EventFlags::HUP | EventFlags::ERR);
            state.ended |= state.closed || ready.contains(EventFlags::RDHUP);
            let has_packet = ready.contains(EventFlags::IN);
            let has_room = ready.contains(EventFlags::OUT);
            if has_packet {
                state.packets = PACKETS_PER_STEP;
            }
            state.room |= has_room;
            let mut flags = state.flags;
            if has_room {
                flags.remove(EventFlags::OUT);
            }
            if state.ended || (has_packet && state.receiver.is_none()) {
                flags.remove(EventFlags::IN);
            }
            if state.ended {
                flags.remove(EventFlags::RDHUP);
            }
            let changed = if state.closed {
                // It would be told again and again.
                poller.delete(&self.socket)
            } else if flags != state.flags {
                poller.modify(&self.socket, token, flags)
            } else {
                Ok(())
            };
            // A socket that can't be watched any more ends as if its peer had.
            if changed.is_err() {
                (state.ended, state.closed) = (true, true);
            }
            state.flags = flags;
            let receiver = if has_packet || state.ended { state.receiver.take() } else { None };
            let sender = if has_room || state.closed { state.sender.take() } else { None };
            let observer = if state.ended { state.observer.take() } else { None };
            [receiver, sender, observer]
        };
        told.into_iter().flatten().for_each(Waker::wake);
    }
}

/// The descriptor that can be read when something is ready.
impl AsFd for Sockets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}

impl std::fmt::Debug for Sockets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sockets")
    }
}
