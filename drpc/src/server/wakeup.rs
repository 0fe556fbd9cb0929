//! Makes a thread that waits in the kernel go on, from any thread. The one place of eventfd.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Wake;

use rustix::event::{EventfdFlags, eventfd};

/// A descriptor that can be read once its thread is to go on: [`Waker`](std::task::Waker)s are made of it.
pub(super) struct Wakeup {
    eventfd: OwnedFd,
    /// The thread has been told already: no need to say so twice.
    told: AtomicBool,
}

impl Wakeup {
    pub(super) fn new() -> io::Result<Arc<Self>> {
        let eventfd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Arc::new(Wakeup { eventfd, told: AtomicBool::new(false) }))
    }

    /// Forgets the wake-ups up to now. What was done before them is visible from here on.
    pub(super) fn clear(&self) {
        // It does not block: whoever asks knows that there is something to read, and else there is nothing to clear.
        let _ = rustix::io::read(&self.eventfd, &mut [0; 8]);
        self.told.swap(false, Ordering::AcqRel);
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
        if !self.told.swap(true, Ordering::AcqRel) {
            // It can't be full: there is one number in it at most.
            let _ = rustix::io::write(&self.eventfd, &1u64.to_ne_bytes());
        }
    }
}
