//! What was promised, and what was measured.

use super::format::{self, Table};
use super::tables::peers;
use crate::placement::Placement;
use crate::results::{Better, Figure, Measured, Results};
use crate::setting::{Load, Setting};
use crate::stats::Spread;

const FLOOR: &str = "floor";
const FLOOR_BATCH: &str = "floor-batch";
const SHARED_MEMORY: &str = "shmipc";

const BUSY: Load = Load::new(16, 8);

/// The subjects of one of our servers.
struct Systems {
    blocking: &'static str,
    on_async: &'static str,
    bare: &'static str,
    /// The async client whose calls in flight go in packs, and the blocking one whose batches do.
    packed: &'static str,
    packed_blocking: &'static str,
}

const TOKIO: Systems = Systems {
    blocking: "drpc-blocking",
    on_async: "drpc",
    bare: "drpc-bare",
    packed: "drpc-packs",
    packed_blocking: "drpc-packs-blocking",
};
const THREADS: Systems = Systems {
    blocking: "drpc-threads-blocking",
    on_async: "drpc-threads",
    bare: "drpc-threads-bare",
    packed: "drpc-threads-packs",
    packed_blocking: "drpc-threads-packs-blocking",
};
/// What is measured of it, is so with no library at the client.
const STEPS_BARE: &str = "drpc-progress-bare";
const SPINNING: [(&str, &str); 2] = [("blocking", "drpc-spin-blocking"), ("async", "drpc-spin")];

const SMALL: usize = 64;

/// The sizes by the names that they have here.
const SIZES: [(usize, &str); 4] =
    [(SMALL, "64 B"), (4 << 10, "4 KiB"), (64 << 10, "64 KiB"), (1 << 20, "1 MiB")];

/// A ratio, and what it must be.
struct Target {
    what: String,
    measured: Option<Spread>,
    /// `None`: it is told, and nothing is promised of it.
    limit: Option<Limit>,
    /// Of one call at a time: the same ratio under each placement.
    placements: Option<[Option<Spread>; 3]>,
}

#[derive(Clone, Copy)]
enum Limit {
    AtMost(f64),
    AtLeast(f64),
    Below(f64),
}

/// The tables of targets.
pub(super) fn section(results: &Results) -> Option<String> {
    let compare = Compare { results };
    let tables = [
        ("The server in threads", in_threads(&compare)),
        ("The server on tokio", on_tokio(&compare)),
        ("Every server under a client without a library", bare(&compare)),
        ("Between hosts", between_hosts(&compare)),
    ];
    let tables: String = tables
        .into_iter()
        .filter(|(_, targets)| targets.iter().any(|target| target.measured.is_some()))
        .map(|(title, targets)| format!("\n### {title}\n\n{}", table(targets)))
        .collect();
    (!tables.is_empty()).then(|| {
        format!(
            "## Targets\n\nRatios within a round, medians of the rounds. Of a system's two runtimes the better one counts, of the \
             other RPCs the best. One call at a time is measured on one core, or spinning with the cores awake; the last three \
             columns are the same ratio under each placement. No word between: told, not promised.\n{tables}"
        )
    })
}

fn table(targets: Vec<Target>) -> String {
    let [awake, one_core, asleep] = Placement::ALL.map(Placement::name);
    let head =
        ["target", "measured (least–greatest)", "wanted", "", one_core, awake, asleep].map(str::to_owned);
    let mut table = Table::new(&head);
    for Target { what, measured, limit, placements } in targets {
        let verdict = match (measured, limit) {
            (_, None) => "",
            (None, _) => "not measured",
            (Some(measured), Some(limit)) if limit.is_met(measured.median) => "pass",
            _ => "**miss**",
        };
        let [awake, one_core, asleep] = match placements {
            Some(ratios) => {
                ratios.map(|ratio| ratio.map_or("–".into(), |ratio| format::number(ratio.median)))
            }
            None => Default::default(),
        };
        let limit = limit.map_or_else(String::new, |limit| limit.to_string());
        table.row(&[what, format::spread(measured), limit, verdict.into(), one_core, awake, asleep]);
    }
    table.finish()
}

