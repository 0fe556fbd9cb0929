use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::job::{Job, Setup};
use crate::placement::Placement;
use crate::setting::{Allocator, Load};

/// Measures drpc beside the kernel's floor and other RPCs, client and server as two processes on a Unix socket.
///
/// Everything is measured in rounds, and within a round one system after the other, so that what disturbs the machine
/// disturbs all of them. What counts are the ratios within one run.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    /// One short round of everything, to see that it works; its figures mean nothing.
    #[arg(long)]
    pub(crate) quick: bool,
    /// Only these systems (`drpc`, `drpc*`, `tonic@2` for that on two threads); default: all but the special floors.
    #[arg(long, value_delimiter = ',', value_name = "NAME")]
    pub(crate) systems: Vec<String>,
    /// Only these sizes of body, in bytes (`64`, `4K`, `1M`).
    #[arg(long, value_delimiter = ',', value_parser = size, value_name = "SIZE")]
    pub(crate) sizes: Vec<usize>,
    /// Only these loads, as CONNECTIONS x IN-FLIGHT (`1x1`, `16x8`).
    #[arg(long, value_delimiter = ',', value_name = "LOAD")]
    pub(crate) loads: Vec<Load>,
    /// Only these placements of the two processes, for one call at a time; everything else runs with the cores awake.
    #[arg(long, value_delimiter = ',', value_enum, value_name = "WHERE")]
    pub(crate) placements: Vec<Placement>,
    /// Only these parts.
    #[arg(long, value_delimiter = ',', value_name = "PART")]
    pub(crate) parts: Vec<Part>,
    /// How many rounds.
    #[arg(long, default_value_t = 5)]
    pub(crate) rounds: usize,
    /// How long each measurement takes, in milliseconds; half of that is spent on warming up before it.
    #[arg(long, default_value_t = 300, value_name = "MS")]
    pub(crate) window: u64,
    /// What the measured processes allocate memory with.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) allocator: Allocator,
    /// Where table, plots and figures go.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/results"), value_name = "DIR")]
    pub(crate) output: PathBuf,
    /// Make table and plots anew from the figures of the last run.
    #[arg(long)]
    pub(crate) render: bool,
    /// List the systems.
    #[arg(long)]
    pub(crate) list: bool,

    #[command(subcommand)]
    pub(crate) role: Option<Role>,
}

/// A part of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Latency, calls a second and CPU, by load and size.
    Calls,
    /// The largest bodies again, with an allocator that keeps its memory.
    Allocator,
    /// Server memory of an idle connection.
    Memory,
    /// The cost of a call as connections grow.
    Connections,
    /// The cost of a call as registered methods grow.
    Methods,
}

/// What a process that is being measured does. Not for people.
#[derive(Subcommand)]
pub(crate) enum Role {
    #[command(hide = true)]
    Server {
        subject: String,
        #[arg(value_parser = json::<Setup>)]
        setup: Setup,
    },
    #[command(hide = true)]
    Client {
        subject: String,
        #[arg(value_parser = json::<Job>)]
        job: Job,
    },
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn size(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((last, 'k' | 'K')) => (&text[..last], 1 << 10),
        Some((last, 'm' | 'M')) => (&text[..last], 1 << 20),
        _ => (text, 1),
    };
    let number: usize = digits.parse().map_err(|_| format!("`{text}` is no size such as 64, 4K or 1M"))?;
    number.checked_mul(unit).filter(|size| (1..=16 << 20).contains(size)).ok_or("from 1 to 16M".into())
}
