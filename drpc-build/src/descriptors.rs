//! The descriptors of the messages that were made: what `drpc::contract` knows their fields by.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::error::Failure;
use crate::leftovers;
use crate::write::write_if_changed;

/// What `drpc::include_descriptors!()` includes.
const FILE: &str = "drpc_descriptors.bin";

/// The sets that this run of the build script has made for each folder, one behind the other: so they are one.
static SETS: Mutex<BTreeMap<PathBuf, Vec<u8>>> = Mutex::new(BTreeMap::new());

/// Adds a descriptor set, or an empty one, to those that the script has made before.
pub(crate) fn add(out_dir: &Path, set: &[u8]) -> Result<(), Failure> {
    leftovers::note(out_dir, FILE).map_err(|error| Failure::write(out_dir, error))?;
    let path = out_dir.join(FILE);
    let mut sets = SETS.lock().unwrap_or_else(PoisonError::into_inner);
    let all = sets.entry(out_dir.to_owned()).or_default();
    all.extend_from_slice(set);
    write_if_changed(&path, all).map_err(|error| Failure::write(&path, error))
}

/// For tests: what comes next in the folder is another run of the script.
#[cfg(test)]
pub(crate) fn forget(out_dir: &Path) {
    SETS.lock().unwrap_or_else(PoisonError::into_inner).remove(out_dir);
}
