use std::hint::spin_loop;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Trying again for a short while before sleeping.
///
/// To sleep and be woken costs more than a fast call does. Who expects an answer within microseconds may ask for it again
/// and again instead; what keeps that from doing harm:
///
/// - it ends after `limit`;
/// - one thread of a process does it at a time, and only for a connection that has no company: while others receive, too, there
///   is something better to do than to wait for one of them;
/// - after a miss it is left out a number of times, twice as many after each further one.
///
/// It does not give its core to others meanwhile: they would keep it for a whole time slice.
#[derive(Debug, Default)]
pub(crate) struct Spin {
    limit: Duration,
    /// Which of the process's connections this is, of those that spin.
    id: usize,
    /// Others have received since this one did before.
    has_company: AtomicBool,
    /// How many times it is still left out.
    skip: AtomicU32,
    /// How many times it was left out after the last miss.
    penalty: AtomicU32,
}

/// One thread spins.
static SPINNING: AtomicBool = AtomicBool::new(false);

/// Which connection has received last.
static LAST: AtomicUsize = AtomicUsize::new(0);

const LONGEST_PENALTY: u32 = 255;

impl Spin {
    /// Spins for so long at most; not at all, if that is no time.
    pub(crate) fn new(limit: Duration) -> Self {
        static COUNTER: AtomicUsize = AtomicUsize::new(1);
        Spin { limit, id: COUNTER.fetch_add(1, Ordering::Relaxed), ..Spin::default() }
    }

    /// To be told of all that is received, by spinning or not.
    pub(crate) fn received(&self) {
        if !self.limit.is_zero() && LAST.swap(self.id, Ordering::Relaxed) != self.id {
            self.has_company.store(true, Ordering::Relaxed);
        }
    }

    /// Tries until the attempt does not say `WouldBlock`; `None` if it is time to sleep.
    pub(crate) fn run<T>(&self, mut attempt: impl FnMut() -> io::Result<T>) -> Option<io::Result<T>> {
        if self.limit.is_zero() || self.is_left_out() || SPINNING.swap(true, Ordering::Relaxed) {
            return None;
        }
        let result = self.spin(&mut attempt);
        SPINNING.store(false, Ordering::Relaxed);
        match result {
            Some(_) => self.penalty.store(0, Ordering::Relaxed),
            None => {
                let penalty = (2 * self.penalty.load(Ordering::Relaxed) + 1).min(LONGEST_PENALTY);
                self.penalty.store(penalty, Ordering::Relaxed);
                self.skip.store(penalty, Ordering::Relaxed);
            }
        }
        result
    }

    fn is_left_out(&self) -> bool {
        if self.has_company.swap(false, Ordering::Relaxed) {
            return true;
        }
        let skip = self.skip.load(Ordering::Relaxed);
        if skip > 0 {
            self.skip.store(skip - 1, Ordering::Relaxed);
        }
        skip > 0
    }

    fn spin<T>(&self, attempt: &mut impl FnMut() -> io::Result<T>) -> Option<io::Result<T>> {
        let begun = Instant::now();
        loop {
            match attempt() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Some(result),
            }
            if begun.elapsed() >= self.limit {
                return None;
            }
            (0..2).for_each(|_| spin_loop());
        }
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
    fn it_ends_and_is_left_out_after_misses_and_in_company() {
        assert!(Spin::default().run(|| Ok(())).is_none());

        let spin = Spin::new(Duration::from_micros(20));
        assert!(spin.run(would_block).is_none());
        assert!(spin.run(|| Ok(())).is_none(), "left out after a miss");
        assert!(spin.run(|| Ok(())).is_some());

        let spin = Spin::new(Duration::from_secs(10));
        let other = Spin::new(Duration::from_secs(10));
        spin.received();
        other.received();
        assert!(other.run(|| Ok(())).is_none(), "left out in company");
        assert!(other.run(|| Ok(())).is_some());
        other.received();
        assert!(other.run(|| Ok(())).is_some());
    }
}
