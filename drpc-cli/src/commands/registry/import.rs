use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use drpc_registry::Registry;

use super::Failed;

/// Print the registry that a C header holds, as TOML.
///
/// A header has no place for owners, nor for `remote`: both come from the registry that --owners-of names, for the modules that have the
/// same ID and name there. `drpc registry emit HEADER json` prints a header for programs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc registry import daos/src/include/daos/drpc_modules.h > proto/modules.toml
  drpc registry import drpc_modules.h --owners-of proto/modules.toml > new.toml && mv new.toml proto/modules.toml")]
pub(crate) struct ImportArgs {
    /// The header.
    header: PathBuf,
    /// A registry to take the owners from, and which modules other hosts may reach (`remote`).
    #[arg(long, value_name = "REGISTRY")]
    owners_of: Option<PathBuf>,
}

pub(super) fn run(args: &ImportArgs) -> Result<ExitCode, Failed> {
    let mut registry = Registry::load(&args.header)?;
    if let Some(owned) = &args.owners_of {
        registry = registry.with_owners_of(&Registry::load(owned)?);
    }
    io::stdout().write_all(registry.to_toml().as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
