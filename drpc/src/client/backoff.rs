use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};

/// The pauses between attempts: about twice as long each time, up to a maximum, and with jitter.
///
/// Half of each pause is fixed and half is random, so that clients that failed together don't come back together.
///
/// ```
/// use std::time::Duration;
/// use drpc::Backoff;
///
/// // 5 to 10 ms, then 10 to 20 ms, … and from then on 100 to 200 ms.
/// let backoff = Backoff::new(Duration::from_millis(10), Duration::from_millis(200));
/// # let _ = backoff;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

/// The pauses, one after the other.
pub(super) type Pauses = <ExponentialBuilder as BackoffBuilder>::Backoff;

impl Backoff {
    /// Pauses that begin at up to `first` and grow to up to `longest`. A `first` below a millisecond counts as one, and a `longest` below `first` as `first`.
    #[must_use]
    pub fn new(first: Duration, longest: Duration) -> Self {
        let first = first.max(Duration::from_millis(1));
        Backoff { first, longest: longest.max(first) }
    }

    /// An endless row of pauses.
    pub(super) fn pauses(self) -> Pauses {
        // Its jitter adds up to as much again.
        ExponentialBuilder::new()
            .with_min_delay(self.first / 2)
            .with_max_delay(self.longest / 2)
            .without_max_times()
            .with_jitter()
            .build()
    }
}

/// 5 ms, growing to 250 ms.
impl Default for Backoff {
    fn default() -> Self {
        Backoff::new(Duration::from_millis(5), Duration::from_millis(250))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_their_bound() {
        let pauses = Backoff::new(Duration::from_millis(10), Duration::from_millis(50)).pauses();
        for (pause, most) in pauses.zip([10, 20, 40, 50, 50, 50]) {
            let most = Duration::from_millis(most);
            assert!(most / 2 <= pause && pause <= most, "{pause:?} of {most:?}");
        }
    }

    #[test]
    fn odd_bounds_are_set_right() {
        let mut pauses = Backoff::new(Duration::ZERO, Duration::ZERO).pauses();
        assert!(pauses.next().unwrap() >= Duration::from_micros(500));
        assert!(Backoff::new(Duration::MAX, Duration::ZERO).pauses().nth(3).unwrap() >= Duration::MAX / 2);
    }
}
