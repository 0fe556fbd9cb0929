//! The plots, one for each thing that was measured. `None` where it was not.

mod bars;
mod lines;
mod svg;

use super::format;
use super::tables::{self, FLOOR};
use crate::placement::Placement;
use crate::results::{Better, Figure, Measured, Results};
use crate::setting::{Load, Setting};
use crate::stats::Spread;
use bars::{BarChart, Group};
use lines::{Line, LineChart};

/// A plot: the file's name, what it shows, and its SVG.
pub(super) struct Plot {
    pub(super) file: &'static str,
    pub(super) title: &'static str,
    pub(super) svg: String,
}

/// All plots of a run.
pub(super) fn all(results: &Results) -> Vec<Plot> {
    let plots = [
        latency(results),
        throughput(results),
        cpu(results),
        memory(results),
        connections(results),
        methods(results),
    ];
    plots.into_iter().flatten().collect()
}

/// The systems that are shown.
fn systems(results: &Results) -> Vec<String> {
    tables::systems(results).into_iter().filter(|system| !is_left_out(system)).collect()
}

/// What would only crowd the picture: the raw variants of drpc, those that spin, and those without its client.
fn is_left_out(system: &str) -> bool {
    ["raw", "spin", "bare"].iter().any(|word| system.contains(word))
}

fn latency(results: &Results) -> Option<Plot> {
    let sizes = tables::sizes(results, Load::SEQUENTIAL, Placement::Awake);
    let title = "One call at a time: p50, as a multiple of the floor's";
    let p50: Figure = |measured| measured.p50;
    let systems: Vec<String> = systems(results).into_iter().filter(|system| system != FLOOR).collect();
    let group = |size: &usize| {
        let setting = setting(results, Load::SEQUENTIAL, *size);
        let ratio = |system: &String| {
            let floor = results.best(FLOOR, setting, Better::Less, p50)?;
            results.best(system, setting, Better::Less, p50)?.ratio(p50, floor)
        };
        Group { name: format::size(*size), bars: systems.iter().map(ratio).collect() }
    };
    let groups: Vec<Group> = sizes.iter().map(group).collect();
    let chart = BarChart {
        title,
        subtitle: "by size of body; cores awake; less is better; 1 is the kernel alone",
        systems: &systems,
        groups: &groups,
        logarithmic: true,
    };
    Some(Plot { file: "latency.svg", title, svg: chart.draw()? })
}

fn throughput(results: &Results) -> Option<Plot> {
    let title = "Many calls at a time: thousands of calls a second, 64 B";
    let rate: Figure = |measured| Some(measured.rate? / 1e3);
    let systems = systems(results);
    let groups = by_load(results, &systems, Better::More, rate, |load| load != Load::SEQUENTIAL);
    let chart = BarChart {
        title,
        subtitle: "connections × calls in flight on each; more is better",
        systems: &systems,
        groups: &groups,
        logarithmic: false,
    };
    Some(Plot { file: "throughput.svg", title, svg: chart.draw()? })
}

fn cpu(results: &Results) -> Option<Plot> {
    let title = "CPU seconds for 100,000 calls of 64 B, both sides together";
    let cpu: Figure = |measured| Some(measured.cpu()? / 10.0);
    let systems = systems(results);
    let groups = by_load(results, &systems, Better::Less, cpu, |_| true);
    let chart = BarChart {
        title,
        subtitle: "connections × calls in flight on each; less is better",
        systems: &systems,
        groups: &groups,
        logarithmic: true,
    };
    Some(Plot { file: "cpu.svg", title, svg: chart.draw()? })
}

fn by_load(
    results: &Results,
    systems: &[String],
    better: Better,
    figure: Figure,
    wanted: impl Fn(Load) -> bool,
) -> Vec<Group> {
    let loads = tables::loads(results).into_iter().filter(|load| wanted(*load));
    let group = |load: Load| {
        let setting = setting(results, load, 64);
        let bar = |system: &String| results.best(system, setting, better, figure)?.spread(figure);
        Group { name: load.to_string(), bars: systems.iter().map(bar).collect() }
    };
    loads.map(group).collect()
}

