//! Whether anybody looks: what is seen of a call costs nothing if not.

use std::time::{Duration, Instant};

use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::{Level, Span};

use super::metrics;

/// Whether anyone may want to see calls: what the macros of tracing look at first, and all that a call costs if not.
#[inline]
pub(super) fn is_watched() -> bool {
    metrics::ON || (Level::DEBUG <= STATIC_MAX_LEVEL && Level::DEBUG <= LevelFilter::current())
}

/// The time, if anyone does want to see the call of this span.
pub(super) fn begun(span: &Span) -> Option<Instant> {
    (metrics::ON || !span.is_disabled()).then(Instant::now)
}

pub(super) fn microseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}
