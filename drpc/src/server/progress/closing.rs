//! Sessions that are asked to close, on whatever thread ([`Session::close`]).

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

use crate::handler::session::Session;

/// The numbers of the sessions that were asked to close, and whom to wake for them.
pub(super) struct Closings {
    asked: Mutex<Vec<u64>>,
    server: Waker,
}

/// What a session wakes.
struct Closing {
    session: u64,
    closings: Arc<Closings>,
}

impl Closings {
    pub(super) fn new(server: Waker) -> Arc<Self> {
        Arc::new(Closings { asked: Mutex::default(), server })
    }

    /// Hears of a session from now on.
    pub(super) fn watch(self: &Arc<Self>, session: &Session) {
        let closing = Closing { session: session.id(), closings: self.clone() };
        // It can't have been asked yet, but for a hook that saw it begin.
        if session.poll_stop(&mut Context::from_waker(&Waker::from(Arc::new(closing)))).is_ready() {
            self.ask(session.id());
        }
    }

    /// Those that were asked since the last time.
    pub(super) fn take(&self) -> Vec<u64> {
        mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn ask(&self, session: u64) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        self.server.wake_by_ref();
    }
}

impl Wake for Closing {
    fn wake(self: Arc<Self>) {
        self.closings.ask(self.session);
    }
}
