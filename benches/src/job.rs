//! What the measuring process tells the two that it measures, and what they tell it back.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a server is to be.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Setup {
    pub(crate) socket: PathBuf,
    /// The only core to run on; `None` for any.
    pub(crate) core: Option<usize>,
    /// Threads of its runtime.
    pub(crate) workers: usize,
    /// How many methods it serves; only drpc's servers can have more than one.
    pub(crate) methods: usize,
    /// How long a message is, for the floor, which has no protocol to learn it from.
    pub(crate) size: usize,
}

/// What a client is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) socket: PathBuf,
    /// The only core to run on; `None` for any.
    pub(crate) core: Option<usize>,
    /// Threads of its runtime.
    pub(crate) workers: usize,
    pub(crate) connections: usize,
    /// How many calls are in flight. More than there are connections: they share them. Fewer: each takes its
    /// connections in turn.
    pub(crate) lanes: usize,
    /// The body's length in bytes.
    pub(crate) size: usize,
    /// Calls spread over so many methods.
    pub(crate) methods: usize,
    pub(crate) warm_up: Duration,
    /// Zero: only one call on each connection, which then stays idle.
    pub(crate) window: Duration,
}

impl Job {
    /// Whether each call's time is taken.
    pub(crate) fn is_sequential(&self) -> bool {
        self.lanes == 1
    }

    /// How many threads a client that blocks calls from: one for each connection that is in use at a time.
    pub(crate) fn threads(&self) -> usize {
        self.lanes.min(self.connections)
    }

    /// How many calls such a thread has in flight.
    pub(crate) fn depth(&self) -> usize {
        self.lanes.div_ceil(self.connections)
    }

    /// Which connections a lane uses.
    pub(crate) fn connections_of(&self, lane: usize) -> impl Iterator<Item = usize> + use<> {
        let step = self.lanes.min(self.connections);
        (lane % self.connections..self.connections).step_by(if self.lanes >= self.connections {
            self.connections
        } else {
            step
        })
    }
}

/// What a client measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) calls: u64,
    pub(crate) elapsed: Duration,
    /// CPU time of the client's process.
    pub(crate) cpu: Duration,
    /// Of the calls whose times were taken.
    pub(crate) latency: Option<Latency>,
}

/// Percentiles of the calls' times.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// `None` of fewer than 1,000 calls.
    pub(crate) p999: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(connections: usize, lanes: usize) -> Vec<Vec<usize>> {
        let job = Job {
            socket: PathBuf::new(),
            core: None,
            workers: 1,
            connections,
            lanes,
            size: 1,
            methods: 1,
            warm_up: Duration::ZERO,
            window: Duration::ZERO,
        };
        (0..lanes).map(|lane| job.connections_of(lane).collect()).collect()
    }

    #[test]
    fn lanes_share_connections_or_take_them_in_turn() {
        assert_eq!(job(1, 3), [[0], [0], [0]]);
        assert_eq!(job(2, 4), [[0], [1], [0], [1]]);
        assert_eq!(job(5, 2), [vec![0, 2, 4], vec![1, 3]]);
        assert_eq!(job(3, 3), [[0], [1], [2]]);
    }
}
