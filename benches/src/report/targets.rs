//! What was promised, and what was measured.

use super::format::{self, Table};
use super::tables::peers;
use crate::measure::Measured;
use crate::placement::Placement;
use crate::plan::Load;
use crate::results::{Better, Figure, Results, Setting};
use crate::stats::Spread;

const FLOOR: &str = "floor";
const ASYNC: &str = "drpc";
const BLOCKING: &str = "drpc-blocking";
const ASYNC_SPIN: &str = "drpc-spin";
const BLOCKING_SPIN: &str = "drpc-spin-blocking";

const BUSY: Load = Load::new(16, 8);

/// A promise: a ratio, and what it must be.
struct Target {
    what: String,
    measured: Option<Spread>,
    limit: Limit,
    /// Of one call at a time: the same ratio on one core, and with the cores asleep.
    elsewhere: Option<[Option<Spread>; 2]>,
}

enum Limit {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
}

/// The table of targets.
pub(super) fn section(results: &Results) -> Option<String> {
    let targets = targets(results);
    if targets.iter().all(|target| target.measured.is_none()) {
        return None;
    }
    let head =
        ["target", "measured (least–greatest)", "wanted", "", "one core", "cores asleep"].map(str::to_owned);
    let mut table = Table::new(&head);
    for Target { what, measured, limit, elsewhere } in targets {
        let verdict = match measured {
            None => "not measured",
            Some(measured) if limit.is_met(measured.median) => "pass",
            Some(_) => "**miss**",
        };
        let [one_core, asleep] = match elsewhere {
            Some(ratios) => {
                ratios.map(|ratio| ratio.map_or("–".into(), |ratio| format::number(ratio.median)))
            }
            None => Default::default(),
        };
        table.row(&[what, format::spread(measured), limit.to_string(), verdict.into(), one_core, asleep]);
    }
    Some(format!(
        "## Targets\n\nRatios within a round, medians of the rounds. Of a system's two runtimes the better one counts, of the peers the \
         best. Measured with the cores awake; the last two columns are the same ratios under the other placements.\n\n{}",
        table.finish()
    ))
}

fn targets(results: &Results) -> Vec<Target> {
    use Limit::{AtLeast, AtMost, Below};

    let compare = Compare { results };
    let small = 64;
    let busy = compare.setting(BUSY, small, Placement::Awake);
    let mut targets = Vec::new();

    let mut sequential = |what: &str, size, limit, ratio: &dyn Fn(Setting) -> Option<Spread>| {
        let [awake, others @ ..] =
            Placement::ALL.map(|placement| ratio(compare.setting(Load::SEQUENTIAL, size, placement)));
        targets.push(Target { what: what.into(), measured: awake, limit, elsewhere: Some(others) });
    };
    for (client, system, limit) in [
        ("blocking client", BLOCKING, 1.25),
        ("async client", ASYNC, 1.40),
        ("blocking client, spinning,", BLOCKING_SPIN, 0.80),
        ("async client, spinning,", ASYNC_SPIN, 0.80),
    ] {
        let ratio = |setting| compare.ratio(system, FLOOR, setting, P50);
        sequential(&format!("64 B, p50: {client} to the floor"), small, AtMost(limit), &ratio);
    }
    for (size, name) in [(64 << 10, "64 KiB"), (1 << 20, "1 MiB")] {
        for (client, system) in [("blocking", BLOCKING), ("async", ASYNC)] {
            let ratio = |setting| compare.ratio(system, FLOOR, setting, P50);
            sequential(&format!("{name}, p50: {client} client to the floor"), size, AtMost(1.30), &ratio);
        }
    }
    for (size, name, factor) in [(small, "64 B", 1.6), (64 << 10, "64 KiB", 1.8), (1 << 20, "1 MiB", 2.2)] {
        for (client, system) in [("async", ASYNC), ("blocking", BLOCKING)] {
            let peer =
                compare.best_peer(system, compare.setting(Load::SEQUENTIAL, size, Placement::Awake), P50);
            let what = format!("{name}, p50: best peer{} to our {client} client", named(peer.as_ref()));
            sequential(&what, size, AtLeast(factor), &|setting| {
                compare.best_peer(system, setting, P50).map(|best| best.1)
            });
        }
    }
    for (client, system) in [("async", ASYNC_SPIN), ("blocking", BLOCKING_SPIN)] {
        let what = format!("64 B, p50: best peer to our {client} client, spinning");
        sequential(&what, small, AtLeast(4.0), &|setting| {
            compare.best_peer(system, setting, P50).map(|best| best.1)
        });
    }
    for (client, system) in [("blocking", BLOCKING), ("async", ASYNC)] {
        let what = format!("64 B, CPU a call: {client} client to the floor");
        sequential(&what, small, AtMost(2.0), &|setting| compare.ratio(system, FLOOR, setting, CPU));
    }

    let mut add = |what: &str, measured, limit| {
        targets.push(Target { what: what.into(), measured, limit, elsewhere: None });
    };
    let ratio = |theirs, figure| compare.ratio(ASYNC, theirs, busy, figure);
    add("16 × 8, 64 B, CPU a call: async client to the floor", ratio(FLOOR, CPU), AtMost(2.0));
    add("16 × 8, 64 B, calls/s: async client to the floor", ratio(FLOOR, RATE), AtLeast(0.70));
    let peer = compare.best_peer(ASYNC, busy, RATE);
    let what = format!("16 × 8, 64 B, calls/s: ours to the best peer{}", named(peer.as_ref()));
    add(&what, peer.map(|best| best.1), AtLeast(1.6));
    add("16 × 8, 64 B, calls/s: ours to tonic", ratio("tonic", RATE), AtLeast(8.0));
    add("server memory of an idle connection, KiB", compare.memory(), Below(4.0));
    add("dispatch alone, 10,000 methods to 10", compare.methods(None), AtMost(1.05));
    add("a whole call, 10,000 methods to 10", compare.methods(Some(BLOCKING)), AtMost(1.05));
    targets
}

