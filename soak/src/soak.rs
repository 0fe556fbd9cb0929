//! The order of events, and the figures.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::measure::{Measure, return_free_memory};
use crate::restarts::Restarts;
use crate::server::ServerProcess;
use crate::sessions::{Tally, Wave, fill_the_pools, wave};
use crate::survivors::Survivors;
use crate::{Driver, Error};

/// How many waves are measured before, and after, so that chance has no say in it.
const WINDOW: usize = 3;

/// How much memory may have grown, in percent.
const TOLERANCE: usize = 5;

/// Which part of a server's time is warm-up: what the allocator keeps grows for some fifty waves of a thousand threads.
const WARM_UP: u32 = 3;

/// Runs the whole, and prints the figures.
pub(crate) fn run(driver: Driver, time: Duration, of: Wave) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let directory = tempfile::tempdir()?;
    let result = runtime.block_on(soak(driver, time, of, directory.path().join("soak.sock")));
    // If that failed, there may be callers left who wait.
    runtime.shutdown_background();
    result
}

async fn soak(driver: Driver, time: Duration, of: Wave, socket: PathBuf) -> Result<(), Error> {
    let begun = Instant::now();
    let restarts = Arc::new(Restarts::default());
    let mut server = ServerProcess::start(driver, &socket)?;
    let survivors = Survivors::start(&socket, restarts.clone()).await?;
    let mut soak = Soak { socket, of, restarts, survivors, total: Tally::default() };

    let first = soak.server(&server, begun + time / 2).await?;
    server = soak.restart(server).await?;
    let second = soak.server(&server, begun + time).await?;

    let Soak { survivors, total, .. } = soak;
    let (calls, reconnected) = survivors.stop().await?;
    server.measure(0)?;
    server.stop()?;

    println!();
    println!(
        "sessions            {}, of which {} were interrupted by the restart",
        total.sessions, total.interrupted
    );
    println!(
        "calls answered      {} in them, {calls} of the survivors; {reconnected} of theirs failed at the restart",
        total.calls
    );
    println!("time                {:.1} s", begun.elapsed().as_secs_f64());
    let growths = [("first server", first), ("second server", second)];
    growths.iter().for_each(|(name, growth)| growth.print(name));
    growths.into_iter().try_for_each(|(name, growth)| growth.check(name))
}

struct Soak {
    socket: PathBuf,
    /// What each wave is made of.
    of: Wave,
    restarts: Arc<Restarts>,
    survivors: Survivors,
    total: Tally,
}

/// A server and its clients with no session open, before and after waves of them.
#[derive(Clone, Copy)]
struct Growth {
    before: Idle,
    after: Idle,
    waves: usize,
}

/// What there is when no session is open.
#[derive(Clone, Copy)]
struct Idle {
    server: Measure,
    /// This process, with all clients closed.
    clients: Measure,
}

impl Soak {
    /// Warms a server up, soaks it until the time has come, and compares it before and after.
    async fn server(&mut self, server: &ServerProcess, until: Instant) -> Result<Growth, Error> {
        // Before anything else, so that what the threads keep is all in use.
        fill_the_pools(&self.socket).await?;
        // The first makes the rest that is made once.
        let begun = Instant::now();
        let warm = begun + until.saturating_duration_since(begun) / WARM_UP;
        self.wave("warm-up", server).await?;
        let mut before = Vec::new();
        while before.len() < WINDOW || Instant::now() < warm {
            before.push(self.wave("warm-up", server).await?);
        }
        let mut after = Vec::new();
        while after.len() < WINDOW || Instant::now() < until {
            after.push(self.wave("wave", server).await?);
        }
        Ok(Growth { before: settled(&before), after: settled(&after), waves: after.len() })
    }

    /// Runs a wave, and measures the server.
    async fn wave(&mut self, name: &str, server: &ServerProcess) -> Result<Idle, Error> {
        let begun = Instant::now();
        let (done, _) = watch::channel(0);
        let tally = wave(self.socket.clone(), self.of, self.restarts.clone(), done).await?;
        let time = begun.elapsed();
        self.survivors.check()?;
        let measure = self.measure(server).await?;
        println!(
            "{name}: {} sessions, {} calls in {time:.2?}; server: {}; clients: {}",
            tally.sessions, tally.calls, measure.server, measure.clients
        );
        self.total.add(tally);
        Ok(measure)
    }

    /// Measures with every session closed, those of the survivors included.
    async fn measure(&self, server: &ServerProcess) -> Result<Idle, Error> {
        fill_the_pools(&self.socket).await?;
        let quiet = self.survivors.pause().await;
        let server = server.measure(0)?;
        return_free_memory();
        let measure = Idle { server, clients: Measure::of_this_process()? };
        self.survivors.go_on(quiet).await?;
        Ok(measure)
    }

    /// Restarts the server when a quarter of a wave is done.
    async fn restart(&mut self, server: ServerProcess) -> Result<ServerProcess, Error> {
        let (done, mut ended) = watch::channel(0);
        let running = tokio::spawn(wave(self.socket.clone(), self.of, self.restarts.clone(), done));
        let quarter = self.of.sessions / 4;
        // If the wave ends before, its result says why.
        let _ = ended.wait_for(|ended| *ended >= quarter).await;

        self.restarts.step();
        let socket = self.socket.clone();
        let next = spawn_blocking(move || stop_and_start(server, &socket)).await??;
        self.restarts.step();
        let tally = running.await??;
        self.survivors.check()?;
        println!(
            "restart: {} sessions, {} of them interrupted, {} calls",
            tally.sessions, tally.interrupted, tally.calls
        );
        self.total.add(tally);
        Ok(next)
    }
}

fn stop_and_start(server: ServerProcess, socket: &Path) -> Result<ServerProcess, Error> {
    let driver = server.driver();
    server.stop()?;
    ServerProcess::start(driver, socket)
}

/// Of the last few measurements the most memory, since what differs between them is how full the buffers' pools are, which have a
/// bound; and the fewest descriptors and threads, since a client's may be closed a little after its session.
fn settled(measured: &[Idle]) -> Idle {
    let last = &measured[measured.len().saturating_sub(WINDOW)..];
    let of = |side: fn(&Idle) -> Measure| Measure {
        resident: last.iter().map(|idle| side(idle).resident).max().unwrap_or_default(),
        descriptors: last.iter().map(|idle| side(idle).descriptors).min().unwrap_or_default(),
        threads: last.iter().map(|idle| side(idle).threads).min().unwrap_or_default(),
    };
    Idle { server: of(|idle| idle.server), clients: of(|idle| idle.clients) }
}

impl Growth {
    fn print(&self, name: &str) {
        let Growth { before, after, waves } = self;
        println!("{name:<20}{} before, {} after {waves} waves", before.server, after.server);
        println!("{:<20}{} before, {} after them", "its clients", before.clients, after.clients);
    }

    fn check(self, name: &str) -> Result<(), Error> {
        let Growth { before, after, .. } = self;
        for (who, before, after) in
            [(name, before.server, after.server), ("process of the clients", before.clients, after.clients)]
        {
            if after.descriptors > before.descriptors {
                let (after, before) = (after.descriptors, before.descriptors);
                return Err(format!(
                    "the {who} has {after} descriptors open with all sessions closed, and had {before}"
                )
                .into());
            }
        }
        let (before, after) = (before.server.resident, after.server.resident);
        if after * 100 > before * (100 + TOLERANCE) {
            return Err(format!(
                "the {name} has grown from {before} to {after} KiB with all sessions closed, by more than {TOLERANCE} %"
            )
            .into());
        }
        Ok(())
    }
}
