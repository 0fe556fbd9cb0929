//! Makes a thread that waits in the kernel go on, from any thread. The one place of eventfd.

#[cfg(all(test, shuttle))]
mod model;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::task::Wake;

use rustix::event::{EventfdFlags, eventfd};

use crate::sync::atomic::{AtomicU8, Ordering};

/// A descriptor that can be read once its thread is to go on: [`Waker`](std::task::Waker)s are made of it.
pub(crate) struct Wakeup {
    eventfd: OwnedFd,
    state: AtomicU8,
}

/// The thread has been told already: no need to say so twice.
const TOLD: u8 = 1;

/// The thread is not to sleep before it has looked: no need to write.
const AWAKE: u8 = 2;

impl Wakeup {
    pub(crate) fn new() -> io::Result<Arc<Self>> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Arc::new(Wakeup { eventfd, state: AtomicU8::new(0) }))
    }

    /// Forgets the wake-ups up to now. What was done before them is visible from here on.
    pub(crate) fn clear(&self) {
        // It does not block: whoever asks knows that there is something to read, and else there is nothing to clear.
        let _ = rustix::io::read(&self.eventfd, &mut [0; 8]);
        self.state.swap(0, Ordering::AcqRel);
    }

    /// Forgets the wake-ups up to now, of a thread that looks at all that they are for before it [falls asleep](Self::fall_asleep). What
    /// was done before them is visible from here on. True if there were any.
    pub(crate) fn stay_awake(&self) -> bool {
        self.state.swap(AWAKE, Ordering::AcqRel) & TOLD != 0
    }

    /// The thread may sleep from now on. What woke it since it was awake is told by the descriptor.
    pub(crate) fn fall_asleep(&self) {
        if self.state.fetch_and(!AWAKE, Ordering::AcqRel) == AWAKE | TOLD {
            self.write();
        }
    }

    fn write(&self) {
        // It can't be full: there are few numbers in it at most.
        let _ = rustix::io::write(&self.eventfd, &1u64.to_ne_bytes());
    }
}

impl AsFd for Wakeup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.eventfd.as_fd()
    }
}

impl Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.fetch_or(TOLD, Ordering::AcqRel) == 0 {
            self.write();
        }
    }
}
