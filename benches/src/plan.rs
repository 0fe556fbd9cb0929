//! What is measured, and in which order.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::args::{Args, Part};
use crate::machine::Machine;
use crate::measure::{Bench, Order};
use crate::placement::Placement;
use crate::report;
use crate::results::{CallsOf, ConnectionsOf, Measured, MemoryOf, MethodsOf, Results, Series};
use crate::setting::{Allocator, Load, Setting, Variant};
use crate::subjects::{
    self,
    subject::{Kind, Subject},
};
use crate::usage::raise_open_files;

/// The sizes of body.
const SIZES: [usize; 4] = [64, 4 << 10, 64 << 10, 1 << 20];

/// Connections, and calls in flight on each.
const LOADS: [Load; 4] = [Load::SEQUENTIAL, Load::new(1, 16), Load::new(16, 1), Load::new(16, 8)];

/// How many connections are idle while the server's memory is read.
const IDLE: usize = 1000;

/// The sizes of the one call that an idle connection has seen.
const IDLE_SIZES: [usize; 2] = [64, 64 << 10];

/// Numbers of connections and of methods to see a cost grow by.
const GROWING_CONNECTIONS: [usize; 5] = [1, 10, 100, 1000, 10_000];
const GROWING_METHODS: [usize; 4] = [10, 100, 1000, 10_000];

/// The file of all figures of all rounds.
const FIGURES: &str = "figures.json";

/// In how many rounds memory and growing connections are measured: they vary little and take long.
const FEW_ROUNDS: usize = 3;

/// How many calls are in flight while connections grow.
const IN_FLIGHT: usize = 16;

