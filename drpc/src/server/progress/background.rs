//! Work that goes on after its call was answered, polled in the steps.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures_util::stream::{FuturesUnordered, StreamExt};

use crate::handler::background::{Background, Work, log_too_late};
use crate::handler::cancellation::Cancellation;

/// The work of a server. Dropped, it drops what is not done.
pub(super) struct InBackground {
    running: FuturesUnordered<Work>,
    inbox: Arc<Inbox>,
}

/// Where work comes in, from any thread.
pub(super) struct Inbox {
    /// `None` once the server has ended.
    unbegun: Mutex<Option<Vec<Work>>>,
    /// Whether there is any, to be asked without a lock.
    has_unbegun: AtomicBool,
    server: Waker,
    cancellation: Cancellation,
}

impl InBackground {
    pub(super) fn new(server: Waker) -> Self {
        let inbox = Inbox {
            unbegun: Mutex::new(Some(Vec::new())),
            has_unbegun: AtomicBool::new(false),
            server,
            cancellation: Cancellation::default(),
        };
        InBackground { running: FuturesUnordered::new(), inbox: Arc::new(inbox) }
    }

    pub(super) fn inbox(&self) -> &Arc<Inbox> {
        &self.inbox
    }

    /// How many pieces are not done.
    pub(super) fn len(&self) -> usize {
        self.running.len() + self.inbox.unbegun().as_ref().map_or(0, Vec::len)
    }

    /// Begins what has come in, and goes on with what was woken.
    pub(super) fn poll(&mut self) {
        if self.inbox.has_unbegun.load(Ordering::Acquire) {
            // Before they are taken: what comes in from now on sets it again.
            self.inbox.has_unbegun.store(false, Ordering::Relaxed);
            let unbegun = self.inbox.unbegun().as_mut().map(mem::take);
            self.running.extend(unbegun.into_iter().flatten());
        }
        if self.running.is_empty() {
            return;
        }
        // Each is done but once, and what they begin is for the next step, so this ends.
        let mut context = Context::from_waker(&self.inbox.server);
        while let Poll::Ready(Some(())) = self.running.poll_next_unpin(&mut context) {}
    }

    /// Takes no more, and drops what is left where it waits.
    pub(super) fn close(&mut self) {
        let unbegun = self.inbox.unbegun().take();
        self.running.clear();
        drop(unbegun);
    }
}

impl Drop for InBackground {
    fn drop(&mut self) {
        self.close();
    }
}

impl Inbox {
    fn unbegun(&self) -> MutexGuard<'_, Option<Vec<Work>>> {
        self.unbegun.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Background for Inbox {
    fn spawn(&self, work: Work) {
        let mut unbegun = self.unbegun();
        let Some(works) = &mut *unbegun else {
            drop(unbegun);
            return log_too_late();
        };
        works.push(work);
        drop(unbegun);
        self.has_unbegun.store(true, Ordering::Release);
        self.server.wake_by_ref();
    }

    fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }
}
