//! The clients' side of a measurement: calls in a closed loop, each lane making its next call when the last is answered.

use std::future::Future;
use std::num::NonZeroUsize;
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

/// Of so many calls in flight on a connection, the time of one is taken.
const SAMPLED: usize = 15;

/// A client of an echo service that waits without holding its thread up.
pub(crate) trait Echo: Send + Sized + 'static {
    /// Makes one call and checks its reply; `turn` counts this lane's calls.
    fn echo(&mut self, payload: &Payload, turn: usize) -> impl Future<Output = Result<()>> + Send;

    /// Another client on the same connection, for calls at the same time. `None` if a connection carries one call at a
    /// time.
    fn share(&self) -> Option<Self>;
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

/// Connects, warms up, and measures, with clients that block; each lane is a thread, which calls on its connections by `run`
/// until the flag is raised, once at least on each.
pub(crate) fn drive_threads<C: Send>(
    job: &Job,
    connect: impl Fn() -> Result<C>,
    run: impl Fn(&mut [C], &Payload, &AtomicBool) -> Result<Tally> + Sync,
) -> Result<()> {
    let mut lanes: Vec<Vec<C>> = (0..job.threads()).map(|_| Vec::new()).collect();
    for connection in 0..job.connections {
        lanes[connection % job.threads()].push(connect().context("connecting")?);
    }
    let mut run = |payload: &Payload, time| -> Result<Vec<Tally>> {
        let stop = stop_after(time);
        thread::scope(|scope| {
            let threads: Vec<_> =
                lanes.iter_mut().map(|lane| scope.spawn(|| run(lane, payload, &stop))).collect();
            threads.into_iter().map(|lane| lane.join().expect("a lane does not panic")).collect()
        })
    };
    let payload = Payload::thorough(job.size);

    run(&payload, job.warm_up)?;
    control::ready();
    control::wait_for_go()?;
    let meter = Meter::start();
    let tallies = if job.window.is_zero() { Vec::new() } else { run(&payload.cursory(), job.window)? };
    control::done(&meter.stop(tallies))
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
fn stop_after(time: Duration) -> Arc<AtomicBool> {
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
    /// How many calls have begun.
    begun: usize,
    /// Of how many calls the time of one is taken. `None`: of no call, and their number alone counts.
    every: Option<NonZeroUsize>,
    times: Vec<Duration>,
}

impl Tally {
    /// Two looks at the clock would be 2 % of the fastest call, so they are left out where time is not asked for.
    pub(crate) fn new(timed: bool) -> Tally {
        Tally { every: timed.then_some(NonZeroUsize::MIN), ..Tally::default() }
    }

    /// Takes the time of some calls only, so that it costs the others nothing.
    pub(crate) fn sampling() -> Tally {
        Tally { every: NonZeroUsize::new(SAMPLED), ..Tally::default() }
    }

    pub(crate) fn begin(&mut self) -> Option<Instant> {
        let timed = self.every.is_some_and(|every| self.begun.is_multiple_of(every.get()));
        self.begun += 1;
        timed.then(Instant::now)
    }

    pub(crate) fn end(&mut self, begun: Option<Instant>) {
        self.calls += 1;
        if let Some(begun) = begun {
            self.times.push(begun.elapsed());
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
        let times: Vec<_> = tallies.into_iter().flat_map(|tally| tally.times).collect();
        Outcome { calls, elapsed, cpu, latency: latency(times) }
    }
}
