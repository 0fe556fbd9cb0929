//! The `drpc` command. Data goes to stdout, all else to stderr.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | the server answered SUCCESS |
//! | 1 | the server answered another status |
//! | 2 | the command line is wrong |
//! | 3 | the call could not be made, or no response came |

mod args;
mod call;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};

fn main() -> ExitCode {
    match Args::parse().command {
        Command::Call(args) => call::run(&args),
    }
}
