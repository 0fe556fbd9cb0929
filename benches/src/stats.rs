use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::Latency;

/// One figure of several rounds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// `None` of nothing.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let half = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[half - 1], values[half]),
            _ => values[half],
        };
        Some(Spread { median, min, max })
    }
}

/// The percentiles of some calls' times; `None` of no call.
pub(crate) fn latency(mut times: Vec<Duration>) -> Option<Latency> {
    times.sort_unstable();
    let at = |share: f64| times.get(((times.len() - 1) as f64 * share).round() as usize).copied();
    if times.is_empty() {
        return None;
    }
    let p999 = if times.len() >= 1000 { at(0.999) } else { None };
    Some(Latency { p50: at(0.5)?, p99: at(0.99)?, p999 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]), Some(Spread { median: 2.5, min: 1.0, max: 4.0 }));
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn percentiles() {
        let times = (0..=1000).rev().map(Duration::from_micros).collect();
        let latency = latency(times).unwrap();
        assert_eq!(latency.p50, Duration::from_micros(500));
        assert_eq!(latency.p99, Duration::from_micros(990));
        assert_eq!(latency.p999, Some(Duration::from_micros(999)));
    }
}
