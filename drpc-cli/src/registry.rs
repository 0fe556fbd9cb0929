use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use drpc_registry::contract::{ContractError, is_contract};
use drpc_registry::{ChangeKind, GoPackage, Registry, RegistryError, compare};

use crate::args::{Form, RegistryCommand};
use crate::contract;

/// The registry has mistakes, or breaks programs that follow the earlier one.
pub(crate) const FOUND_WANTING: u8 = 1;
/// A file can't be read, or is not fit for what is asked.
const UNUSABLE: u8 = 2;
const NOT_WRITTEN: u8 = 3;

pub(crate) fn run(command: &RegistryCommand) -> ExitCode {
    let done = match command {
        RegistryCommand::Check { registry } => check(registry),
        RegistryCommand::Diff { old, new, docs } => diff(old, new, *docs),
        RegistryCommand::Emit { registry, form, go_package } => emit(registry, *form, go_package),
    };
    match done {
        Ok(code) => code,
        Err(Failed::Registry(error)) => {
            eprintln!("{error}");
            ExitCode::from(UNUSABLE)
        }
        Err(Failed::Unreadable(path, error)) => {
            eprintln!("drpc: can't read {}: {error}", path.display());
            ExitCode::from(UNUSABLE)
        }
        Err(Failed::Contract(error)) => {
            eprintln!("drpc: {error}");
            ExitCode::from(UNUSABLE)
        }
        Err(Failed::Output(error)) => {
            eprintln!("drpc: can't write the output: {error}");
            ExitCode::from(NOT_WRITTEN)
        }
    }
}

fn check(path: &Path) -> Result<ExitCode, Failed> {
    match Registry::load(path) {
        Ok(registry) => {
            let modules = registry.modules().len();
            let methods = registry.modules().iter().map(|module| module.methods.len()).sum();
            let (modules, methods) = (count(modules, "module"), count(methods, "method"));
            eprintln!("{}: {modules}, {methods}, no mistakes", path.display());
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if !error.is_unreadable() => {
            eprintln!("{error}");
            Ok(ExitCode::from(FOUND_WANTING))
        }
        Err(error) => Err(error.into()),
    }
}

fn diff(old: &Path, new: &Path, docs: bool) -> Result<ExitCode, Failed> {
    // Once: either may be a pipe.
    let (old_text, new_text) = (read(old)?, read(new)?);
    if is_contract(&old_text) || is_contract(&new_text) {
        return contract::diff((old, &old_text), (new, &new_text));
    }
    let mut changes = compare(&Registry::parse(old, &old_text)?, &Registry::parse(new, &new_text)?);
    changes.retain(|change| docs || change.kind() != ChangeKind::TextChanged);
    let mut out = io::stdout().lock();
    for change in &changes {
        writeln!(out, "{change}")?;
    }
    let breaking = changes.iter().filter(|change| change.is_breaking()).count();
    eprintln!("{}, {breaking} breaking", count(changes.len(), "change"));
    if breaking > 0 {
        eprintln!("hint: keep an ID with its name; list a removed method's ID under `reserved`");
        return Ok(ExitCode::from(FOUND_WANTING));
    }
    Ok(ExitCode::SUCCESS)
}

/// `1 module`, `2 modules`.
pub(crate) fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}

fn emit(path: &Path, form: Form, go_package: &GoPackage) -> Result<ExitCode, Failed> {
    let registry = Registry::load(path)?;
    let text = match form {
        Form::Toml => registry.to_toml(),
        Form::C => registry.to_c_header(),
        Form::Go => registry.to_go(go_package),
        Form::Markdown => registry.to_markdown(),
        Form::Rust => registry.to_rust(),
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn read(path: &Path) -> Result<String, Failed> {
    fs::read_to_string(path).map_err(|error| Failed::Unreadable(path.to_owned(), error))
}

pub(crate) enum Failed {
    Registry(RegistryError),
    Contract(ContractError),
    Unreadable(PathBuf, io::Error),
    Output(io::Error),
}

impl From<RegistryError> for Failed {
    fn from(error: RegistryError) -> Self {
        Failed::Registry(error)
    }
}

impl From<ContractError> for Failed {
    fn from(error: ContractError) -> Self {
        Failed::Contract(error)
    }
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Failed::Output(error)
    }
}
