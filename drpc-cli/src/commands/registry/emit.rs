use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::ValueEnum;
use drpc_registry::{GoPackage, MethodEntry, ModuleEntry, Registry, ReservedEntry};
use serde_json::{Value, json};

use super::Failed;

/// Print a registry in another form.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc registry emit proto/modules.toml c > include/drpc_modules.h
  drpc registry emit proto/modules.toml go --go-package ids | gofmt -d
  drpc registry emit include/drpc_modules.h python > drpc_modules.py
  drpc registry emit include/drpc_modules.h json | jq '.modules[].name'")]
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
    /// For programs.
    Json,
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
        Form::Json => format!("{:#}\n", json(&registry)),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn json(registry: &Registry) -> Value {
    let method = |method: &MethodEntry| json!({ "id": method.id, "number": method.number(), "name": method.name, "doc": method.doc });
    let reserved = |reserved: &ReservedEntry| json!({ "id": reserved.id, "number": reserved.number(), "reason": reserved.reason });
    let module = |module: &ModuleEntry| {
        json!({
            "id": module.id, "name": module.name, "doc": module.doc, "owners": module.owners,
            "remote": module.remote, "methods": module.methods.iter().map(method).collect::<Vec<_>>(),
            "reserved": module.reserved.iter().map(reserved).collect::<Vec<_>>(),
        })
    };
    json!({ "modules": registry.modules().iter().map(module).collect::<Vec<_>>() })
}
