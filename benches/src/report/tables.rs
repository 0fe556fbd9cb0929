//! A section for each thing that was measured. `None` where it was not.

use std::fmt::Write;

use super::format::{self, Table};
use crate::placement::Placement;
use crate::results::{Better, ConnectionsOf, Figure, Measured, MemoryOf, MethodsOf, Results, Series};
use crate::setting::{Allocator, Load, Setting, Variant};
use crate::subjects::{self, subject::Kind};

pub(super) const FLOOR: &str = "floor";

/// Sequential calls: p50 by size and placement, and the percentiles beside it.
pub(super) fn latency(results: &Results) -> Option<String> {
    let mut section = String::from(
        "## One call at a time\n\np50 in µs, with least and greatest of the rounds; its ratio to the floor's in the same round. \
         Of a system's two runtimes, the better one.\n",
    );
    let begun = section.len();
    for placement in Placement::ALL {
        let sizes = sizes(results, Load::SEQUENTIAL, placement);
        let table = by_size(results, Load::SEQUENTIAL, placement, |m| m.p50, Better::Less, &sizes);
        if let Some(table) = table {
            let heading =
                format!("\n### {}\n\n{}.\n\n{table}", capitalised(placement.name()), meaning(placement));
            section += &heading;
        }
    }
    let sizes = sizes(results, Load::SEQUENTIAL, Placement::Awake);
    if !sizes.is_empty() {
        section += "\n### Percentiles\n\np50 / p99 / p99.9 in µs with the cores awake, medians of the rounds. A round of fewer \
                    than 1,000 calls has no p99.9.\n\n";
        section += &percentiles(results, &sizes);
    }
    (section.len() > begun).then_some(section)
}

fn meaning(placement: Placement) -> &'static str {
    match placement {
        Placement::Awake => {
            "Both processes run where the scheduler puts them, on cores that are kept from sleeping"
        }
        Placement::OneCore => {
            "Both processes share one core: the work of both sides, one after the other. The targets are held against this"
        }
        Placement::Asleep => {
            "Each process has a core of its own, which sleeps while its process waits: two wake-ups a call, at the \
             price of this machine"
        }
    }
}

fn capitalised(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}

fn percentiles(results: &Results, sizes: &[usize]) -> String {
    let mut table = Table::new(&head(sizes));
    for system in systems(results) {
        let cell = |size: &usize| {
            let setting = setting(results, Load::SEQUENTIAL, *size, Placement::Awake);
            let series = results.best(&system, setting, Better::Less, |m| m.p50)?;
            let figures: [Figure; 3] = [|m| m.p50, |m| m.p99, |m| m.p999];
            let shown = figures.map(|figure| match series.spread(figure) {
                Some(spread) => format::number(spread.median),
                None => "–".into(),
            });
            Some(shown.join(" / "))
        };
        row(&mut table, system.clone(), sizes.iter().map(cell));
    }
    table.finish()
}

/// Calls a second under the other loads.
pub(super) fn throughput(results: &Results) -> Option<String> {
    let mut section = String::new();
    for load in loads(results).into_iter().filter(|load| *load != Load::SEQUENTIAL) {
        let sizes = sizes(results, load, Placement::Awake);
        if let Some(table) =
            by_size(results, load, Placement::Awake, |m| m.rate.map(|rate| rate / 1e3), Better::More, &sizes)
        {
            write!(section, "\n### {load} in flight\n\n{table}").ok()?;
        }
    }
    let text = "## Many calls at a time\n\nThousands of calls a second, with least and greatest; the ratio to the floor's in \
                the same round. Connections × calls in flight on each. A dash: the system carries one call at a time on a connection. `drpc`'s blocking clients make batches.\n";
    (!section.is_empty()).then(|| format!("{text}{section}"))
}

/// CPU time of both sides.
pub(super) fn cpu(results: &Results) -> Option<String> {
    let mut section = String::new();
    for load in loads(results) {
        let sizes = sizes(results, load, Placement::Awake);
        if let Some(table) = by_size(results, load, Placement::Awake, cpu_per_100k, Better::Less, &sizes) {
            write!(section, "\n### {load} in flight\n\n{table}").ok()?;
        }
    }
    let text = "## CPU time\n\nSeconds of CPU for 100,000 calls, user and system, client and server together; the ratio to the \
                floor's in the same round. Of a system's two runtimes, the thriftier one.\n";
    (!section.is_empty()).then(|| format!("{text}{section}"))
}

