use std::sync::Arc;
use std::time::Instant;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use super::{Counted, Threads};
use crate::server::config::ThreadOptions;

fn threads() -> Arc<Threads> {
    Threads::new(ThreadOptions::default())
}

#[test]
fn the_end_waits_for_the_last_thread() {
    shuttle::check_random(
        || {
            let (threads, ended) = (threads(), Arc::new(AtomicUsize::new(0)));
            for _ in 0..3 {
                let (of_this, ended) = (threads.clone(), ended.clone());
                let run = move || {
                    // A session begins work, which outlives it.
                    let ended_too = ended.clone();
                    let work = move || {
                        ended_too.fetch_add(1, Ordering::SeqCst);
                    };
                    of_this.spawn("work".into(), work).unwrap();
                    ended.fetch_add(1, Ordering::SeqCst);
                };
                threads.spawn("session".into(), run).unwrap();
            }
            assert!(threads.wait_until_ended(None));
            assert_eq!((threads.running(), ended.load(Ordering::SeqCst)), (0, 6));
        },
        3_000,
    );
}

#[test]
fn who_hurries_is_heard_whenever_that_is() {
    shuttle::check_random(
        || {
            let threads = threads();
            let stuck = Counted::new(threads.clone());
            let hurrying = thread::spawn({
                let threads = threads.clone();
                move || threads.hurry()
            });
            assert!(!threads.wait_until_hurried(None));
            hurrying.join().unwrap();
            // Whoever hurries once more is heard no more.
            threads.hurry();
            assert!(!threads.wait_until_ended(Some(Instant::now())));
            drop(stuck);
            assert!(threads.wait_until_ended(None));
        },
        3_000,
    );
}

#[test]
#[should_panic(expected = "deadlock")]
fn the_end_would_wait_for_ever_if_the_last_thread_did_not_tell() {
    shuttle::check_random(
        || {
            let threads = threads();
            let last = Counted::new(threads.clone());
            thread::spawn(move || {
                last.0.state().running -= 1;
                std::mem::forget(last);
            });
            assert!(threads.wait_until_ended(None));
        },
        3_000,
    );
}
