use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Poll, ready};
use std::{fmt, mem};

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet, block_in_place};

use crate::handler::background::{Background, Work, log_too_late};
use crate::handler::cancellation::Cancellation;
use crate::server::sessions::Abort;

/// The work in the background of a server on tokio: a task for each piece.
///
/// Dropped, it leaves the tasks alone: in memory there is no [`Server`](super::Server) whose end would end them.
#[derive(Default)]
pub(super) struct Tasks {
    /// Known once there is a session.
    runtime: OnceLock<Handle>,
    state: Mutex<State>,
    cancellation: Cancellation,
}

#[derive(Default)]
struct State {
    tasks: JoinSet<()>,
    /// The server has ended.
    closed: bool,
}

impl Tasks {
    /// Runs what is to come on the runtime that this is called on.
    pub(super) fn run_here(&self) {
        self.runtime.get_or_init(Handle::current);
    }

    /// How many pieces are not done.
    pub(super) fn len(&self) -> usize {
        let mut state = self.state();
        while state.tasks.try_join_next().is_some() {}
        state.tasks.len()
    }

    /// Waits until all is done. Cancel safe.
    pub(super) async fn finished(&self) {
        poll_fn(|context| {
            let mut state = self.state();
            while ready!(state.tasks.poll_join_next(context)).is_some() {}
            Poll::Ready(())
        })
        .await;
    }

    /// Takes no more; gives what is left, to be dropped where it waits.
    pub(super) fn close(&self) -> JoinSet<()> {
        let mut state = self.state();
        state.closed = true;
        while state.tasks.try_join_next().is_some() {}
        mem::take(&mut state.tasks)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Background for Tasks {
    fn spawn(&self, work: Work) {
        let mut state = self.state();
        match self.runtime.get() {
            Some(runtime) if !state.closed => {
                while state.tasks.try_join_next().is_some() {}
                // The work is given to its task when nothing is locked: a runtime that ends drops it at once, and what is dropped
                // may spawn.
                let (give, given) = oneshot::channel::<Work>();
                let task = async {
                    if let Ok(work) = given.await {
                        work.await;
                    }
                };
                state.tasks.spawn_on(task, runtime);
                drop(state);
                if give.send(work).is_err() {
                    log_too_late();
                }
            }
            _ => {
                drop(state);
                log_too_late();
            }
        }
    }

    /// A runtime of several threads gives what else this thread has to do to another.
    fn do_long(&self, work: &mut dyn FnMut()) {
        match Handle::try_current().map(|runtime| runtime.runtime_flavor()) {
            Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
            _ => work(),
        }
    }

    fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }
}

impl Abort for AbortHandle {
    fn abort(&self) {
        AbortHandle::abort(self);
    }
}

impl Drop for Tasks {
    fn drop(&mut self) {
        self.state().tasks.detach_all();
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks").field("tasks", &self.state().tasks.len()).finish_non_exhaustive()
    }
}
