//! `drpc man`: the tool's man pages.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::Args;
use crate::exit::{NOT_MADE, print_error};

/// Write the man pages of this tool, one for each command.
///
/// Exit code: 0, 2 if the command line is wrong, 3 if they can't be written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc man ~/.local/share/man/man1 && man drpc-call")]
pub(crate) struct ManArgs {
    /// The folder to write to; made, if it is not there.
    folder: PathBuf,
}

pub(crate) fn run(args: &ManArgs) -> ExitCode {
    let Err(cause) = write(args) else { return ExitCode::SUCCESS };
    print_error(&Failed { folder: args.folder.clone(), cause });
    ExitCode::from(NOT_MADE)
}

fn write(args: &ManArgs) -> io::Result<()> {
    fs::create_dir_all(&args.folder)?;
    clap_mangen::generate_to(Args::command(), &args.folder)
}

#[derive(Debug, thiserror::Error)]
#[error("can't write man pages to {}: {cause}", folder.display())]
struct Failed {
    folder: PathBuf,
    cause: io::Error,
}
