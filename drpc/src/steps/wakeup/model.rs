use std::sync::Arc;
use std::task::Wake;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use shuttle::thread;

use super::Wakeup;

const WAKERS: usize = 2;

/// A loop looks for work and sleeps, again and again, as the steps do; other threads bring work, and wake it.
///
/// `fall_asleep` is what the loop does between the two.
fn model(fall_asleep: fn(&Wakeup)) -> impl Fn() + Send + Sync + 'static {
    move || {
        let wakeup = Wakeup::new().unwrap();
        let work: Arc<[AtomicBool; WAKERS]> = Arc::default();
        let woken = Arc::new(AtomicUsize::new(0));
        for place in 0..WAKERS {
            let (wakeup, work, woken) = (wakeup.clone(), work.clone(), woken.clone());
            thread::spawn(move || {
                work[place].store(true, Ordering::Relaxed);
                wakeup.wake_by_ref();
                woken.fetch_add(1, Ordering::Relaxed);
            });
        }
        let mut done = 0;
        loop {
            wakeup.stay_awake();
            done += work.iter().filter(|work| work.swap(false, Ordering::Relaxed)).count();
            if done == WAKERS {
                return;
            }
            fall_asleep(&wakeup);
            while !is_readable(&wakeup) {
                // Nobody will wake it any more.
                let is_last = woken.load(Ordering::Relaxed) == WAKERS;
                assert!(!is_last || is_readable(&wakeup), "a wake-up was lost");
                thread::yield_now();
            }
            wakeup.clear();
        }
    }
}

fn is_readable(wakeup: &Wakeup) -> bool {
    let mut fds = [PollFd::new(wakeup, PollFlags::IN)];
    poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).unwrap() > 0
}

#[test]
fn no_wake_up_is_lost() {
    shuttle::check_random(model(Wakeup::fall_asleep), 5_000);
}

#[test]
#[should_panic(expected = "a wake-up was lost")]
fn one_would_be_that_came_while_the_loop_looked_if_it_were_not_told_again() {
    let forgetful = |wakeup: &Wakeup| wakeup.state.store(0, super::Ordering::Release);
    shuttle::check_random(model(forgetful), 5_000);
}
