//! Threads that close what strangers have sent. Who sent a descriptor says how long its closing takes: the last one of a TCP socket
//! that lingers, or a file of a file system in user space. So no thread that serves others does it.

use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;

/// How many threads may be held up. One is there while there is something to close, and for a while after.
const THREADS: usize = 16;

/// How many jobs may wait for one of them. Beyond that, the thread that has one more does it itself: to keep descriptors open for ever
/// would be worse.
const WAITING: usize = 4096;

/// How long a thread waits for another job.
const SPARE: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct Jobs {
    waiting: VecDeque<Job>,
    threads: usize,
    /// How many of these wait for a job.
    spare: usize,
}

static JOBS: Mutex<Jobs> = Mutex::new(Jobs { waiting: VecDeque::new(), threads: 0, spare: 0 });
static MORE: Condvar = Condvar::new();

/// A stranger's descriptors, which are closed so wherever they are dropped.
#[derive(Debug, Default)]
pub(super) struct Strangers(pub(super) Vec<OwnedFd>);

impl Drop for Strangers {
    fn drop(&mut self) {
        close(std::mem::take(&mut self.0));
    }
}

/// Closes descriptors on a thread that serves nobody.
pub(crate) fn close(descriptors: Vec<OwnedFd>) {
    if descriptors.is_empty() {
        return;
    }
    elsewhere(move || {
        for descriptor in descriptors {
            // Of what is no socket, it changes nothing.
            let _ = set_socket_linger(&descriptor, None);
        }
    });
}

/// Does something that a stranger may make last, on a thread that serves nobody.
fn elsewhere(job: impl FnOnce() + Send + 'static) {
    let mut jobs = jobs();
    if jobs.waiting.len() >= WAITING {
        drop(jobs);
        return job();
    }
    jobs.waiting.push_back(Box::new(job));
    if jobs.spare >= jobs.waiting.len() || jobs.threads == THREADS {
        return MORE.notify_one();
    }
    jobs.threads += 1;
    drop(jobs);
    if thread::Builder::new().name("drpc-closing".to_owned()).spawn(work).is_err() {
        // It is done here then, unless another thread has taken it.
        work_on(false);
    }
}

fn work() {
    work_on(true);
}

/// Does the jobs that wait; a thread of its own waits a while for others.
fn work_on(waits: bool) {
    let mut jobs = jobs();
    loop {
        if let Some(job) = jobs.waiting.pop_front() {
            drop(jobs);
            job();
            jobs = self::jobs();
            continue;
        }
        if !waits {
            break;
        }
        jobs.spare += 1;
        let (woken, waited) = MORE.wait_timeout(jobs, SPARE).unwrap_or_else(PoisonError::into_inner);
        jobs = woken;
        jobs.spare -= 1;
        if waited.timed_out() && jobs.waiting.is_empty() {
            break;
        }
    }
    jobs.threads -= 1;
}

fn jobs() -> MutexGuard<'static, Jobs> {
    JOBS.lock().unwrap_or_else(PoisonError::into_inner)
}
