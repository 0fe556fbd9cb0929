//! The load: who makes the next call, and when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use drpc::{Bytes, CallError, CallErrorKind, CallOptions, Client, Method};
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How long a run of a given time goes on with calls that were due in it, and could not begin.
const GRACE: Duration = Duration::from_secs(1);

/// What is called, and how.
#[derive(Clone)]
pub(super) struct Load {
    pub(super) method: Method,
    pub(super) body: Bytes,
    pub(super) options: CallOptions,
    /// How many calls are in flight on each connection.
    pub(super) in_flight: usize,
    /// How many calls a second begin, whatever becomes of those before; without it, each begins when one has ended.
    pub(super) rate: Option<f64>,
}

/// When to end.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    Calls(u64),
    Time(Duration),
}

/// What has been measured so far.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) calls: u64,
    /// How often what went wrong.
    pub(super) errors: BTreeMap<String, u64>,
    /// Calls that were due and never begun, since all that may be in flight were: at a fixed rate alone.
    pub(super) not_begun: u64,
}

/// A run of calls, to be watched as it goes on.
pub(super) struct Run {
    turns: Arc<Turns>,
    lanes: Vec<Arc<Mutex<Lane>>>,
    tasks: JoinSet<()>,
    begun: Instant,
}

/// What one connection has measured since it was asked last.
struct Lane {
    latencies: Histogram<u64>,
    errors: BTreeMap<String, u64>,
}

impl Run {
    /// Begins to call.
    pub(super) fn begin(clients: &[Client], load: &Load, limit: Limit) -> Run {
        let begun = Instant::now();
        let turns = Arc::new(Turns::new(begun, load.rate, limit));
        let mut tasks = JoinSet::new();
        let lanes = clients.iter().map(|client| {
            let lane = Arc::new(Mutex::new(Lane { latencies: histogram(), errors: BTreeMap::new() }));
            for _ in 0..load.in_flight {
                tasks.spawn(call(client.clone(), load.clone(), turns.clone(), lane.clone()));
            }
            lane
        });
        let lanes = lanes.collect();
        if load.rate.is_some() {
            let turns = turns.clone();
            thread::spawn(move || turns.release());
        }
        Run { turns, lanes, tasks, begun }
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Waits until all calls have ended, or a time is over. Cancel safe.
    pub(super) async fn wait(&mut self, at_most: Duration) -> bool {
        let all = async { while self.tasks.join_next().await.is_some() {} };
        tokio::time::timeout(at_most, all).await.is_ok()
    }

    /// Begins no more calls.
    pub(super) fn stop(&self) {
        self.turns.stop();
    }

    /// Moves what has been measured since it was asked last: latencies in nanoseconds, of calls that were answered SUCCESS.
    pub(super) fn collect(&self, into: &mut Histogram<u64>, counts: &mut Counts) {
        for lane in &self.lanes {
            let mut lane = lane.lock();
            counts.calls += lane.latencies.len();
            // It grows as it must.
            let _ = into.add(&lane.latencies);
            lane.latencies.reset();
            for (error, times) in std::mem::take(&mut lane.errors) {
                counts.calls += times;
                *counts.errors.entry(error).or_default() += times;
            }
        }
        counts.not_begun = self.turns.not_begun();
    }
}

/// A histogram of nanoseconds, to three digits.
pub(super) fn histogram() -> Histogram<u64> {
    let mut histogram = Histogram::new(3).expect("three digits are allowed");
    histogram.auto(true);
    histogram
}

/// Makes one call after the other.
async fn call(client: Client, load: Load, turns: Arc<Turns>, lane: Arc<Mutex<Lane>>) {
    while let Some(due) = turns.next().await {
        let answer = client.call_raw(load.method, load.body.clone(), &load.options).await;
        let latency = due.elapsed();
        let mut lane = lane.lock();
        match answer {
            Ok(response) if response.status.is_success() => {
                // It grows as it must.
                let _ = lane.latencies.record(u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX));
            }
            Ok(response) => *lane.errors.entry(response.status.to_string()).or_default() += 1,
            Err(error) => *lane.errors.entry(in_a_word(&error)).or_default() += 1,
        }
    }
}

/// What went wrong, without what differs from call to call.
fn in_a_word(error: &CallError) -> String {
    if let Some(status) = error.status() {
        return status.to_string();
    }
    let word = match error.kind() {
        CallErrorKind::Connect => "can't connect",
        CallErrorKind::Disconnected | CallErrorKind::NotConnected => "disconnected",
        CallErrorKind::Timeout => "timed out",
        CallErrorKind::Reply => "the reply can't be read",
        CallErrorKind::TooLong => "the request is too long",
        _ => "other",
    };
    word.to_owned()
}