fn cpu_per_100k(measured: &Measured) -> Option<f64> {
    Some(measured.cpu()? / 10.0)
}

/// Large bodies with an allocator that keeps its memory.
pub(super) fn allocator(results: &Results) -> Option<String> {
    let settings = results.calls.iter().map(|series| series.of.setting);
    let mut sizes: Vec<usize> = settings
        .filter(|setting| setting.allocator == Allocator::NoTrim && setting.load == Load::SEQUENTIAL)
        .map(|setting| setting.size)
        .collect();
    sizes.sort_unstable();
    sizes.dedup();
    if sizes.is_empty() || results.allocator == Allocator::NoTrim {
        return None;
    }
    let mut table = Table::new(&head(&sizes));
    for system in systems(results) {
        let cell = |size: &usize| {
            let p50: Figure = |measured| measured.p50;
            let of = |allocator| {
                let setting =
                    Setting { allocator, ..setting(results, Load::SEQUENTIAL, *size, Placement::Awake) };
                results.best(&system, setting, Better::Less, p50)?.spread(p50)
            };
            let (before, kept) = (of(Allocator::Default), of(Allocator::NoTrim)?);
            let before = before.map_or_else(|| "–".into(), |before| format::number(before.median));
            Some(format!("{before} → {}", format::number(kept.median)))
        };
        row(&mut table, system.clone(), sizes.iter().map(cell));
    }
    Some(format!(
        "## With an allocator that keeps its memory\n\np50 in µs of one call at a time: glibc's malloc as it comes → told never \
         to trim and never to map a large block by itself.\n\n{}",
        table.finish()
    ))
}

/// Server memory of an idle connection.
pub(super) fn memory(results: &Results) -> Option<String> {
    let mut columns: Vec<(usize, usize)> =
        results.memory.iter().map(|series| (series.of.connections, series.of.size)).collect();
    columns.sort_unstable();
    columns.dedup();
    let (connections, _) = *columns.first()?;
    let head: Vec<String> = std::iter::once("KiB a connection".into())
        .chain(columns.iter().map(|(_, size)| format!("after a call of {}", format::size(*size))))
        .collect();
    let mut table = Table::new(&head);
    for variant in variants(results.memory.iter().map(|series| &series.of.variant)) {
        let cell = |column: &(usize, usize)| {
            let of = |series: &&Series<_>| is_of(series, &variant, *column);
            let spread = results.memory.iter().find(of)?.spread(|m| m.memory.map(|bytes| bytes / 1024.0));
            Some(format::spread(spread))
        };
        row(&mut table, variant.to_string(), columns.iter().map(cell));
    }
    return Some(format!(
        "## Memory of an idle connection\n\nResident memory of the server, by which it grows for each of {connections} \
         connections that have made one call and are idle. The kernel's own memory for a socket is not in it. `@2`: a runtime of two threads.\n\n{}",
        table.finish()
    ));

    fn is_of(series: &Series<MemoryOf>, variant: &Variant, column: (usize, usize)) -> bool {
        series.of.variant == *variant && (series.of.connections, series.of.size) == column
    }
}

/// The cost of a call as connections grow.
pub(super) fn connections(results: &Results) -> Option<String> {
    let mut columns: Vec<usize> = results.connections.iter().map(|series| series.of.connections).collect();
    columns.sort_unstable();
    columns.dedup();
    columns.first()?;
    let head: Vec<String> =
        std::iter::once("connections".into()).chain(columns.iter().map(usize::to_string)).collect();
    let mut table = Table::new(&head);
    for variant in variants(results.connections.iter().map(|series| &series.of.variant)) {
        let cell = |connections: &usize| {
            let of = |series: &&Series<ConnectionsOf>| {
                series.of.variant == variant && series.of.connections == *connections
            };
            let series = results.connections.iter().find(of)?;
            let rate = series.spread(|m| m.rate.map(|rate| rate / 1e3))?;
            let cpu = series.spread(Measured::cpu)?;
            Some(format!("{} / {}", format::number(rate.median), format::number(cpu.median)))
        };
        row(&mut table, variant.to_string(), columns.iter().map(cell));
    }
    Some(format!(
        "## As connections grow\n\nThousands of calls a second / CPU µs a call of both sides, 64 B, up to 16 calls in flight \
         that go over all connections in turn. `@2`: a runtime of two threads.\n\n{}",
        table.finish()
    ))
}

