//! Sessions that something has woken, on whatever thread, and that a step has not looked at yet.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Wake, Waker};

/// The numbers of the sessions that were woken for one reason, in the order of that, and whom to wake for them.
pub(super) struct Woken {
    sessions: Mutex<VecDeque<u64>>,
    /// There are some, so that who looks need not lock.
    any: AtomicBool,
    server: Waker,
}

struct WakeSession {
    session: u64,
    woken: Arc<Woken>,
}

impl Woken {
    pub(super) fn new(server: Waker) -> Arc<Self> {
        Arc::new(Woken { sessions: Mutex::default(), any: AtomicBool::new(false), server })
    }

    /// A waker for a session.
    pub(super) fn waker_of(self: &Arc<Self>, session: u64) -> Waker {
        Arc::new(WakeSession { session, woken: self.clone() }).into()
    }

    /// The next session to look at. What was done before it was woken is visible from here on.
    #[inline]
    pub(super) fn next(&self) -> Option<u64> {
        if self.any.load(Ordering::Relaxed) { self.take_next() } else { None }
    }

    #[cold]
    fn take_next(&self) -> Option<u64> {
        let mut sessions = self.sessions();
        let next = sessions.pop_front();
        self.any.store(!sessions.is_empty(), Ordering::Relaxed);
        next
    }

    fn sessions(&self) -> MutexGuard<'_, VecDeque<u64>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for WakeSession {
    fn wake(self: Arc<Self>) {
        let mut sessions = self.woken.sessions();
        sessions.push_back(self.session);
        self.woken.any.store(true, Ordering::Relaxed);
        drop(sessions);
        self.woken.server.wake_by_ref();
    }
}
