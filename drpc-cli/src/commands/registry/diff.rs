use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use drpc_registry::contract::{self, Contract, is_contract};
use drpc_registry::{ChangeKind, Registry, compare};
use serde_json::json;

use super::Failed;
use super::text::Text;
use crate::exit::{Lasting, OTHERWISE};
use crate::words::count;

/// Tell what changed from one registry, or contract, to a later one.
///
/// Exit code 1 if a change breaks programs that follow the earlier one, 2 if they can't be compared.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc registry diff main:proto/modules.toml proto/modules.toml
  drpc registry diff v1.0:contract.txt contract.txt     # the messages, too
  drpc registry diff daos-2.6/drpc_modules.h proto/daos/modules.toml --json")]
pub(crate) struct DiffArgs {
    /// The earlier registry, or contract: the text that `drpc::contract` keeps. A file, or a file of a git revision, such as
    /// main:proto/modules.toml.
    old: PathBuf,
    /// The later one.
    new: PathBuf,
    /// Also tell which texts changed: docs, and the reasons of reservations.
    #[arg(long)]
    docs: bool,
    /// Print the changes as JSON, one object in each line.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DiffArgs) -> Result<ExitCode, Failed> {
    // Once: either may be a pipe.
    let (old, new) = (Text::read(&args.old)?, Text::read(&args.new)?);
    if is_contract(&old.text) || is_contract(&new.text) {
        let (old, new) = (Contract::parse(&old.name, &old.text)?, Contract::parse(&new.name, &new.text)?);
        let changes = contract::compare(&old, &new);
        let changes = changes.iter().map(|change| (change.is_breaking(), change));
        let hint = "keep what peers know as it was; add the new beside it, under a number of its own";
        return tell(args, &changes.collect::<Vec<_>>(), hint);
    }
    let mut changes =
        compare(&Registry::parse(&old.name, &old.text)?, &Registry::parse(&new.name, &new.text)?);
    changes.retain(|change| args.docs || change.kind() != ChangeKind::TextChanged);
    let hint = match changes.iter().any(|change| change.kind() == ChangeKind::ModuleRemoved) {
        true => "keep a module that went in the list, without methods, so that nobody else gets its ID",
        false => "keep an ID with its name; list a removed method's ID under `reserved`",
    };
    let changes: Vec<_> = changes.iter().map(|change| (change.is_breaking(), change)).collect();
    tell(args, &changes, hint)
}

/// Prints the changes, each with whether it breaks.
fn tell(args: &DiffArgs, changes: &[(bool, impl fmt::Display)], hint: &str) -> Result<ExitCode, Failed> {
    let mut out = Lasting(io::stdout().lock());
    for (is_breaking, change) in changes {
        match args.json {
            true => writeln!(out, "{}", json!({ "breaking": is_breaking, "change": change.to_string() }))?,
            false => writeln!(out, "{change}")?,
        }
    }
    let breaking = changes.iter().filter(|(is_breaking, _)| *is_breaking).count();
    note!("{}, {breaking} breaking", count(changes.len(), "change"));
    if breaking > 0 {
        note!("hint: {hint}");
        return Ok(ExitCode::from(OTHERWISE));
    }
    Ok(ExitCode::SUCCESS)
}
