//! The descriptors of the messages that were made: what `drpc::contract` knows their fields by.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::error::Failure;
use crate::leftovers;

/// What `drpc::include_descriptors!()` includes.
const FILE: &str = "drpc_descriptors.bin";

/// Adds a descriptor set, or an empty one, to those that the script has made before: one behind the other, they are one.
pub(crate) fn add(out_dir: &Path, set: &[u8]) -> Result<(), Failure> {
    leftovers::note(out_dir, FILE).map_err(|error| Failure::write(out_dir, error))?;
    let path = out_dir.join(FILE);
    let file = OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| file.write_all(set)).map_err(|error| Failure::write(&path, error))
}
