//! A runtime in steps: what a client waits on in a loop of the caller's own. It has no thread.

use std::future::Future;
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use futures_util::stream::{FuturesUnordered, StreamExt};
use futures_util::task::AtomicWaker;

use super::runtime::Sleep;
use crate::steps::Stepped;
use crate::steps::timers::{Key, Timers};
use crate::transport::{Link, Socket, Sockets, SteppedSocket};

/// Sockets, timers and tasks, all of which go on in [`step`](Stepped::step).
pub(crate) struct Reactor {
    sockets: Arc<Sockets>,
    timing: Mutex<Timing>,
    /// Locked by the step that polls them.
    tasks: Mutex<FuturesUnordered<Slot>>,
    /// The tasks that came since the last step.
    unbegun: Mutex<Vec<Slot>>,
}

struct Timing {
    timers: Timers<Arc<AtomicWaker>>,
    /// The thread that made the last step: it looks at the timers before it waits again.
    stepper: Option<ThreadId>,
}

impl Timing {
    /// Whether a step may be under way on another thread, which has to be woken.
    fn is_elsewhere(&self) -> bool {
        self.stepper.is_some_and(|stepper| stepper != thread::current().id())
    }
}

/// The place of a task: empty once it is done or aborted.
#[derive(Clone)]
struct Slot(Arc<Mutex<Work>>);

struct Work {
    /// `None` also while it is polled.
    task: Option<BoxedTask>,
    aborted: bool,
    /// Woken when the task is aborted, so that its place goes, too.
    waker: Option<Waker>,
}

type BoxedTask = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task that goes on in the steps.
pub(super) struct SteppedTask(Slot);

impl Reactor {
    pub(super) fn new() -> io::Result<Arc<Self>> {
        Ok(Arc::new(Reactor {
            sockets: Sockets::new()?,
            timing: Mutex::new(Timing { timers: Timers::new(), stepper: None }),
            tasks: Mutex::default(),
            unbegun: Mutex::default(),
        }))
    }

    pub(super) fn waker(&self) -> &Waker {
        self.sockets.poller().waker()
    }

    pub(super) fn link(&self, socket: Socket) -> io::Result<Link> {
        Ok(Link::Stepped(SteppedSocket::new(socket, &self.sockets)?))
    }

    pub(super) fn sleep_until(self: &Arc<Self>, at: Instant) -> Sleep {
        Box::pin(Timer { at, key: None, task: Arc::default(), reactor: self.clone() })
    }

    /// Begins a task at once, and goes on with it in the steps.
    pub(super) fn spawn(&self, task: BoxedTask) -> SteppedTask {
        let task = Slot(Arc::new(Mutex::new(Work { task: Some(task), aborted: false, waker: None })));
        // Until a step takes it over, the loop is woken for it. A step of another thread may have looked already.
        if Pin::new(&mut task.clone()).poll(&mut Context::from_waker(self.waker())).is_pending() {
            lock(&self.unbegun).push(task.clone());
            if lock(&self.timing).is_elsewhere() {
                self.waker().wake_by_ref();
            }
        }
        SteppedTask(task)
    }

    /// Drops all tasks where they wait.
    pub(super) fn clear(&self) {
        let unbegun = mem::take(&mut *lock(&self.unbegun));
        let tasks = mem::take(&mut *lock(&self.tasks));
        // A place may be held elsewhere, too.
        unbegun.into_iter().chain(tasks).for_each(|task| task.abort());
    }

    /// Begins what has come, and goes on with what was woken.
    fn poll_tasks(&self) {
        let mut tasks = match self.tasks.try_lock() {
            Ok(tasks) => tasks,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another thread is at it, or this is a step within a step.
            Err(TryLockError::WouldBlock) => return,
        };
        let mut context = Context::from_waker(self.waker());
        // A set of futures that has polled all of its own calls the waker, to be asked once more.
        for _ in 0..2 {
            self.sockets.poller().stay_awake();
            tasks.extend(mem::take(&mut *lock(&self.unbegun)));
            // Each is done but once, so this ends.
            while let Poll::Ready(Some(())) = tasks.poll_next_unpin(&mut context) {}
        }
    }

    fn wake_timers(&self) {
        if lock(&self.timing).timers.next().is_none() {
            return;
        }
        let now = Instant::now();
        while let Some(task) = { lock(&self.timing).timers.pop(now) } {
            task.wake();
        }
    }
}

impl Stepped for Reactor {
    fn next_deadline(&self) -> Option<Instant> {
        lock(&self.timing).timers.next()
    }

    fn step(&self, timeout: Duration) -> io::Result<()> {
        let due = {
            let mut timing = lock(&self.timing);
            timing.stepper = Some(thread::current().id());
            timing.timers.next()
        };
        let until_due = due.map(|due| due.saturating_duration_since(Instant::now()));
        self.sockets.look(until_due.map_or(timeout, |until_due| until_due.min(timeout)))?;
        self.wake_timers();
        self.poll_tasks();
        self.sockets.poller().fall_asleep();
        Ok(())
    }
}

impl AsFd for Reactor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.sockets.as_fd()
    }
}

impl Future for Slot {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        // Nothing is locked meanwhile: it may abort itself.
        let Some(mut task) = ({ lock(&self.0).task.take() }) else { return Poll::Ready(()) };
        if task.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut work = lock(&self.0);
        if work.aborted {
            drop(work);
            drop(task);
            return Poll::Ready(());
        }
        work.task = Some(task);
        work.waker = Some(context.waker().clone());
        Poll::Pending
    }
}

impl Slot {
    fn abort(&self) {
        let (task, waker) = {
            let mut work = lock(&self.0);
            work.aborted = true;
            (work.task.take(), work.waker.take())
        };
        drop(task);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl SteppedTask {
    /// Drops it where it waits, at once unless it is running.
    pub(super) fn abort(&self) {
        self.0.abort();
    }
}

/// Waits for a moment.
struct Timer {
    at: Instant,
    /// `None` while no timer is set.
    key: Option<Key>,
    task: Arc<AtomicWaker>,
    reactor: Arc<Reactor>,
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.at <= Instant::now() {
            return Poll::Ready(());
        }
        self.task.register(context.waker());
        if self.key.is_none() {
            let mut timing = lock(&self.reactor.timing);
            let key = timing.timers.set(self.at, self.task.clone());
            let is_next = timing.timers.next() == Some(self.at);
            let waits_elsewhere = timing.is_elsewhere();
            drop(timing);
            if is_next && waits_elsewhere {
                self.reactor.waker().wake_by_ref();
            }
            self.key = Some(key);
        }
        Poll::Pending
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if self.key.is_some() {
            lock(&self.reactor.timing).timers.cancel(self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
