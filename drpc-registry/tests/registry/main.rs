//! What a registry's readers and writers see of it, over whole files.
//!
//! After a change on purpose, `BLESS=1 cargo test -p drpc-registry` writes the expected files anew: read the difference
//! before you commit it.

mod any_text;
mod contract;
mod forms;
mod mistakes;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of this package or its neighbours.
fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Compares a text with the file that holds what is expected; with `BLESS` set, makes the file hold it.
fn differs(path: &Path, actual: &str) -> Option<String> {
    if env::var_os("BLESS").is_some() {
        fs::write(path, actual).expect("a writable folder");
    }
    let expected = fs::read_to_string(path).unwrap_or_default();
    (actual != expected)
        .then(|| format!("{} holds\n\n{expected}\nbut the text is\n\n{actual}", path.display()))
}
