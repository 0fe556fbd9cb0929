use std::sync::Arc;

use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread::{self, JoinHandle};

use super::Turns;

const CALLS: usize = 4;
const MOST_THREADS: usize = 3;

/// A session, whose reader is the number of calls that are still to be read.
struct Session {
    turns: Turns<Box<usize>>,
    carried_out: AtomicUsize,
    threads: Mutex<Vec<JoinHandle<()>>>,
    close: fn(&Turns<Box<usize>>),
}

/// Runs a session to its end; gives how many calls were carried out.
fn run(close: fn(&Turns<Box<usize>>)) -> usize {
    let (turns, threads) = (Turns::new(Box::new(CALLS)), Mutex::default());
    let session = Arc::new(Session { turns, carried_out: AtomicUsize::new(0), threads, close });
    session.work();
    loop {
        // Those threads may have begun others.
        let Some(thread) = session.threads.lock().unwrap().pop() else { break };
        thread.join().unwrap();
    }
    assert_eq!(session.turns.state().threads, 0);
    session.carried_out.load(Ordering::SeqCst)
}

impl Session {
    /// As `SessionState::work`.
    fn work(self: &Arc<Self>) {
        let mut reader = self.turns.take();
        while let Some(mut mine) = reader {
            if *mine == 0 {
                return (self.close)(&self.turns);
            }
            *mine -= 1;
            if self.turns.hand_over(mine, MOST_THREADS) {
                let session = self.clone();
                let thread = thread::spawn(move || session.work());
                self.threads.lock().unwrap().push(thread);
            }
            assert!(self.turns.running() <= MOST_THREADS);
            self.carried_out.fetch_add(1, Ordering::SeqCst);
            thread::yield_now();
            reader = self.turns.take_next(|_| {});
        }
    }
}

#[test]
fn every_call_is_carried_out_once_and_every_thread_ends() {
    shuttle::check_random(|| assert_eq!(run(Turns::close), CALLS), 3_000);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_thread_would_stay_if_the_end_were_told_to_one_alone() {
    shuttle::check_random(
        || {
            run(|turns| {
                let mut state = turns.state();
                state.closed = true;
                state.threads -= 1;
                turns.turn.notify_one();
            });
        },
        3_000,
    );
}