/// The order of calls.
///
/// At a rate, the calls' times are fixed before: a thread of its own releases a permit for each as it is due, and who takes it counts
/// from that time on, however late it is. So a server that stalls is charged for every call that should have begun meanwhile, not only for
/// those in flight (what wrk2 calls coordinated omission).
struct Turns {
    begun: Instant,
    /// The time between two calls, in seconds.
    period: Option<f64>,
    limit: Limit,
    taken: AtomicU64,
    released: AtomicU64,
    due: Semaphore,
    stopped: AtomicBool,
}

impl Turns {
    fn new(begun: Instant, rate: Option<f64>, limit: Limit) -> Turns {
        Turns {
            begun,
            period: rate.map(|rate| 1.0 / rate),
            limit,
            taken: AtomicU64::new(0),
            released: AtomicU64::new(0),
            due: Semaphore::new(0),
            stopped: AtomicBool::new(false),
        }
    }

    /// The time from which the next call counts; `None` if there is no next.
    async fn next(&self) -> Option<Instant> {
        let Some(period) = self.period else {
            let turn = self.taken.fetch_add(1, Ordering::Relaxed);
            let now = Instant::now();
            let goes_on = match self.limit {
                Limit::Calls(calls) => turn < calls,
                Limit::Time(time) => now.duration_since(self.begun) < time,
            };
            return (goes_on && !self.stopped.load(Ordering::Relaxed)).then_some(now);
        };
        self.due.acquire().await.ok()?.forget();
        let turn = self.taken.fetch_add(1, Ordering::Relaxed);
        Some(self.begun + Duration::from_secs_f64(period * turn as f64))
    }

    /// Releases calls as they become due. (A runtime's clock goes by the millisecond, a thread's by some fifty microseconds.)
    fn release(&self) {
        let period = self.period.unwrap_or_default();
        let last = match self.limit {
            Limit::Calls(calls) => calls,
            // The first is due at once.
            Limit::Time(time) => (time.as_secs_f64() / period).ceil() as u64,
        };
        let mut released = 0;
        while released < last && !self.stopped.load(Ordering::Relaxed) {
            let due = (self.begun.elapsed().as_secs_f64() / period) as u64 + 1;
            let due = due.min(last);
            if due > released {
                self.released.store(due, Ordering::Relaxed);
                self.due.add_permits(
                    ((due - released) as usize).min(Semaphore::MAX_PERMITS - self.due.available_permits()),
                );
                released = due;
            }
            if released >= last {
                break;
            }
            let next = Duration::from_secs_f64(period * released as f64);
            thread::sleep(next.saturating_sub(self.begun.elapsed()));
        }
        // What is due is to be made, unless that takes too long.
        let end = self.begun.elapsed() + GRACE;
        let is_open = |limit| matches!(limit, Limit::Calls(_)) || self.begun.elapsed() < end;
        while self.taken.load(Ordering::Relaxed) < released
            && is_open(self.limit)
            && !self.stopped.load(Ordering::Relaxed)
        {
            thread::sleep(Duration::from_millis(1));
        }
        self.due.close();
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        if self.period.is_some() {
            self.due.close();
        }
    }

    fn not_begun(&self) -> u64 {
        match self.period {
            Some(_) => {
                self.released.load(Ordering::Relaxed).saturating_sub(self.taken.load(Ordering::Relaxed))
            }
            None => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No coordinated omission: who comes late to a call that was due still counts from the time that it was due.
    #[tokio::test]
    async fn a_call_at_a_rate_counts_from_when_it_was_due() {
        let begun =
            Instant::now().checked_sub(Duration::from_secs(10)).expect("a clock that has run for so long");
        let turns = Turns::new(begun, Some(100.0), Limit::Calls(3));
        turns.due.add_permits(3);
        for number in 0..3 {
            assert_eq!(turns.next().await, Some(begun + Duration::from_millis(10 * number)));
        }
        turns.stop();
        assert_eq!(turns.next().await, None);
    }

    #[tokio::test]
    async fn a_closed_loop_ends_at_its_count() {
        let turns = Turns::new(Instant::now(), None, Limit::Calls(2));
        assert!(turns.next().await.is_some() && turns.next().await.is_some());
        assert_eq!(turns.next().await, None);
    }

    #[test]
    fn all_calls_that_are_due_are_released() {
        let begun =
            Instant::now().checked_sub(Duration::from_secs(1)).expect("a clock that has run for so long");
        let turns = Turns::new(begun, Some(1000.0), Limit::Time(Duration::from_millis(500)));
        turns.release();
        assert_eq!(turns.not_begun(), 500);
        assert!(turns.due.is_closed());
    }
}
