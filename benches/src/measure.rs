//! One measurement: a server and its client as two fresh processes, and what they used.

use std::env::current_exe;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use tempfile::TempDir;

use crate::job::{Job, Outcome, Setup};
use crate::placement::Placement;
use crate::results::Measured;
use crate::setting::{Allocator, Variant};
use crate::usage::resident;

/// What is to be measured.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) connections: usize,
    pub(crate) lanes: usize,
    pub(crate) size: usize,
    pub(crate) methods: usize,
    pub(crate) window: Duration,
    pub(crate) placement: Placement,
    pub(crate) allocator: Allocator,
}

/// Starts the processes, and sees to it that nothing is left of them.
pub(crate) struct Bench {
    program: PathBuf,
    directory: TempDir,
    interrupted: Arc<AtomicBool>,
}

impl Bench {
    pub(crate) fn new() -> Result<Bench> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            signal_hook::flag::register(signal, interrupted.clone())?;
        }
        let directory = tempfile::Builder::new().prefix("drpc-bench-").tempdir()?;
        Ok(Bench { program: current_exe()?, directory, interrupted })
    }

    /// Whether the run is to end.
    pub(crate) fn check_interrupted(&self) -> Result<()> {
        match self.interrupted.load(Ordering::Relaxed) {
            true => bail!("interrupted"),
            false => Ok(()),
        }
    }

    /// Lets a client of a system make calls for a while.
    pub(crate) fn calls(&self, variant: &Variant, order: &Order) -> Result<Measured> {
        let _awake = order.placement.prepare();
        let mut server = self.server(variant, order)?;
        let mut client = self.client(variant, order)?;
        let before = server.cpu()?;
        let outcome = client.go()?;
        let server_cpu = server.cpu()? - before;
        Ok(figures(&outcome, server_cpu))
    }

    /// Lets a client of a system make so many connections and one call on each; gives the server's memory for each.
    pub(crate) fn memory(&self, variant: &Variant, order: &Order) -> Result<Measured> {
        let server = self.server(variant, order)?;
        let idle = Order { window: Duration::ZERO, ..order.clone() };
        // What a server needs whether it has one connection or many.
        let _first = self.client(variant, &Order { connections: 10, ..idle })?;
        let before = resident(server.child.id())?;
        let _others = self.client(variant, &idle)?;
        let grown = resident(server.child.id())?.saturating_sub(before);
        Ok(Measured { memory: Some(grown as f64 / order.connections as f64), ..Measured::default() })
    }

    fn server(&self, variant: &Variant, order: &Order) -> Result<Process> {
        let socket = self.directory.path().join("socket");
        // Not every system replaces the socket of the last one.
        drop(std::fs::remove_file(&socket));
        let setup = Setup {
            socket,
            core: order.placement.server_core(),
            workers: variant.workers,
            methods: order.methods,
            size: order.size,
        };
        self.start("server", variant, &serde_json::to_string(&setup)?, order.allocator)
    }

    fn client(&self, variant: &Variant, order: &Order) -> Result<Process> {
        let job = Job {
            socket: self.directory.path().join("socket"),
            core: order.placement.client_core(),
            workers: variant.workers,
            connections: order.connections,
            lanes: order.lanes,
            size: order.size,
            methods: order.methods,
            warm_up: order.window / 2,
            window: order.window,
        };
        self.start("client", variant, &serde_json::to_string(&job)?, order.allocator)
    }

    fn start(
        &self,
        role: &'static str,
        variant: &Variant,
        argument: &str,
        allocator: Allocator,
    ) -> Result<Process> {
        self.check_interrupted()?;
        let mut command = Command::new(&self.program);
        command.args([role, &variant.system, argument]).stdin(Stdio::piped()).stdout(Stdio::piped());
        if allocator == Allocator::NoTrim {
            // What `mallopt` knows as M_TRIM_THRESHOLD and M_MMAP_THRESHOLD.
            command
                .envs([("MALLOC_TRIM_THRESHOLD_", "4294967296"), ("MALLOC_MMAP_THRESHOLD_", "4294967296")]);
        }
        let mut child = command.spawn().with_context(|| format!("starting the {role}"))?;
        let stdin = child.stdin.take().context("a pipe was asked for")?;
        let stdout = BufReader::new(child.stdout.take().context("a pipe was asked for")?);
        let mut process = Process { role, child, stdin, stdout };
        process.expect("ready")?;
        Ok(process)
    }
}

/// A process under measurement. Dropped, it is ended.
struct Process {
    role: &'static str,
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Process {
    /// CPU time that it has used so far.
    fn cpu(&mut self) -> Result<Duration> {
        self.tell("usage")?;
        Ok(Duration::from_nanos(self.expect("usage")?.parse()?))
    }

    /// Lets a client measure.
    fn go(&mut self) -> Result<Outcome> {
        self.tell("go")?;
        Ok(serde_json::from_str(&self.expect("done")?)?)
    }

    fn tell(&mut self, word: &str) -> Result<()> {
        writeln!(self.stdin, "{word}").with_context(|| format!("the {} is gone", self.role))
    }

    /// Reads a line; gives what follows the word that it begins with.
    fn expect(&mut self, word: &str) -> Result<String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line)?;
        match line.trim_end().strip_prefix(word) {
            Some(rest) => Ok(rest.trim_start().to_owned()),
            None if line.is_empty() => bail!("the {} ended where `{word}` was expected", self.role),
            None => bail!("the {} said `{}` where `{word}` was expected", self.role, line.trim_end()),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a client's outcome and its server's CPU time say of a call.
fn figures(outcome: &Outcome, server_cpu: Duration) -> Measured {
    let micros = |time: Duration| time.as_secs_f64() * 1e6;
    let calls = outcome.calls as f64;
    let latency = outcome.latency;
    Measured {
        rate: Some(calls / outcome.elapsed.as_secs_f64()),
        p50: latency.map(|latency| micros(latency.p50)),
        p99: latency.map(|latency| micros(latency.p99)),
        p999: latency.and_then(|latency| latency.p999).map(micros),
        client_cpu: Some(micros(outcome.cpu) / calls),
        server_cpu: Some(micros(server_cpu) / calls),
        ..Measured::default()
    }
}