fn named(peer: Option<&(String, Spread)>) -> String {
    peer.map_or_else(String::new, |(name, _)| format!(" ({name})"))
}

struct Compare<'a> {
    results: &'a Results,
}

/// A figure, and which way it is better.
#[derive(Clone, Copy)]
struct Criterion {
    figure: Figure,
    better: Better,
}

const P50: Criterion = Criterion { figure: |measured| measured.p50, better: Better::Less };
const RATE: Criterion = Criterion { figure: |measured| measured.rate, better: Better::More };
const CPU: Criterion = Criterion { figure: Measured::cpu, better: Better::Less };

impl Compare<'_> {
    fn setting(&self, load: Load, size: usize, placement: Placement) -> Setting {
        Setting { load, size, placement, allocator: self.results.allocator }
    }

    /// What a system's figure is to another's, the better runtime of each.
    fn ratio(&self, ours: &str, theirs: &str, setting: Setting, by: Criterion) -> Option<Spread> {
        let ours = self.results.best(ours, setting, by.better, by.figure)?;
        let theirs = self.results.best(theirs, setting, by.better, by.figure)?;
        ours.ratio(by.figure, theirs)
    }

    /// Which of the peers is the best, and how much better ours is.
    fn best_peer(&self, ours: &str, setting: Setting, by: Criterion) -> Option<(String, Spread)> {
        let advantage = |peer: String| {
            let ratio = match by.better {
                Better::Less => self.ratio(&peer, ours, setting, by)?,
                Better::More => self.ratio(ours, &peer, setting, by)?,
            };
            Some((peer, ratio))
        };
        let measured = peers(self.results).into_iter().filter_map(advantage);
        measured.min_by(|(_, one), (_, other)| one.median.total_cmp(&other.median))
    }

    /// The worse of the async server's runtimes, in KiB.
    fn memory(&self) -> Option<Spread> {
        let ours = self.results.memory.iter().filter(|series| series.of.variant.system == ASYNC);
        ours.filter_map(|series| series.spread(|m| m.memory.map(|bytes| bytes / 1024.0)))
            .max_by(|one, other| one.median.total_cmp(&other.median))
    }

    fn methods(&self, system: Option<&str>) -> Option<Spread> {
        let of = |methods| {
            self.results.methods.iter().find(|series| {
                series.of.methods == methods
                    && series.of.variant.as_ref().map(|variant| &*variant.system) == system
            })
        };
        of(10_000)?.ratio(P50.figure, of(10)?)
    }
}

impl Limit {
    fn is_met(&self, value: f64) -> bool {
        match self {
            Limit::AtMost(limit) => value <= *limit,
            Limit::AtLeast(limit) => value >= *limit,
            Limit::Below(limit) => value < *limit,
        }
    }
}

impl std::fmt::Display for Limit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Limit::AtMost(limit) => write!(f, "≤ {limit:.2}"),
            Limit::AtLeast(limit) => write!(f, "≥ {limit:.2}"),
            Limit::Below(limit) => write!(f, "< {limit:.2}"),
        }
    }
}
