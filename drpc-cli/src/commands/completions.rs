//! `drpc completions`: a shell's completions for the tool.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::args::Args;
use crate::exit::{NOT_MADE, print_error};

/// Print a shell's completions for this tool.
///
/// Exit code: 0, 2 if the command line is wrong, 3 if the output can't be written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc completions bash > ~/.local/share/bash-completion/completions/drpc
  drpc completions zsh > ~/.zfunc/_drpc          # a folder of $fpath
  drpc completions fish > ~/.config/fish/completions/drpc.fish")]
pub(crate) struct CompletionsArgs {
    shell: SupportedShell,
}

/// The shells in which the completions are tried.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum SupportedShell {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(args: &CompletionsArgs) -> ExitCode {
    let shell = match args.shell {
        SupportedShell::Bash => Shell::Bash,
        SupportedShell::Zsh => Shell::Zsh,
        SupportedShell::Fish => Shell::Fish,
    };
    // To memory first: clap_complete panics where it can't write.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "drpc", &mut script);
    match io::stdout().lock().write_all(&script) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            print_error(&error);
            ExitCode::from(NOT_MADE)
        }
        _ => ExitCode::SUCCESS,
    }
}
