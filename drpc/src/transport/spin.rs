use std::hint::spin_loop;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::yield_now;
use std::time::{Duration, Instant};

/// Trying again for a short while before sleeping.
///
/// To sleep and be woken costs more than a fast call does. Who expects an answer within microseconds may ask for it again
/// and again instead; what keeps that from doing harm:
///
/// - it ends after `limit`, and gives the core to others in between;
/// - one thread of a process does it at a time;
/// - after a miss it is left out a number of times, twice as many after each further one;
/// - after [`HITS`] in a row it is left out once, so that the runtime sees to the other tasks.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    limit: Duration,
    hits: AtomicU32,
    /// How many times it is still left out.
    skip: AtomicU32,
    /// How many times it was left out after the last miss.
    penalty: AtomicU32,
}

/// One thread spins.
static SPINNING: AtomicBool = AtomicBool::new(false);

const HITS: u32 = 16;
const LONGEST_PENALTY: u32 = 255;

impl Spin {
    /// Spins for so long at most; not at all, if that is no time.
    pub(crate) fn new(limit: Duration) -> Self {
        Spin { limit, ..Spin::default() }
    }

    /// Tries until the attempt does not say `WouldBlock`; `None` if it is time to sleep.
    pub(crate) fn run<T>(&self, mut attempt: impl FnMut() -> io::Result<T>) -> Option<io::Result<T>> {
        if self.limit.is_zero() || self.is_left_out() || SPINNING.swap(true, Ordering::Relaxed) {
            return None;
        }
        let result = self.spin(&mut attempt);
        SPINNING.store(false, Ordering::Relaxed);
        match result {
            Some(_) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                self.penalty.store(0, Ordering::Relaxed);
            }
            None => {
                let penalty = (2 * self.penalty.load(Ordering::Relaxed) + 1).min(LONGEST_PENALTY);
                self.penalty.store(penalty, Ordering::Relaxed);
                self.skip.store(penalty, Ordering::Relaxed);
            }
        }
        result
    }

    fn is_left_out(&self) -> bool {
        let skip = self.skip.load(Ordering::Relaxed);
        if skip > 0 {
            self.skip.store(skip - 1, Ordering::Relaxed);
            return true;
        }
        let pause = self.hits.load(Ordering::Relaxed) >= HITS;
        if pause {
            self.hits.store(0, Ordering::Relaxed);
        }
        pause
    }

    fn spin<T>(&self, attempt: &mut impl FnMut() -> io::Result<T>) -> Option<io::Result<T>> {
        let begun = Instant::now();
        for round in 0u32.. {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Some(result),
            }
            if begun.elapsed() >= self.limit {
                break;
            }
            // The peer may be waiting for this very core.
            if round % 4 == 0 {
                yield_now();
            } else {
                (0..8).for_each(|_| spin_loop());
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn would_block() -> io::Result<()> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    // One test: the process spins once at a time.
    #[test]
    fn it_ends_and_is_left_out_after_misses_and_many_hits() {
        assert!(Spin::default().run(|| Ok(())).is_none());

        let spin = Spin::new(Duration::from_micros(20));
        assert!(spin.run(would_block).is_none());
        assert!(spin.run(|| Ok(())).is_none(), "left out after a miss");
        assert!(spin.run(|| Ok(())).is_some());

        let spin = Spin::new(Duration::from_secs(10));
        for _ in 0..HITS {
            assert!(spin.run(|| Ok(())).is_some());
        }
        assert!(spin.run(|| Ok(())).is_none());
        assert!(spin.run(|| Ok(())).is_some());
    }
}
