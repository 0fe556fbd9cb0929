use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use drpc_registry::contract::{Contract, compare};

use crate::registry::{FOUND_WANTING, Failed, count};

/// Tells what changed from one contract to a later one, each by its path and its text.
pub(crate) fn diff(old: (&Path, &str), new: (&Path, &str)) -> Result<ExitCode, Failed> {
    let changes = compare(&Contract::parse(old.0, old.1)?, &Contract::parse(new.0, new.1)?);
    let mut out = io::stdout().lock();
    for change in &changes {
        writeln!(out, "{change}")?;
    }
    let breaking = changes.iter().filter(|change| change.is_breaking()).count();
    eprintln!("{}, {breaking} breaking", count(changes.len(), "change"));
    if breaking > 0 {
        eprintln!("hint: keep what peers know as it was; add the new beside it, under a number of its own");
        return Ok(ExitCode::from(FOUND_WANTING));
    }
    Ok(ExitCode::SUCCESS)
}
