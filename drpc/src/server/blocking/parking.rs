use std::sync::Arc;
use std::task::Waker;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use smallvec::SmallVec;

use crate::steps::wakeup::Wakeup;
use crate::transport::Socket;

/// How long a thread waits that can't be woken, since no descriptor is left (S4): it looks by itself.
const RETRY: Duration = Duration::from_millis(5);

/// How a thread waits for a future, and for its client at the same time.
#[derive(Default)]
pub(super) struct Parking {
    /// Made when the thread first waits, and kept for the next time.
    wakeup: Option<Arc<Wakeup>>,
}

/// Why a thread goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unparked {
    /// The waker was called, or time has passed: look again.
    Woken,
    /// The client has left.
    PeerLeft,
}

impl Parking {
    /// Wakes this thread from [`park`](Self::park).
    pub(super) fn waker(&mut self) -> Waker {
        if self.wakeup.is_none() {
            self.wakeup = Wakeup::new().ok();
        }
        self.known_waker()
    }

    /// As [`waker`](Self::waker), if the thread has waited before; else one that does nothing, for a future that may be ready at once.
    pub(super) fn known_waker(&self) -> Waker {
        self.wakeup.clone().map_or_else(|| Waker::noop().clone(), Waker::from)
    }

    /// Waits until the waker has been called since the last time, the client at the other end of a socket has left, or the deadline
    /// is there; it may also go on for no reason.
    pub(super) fn park(&self, socket: Option<&Socket>, deadline: Option<Instant>) -> Unparked {
        let mut left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let mut fds = SmallVec::<[_; 2]>::new();
        match &self.wakeup {
            Some(wakeup) => fds.push(PollFd::new(wakeup, PollFlags::IN)),
            None => left = Some(left.map_or(RETRY, |left| left.min(RETRY))),
        }
        // That it has hung up is told unasked.
        fds.extend(socket.map(|socket| PollFd::new(socket, PollFlags::empty())));
        let timeout = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => {
                tracing::error!(%error, "a thread can't wait, and looks by itself");
                sleep(RETRY);
            }
        }
        let peer_left =
            socket.is_some() && fds.last().is_some_and(|fd| fd.revents().contains(PollFlags::HUP));
        if let Some(wakeup) = &self.wakeup
            && fds[0].revents().contains(PollFlags::IN)
        {
            wakeup.clear();
        }
        if peer_left { Unparked::PeerLeft } else { Unparked::Woken }
    }
}
