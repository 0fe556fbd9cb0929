use std::cell::Cell;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Instant;

use rustix::thread::Pid;
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread::{self, yield_now};

use super::SlowTurns;
use crate::server::config::Limits;
use crate::server::permits::CallPermits;

const CALLS: i32 = 4;

shuttle::lazy_static! {
    /// Whose handlers wait.
    static ref WAITING: [AtomicBool; CALLS as usize] = Default::default();
}

shuttle::thread_local! {
    static NUMBER: Cell<i32> = const { Cell::new(0) };
}

/// In place of what the kernel knows of threads.
pub(super) fn this_thread() -> Pid {
    Pid::from_raw(NUMBER.with(Cell::get) + 1).unwrap()
}

pub(super) fn waits(thread: Pid) -> bool {
    WAITING[thread.as_raw_nonzero().get() as usize - 1].load(Ordering::SeqCst)
}

/// Wakes a thread, for no reason never: as shuttle's own parking would.
#[derive(Default)]
struct Token(Mutex<bool>, Condvar);

impl Token {
    fn wait(&self) {
        let mut is_there = self.0.lock().unwrap();
        while !*is_there {
            is_there = self.1.wait(is_there).unwrap();
        }
        *is_there = false;
    }
}

impl Wake for Token {
    fn wake(self: Arc<Self>) {
        *self.0.lock().unwrap() = true;
        self.1.notify_one();
    }
}

/// How a thread waits, until the token is there or the deadline passes; `None` if it gives up.
type Park = fn(&Token, Option<Instant>) -> Option<()>;

struct Server {
    permits: CallPermits,
    turns: SlowTurns,
    running: AtomicUsize,
    one_is_done: Mutex<bool>,
    done: Condvar,
}

impl Server {
    fn new(permits: usize) -> Arc<Self> {
        Arc::new(Server {
            permits: CallPermits::new(&Limits { calls: Some(permits), ..Limits::default() }),
            turns: SlowTurns::of(1),
            running: AtomicUsize::new(0),
            one_is_done: Mutex::new(false),
            done: Condvar::new(),
        })
    }

    /// Carries out a slow call, unless it gives up.
    fn call(&self, number: i32, park: Park, handler: impl FnOnce(&Self)) {
        NUMBER.with(|own| own.set(number));
        let token = Arc::new(Token::default());
        let waker = Waker::from(token.clone());
        let both = self.turns.with_permit(&self.permits, 0);
        let park = |deadline| park(&token, deadline);
        if let Some(turn) = self.turns.wait(both, &Context::from_waker(&waker), park) {
            handler(self);
            drop(turn);
        }
    }

    fn compute(&self) {
        yield_now();
        *self.one_is_done.lock().unwrap() = true;
        self.done.notify_all();
    }

    fn wait_for_another(&self, number: usize) {
        let mut is_done = self.one_is_done.lock().unwrap();
        WAITING[number].store(true, Ordering::SeqCst);
        while !*is_done {
            is_done = self.done.wait(is_done).unwrap();
        }
        WAITING[number].store(false, Ordering::SeqCst);
    }
}

fn wait(token: &Token, deadline: Option<Instant>) -> Option<()> {
    match deadline {
        Some(_) => yield_now(),
        None => token.wait(),
    }
    Some(())
}

fn wait_without_a_deadline(token: &Token, _: Option<Instant>) -> Option<()> {
    wait(token, None)
}

fn give_up(_: &Token, _: Option<Instant>) -> Option<()> {
    (0..20).for_each(|_| yield_now());
    None
}

/// Of two calls that compute, a further one that gives up, and one whose handler waits until another is done.
fn model(park: Park) {
    let server = Server::new(3);
    let calls = (0..CALLS).map(|number| {
        let server = server.clone();
        thread::spawn(move || match number {
            0 => server.call(number, park, |server| server.wait_for_another(0)),
            1 => server.call(number, give_up, Server::compute),
            _ => server.call(number, park, Server::compute),
        })
    });
    calls.collect::<Vec<_>>().into_iter().for_each(|call| call.join().unwrap());
    assert!(server.turns.held().is_empty() && !server.turns.is_watched.load(Ordering::SeqCst));
    assert!(server.turns.permits.try_acquire(0).is_some());
}

#[test]
fn a_handler_that_waits_for_another_keeps_no_turn() {
    shuttle::check_random(|| model(wait), 3_000);
}

#[test]
#[should_panic(expected = "deadlock")]
fn handlers_would_wait_for_ever_if_nobody_looked() {
    shuttle::check_random(|| model(wait_without_a_deadline), 3_000);
}

#[test]
fn of_calls_that_do_not_wait_one_runs_at_a_time() {
    let compute = |server: &Server| {
        assert_eq!(server.running.fetch_add(1, Ordering::SeqCst), 0);
        server.compute();
        server.running.fetch_sub(1, Ordering::SeqCst);
    };
    shuttle::check_random(
        move || {
            let server = Server::new(4);
            let calls = (0..CALLS).map(|number| {
                let server = server.clone();
                thread::spawn(move || server.call(number, wait, compute))
            });
            calls.collect::<Vec<_>>().into_iter().for_each(|call| call.join().unwrap());
        },
        3_000,
    );
}