/// Does what the arguments ask for.
pub(crate) fn carry_out(args: &Args) -> Result<ExitCode> {
    if args.list {
        for subject in subjects::all() {
            println!("{:18} {}", subject.name(), subject.about());
        }
        return Ok(ExitCode::SUCCESS);
    }
    let results = if args.render {
        Results::load(&args.output.join(FIGURES))?
    } else {
        let mut run = Run::new(args)?;
        run.everything()?;
        run.results
    };
    save(&results, &args.output)?;
    std::io::stdout().write_all(report::markdown(&results).as_bytes())?;
    for failure in &results.failures {
        eprintln!("failed: {failure}");
    }
    Ok(if results.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Writes the figures and their page, but for a smoke's, which must not replace real ones.
fn save(results: &Results, directory: &Path) -> Result<()> {
    if results.quick {
        return Ok(());
    }
    std::fs::create_dir_all(directory)?;
    results.save(&directory.join(FIGURES))?;
    report::write(results, directory)
}

struct Run<'a> {
    args: &'a Args,
    bench: Bench,
    chosen: Vec<(&'static dyn Subject, Variant)>,
    rounds: usize,
    window: Duration,
    open_files: usize,
    /// What has failed once is not tried again.
    given_up: BTreeSet<String>,
    results: Results,
    begun: Instant,
}

impl<'a> Run<'a> {
    fn new(args: &'a Args) -> Result<Run<'a>> {
        let chosen = choose(&args.systems);
        ensure!(!chosen.is_empty(), "no system is called so; --list tells the names");
        let (rounds, window) = if args.quick { (1, 20) } else { (args.rounds.max(1), args.window.max(1)) };
        let results = Results {
            machine: Machine::this(),
            rounds,
            window_ms: window,
            quick: args.quick,
            allocator: args.allocator,
            ..Results::default()
        };
        Ok(Run {
            args,
            bench: Bench::new()?,
            chosen,
            rounds,
            window: Duration::from_millis(window),
            open_files: usize::try_from(raise_open_files())?,
            given_up: BTreeSet::new(),
            results,
            begun: Instant::now(),
        })
    }

    fn everything(&mut self) -> Result<()> {
        for round in 0..self.rounds {
            if self.wants(Part::Calls) {
                self.calls(round)?;
            }
            if self.wants(Part::Allocator) && !self.args.quick {
                self.without_trimming(round)?;
            }
            if self.wants(Part::Methods) {
                self.methods(round)?;
            }
            if self.wants(Part::Memory) && round < FEW_ROUNDS {
                self.memory(round)?;
            }
            if self.wants(Part::Connections) && round < FEW_ROUNDS {
                self.connections(round)?;
            }
            // What is interrupted later is not lost.
            self.results.rounds = round + 1;
            save(&self.results, &self.args.output)?;
        }
        Ok(())
    }

    fn wants(&self, part: Part) -> bool {
        self.args.parts.is_empty() || self.args.parts.contains(&part)
    }

    /// Every load and size.
    fn calls(&mut self, round: usize) -> Result<()> {
        for load in or(&self.args.loads, &LOADS) {
            for size in or(&self.args.sizes, &SIZES) {
                for placement in self.placements(load) {
                    self.calls_of(round, Setting { load, size, placement, allocator: self.args.allocator })?;
                }
            }
        }
        Ok(())
    }

    /// It makes a difference for one call at a time. Under other loads there is always something to do.
    fn placements(&self, load: Load) -> Vec<Placement> {
        match load {
            Load::SEQUENTIAL if !self.args.quick => or(&self.args.placements, &Placement::ALL),
            _ => vec![Placement::Awake],
        }
    }

    fn calls_of(&mut self, round: usize, setting: Setting) -> Result<()> {
        let Setting { load, size, placement, allocator } = setting;
        self.progress(round, &format!("{load}, {size} bytes, {}", placement.name()));
        for (subject, variant) in self.chosen.clone() {
            if !subject.takes(load, size) {
                continue;
            }
            // The smoke has no time for those that take long.
            if self.args.quick
                && [Kind::Peer, Kind::BetweenHosts, Kind::Transport].contains(&subject.kind())
                && size > 64 << 10
            {
                continue;
            }
            let lanes = load.connections * load.depth;
            let order = Order { placement, allocator, ..self.order(load.connections, lanes, size) };
            let what = format!("{variant}, {load}, {size} bytes, {}", placement.name());
            if let Some(measured) = self.attempt(round, what, |bench| bench.calls(&variant, &order))? {
                Series::record(&mut self.results.calls, CallsOf { variant, setting }, measured);
            }
        }
        Ok(())
    }

    /// Large bodies again, with an allocator that keeps its memory.
    fn without_trimming(&mut self, round: usize) -> Result<()> {
        for size in [64 << 10, 1 << 20] {
            let (load, placement, allocator) = (Load::SEQUENTIAL, Placement::Awake, Allocator::NoTrim);
            self.calls_of(round, Setting { load, size, placement, allocator })?;
        }
        Ok(())
    }

    fn memory(&mut self, round: usize) -> Result<()> {
        self.progress(round, "memory");
        let connections = if self.args.quick { 100 } else { IDLE };
        for size in IDLE_SIZES {
            for (subject, variant) in self.chosen.clone() {
                if !subject.takes(Load::new(connections, 1), size) {
                    continue;
                }
                let order = self.order(connections, 1, size);
                let what = format!("{variant}, {connections} idle connections after {size} bytes");
                if let Some(measured) = self.attempt(round, what, |bench| bench.memory(&variant, &order))? {
                    let of = MemoryOf { variant, connections, size };
                    Series::record(&mut self.results.memory, of, measured);
                }
            }
        }
        Ok(())
    }

    /// More and more connections, with as many calls in flight.
    fn connections(&mut self, round: usize) -> Result<()> {
        for connections in GROWING_CONNECTIONS {
            self.progress(round, &format!("{connections} connections"));
            if connections + 100 > self.open_files || (self.args.quick && connections > 100) {
                continue;
            }
            for (subject, variant) in self.chosen.clone() {
                if !subject.takes(Load::new(connections, 1), 64) {
                    continue;
                }
                let order = self.order(connections, IN_FLIGHT.min(connections), 64);
                let what = format!("{variant}, {connections} connections");
                if let Some(measured) = self.attempt(round, what, |bench| bench.calls(&variant, &order))? {
                    let of = ConnectionsOf { variant, connections };
                    Series::record(&mut self.results.connections, of, measured);
                }
            }
        }
        Ok(())
    }

    /// More and more methods: on the way of a whole call, and in dispatch alone.
    fn methods(&mut self, round: usize) -> Result<()> {
        self.progress(round, "methods");
        for methods in GROWING_METHODS {
            for (_, variant) in self.chosen.clone() {
                if !matches!(&*variant.system, "drpc" | "drpc-blocking") {
                    continue;
                }
                let order = Order { methods, ..self.order(1, 1, 64) };
                let what = format!("{variant}, {methods} methods");
                if let Some(measured) = self.attempt(round, what, |bench| bench.calls(&variant, &order))? {
                    let of = MethodsOf { variant: Some(variant), methods };
                    Series::record(&mut self.results.methods, of, measured);
                }
            }
            let time = subjects::dispatch(methods, self.window)?;
            let measured = Measured { round, p50: Some(time.as_secs_f64() * 1e6), ..Measured::default() };
            Series::record(&mut self.results.methods, MethodsOf { variant: None, methods }, measured);
        }
        Ok(())
    }

    fn order(&self, connections: usize, lanes: usize, size: usize) -> Order {
        let (placement, allocator) = (Placement::Awake, self.args.allocator);
        Order { connections, lanes, size, methods: 1, window: self.window, placement, allocator }
    }

    /// Measures once. A failure is noted, and the others go on.
    fn attempt(
        &mut self,
        round: usize,
        what: String,
        measure: impl FnOnce(&Bench) -> Result<Measured>,
    ) -> Result<Option<Measured>> {
        if self.given_up.contains(&what) {
            return Ok(None);
        }
        match measure(&self.bench) {
            Ok(measured) => Ok(Some(Measured { round, ..measured })),
            Err(error) => {
                self.bench.check_interrupted()?;
                self.results.failures.push(format!("{what}: {error:#}"));
                self.given_up.insert(what);
                Ok(None)
            }
        }
    }

    fn progress(&self, round: usize, what: &str) {
        let seconds = self.begun.elapsed().as_secs();
        eprintln!("[{seconds:4} s] round {} of {}: {what}", round + 1, self.rounds);
    }
}

fn choose(names: &[String]) -> Vec<(&'static dyn Subject, Variant)> {
    let mut chosen = Vec::new();
    for subject in subjects::all() {
        for &workers in subject.workers() {
            let variant = Variant { system: subject.name().to_owned(), workers };
            let wanted = match names {
                [] => subject.kind() != Kind::SpecialFloor,
                names => names.iter().any(|name| is_called(&variant, name)),
            };
            if wanted {
                chosen.push((subject, variant));
            }
        }
    }
    chosen
}

/// Whether a name is the system's (`tonic`), the variant's (`tonic@2`), or the beginning of it (`drpc*`).
fn is_called(variant: &Variant, name: &str) -> bool {
    let full = variant.to_string();
    match name.strip_suffix('*') {
        Some(beginning) => full.starts_with(beginning),
        None => name == variant.system || name == full,
    }
}

fn or<T: Clone>(asked: &[T], default: &[T]) -> Vec<T> {
    if asked.is_empty() { default.to_vec() } else { asked.to_vec() }
}
