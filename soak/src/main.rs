//! A soak test: sessions come and go against a server in a process of its own, good ones and bad ones, and the server is
//! restarted once. Every call of those that behave must be answered right, and nothing may be left behind.
//!
//! ```sh
//! cargo run --release -p drpc-soak -- --minutes 10
//! cargo run --release -p drpc-soak -- --seconds 20    # what CI has time for
//! cargo run --release -p drpc-soak -- --server threads --sessions 1000
//! cargo run --release -p drpc-soak -- --server steps
//! cargo run --release -p drpc-soak -- --streams --seconds 1    # 75,000 streams, opened and dropped; a third by each client
//! ```
//!
//! Either server is warmed up by waves of sessions, soaked in more waves of the same kind, and measured after each with the last
//! session closed. Exit code 1, with the reason, if a call went wrong, descriptors are left open, threads are left, or the server's
//! memory after the last waves is over that after the warm-up by more than 5 %.
//!
//! ```sh
//! cargo run --release -p drpc-soak -- idle            # what a connection costs the server that nobody calls on
//! ```

mod body;
mod idle;
mod measure;
mod raw;
mod restarts;
mod server;
mod sessions;
mod soak;
mod survivors;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::sessions::Wave;

/// What went wrong, for people.
type Error = Box<dyn std::error::Error + Send + Sync>;

/// Soaks a drpc server in sessions, good and bad, and checks that nothing is left behind.
#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    time: Time,
    /// How many sessions a wave has.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(100..))]
    sessions: u32,
    /// Sessions of streams alone, ten in each, both ways, by each of the three clients, which are opened and dropped at another moment each.
    #[arg(long)]
    streams: bool,
    /// Which server is soaked, or has idle connections.
    #[arg(long, value_enum, default_value_t = Driver::Tokio)]
    server: Driver,
    #[command(subcommand)]
    role: Option<Role>,
}

/// What drives the server.
#[derive(Clone, Copy, ValueEnum)]
enum Driver {
    /// On tokio, with two workers.
    Tokio,
    /// A thread for each session.
    Threads,
    /// One loop of steps.
    Steps,
}

#[derive(Args)]
#[group(multiple = false)]
struct Time {
    /// How long to soak, in minutes; 10 unless told otherwise. The waves that are begun are finished.
    #[arg(long)]
    minutes: Option<u64>,
    /// The same in seconds. However short, either server has seven waves: that takes about 20 seconds.
    #[arg(long)]
    seconds: Option<u64>,
}

/// What to do in place of the soak.
#[derive(Subcommand)]
enum Role {
    /// Measures what connections cost the server that nobody calls on: less than 4 KiB each, or 32 with a thread for each.
    Idle {
        /// How many connections to open; fewer, if the hard limit of descriptors is too low.
        #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(1..))]
        connections: u32,
    },
    /// The server that is soaked: this program starts itself so.
    #[command(hide = true)]
    Serve { socket: PathBuf },
    /// A client that exits in mid message, likewise.
    #[command(hide = true)]
    Die { socket: PathBuf },
}

fn main() -> ExitCode {
    measure::make_allocator_measurable();
    let cli = Cli::parse();
    let result = match &cli.role {
        None => {
            let wave = Wave { sessions: cli.sessions as usize, streams: cli.streams };
            soak::run(cli.server, cli.time.duration(), wave)
        }
        Some(Role::Idle { connections }) => idle::run(cli.server, *connections as usize),
        Some(Role::Serve { socket }) => server::serve(cli.server, socket),
        Some(Role::Die { socket }) => raw::die_in_mid_message(socket),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Time {
    fn duration(&self) -> Duration {
        match (self.minutes, self.seconds) {
            (Some(minutes), _) => Duration::from_secs(minutes * 60),
            (_, Some(seconds)) => Duration::from_secs(seconds),
            _ => Duration::from_secs(600),
        }
    }
}
