use std::sync::Arc;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use super::Turns;

const CALLS: usize = 4;
const MOST_THREADS: usize = 3;

/// The calls that are still to be read.
type Reader = Box<usize>;

/// A session's threads, as `SessionState::work` has them; gives how many calls were carried out, once the last thread has ended.
fn session(close: fn(&Turns<Reader>)) -> usize {
    let turns = Arc::new(Turns::new(Box::new(CALLS)));
    let counts: Arc<[AtomicUsize; 2]> = Arc::default();
    work(turns.clone(), counts.clone(), close);
    // Those that it has begun end by themselves.
    while counts[1].load(Ordering::SeqCst) > 0 {
        thread::yield_now();
    }
    assert_eq!(turns.state().threads, 0);
    counts[0].load(Ordering::SeqCst)
}

fn work(turns: Arc<Turns<Reader>>, counts: Arc<[AtomicUsize; 2]>, close: fn(&Turns<Reader>)) {
    let mut reader = turns.take();
    while let Some(mut mine) = reader {
        if *mine == 0 {
            close(&turns);
            break;
        }
        *mine -= 1;
        if turns.hand_over(mine, MOST_THREADS) {
            counts[1].fetch_add(1, Ordering::SeqCst);
            let (turns, counts) = (turns.clone(), counts.clone());
            thread::spawn(move || {
                work(turns, counts.clone(), close);
                counts[1].fetch_sub(1, Ordering::SeqCst);
            });
        }
        assert!(turns.running() <= MOST_THREADS);
        counts[0].fetch_add(1, Ordering::SeqCst);
        thread::yield_now();
        reader = turns.take_next();
    }
}

#[test]
fn every_call_is_carried_out_once_and_every_thread_ends() {
    shuttle::check_random(|| assert_eq!(session(Turns::close), CALLS), 3_000);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_thread_would_stay_if_the_end_were_told_to_one_alone() {
    shuttle::check_random(
        || {
            session(|turns| {
                let mut state = turns.state();
                state.closed = true;
                state.threads -= 1;
                turns.turn.notify_one();
            });
        },
        3_000,
    );
}
