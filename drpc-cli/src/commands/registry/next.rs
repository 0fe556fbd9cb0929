use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use drpc_registry::{Registry, closest};
use serde_json::json;

use super::Failed;
use crate::exit::OTHERWISE;

/// Print the next free ID: a module's, or that of a method of a module.
///
/// Exit code 1 if none is free.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc registry next proto/modules.toml            # for a new module
  drpc registry next proto/modules.toml greeter    # for a new method of `greeter`")]
pub(crate) struct NextArgs {
    /// The registry.
    registry: PathBuf,
    /// A module of it, by its name or ID.
    module: Option<String>,
    /// Print it as a JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &NextArgs) -> Result<ExitCode, Failed> {
    let registry = Registry::load(&args.registry)?;
    let mut out = io::stdout();
    let Some(wanted) = &args.module else {
        return match registry.next_free_id() {
            Some(id) if args.json => {
                writeln!(out, "{}", json!({ "module": id }))?;
                Ok(ExitCode::SUCCESS)
            }
            Some(id) => {
                writeln!(out, "{id}")?;
                Ok(ExitCode::SUCCESS)
            }
            None => Ok(none_left("no module ID is free")),
        };
    };
    let by_id = wanted.parse().ok().and_then(|id| registry.module(id));
    let Some(module) = by_id.or_else(|| registry.module_named(wanted)) else {
        let names = registry.modules().iter().map(|module| module.name.as_str());
        let hint =
            closest(wanted, names).map_or_else(String::new, |name| format!(": did you mean `{name}`?"));
        let path = registry.path().display();
        return Err(Failed::NoSuchModule(wanted.clone(), format!("{path}{hint}")));
    };
    let Some(id) = module.next_free_id() else {
        return Ok(none_left(&format!("all hundred IDs of `{}` are used or reserved", module.name)));
    };
    let number = id - module.method_ids().start();
    match args.json {
        true => writeln!(out, "{}", json!({ "module": module.id, "method": id, "number": number }))?,
        false => writeln!(out, "{id}")?,
    }
    Ok(ExitCode::SUCCESS)
}

fn none_left(what: &str) -> ExitCode {
    note!("drpc: {what}");
    ExitCode::from(OTHERWISE)
}