fn in_threads(compare: &Compare<'_>) -> Vec<Target> {
    use Limit::{AtLeast, AtMost};

    let mut targets = Vec::new();
    for (size, name) in SIZES {
        let limit = if size == SMALL { 1.20 } else { 1.25 };
        let what = format!("{name}, p50: blocking client to the floor");
        targets.push(compare.one_at_a_time(what, size, AtMost(limit), |setting| {
            compare.ratio(THREADS.blocking, FLOOR, setting, P50)
        }));
    }
    targets.push(compare.one_at_a_time(
        "64 B, p50: async client to the floor".into(),
        SMALL,
        AtMost(1.35),
        |setting| compare.ratio(THREADS.on_async, FLOOR, setting, P50),
    ));
    targets.push(compare.to_best_peer("blocking", THREADS.blocking, (SMALL, "64 B"), 2.5));
    for (size, name) in SIZES {
        let what = format!("{name}, p50: shared memory (shmipc) to our blocking client");
        targets.push(
            compare.told(what, size, |setting| compare.ratio(SHARED_MEMORY, THREADS.blocking, setting, P50)),
        );
    }

    let busy = compare.setting(BUSY, SMALL, Placement::Awake);
    for (client, system) in
        [("blocking client", THREADS.blocking), ("blocking client, packed,", THREADS.packed_blocking)]
    {
        targets.push(Target::of(
            &format!("16 threads × batches of 8, 64 B, calls/s: {client} to the floor's batches"),
            compare.ratio(system, FLOOR_BATCH, busy, RATE),
            AtLeast(0.75),
        ));
    }
    for (client, system) in [
        ("blocking client, in batches,", THREADS.blocking),
        ("blocking client, in batches, packed,", THREADS.packed_blocking),
        ("async client", THREADS.on_async),
        ("async client, packed,", THREADS.packed),
    ] {
        let peer = compare.best_peer(system, busy, RATE);
        let what = format!("16 × 8, 64 B, calls/s: {client} to the best peer{}", named(peer.as_ref()));
        targets.push(Target::of(&what, peer.map(|best| best.1), AtLeast(1.6)));
    }
    targets.push(Target {
        what: "server memory of an idle session, KiB".into(),
        measured: compare.memory(THREADS.blocking),
        limit: None,
        placements: None,
    });
    targets
}

fn on_tokio(compare: &Compare<'_>) -> Vec<Target> {
    use Limit::{AtLeast, AtMost, Below};

    const CLIENTS: [(&str, &str); 2] = [("blocking", TOKIO.blocking), ("async", TOKIO.on_async)];

    let mut targets = Vec::new();
    for ((client, system), limit) in CLIENTS.into_iter().zip([1.25, 1.40]) {
        let what = format!("64 B, p50: {client} client to the floor");
        targets.push(
            compare.one_at_a_time(what, SMALL, AtMost(limit), |setting| {
                compare.ratio(system, FLOOR, setting, P50)
            }),
        );
    }
    for (size, name) in &SIZES[2..] {
        for (client, system) in CLIENTS {
            let what = format!("{name}, p50: {client} client to the floor");
            targets.push(compare.one_at_a_time(what, *size, AtMost(1.30), |setting| {
                compare.ratio(system, FLOOR, setting, P50)
            }));
        }
    }
    for (size, factor) in [(SIZES[0], 1.6), (SIZES[2], 1.8), (SIZES[3], 2.2)] {
        for (client, system) in CLIENTS {
            targets.push(compare.to_best_peer(client, system, size, factor));
        }
    }
    for (client, system) in SPINNING {
        let what = format!("64 B, p50: {client} client, spinning, to the floor");
        targets
            .push(compare.spinning(what, AtMost(0.80), |setting| compare.ratio(system, FLOOR, setting, P50)));
        let what = format!("64 B, p50: best peer to our {client} client, spinning");
        targets.push(compare.spinning(what, AtLeast(4.0), |setting| {
            compare.best_peer(system, setting, P50).map(|best| best.1)
        }));
    }
    for (client, system) in CLIENTS {
        let what = format!("64 B, CPU a call: {client} client to the floor");
        targets.push(
            compare.one_at_a_time(what, SMALL, AtMost(2.0), |setting| {
                compare.ratio(system, FLOOR, setting, CPU)
            }),
        );
    }

    let busy = compare.setting(BUSY, SMALL, Placement::Awake);
    for (client, system) in [("async client", TOKIO.on_async), ("async client, packed,", TOKIO.packed)] {
        let peer = compare.best_peer(system, busy, RATE);
        let to_best = format!("to the best peer{}", named(peer.as_ref()));
        let ratio = |theirs, figure| compare.ratio(system, theirs, busy, figure);
        for (figure, to, measured, limit) in [
            ("CPU a call", "to the floor", ratio(FLOOR, CPU), AtMost(2.0)),
            ("calls/s", "to the floor", ratio(FLOOR, RATE), AtLeast(0.70)),
            ("calls/s", &to_best, peer.map(|best| best.1), AtLeast(1.6)),
            ("calls/s", "to tonic", ratio("tonic", RATE), AtLeast(8.0)),
        ] {
            targets.push(Target::of(&format!("16 × 8, 64 B, {figure}: {client} {to}"), measured, limit));
        }
    }
    targets.extend([
        Target::of("server memory of an idle session, KiB", compare.memory(TOKIO.on_async), Below(4.0)),
        Target::of("dispatch alone, 10,000 methods to 10", compare.methods(None), AtMost(1.05)),
        Target::of("a whole call, 10,000 methods to 10", compare.methods(Some(TOKIO.blocking)), AtMost(1.05)),
    ]);
    targets
}

