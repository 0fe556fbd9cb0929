use std::sync::Arc;
use std::task::{Context, Wake, Waker};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use shuttle::thread::{self, Thread};

use super::{Handled, Ordering, Shared};
use crate::handler::cancellation::Cancelled;
use crate::handler::session::Session;
use crate::server::blocking::Server;
use crate::transport::PeerCredentials;

const CLIENTS: usize = 3;

/// A server that accepts and is told to stop, as `accept` has it: those in the backlog are accepted then, too. Each session waits for no
/// more than its end.
fn model(shutdown: fn(&Shared)) -> impl Fn() + Send + Sync + 'static {
    move || {
        let (service, config) = Server::builder().explicit_modules_only().build().unwrap();
        let shared = Arc::new(Shared::new(service, config).unwrap());
        let stopping = thread::spawn({
            let shared = shared.clone();
            move || shutdown(&shared)
        });
        let mut backlog = CLIENTS;
        while !shared.is_stopping() {
            if backlog > 0 {
                backlog -= 1;
                open(&shared);
                continue;
            }
            while !is_readable(&shared) {
                thread::yield_now();
            }
            shared.wakeup.clear();
        }
        (0..backlog).for_each(|_| open(&shared));
        assert!(shared.threads.wait_until_ended(None));
        assert!(shared.sessions.list().is_empty());
        stopping.join().unwrap();
    }
}

fn open(shared: &Arc<Shared>) {
    let session = shared.sessions.open(PeerCredentials::this_process(), &shared.config).unwrap();
    let of_session = shared.clone();
    let run = move || {
        wait_for_end(&session);
        of_session.sessions.close(&session);
    };
    shared.threads.spawn("session".into(), run).unwrap();
}

fn wait_for_end(session: &Session) {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    while session.poll_stop(&mut Context::from_waker(&waker)).is_pending() {
        thread::park();
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn is_readable(shared: &Shared) -> bool {
    let mut fds = [PollFd::new(&shared.wakeup, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
}

#[test]
fn every_session_is_told_of_the_end_whenever_it_is_accepted() {
    shuttle::check_random(model(Shared::shutdown), 3_000);
}

#[test]
#[should_panic(expected = "deadlock")]
fn one_would_not_be_if_only_those_that_live_were_told() {
    let only_those = |shared: &Shared| {
        shared.sessions.list().iter().for_each(|session| session.stop(Cancelled::ShuttingDown));
        shared.stopping.store(true, Ordering::Release);
        shared.wakeup.wake_by_ref();
    };
    shuttle::check_random(model(only_those), 3_000);
}
