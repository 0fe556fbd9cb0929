//! `drpc registry`: the list of IDs, kept, compared and converted.

mod check;
mod diff;
mod emit;
mod import;
mod next;
mod text;
mod workspace;

use std::io;
use std::process::ExitCode;

use clap::Subcommand;
use drpc_registry::RegistryError;
use drpc_registry::contract::ContractError;

use text::Unreadable;
use workspace::WorkspaceError;

use crate::exit::{NOT_MADE, UNUSABLE};

/// Check, compare and convert registries of module IDs, in TOML or as DAOS's C header (a file ending in .h).
///
/// Exit code: 0 if all is well, 1 if `check` finds mistakes or `diff` a breaking change, 2 if the command line is wrong
/// or a file can't be used (`check` can't read it; the others can't read it or find mistakes in it), 3 if the
/// output can't be written.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    Check(check::CheckArgs),
    Diff(diff::DiffArgs),
    Emit(emit::EmitArgs),
    Import(import::ImportArgs),
    Next(next::NextArgs),
}

pub(crate) fn run(command: &RegistryCommand) -> ExitCode {
    let done = match command {
        RegistryCommand::Check(args) => check::run(args),
        RegistryCommand::Diff(args) => diff::run(args),
        RegistryCommand::Emit(args) => emit::run(args),
        RegistryCommand::Import(args) => import::run(args),
        RegistryCommand::Next(args) => next::run(args),
    };
    done.unwrap_or_else(|failed| match failed {
        Failed::Registry(error) => {
            note!("{}", error.coloured());
            ExitCode::from(UNUSABLE)
        }
        Failed::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Failed::Output(error) => {
            note!("drpc: can't write the output: {error}");
            ExitCode::from(NOT_MADE)
        }
        other => {
            note!("drpc: {other}");
            ExitCode::from(UNUSABLE)
        }
    })
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Contract(#[from] ContractError),
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error("module `{0}` is not in {1}")]
    NoSuchModule(String, String),
    #[error(transparent)]
    Output(#[from] io::Error),
}
