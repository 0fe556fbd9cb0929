use std::time::{Duration, Instant};

use super::error::CallError;

/// When a call has taken too long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    pub(super) limit: Option<Duration>,
    /// `None` for never.
    pub(super) at: Option<Instant>,
}

impl Deadline {
    pub(super) const NEVER: Deadline = Deadline { limit: None, at: None };

    pub(super) fn after(limit: Option<Duration>) -> Self {
        Self::by(Instant::now, limit)
    }

    /// By another clock, which is read only if there is a limit.
    pub(super) fn by(now: impl FnOnce() -> Instant, limit: Option<Duration>) -> Self {
        Deadline { limit, at: limit.and_then(|limit| now().checked_add(limit)) }
    }

    /// At a moment, if there is one; only then is the clock read.
    pub(super) fn at(now: impl FnOnce() -> Instant, at: Option<Instant>) -> Self {
        Deadline { limit: at.map(|at| at.saturating_duration_since(now())), at }
    }

    /// The earlier of the two.
    pub(super) fn or_before(self, other: Deadline) -> Self {
        match (self.at, other.at) {
            (Some(one), Some(another)) if another < one => other,
            (None, Some(_)) => other,
            _ => self,
        }
    }

    pub(super) fn left(&self) -> Duration {
        self.left_by(Instant::now)
    }

    pub(super) fn left_by(&self, now: impl FnOnce() -> Instant) -> Duration {
        self.at.map_or(Duration::MAX, |at| at.saturating_duration_since(now()))
    }

    /// Whether it is over; the clock is read only if there is an end.
    pub(super) fn is_over(&self) -> bool {
        self.at.is_some_and(|at| at <= Instant::now())
    }

    /// The error of a call that was not sent by then.
    pub(super) fn unsent(&self) -> CallError {
        CallError::unsent(self.limit.unwrap_or_default())
    }

    /// The error of a call that was sent and not answered by then.
    pub(super) fn passed(&self) -> CallError {
        CallError::timeout(self.limit.unwrap_or_default())
    }
}
