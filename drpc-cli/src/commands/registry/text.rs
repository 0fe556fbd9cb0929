//! A text by the name that a user gives it: a file, or a file of a git revision.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A text, and the name that it was given by.
pub(super) struct Text {
    pub(super) name: PathBuf,
    pub(super) text: String,
}

/// Why there is no text.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("can't read {}: {error}", name.display())]
    File { name: PathBuf, error: io::Error },
    #[error("can't read {}: git is not to be had: {error}", name.display())]
    NoGit { name: PathBuf, error: io::Error },
    #[error("can't read {} from git: {reason}", name.display())]
    Git { name: PathBuf, reason: String },
}

impl Text {
    /// Reads a file; or, where there is none of that name and it has a colon, a file of a revision, as `git show` names it:
    /// `main:proto/modules.toml` from the repository's root, `v1.2:./modules.toml` from here.
    pub(super) fn read(name: &Path) -> Result<Text, Unreadable> {
        let named = |text| Text { name: name.to_owned(), text };
        match fs::read_to_string(name) {
            Ok(text) => Ok(named(text)),
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_of_a_revision(name) => {
                show(name).map(named)
            }
            Err(error) => Err(Unreadable::File { name: name.to_owned(), error }),
        }
    }
}

fn is_of_a_revision(name: &Path) -> bool {
    name.to_str().and_then(|name| name.split_once(':')).is_some_and(|(revision, _)| !revision.is_empty())
}

fn show(name: &Path) -> Result<String, Unreadable> {
    let output = Command::new("git")
        .args(["show", "--end-of-options"])
        .arg(name)
        .output()
        .map_err(|error| Unreadable::NoGit { name: name.to_owned(), error })?;
    let reason = |bytes: &[u8]| {
        let said = String::from_utf8_lossy(bytes);
        let line = said.lines().next().unwrap_or("it does not say why");
        line.strip_prefix("fatal: ").unwrap_or(line).to_owned()
    };
    if !output.status.success() {
        return Err(Unreadable::Git { name: name.to_owned(), reason: reason(&output.stderr) });
    }
    String::from_utf8(output.stdout)
        .map_err(|_| Unreadable::Git { name: name.to_owned(), reason: "it is not UTF-8".to_owned() })
}
