//! What earlier runs of the build script have made, and this one does not make again.
//!
//! A registry that is no longer configured, or a `.proto` file of another package, would leave its output behind: the
//! build would go on to include that, until somebody built from scratch. So a list is kept beside what is made. What is on it is
//! removed only when a run has come to a good end, so a mistake costs nobody a file, and what is made again is never touched.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::{fs, io};

use crate::write::write_if_changed;

/// The list of what was made, in the folder where it was made.
const LIST: &str = "drpc_build.made";

/// What is made in each folder, by all configurations of this build script.
static FOLDERS: Mutex<BTreeMap<PathBuf, Made>> = Mutex::new(BTreeMap::new());

/// What is made in a folder.
struct Made {
    /// As the list says: by earlier runs of the script.
    before: BTreeSet<String>,
    now: BTreeSet<String>,
}

/// Notes what is made in the folder, before it is.
pub(crate) fn note(folder: &Path, name: &str) -> io::Result<()> {
    with(folder, |made| {
        made.now.insert(name.to_owned());
        write_list(folder, &(&made.before | &made.now))
    })
}

/// Removes what earlier runs have made in the folder, and this one has not, now that all is made.
pub(crate) fn remove(folder: &Path) -> io::Result<()> {
    with(folder, |made| {
        for name in made.before.difference(&made.now) {
            match fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        // A second configuration in the same script must not undo the first.
        made.before.clone_from(&made.now);
        write_list(folder, &made.now)
    })
}

fn with<R>(folder: &Path, act: impl FnOnce(&mut Made) -> io::Result<R>) -> io::Result<R> {
    let mut folders = FOLDERS.lock().unwrap_or_else(PoisonError::into_inner);
    let made = match folders.entry(folder.to_owned()) {
        Entry::Occupied(made) => made.into_mut(),
        Entry::Vacant(free) => free.insert(Made { before: read_list(folder)?, now: BTreeSet::new() }),
    };
    act(made)
}

fn read_list(folder: &Path) -> io::Result<BTreeSet<String>> {
    match fs::read_to_string(folder.join(LIST)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        list => Ok(list?.lines().map(str::to_owned).collect()),
    }
}

fn write_list(folder: &Path, names: &BTreeSet<String>) -> io::Result<()> {
    let path = folder.join(LIST);
    if names.is_empty() && !path.exists() {
        return Ok(());
    }
    let lines: String = names.iter().map(|name| format!("{name}\n")).collect();
    write_if_changed(&path, lines.as_bytes())
}

/// For tests: what comes next in the folder is another run of the script.
#[cfg(test)]
pub(crate) fn forget(folder: &Path) {
    FOLDERS.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_made_again_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for name in ["ours.rs", "again.rs", "theirs.rs"] {
            fs::write(file(name), "").unwrap();
        }
        for name in ["ours.rs", "again.rs", "never_written.rs"] {
            note(folder.path(), name).unwrap();
        }
        remove(folder.path()).unwrap();
        assert!(file("ours.rs").exists(), "it was made in this run");

        forget(folder.path());
        note(folder.path(), "again.rs").unwrap();
        assert!(file("ours.rs").exists(), "this run may yet fail");
        forget(folder.path());
        note(folder.path(), "again.rs").unwrap();
        remove(folder.path()).unwrap();
        assert!(!file("ours.rs").exists() && file("again.rs").exists() && file("theirs.rs").exists());

        // A second configuration in the same script must not undo the first.
        note(folder.path(), "more.rs").unwrap();
        remove(folder.path()).unwrap();
        assert!(file("again.rs").exists());
    }
}
