//! How often something may happen: a token bucket.

use std::time::{Duration, Instant};

/// How often something may happen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rate {
    /// So many times at once,
    pub(crate) most: u32,
    /// and once more in each such time, which is a millisecond at least.
    pub(crate) once_in: Duration,
}

/// How often it still may.
#[derive(Debug)]
pub(crate) struct Bucket {
    rate: Rate,
    left: u32,
    /// Up to when more was earned; `None` while it was never used.
    earned_until: Option<Instant>,
}

impl Bucket {
    pub(crate) const fn new(rate: Rate) -> Self {
        Bucket { rate, left: rate.most, earned_until: None }
    }

    /// Whether it may happen now, which counts.
    pub(crate) fn take(&mut self, now: Instant) -> bool {
        let Rate { most, once_in } = self.rate;
        let since = *self.earned_until.get_or_insert(now);
        let times = now.saturating_duration_since(since).as_millis() / once_in.as_millis();
        let earned = u32::try_from(times).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(most);
        self.earned_until = since.checked_add(once_in.saturating_mul(earned)).or(Some(now));
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_let_through_then_ten_a_second() {
        let mut bucket = Bucket::new(Rate { most: 100, once_in: Duration::from_millis(100) });
        let taken = |bucket: &mut Bucket, now| (0..10_000).filter(|_| bucket.take(now)).count();
        let begin = Instant::now();
        assert_eq!(taken(&mut bucket, begin), 100);
        assert_eq!(taken(&mut bucket, begin + Duration::from_secs(1)), 10);
        // It earns no more than a burst, however long it rests.
        assert_eq!(taken(&mut bucket, begin + Duration::from_secs(86_400)), 100);
    }
}
