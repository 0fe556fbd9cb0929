//! What an earlier run of the build script has made, and this one may not make again.
//!
//! A registry that is no longer configured, or a `.proto` file of another package, would leave its output behind: the
//! build would go on to include that, until somebody built from scratch.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fs, io};

/// The list of what was made, in the folder where it was made.
const LIST: &str = "drpc_build.made";

/// The folders that this run of the build script has cleared.
static CLEARED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Removes what earlier runs have made in the folder; later calls in the same build script do nothing.
pub(crate) fn clear(folder: &Path) -> io::Result<()> {
    let mut cleared = CLEARED.lock().unwrap_or_else(PoisonError::into_inner);
    if cleared.insert(folder.to_owned()) { remove(folder) } else { Ok(()) }
}

/// Removes what is on the list, and the list.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    let list = folder.join(LIST);
    let made = match fs::read_to_string(&list) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        made => made?,
    };
    for path in made.lines().map(|name| folder.join(name)).chain([list]) {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Notes what is made in the folder, for the next run.
pub(crate) fn note(folder: &Path, name: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut list = fs::OpenOptions::new().create(true).append(true).open(folder.join(LIST))?;
    writeln!(list, "{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_is_removed_once_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for name in ["ours.rs", "theirs.rs"] {
            fs::write(file(name), "").unwrap();
        }
        note(folder.path(), "ours.rs").unwrap();
        note(folder.path(), "never_written.rs").unwrap();
        clear(folder.path()).unwrap();
        assert!(!file("ours.rs").exists() && file("theirs.rs").exists());

        // A second configuration in the same script must not undo the first.
        fs::write(file("ours.rs"), "").unwrap();
        note(folder.path(), "ours.rs").unwrap();
        clear(folder.path()).unwrap();
        assert!(file("ours.rs").exists());
    }
}
