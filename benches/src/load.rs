//! The clients' side of a measurement: calls in a closed loop, each lane making its next call when the last is answered.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::JoinSet;

use crate::control;
use crate::job::{Job, Outcome};
use crate::payload::Payload;
use crate::stats::latency;
use crate::usage::cpu_time;

/// A client of an echo service that waits without holding its thread up.
pub(crate) trait Echo: Send + Sized + 'static {
    /// Makes one call and checks its reply; `turn` counts this lane's calls.
    fn echo(&mut self, payload: &Payload, turn: usize) -> impl Future<Output = Result<()>> + Send;

    /// Another client on the same connection, for calls at the same time. `None` if a connection carries one call at a
    /// time.
    fn share(&self) -> Option<Self>;
}

/// A client of an echo service that blocks its thread.
pub(crate) trait BlockingEcho: Send + 'static {
    /// Makes one call and checks its reply; `turn` counts this lane's calls.
    fn echo(&mut self, payload: &Payload, turn: usize) -> Result<()>;
}

/// Connects, warms up, and measures; each lane is a task.
pub(crate) async fn drive<C: Echo, F>(job: &Job, connect: impl Fn() -> F) -> Result<()>
where
    F: Future<Output = Result<C>>,
{
    let mut connections = Vec::new();
    for _ in 0..job.connections {
        connections.push(Some(connect_patiently(&connect).await.context("connecting")?));
    }
    let mut lanes = lanes(job, connections, |connection| {
        connection.as_ref().and_then(C::share).context("this system's connections carry one call at a time")
    })?;
    let payload = Payload::thorough(job.size);

    lanes = run(lanes, &payload, job.warm_up, job.is_sequential()).await?.0;
    control::ready();
    control::wait_for_go()?;
    let meter = Meter::start();
    let (_lanes, tallies) = if job.window.is_zero() {
        (lanes, Vec::new())
    } else {
        run(lanes, &payload.cursory(), job.window, job.is_sequential()).await?
    };
    control::done(&meter.stop(tallies))
}

/// Connects. While the server's backlog is full, a socket that must not wait is refused, and has nothing to wait for.
async fn connect_patiently<C, F>(connect: &impl Fn() -> F) -> Result<C>
where
    F: Future<Output = Result<C>>,
{
    let mut left = 1000;
    loop {
        match connect().await {
            Err(_) if left > 0 => left -= 1,
            connected => return connected,
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Lets every lane call for so long, once at least on each of its connections.
async fn run<C: Echo>(
    lanes: Vec<Vec<C>>,
    payload: &Payload,
    time: Duration,
    timed: bool,
) -> Result<(Vec<Vec<C>>, Vec<Tally>)> {
    let stop = stop_after(time);
    let mut tasks = JoinSet::new();
    for mut lane in lanes {
        let (stop, payload) = (stop.clone(), payload.clone());
        tasks.spawn(async move {
            let mut tally = Tally::new(timed);
            while !(stop.load(Ordering::Relaxed) && tally.calls >= lane.len()) {
                let turn = tally.calls;
                let client = turn % lane.len();
                let begun = tally.begin();
                lane[client].echo(&payload, turn).await?;
                tally.end(begun);
            }
            anyhow::Ok((lane, tally))
        });
    }
    let mut ended = (Vec::new(), Vec::new());
    while let Some(lane) = tasks.join_next().await {
        let (lane, tally) = lane.context("a lane panicked")??;
        ended.0.push(lane);
        ended.1.push(tally);
    }
    Ok(ended)
}

/// Connects, warms up, and measures; each lane is a thread.
pub(crate) fn drive_blocking<C: BlockingEcho>(job: &Job, connect: impl Fn() -> Result<C>) -> Result<()> {
    let mut connections = Vec::new();
    for _ in 0..job.connections {
        connections.push(Some(connect().context("connecting")?));
    }
    let mut lanes = lanes(job, connections, |_| anyhow::bail!("a connection carries one call at a time"))?;
    let payload = Payload::thorough(job.size);

    lanes = run_blocking(lanes, &payload, job.warm_up, job.is_sequential())?.0;
    control::ready();
    control::wait_for_go()?;
    let meter = Meter::start();
    let (_lanes, tallies) = if job.window.is_zero() {
        (lanes, Vec::new())
    } else {
        run_blocking(lanes, &payload.cursory(), job.window, job.is_sequential())?
    };
    control::done(&meter.stop(tallies))
}

fn run_blocking<C: BlockingEcho>(
    lanes: Vec<Vec<C>>,
    payload: &Payload,
    time: Duration,
    timed: bool,
) -> Result<(Vec<Vec<C>>, Vec<Tally>)> {
    let stop = stop_after(time);
    let call = |mut lane: Vec<C>| {
        let mut tally = Tally::new(timed);
        while !(stop.load(Ordering::Relaxed) && tally.calls >= lane.len()) {
            let turn = tally.calls;
            let client = turn % lane.len();
            let begun = tally.begin();
            lane[client].echo(payload, turn)?;
            tally.end(begun);
        }
        anyhow::Ok((lane, tally))
    };
    thread::scope(|scope| {
        let threads: Vec<_> = lanes.into_iter().map(|lane| scope.spawn(|| call(lane))).collect();
        threads.into_iter().map(|lane| lane.join().expect("a lane does not panic")).collect()
    })
}

/// Deals connections out to lanes; `share` makes another handle where more than one lane uses a connection.
fn lanes<C>(
    job: &Job,
    mut connections: Vec<Option<C>>,
    share: impl Fn(&Option<C>) -> Result<C>,
) -> Result<Vec<Vec<C>>> {
    let shared = job.lanes > job.connections;
    let mut take = |connection: usize| match &mut connections[connection] {
        whole if shared => share(whole),
        whole => whole.take().context("a connection dealt out twice"),
    };
    (0..job.lanes).map(|lane| job.connections_of(lane).map(&mut take).collect()).collect()
}

/// A flag that is raised after a time.
pub(crate) fn stop_after(time: Duration) -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(time.is_zero()));
    let raised = stop.clone();
    if !time.is_zero() {
        thread::spawn(move || {
            thread::sleep(time);
            raised.store(true, Ordering::Relaxed);
        });
    }
    stop
}

/// What one lane has done.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) calls: usize,
    /// `None` where only their number counts: two looks at the clock would be 2 % of the fastest call.
    times: Option<Vec<Duration>>,
}

impl Tally {
    pub(crate) fn new(timed: bool) -> Tally {
        Tally { calls: 0, times: timed.then(|| Vec::with_capacity(1 << 16)) }
    }

    pub(crate) fn begin(&self) -> Option<Instant> {
        self.times.as_ref().map(|_| Instant::now())
    }

    pub(crate) fn end(&mut self, begun: Option<Instant>) {
        self.calls += 1;
        if let (Some(times), Some(begun)) = (&mut self.times, begun) {
            times.push(begun.elapsed());
        }
    }
}

/// Time and CPU time between two moments.
pub(crate) struct Meter {
    begun: Instant,
    cpu: Duration,
}

impl Meter {
    pub(crate) fn start() -> Meter {
        Meter { cpu: cpu_time(), begun: Instant::now() }
    }

    pub(crate) fn stop(&self, tallies: Vec<Tally>) -> Outcome {
        let (elapsed, cpu) = (self.begun.elapsed(), cpu_time() - self.cpu);
        let calls = tallies.iter().map(|tally| tally.calls as u64).sum();
        let times: Vec<_> = tallies.into_iter().filter_map(|tally| tally.times).flatten().collect();
        Outcome { calls, elapsed, cpu, latency: latency(times) }
    }
}
