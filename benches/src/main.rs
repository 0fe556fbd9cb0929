//! Measures drpc beside the kernel's floor and six other RPCs. See the package's README.

mod args;
mod control;
mod job;
mod load;
mod machine;
mod measure;
mod payload;
mod placement;
mod plan;
mod report;
mod results;
mod runtime;
mod setting;
mod stats;
mod subjects;
mod usage;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;

use args::{Args, Role};

/// How long a client may take beyond its measurement: it has up to ten thousand connections to make.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    match run(Args::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: Args) -> Result<ExitCode> {
    match args.role {
        // A process under measurement, started by the one below.
        Some(Role::Server { subject, setup }) => {
            placement::pin(setup.core)?;
            usage::raise_open_files();
            control::answer_for_server();
            subjects::find(&subject)?.serve(&setup)?;
        }
        Some(Role::Client { subject, job }) => {
            placement::pin(job.core)?;
            usage::raise_open_files();
            control::watchdog(job.window * 2 + PATIENCE);
            subjects::find(&subject)?.call(&job)?;
        }
        None => return plan::carry_out(&args),
    }
    Ok(ExitCode::SUCCESS)
}
