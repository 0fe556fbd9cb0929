use std::env;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use annotate_snippets::Renderer;
use drpc_registry::{Registry, RegistryError};
use serde_json::json;

use super::Failed;
use super::workspace::{self, Severity};
use crate::exit::OTHERWISE;
use crate::words::count;

/// Check a registry, and with --workspace also what a cargo workspace makes of it.
///
/// Exit code 1 if there are mistakes, 2 if the registry or a source file can't be read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc registry check proto/modules.toml
  drpc registry check include/drpc_modules.h --json
  drpc registry check proto/modules.toml --workspace --exclude xtask")]
pub(crate) struct CheckArgs {
    /// The registry.
    registry: PathBuf,
    /// Find every `#[drpc_module]` of the workspace's libraries and programs, and tell which are not listed, which are listed and
    /// implemented nowhere, and which are implemented by a package that is none of their owners. Nothing is compiled.
    #[arg(long)]
    workspace: bool,
    /// The workspace's Cargo.toml; without it, that of the current folder.
    #[arg(long, requires = "workspace", value_name = "CARGO_TOML")]
    manifest_path: Option<PathBuf>,
    /// A package of the workspace to pass over, such as one that keeps to another registry. May be given more than once.
    #[arg(long, requires = "workspace", value_name = "PACKAGE")]
    exclude: Vec<String>,
    /// Print what was found as one JSON object.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, Failed> {
    let path = &args.registry;
    let registry = match Registry::load(path) {
        Ok(registry) => registry,
        Err(error) if error.is_unreadable() => return Err(error.into()),
        Err(error) => return mistaken(args, &error),
    };
    if args.workspace {
        return check_workspace(args, &registry);
    }
    let modules = registry.modules().len();
    let methods: usize = registry.modules().iter().map(|module| module.methods.len()).sum();
    if args.json {
        let sound = json!({ "registry": path.display().to_string(), "modules": modules, "methods": methods, "mistakes": [] });
        writeln!(io::stdout(), "{sound}")?;
    }
    let (modules, methods) = (count(modules, "module"), count(methods, "method"));
    note!("{}: {modules}, {methods}, no mistakes", path.display());
    Ok(ExitCode::SUCCESS)
}

fn mistaken(args: &CheckArgs, error: &RegistryError) -> Result<ExitCode, Failed> {
    if args.json {
        let mistakes = error.mistakes().iter().map(|mistake| {
            let at = mistake.location();
            json!({ "message": mistake.message(), "line": at.line, "column": at.column, "help": mistake.help() })
        });
        let mistakes: Vec<_> = mistakes.collect();
        writeln!(
            io::stdout(),
            "{}",
            json!({ "registry": args.registry.display().to_string(), "mistakes": mistakes })
        )?;
    }
    note!("{}", error.coloured());
    Ok(ExitCode::from(OTHERWISE))
}

fn check_workspace(args: &CheckArgs, registry: &Registry) -> Result<ExitCode, Failed> {
    let found = workspace::check(registry, args.manifest_path.as_deref(), &args.exclude)?;
    // As the user would write them from here, where that is possible.
    let here = env::current_dir().ok().filter(|here| found.root.starts_with(here));
    let folder: &Path = here.as_deref().unwrap_or(&found.root);
    if args.json {
        let findings: Vec<_> = found.findings.iter().map(|finding| finding.to_json(folder)).collect();
        let report = json!({ "registry": args.registry.display().to_string(), "modules": found.modules, "findings": findings });
        writeln!(io::stdout(), "{report}")?;
    }
    for finding in &found.findings {
        note!("{}\n", finding.draw(folder, &Renderer::styled()));
    }
    let errors = found.findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = found.findings.len() - errors;
    let (modules, errors_found, warnings) =
        (count(found.modules, "module"), count(errors, "error"), count(warnings, "warning"));
    note!("{modules} in the workspace, {errors_found}, {warnings}");
    Ok(if errors > 0 { ExitCode::from(OTHERWISE) } else { ExitCode::SUCCESS })
}
