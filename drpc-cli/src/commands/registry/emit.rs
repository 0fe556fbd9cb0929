use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use drpc_registry::{GoPackage, Registry};

use super::Failed;

/// Print a registry in another form.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc registry emit proto/modules.toml c > include/drpc_modules.h
  drpc registry emit proto/modules.toml go --go-package ids | gofmt -d
  drpc registry emit include/drpc_modules.h python > drpc_modules.py")]
pub(crate) struct EmitArgs {
    /// The registry.
    registry: PathBuf,
    /// What to print.
    #[arg(value_enum)]
    form: Form,
    /// The name of the Go package.
    #[arg(long, default_value = "drpc")]
    go_package: GoPackage,
}

/// The forms of a registry.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Form {
    /// This project's own form.
    Toml,
    /// A C header of enums, as DAOS keeps it.
    C,
    /// Go constants.
    Go,
    /// A table to read.
    Markdown,
    /// Python enums.
    Python,
    /// Rust constants.
    Rust,
}

pub(super) fn run(args: &EmitArgs) -> Result<ExitCode, Failed> {
    let registry = Registry::load(&args.registry)?;
    let text = match args.form {
        Form::Toml => registry.to_toml(),
        Form::C => registry.to_c_header(),
        Form::Go => registry.to_go(&args.go_package),
        Form::Markdown => registry.to_markdown(),
        Form::Python => registry.to_python(),
        Form::Rust => registry.to_rust(),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}
