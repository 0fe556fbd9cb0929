//! What was measured, for people and for programs.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Map, Value, json};

use super::load::Counts;

/// The percentiles that are shown, by their names.
pub(super) const PERCENTILES: [(&str, f64); 5] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p99.9", 99.9), ("p99.99", 99.99)];

/// A finished measurement.
pub(super) struct Report {
    /// What was called, and how.
    pub(super) title: String,
    pub(super) elapsed: Duration,
    pub(super) counts: Counts,
    /// In nanoseconds, of the calls that were answered SUCCESS.
    pub(super) latencies: Histogram<u64>,
}

impl Report {
    pub(super) fn errors(&self) -> u64 {
        self.counts.errors.values().sum()
    }

    fn per_second(&self) -> f64 {
        self.counts.calls as f64 / self.elapsed.as_secs_f64()
    }

    fn summary(&self) -> impl Iterator<Item = (&'static str, Duration)> + '_ {
        let percentiles =
            PERCENTILES.iter().map(|(name, at)| (*name, self.latencies.value_at_percentile(*at)));
        [("min", self.latencies.min())]
            .into_iter()
            .chain(percentiles)
            .chain([("max", self.latencies.max()), ("mean", self.latencies.mean() as u64)])
            .map(|(name, nanos)| (name, Duration::from_nanos(nanos)))
    }

    pub(super) fn to_json(&self) -> Value {
        let latency: Map<_, _> =
            self.summary().map(|(name, time)| (name.to_owned(), json!(time.as_nanos() as u64))).collect();
        json!({
            "what": self.title,
            "seconds": self.elapsed.as_secs_f64(),
            "calls": self.counts.calls,
            "calls_per_second": self.per_second(),
            "errors": self.counts.errors,
            "not_begun": self.counts.not_begun,
            "latency_ns": latency,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        writeln!(f)?;
        writeln!(f, "  {:<8} {:>12} in {:.2?}", "calls", self.counts.calls, self.elapsed)?;
        writeln!(f, "  {:<8} {:>12.0} calls/s", "rate", self.per_second())?;
        writeln!(f, "  {:<8} {:>12}", "errors", self.errors())?;
        for (error, times) in &self.counts.errors {
            writeln!(f, "  {:<8} {times:>12} {error}", "")?;
        }
        writeln!(f)?;
        if self.latencies.is_empty() {
            return writeln!(f, "  no call was answered SUCCESS, so there is no latency");
        }
        for (name, time) in self.summary() {
            writeln!(f, "  {name:<8} {:>12}", format!("{time:.1?}"))?;
        }
        Ok(())
    }
}
