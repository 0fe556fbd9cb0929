//! What a run found, for people: a Markdown page, and the plots beside it.

mod format;
mod plots;
mod tables;
mod targets;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::results::Results;

/// Writes the page, and its plots beside it.
pub(crate) fn write(results: &Results, directory: &Path) -> Result<()> {
    let mut page = markdown(results);
    for plot in plots::all(results) {
        put(&directory.join(plot.file), &plot.svg)?;
        write!(page, "\n![{}]({})\n", plot.title, plot.file)?;
    }
    put(&directory.join("README.md"), &page)
}

fn put(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// The page.
pub(crate) fn markdown(results: &Results) -> String {
    let mut page = format!(
        "# Results\n\n{}; {} rounds of {} ms a measurement, interleaved. Made by `cargo run --release -p drpc-bench`.\n\n",
        results.machine.describe(),
        results.rounds,
        results.window_ms,
    );
    if results.quick {
        page.push_str("**A smoke run: these figures mean nothing.**\n\n");
    }
    for section in [
        targets::section(results),
        tables::latency(results),
        tables::throughput(results),
        tables::cpu(results),
        tables::allocator(results),
        tables::memory(results),
        tables::connections(results),
        tables::methods(results),
    ]
    .into_iter()
    .flatten()
    {
        writeln!(page, "{}\n", section.trim_end()).expect("a string takes everything");
    }
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}
