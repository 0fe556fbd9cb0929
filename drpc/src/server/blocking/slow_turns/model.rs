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

const CALLS: i32 = 5;

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
    turns: Arc<SlowTurns>,
    running: AtomicUsize,
    /// How many have begun, or are done.
    begun: Mutex<usize>,
    done: Mutex<usize>,
    changed: Condvar,
}

impl Server {
    fn new(permits: usize, turns: usize) -> Arc<Self> {
        Arc::new(Server {
            permits: CallPermits::new(&Limits { calls: Some(permits), ..Limits::default() }),
            turns: SlowTurns::of(turns),
            running: AtomicUsize::new(0),
            begun: Mutex::default(),
            done: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    /// Carries out a slow call, unless it gives up.
    fn call(&self, number: i32, park: Park, handler: impl FnOnce(&Self)) {
        NUMBER.with(|own| own.set(number));
        let token = Arc::new(Token::default());
        let waker = Waker::from(token.clone());
        let mut both = self.turns.with_permit(&self.permits, 0);
        let park = |deadline| park(&token, deadline);
        let taken = self.turns.take(&mut both);
        let taken = taken.or_else(|| self.turns.wait(both, &Context::from_waker(&waker), park));
        if let Some(turn) = taken {
            handler(self);
            drop(turn);
        }
    }

    fn compute(&self) {
        yield_now();
        *self.done.lock().unwrap() += 1;
        self.changed.notify_all();
    }

    /// A handler that waits until two others are done.
    fn wait_for_others(&self, number: usize) {
        self.wait_for(number, &self.done, 2);
    }

    /// A handler that waits until so many have begun.
    fn wait_for_all(&self, number: usize, calls: usize) {
        *self.begun.lock().unwrap() += 1;
        self.changed.notify_all();
        self.wait_for(number, &self.begun, calls);
    }

    fn wait_for(&self, number: usize, count: &Mutex<usize>, calls: usize) {
        let mut now = count.lock().unwrap();
        WAITING[number].store(true, Ordering::SeqCst);
        while *now < calls {
            now = self.changed.wait(now).unwrap();
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

/// Of calls that compute, a further one that gives up, and one whose handler waits for two of the first.
fn some_compute(park: Park) {
    let server = Server::new(3, 1);
    run(&server, move |server, number| match number {
        0 => server.call(number, park, |server| server.wait_for_others(0)),
        1 => server.call(number, give_up, |_| ()),
        _ => server.call(number, park, Server::compute),
    });
}

/// Of calls whose handlers wait for each other.
fn all_wait(turns: usize) {
    let server = Server::new(CALLS as usize, turns);
    run(&server, |server, number| {
        server.call(number, wait, |server| server.wait_for_all(number as usize, CALLS as usize));
    });
}

fn run(server: &Arc<Server>, call: impl Fn(&Server, i32) + Copy + Send + 'static) {
    let calls = (0..CALLS).map(|number| {
        let server = server.clone();
        thread::spawn(move || call(&server, number))
    });
    calls.collect::<Vec<_>>().into_iter().for_each(|call| call.join().unwrap());
    assert!(server.turns.held().is_empty() && !server.turns.is_watched.load(Ordering::SeqCst));
    assert!(server.turns.permits.try_acquire(0).is_some());
}

#[test]
fn a_handler_that_waits_for_others_keeps_no_turn() {
    shuttle::check_random(|| some_compute(wait), 1_000);
}

#[test]
fn handlers_that_wait_for_each_other_keep_no_turns() {
    shuttle::check_random(|| all_wait(1), 500);
    shuttle::check_random(|| all_wait(2), 1_000);
}

#[test]
#[should_panic(expected = "deadlock")]
fn handlers_would_wait_for_ever_if_nobody_looked() {
    shuttle::check_random(|| some_compute(wait_without_a_deadline), 3_000);
}

#[test]
fn of_calls_that_do_not_wait_one_runs_at_a_time() {
    let compute = |server: &Server| {
        assert_eq!(server.running.fetch_add(1, Ordering::SeqCst), 0);
        server.compute();
        server.running.fetch_sub(1, Ordering::SeqCst);
    };
    let model = move || {
        run(&Server::new(CALLS as usize, 1), move |server, number| server.call(number, wait, compute));
    };
    shuttle::check_random(model, 1_000);
}