/// The cost of a call as methods grow.
pub(super) fn methods(results: &Results) -> Option<String> {
    let mut columns: Vec<usize> = results.methods.iter().map(|series| series.of.methods).collect();
    columns.sort_unstable();
    columns.dedup();
    columns.first()?;
    let head: Vec<String> =
        std::iter::once("methods".into()).chain(columns.iter().map(usize::to_string)).collect();
    let mut table = Table::new(&head);
    let mut names: Vec<Option<Variant>> = Vec::new();
    for series in &results.methods {
        if !names.contains(&series.of.variant) {
            names.push(series.of.variant.clone());
        }
    }
    for variant in names {
        let cell = |methods: &usize| {
            let of =
                |series: &&Series<MethodsOf>| series.of.variant == variant && series.of.methods == *methods;
            Some(format::spread(results.methods.iter().find(of)?.spread(|measured| measured.p50)))
        };
        let name = variant.as_ref().map_or_else(|| "dispatch alone".into(), Variant::to_string);
        row(&mut table, name, columns.iter().map(cell));
    }
    Some(format!(
        "## As methods grow\n\nµs a call, 64 B, spread over all methods, of which a module has up to 100: a whole call (p50), and \
         `ModuleService::process` without a socket (mean).\n\n{}",
        table.finish()
    ))
}

/// Systems by sizes, under one load.
fn by_size(
    results: &Results,
    load: Load,
    placement: Placement,
    figure: Figure,
    better: Better,
    sizes: &[usize],
) -> Option<String> {
    if sizes.is_empty() {
        return None;
    }
    let mut table = Table::new(&head(sizes));
    for system in systems(results) {
        let cell = |size: &usize| {
            let setting = setting(results, load, *size, placement);
            let ours = results.best(&system, setting, better, figure)?;
            let shown = format::spread(ours.spread(figure));
            let floor = results.best(FLOOR, setting, better, figure);
            match floor {
                Some(floor) if system != FLOOR => {
                    Some(format!("{shown} **{}**", format::ratio(ours.ratio(figure, floor))))
                }
                _ => Some(shown),
            }
        };
        row(&mut table, system.clone(), sizes.iter().map(cell));
    }
    Some(table.finish())
}

fn head(sizes: &[usize]) -> Vec<String> {
    std::iter::once(String::new()).chain(sizes.iter().map(|size| format::size(*size))).collect()
}

fn row(table: &mut Table, name: String, cells: impl Iterator<Item = Option<String>>) {
    let cells: Vec<String> =
        std::iter::once(name).chain(cells.map(|cell| cell.unwrap_or_else(|| "–".into()))).collect();
    table.row(&cells);
}

/// The systems that were called, in the order of the subjects.
pub(super) fn systems(results: &Results) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for series in &results.calls {
        if !names.contains(&series.of.variant.system) {
            names.push(series.of.variant.system.clone());
        }
    }
    names
}

/// The peers that were called.
pub(super) fn peers(results: &Results) -> Vec<String> {
    let is_peer = |name: &String| subjects::find(name).is_ok_and(|subject| subject.kind() == Kind::Peer);
    systems(results).into_iter().filter(is_peer).collect()
}

fn variants<'a>(all: impl Iterator<Item = &'a Variant>) -> Vec<Variant> {
    let mut variants: Vec<Variant> = Vec::new();
    for variant in all {
        if !variants.contains(variant) {
            variants.push(variant.clone());
        }
    }
    variants
}

/// A setting of this run, with the allocator that it was told to use.
fn setting(results: &Results, load: Load, size: usize, placement: Placement) -> Setting {
    Setting { load, size, placement, allocator: results.allocator }
}

fn settings(results: &Results) -> impl Iterator<Item = Setting> {
    let settings = results.calls.iter().map(|series| series.of.setting);
    settings.filter(|setting| setting.allocator == results.allocator)
}

pub(super) fn loads(results: &Results) -> Vec<Load> {
    let mut loads = Vec::new();
    for setting in settings(results) {
        if !loads.contains(&setting.load) {
            loads.push(setting.load);
        }
    }
    loads
}

pub(super) fn sizes(results: &Results, load: Load, placement: Placement) -> Vec<usize> {
    let of_load = settings(results).filter(|setting| setting.load == load && setting.placement == placement);
    let mut sizes: Vec<usize> = of_load.map(|setting| setting.size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}