/// What of a call's time is the server's.
fn bare(compare: &Compare<'_>) -> Vec<Target> {
    use Limit::{AtLeast, AtMost};

    let busy = compare.setting(BUSY, SMALL, Placement::Awake);
    let mut targets = Vec::new();
    for (server, system, rate, p99) in [
        ("in threads", THREADS.bare, Some(AtLeast(0.85)), Some(AtMost(2.0))),
        ("on tokio", TOKIO.bare, None, None),
        ("in steps", STEPS_BARE, None, None),
    ] {
        targets.push(compare.told(format!("64 B, p50: server {server} to the floor"), SMALL, |setting| {
            compare.ratio(system, FLOOR, setting, P50)
        }));
        for (figure, by, limit) in [("calls/s", RATE, rate), ("p99", P99, p99)] {
            targets.push(Target {
                what: format!("16 × 8, 64 B, {figure}: server {server} to the floor"),
                measured: compare.ratio(system, FLOOR, busy, by),
                limit,
                placements: None,
            });
        }
    }
    targets
}

/// What drpc over gRPC costs to tonic alone, on the same TCP.
fn between_hosts(compare: &Compare<'_>) -> Vec<Target> {
    let mut targets = Vec::new();
    for (size, name, limit) in [(SIZES[0].0, SIZES[0].1, 1.15), (SIZES[3].0, SIZES[3].1, 1.10)] {
        let to_tonic = |system| move |setting| compare.ratio(system, "tonic-tcp", setting, P50);
        let what = format!("{name}, p50: a module and its stub over gRPC to tonic");
        targets.push(compare.one_at_a_time(what, size, Limit::AtMost(limit), to_tonic("grpc")));
        let what = format!("{name}, p50: the same through a gateway to a socket to tonic");
        targets.push(compare.told(what, size, to_tonic("grpc-gateway")));
    }
    targets
}

impl Target {
    fn of(what: &str, measured: Option<Spread>, limit: Limit) -> Target {
        Target { what: what.into(), measured, limit: Some(limit), placements: None }
    }
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
const P99: Criterion = Criterion { figure: |measured| measured.p99, better: Better::Less };
const CPU: Criterion = Criterion { figure: Measured::cpu, better: Better::Less };

impl Compare<'_> {
    /// Of one call at a time, held against what it is on one core.
    fn one_at_a_time(
        &self,
        what: String,
        size: usize,
        limit: Limit,
        ratio: impl Fn(Setting) -> Option<Spread>,
    ) -> Target {
        Target { limit: Some(limit), ..self.told(what, size, ratio) }
    }

    /// The same, of which nothing is promised.
    fn told(&self, what: String, size: usize, ratio: impl Fn(Setting) -> Option<Spread>) -> Target {
        let placements =
            Placement::ALL.map(|placement| ratio(self.setting(Load::SEQUENTIAL, size, placement)));
        let [_, one_core, _] = placements;
        Target { what, measured: one_core, limit: None, placements: Some(placements) }
    }

    /// Of one call at a time where both sides spin, which takes a core each.
    fn spinning(&self, what: String, limit: Limit, ratio: impl Fn(Setting) -> Option<Spread>) -> Target {
        let told = self.told(what, SMALL, ratio);
        let measured = told.placements.and_then(|[awake, ..]| awake);
        Target { measured, limit: Some(limit), ..told }
    }

    /// How much longer one call takes the best peer.
    fn to_best_peer(&self, client: &str, system: &str, (size, name): (usize, &str), factor: f64) -> Target {
        let peer = self.best_peer(system, self.setting(Load::SEQUENTIAL, size, Placement::OneCore), P50);
        let what = format!("{name}, p50: best peer{} to our {client} client", named(peer.as_ref()));
        self.one_at_a_time(what, size, Limit::AtLeast(factor), |setting| {
            self.best_peer(system, setting, P50).map(|best| best.1)
        })
    }

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

    /// The worse of a system's runtimes, in KiB.
    fn memory(&self, system: &str) -> Option<Spread> {
        let ours = self.results.memory.iter().filter(|series| series.of.variant.system == system);
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