fn setting(results: &Results, load: Load, size: usize) -> Setting {
    Setting { load, size, placement: Placement::Awake, allocator: results.allocator }
}

fn memory(results: &Results) -> Option<Plot> {
    let title = "Server memory of an idle connection, KiB";
    let mut systems: Vec<String> = Vec::new();
    for series in &results.memory {
        let system = &series.of.variant.system;
        if !systems.contains(system)
            && !is_left_out(system)
            && (system.contains("threads") || !system.contains("blocking"))
        {
            systems.push(system.clone());
        }
    }
    let mut sizes: Vec<usize> = results.memory.iter().map(|series| series.of.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let group = |size: &usize| {
        let bar = |system: &String| {
            let of = results
                .memory
                .iter()
                .filter(|series| series.of.variant.system == *system && series.of.size == *size);
            let kib = of.filter_map(|series| series.spread(|m| Some(m.memory? / 1024.0)));
            kib.min_by(|one: &Spread, other: &Spread| one.median.total_cmp(&other.median))
        };
        Group {
            name: format!("after a call of {}", format::size(*size)),
            bars: systems.iter().map(bar).collect(),
        }
    };
    let groups: Vec<Group> = sizes.iter().map(group).collect();
    let chart = BarChart {
        title,
        subtitle: "what the server grows by; the better runtime; less is better",
        systems: &systems,
        groups: &groups,
        logarithmic: true,
    };
    Some(Plot { file: "memory.svg", title, svg: chart.draw()? })
}

fn connections(results: &Results) -> Option<Plot> {
    let title = "CPU µs a call as connections grow, 64 B, both sides together";
    let mut counts: Vec<usize> = results.connections.iter().map(|series| series.of.connections).collect();
    counts.sort_unstable();
    counts.dedup();
    let line = |system: String| {
        let at = |connections: &usize| {
            let of = results
                .connections
                .iter()
                .filter(|series| series.of.variant.system == system && series.of.connections == *connections);
            let cpu = of.filter_map(|series| series.spread(Measured::cpu));
            cpu.map(|spread| spread.median).min_by(f64::total_cmp)
        };
        let points = counts.iter().map(at).collect();
        Line { system, points }
    };
    let mut systems: Vec<String> = Vec::new();
    for series in &results.connections {
        let system = &series.of.variant.system;
        if !systems.contains(system) && !is_left_out(system) {
            systems.push(system.clone());
        }
    }
    let lines: Vec<Line> = systems.into_iter().map(line).collect();
    let names: Vec<String> = counts.iter().map(usize::to_string).collect();
    let chart = LineChart {
        title,
        subtitle: "up to 16 calls in flight, over all connections in turn; the better runtime; less is better",
        columns: &names,
        lines: &lines,
    };
    Some(Plot { file: "connections.svg", title, svg: chart.draw()? })
}

fn methods(results: &Results) -> Option<Plot> {
    let title = "µs a call as methods grow, 64 B";
    let mut counts: Vec<usize> = results.methods.iter().map(|series| series.of.methods).collect();
    counts.sort_unstable();
    counts.dedup();
    let line = |system: Option<&str>| {
        let at = |methods: &usize| {
            let of = results.methods.iter().filter(|series| {
                series.of.variant.as_ref().map(|variant| &*variant.system) == system
                    && series.of.methods == *methods
            });
            let times = of.filter_map(|series| series.spread(|measured| measured.p50));
            times.map(|spread| spread.median).min_by(f64::total_cmp)
        };
        let points = counts.iter().map(at).collect();
        Line { system: system.unwrap_or("dispatch alone").to_owned(), points }
    };
    let lines = [Some("drpc-blocking"), Some("drpc"), None].map(line);
    let names: Vec<String> = counts.iter().map(usize::to_string).collect();
    let chart = LineChart {
        title,
        subtitle: "calls spread over all methods: whole calls, and dispatch without a socket; less is better",
        columns: &names,
        lines: &lines,
    };
    Some(Plot { file: "methods.svg", title, svg: chart.draw()? })
}
