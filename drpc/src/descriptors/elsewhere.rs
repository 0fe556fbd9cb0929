//! Threads that close what strangers have sent. Who sent a descriptor says how long its closing takes: the last one of a TCP socket
//! that lingers, or a file of a file system in user space, which may take for ever. So no thread that serves others does it, and what a user
//! has sent holds up no more of the threads than are left for others.

use std::collections::{BTreeMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;

use super::intake::Held;

/// How many threads may be held up. One is there while there is something to close, and for a while after.
const THREADS: usize = 16;

/// How long a thread waits for another job.
const SPARE: Duration = Duration::from_secs(1);

/// After how long a user's closing is taken to hang.
const LONG: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// The threads, and what waits for them. It needs no bound of its own: each job has a descriptor, of which the process has so many.
#[derive(Default)]
struct Closers {
    jobs: Mutex<Jobs>,
    more: Condvar,
}

#[derive(Default)]
struct Jobs {
    /// By user; those that are nobody's together.
    of_user: BTreeMap<Option<u32>, OfUser>,
    threads: usize,
    /// How many of these wait for a job.
    spare: usize,
    /// How many of these do one.
    busy: usize,
}

struct OfUser {
    waiting: VecDeque<Job>,
    busy: usize,
    /// When the last of the user's jobs was done, or the first of these came.
    last_done: Instant,
}

impl OfUser {
    fn new() -> Self {
        OfUser { waiting: VecDeque::new(), busy: 0, last_done: Instant::now() }
    }
}

static CLOSERS: Closers = Closers {
    jobs: Mutex::new(Jobs { of_user: BTreeMap::new(), threads: 0, spare: 0, busy: 0 }),
    more: Condvar::new(),
};

/// A stranger's descriptors, which are closed so wherever they are dropped, and are counted until they are.
#[derive(Debug, Default)]
pub(super) struct Strangers {
    pub(super) descriptors: Vec<OwnedFd>,
    pub(super) held: Held,
}

impl Drop for Strangers {
    fn drop(&mut self) {
        close_held(std::mem::take(&mut self.descriptors), std::mem::take(&mut self.held));
    }
}

/// Closes descriptors on a thread that serves nobody.
pub(crate) fn close(descriptors: Vec<OwnedFd>) {
    close_held(descriptors, Held::default());
}

/// As [`close`]; they are counted until then.
pub(super) fn close_held(descriptors: Vec<OwnedFd>, held: Held) {
    if !descriptors.is_empty() {
        CLOSERS.give(held.uid(), move || {
            close_now(descriptors);
            drop(held);
        });
    }
}

/// Closes descriptors that are a user's, and then does the rest of what may take as long, on a thread that serves nobody.
pub(crate) fn close_and(uid: Option<u32>, descriptors: Vec<OwnedFd>, rest: impl FnOnce() + Send + 'static) {
    CLOSERS.give(uid, move || {
        close_now(descriptors);
        rest();
    });
}

/// Whether descriptors of a user are to be closed, and none were for so long that they may never be.
pub(super) fn hangs(uid: Option<u32>) -> bool {
    CLOSERS.jobs().of_user.get(&uid).is_some_and(|of| of.last_done.elapsed() >= LONG)
}

/// Closes descriptors on this thread.
pub(crate) fn close_now(descriptors: Vec<OwnedFd>) {
    for descriptor in descriptors {
        // Of what is no socket, it changes nothing.
        let _ = set_socket_linger(&descriptor, None);
    }
}

impl Closers {
    /// Has something done that a stranger may make last, on a thread that serves nobody.
    fn give(&'static self, uid: Option<u32>, job: impl FnOnce() + Send + 'static) {
        let mut jobs = self.jobs();
        jobs.of_user.entry(uid).or_insert_with(OfUser::new).waiting.push_back(Box::new(job));
        let waiting: usize = jobs.of_user.values().map(|of| of.waiting.len()).sum();
        if jobs.next_user().is_none() || jobs.spare >= waiting || jobs.threads == THREADS {
            return self.more.notify_one();
        }
        jobs.threads += 1;
        drop(jobs);
        if thread::Builder::new().name("drpc-closing".to_owned()).spawn(|| self.work()).is_err() {
            // It waits for another thread, or for the next job: whoever serves others is not to be held up.
            self.jobs().threads -= 1;
        }
    }

    /// Does the jobs that wait, and waits a while for others.
    fn work(&self) {
        let mut jobs = self.jobs();
        loop {
            if let Some((uid, job)) = jobs.begin() {
                if jobs.next_user().is_some() {
                    self.more.notify_one();
                }
                drop(jobs);
                job();
                jobs = self.jobs();
                jobs.end(uid);
                continue;
            }
            jobs.spare += 1;
            let (woken, waited) = self.more.wait_timeout(jobs, SPARE).unwrap_or_else(PoisonError::into_inner);
            jobs = woken;
            jobs.spare -= 1;
            if waited.timed_out() && jobs.next_user().is_none() {
                break;
            }
        }
        jobs.threads -= 1;
    }

    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Jobs {
    /// The user whose job is next: of those who may have one more thread, the one who has the fewest. A user may have as many as are left for
    /// others.
    fn next_user(&self) -> Option<Option<u32>> {
        let left = THREADS - self.busy;
        let waiting = self.of_user.iter().filter(|(_, of)| !of.waiting.is_empty() && of.busy < left);
        waiting.min_by_key(|(_, of)| of.busy).map(|(uid, _)| *uid)
    }

    fn begin(&mut self) -> Option<(Option<u32>, Job)> {
        let uid = self.next_user()?;
        let of_user = self.of_user.get_mut(&uid)?;
        let job = of_user.waiting.pop_front()?;
        of_user.busy += 1;
        self.busy += 1;
        Some((uid, job))
    }

    /// A user's job is done. Of whom there is nothing is forgotten.
    fn end(&mut self, uid: Option<u32>) {
        self.busy -= 1;
        if let Some(of_user) = self.of_user.get_mut(&uid) {
            of_user.busy -= 1;
            of_user.last_done = Instant::now();
            if of_user.busy == 0 && of_user.waiting.is_empty() {
                self.of_user.remove(&uid);
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Jobs that say that they have begun, and end when the sender is dropped.
    fn hanging(closers: &'static Closers, uid: u32, count: usize) -> (Receiver<()>, Sender<()>) {
        let (begun, begins) = channel();
        let (end, ends) = channel::<()>();
        let ends = std::sync::Arc::new(Mutex::new(ends));
        for _ in 0..count {
            let (begun, ends) = (begun.clone(), ends.clone());
            closers.give(Some(uid), move || {
                let _ = begun.send(());
                // Each waits for the end, one behind the other.
                let _ = ends.lock().unwrap_or_else(PoisonError::into_inner).recv();
            });
        }
        (begins, end)
    }

    /// Has all threads that a user may hold up be held up, until this is dropped.
    pub(in crate::descriptors) fn hang(uid: u32) -> Sender<()> {
        let (begins, end) = hanging(&CLOSERS, uid, THREADS);
        begins.recv().unwrap();
        end
    }

    #[test]
    fn what_hangs_leaves_threads_for_other_users_and_is_done_by_no_thread_that_gives_it() {
        let closers: &'static Closers = Box::leak(Box::default());
        // More than were ever kept waiting.
        let (begins, end) = hanging(closers, 1, 10_000);
        (0..THREADS / 2).for_each(|_| begins.recv().unwrap());
        for uid in 2..5 {
            let (done, dones) = channel();
            closers.give(Some(uid), move || done.send(()).unwrap());
            dones.recv().unwrap();
        }
        assert_eq!(begins.try_recv().ok(), None, "half of the threads are left");
        drop(end);
        (THREADS / 2..10_000).for_each(|_| begins.recv().unwrap());
    }
}
