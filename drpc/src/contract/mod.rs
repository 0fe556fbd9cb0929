//! The contract of this program's modules, kept in a file of its repository.
//!
//! A one-line test compares the two; [the chapter](crate::guide::contract) shows how to set it up.
//!
//! ```no_run
//! // tests/contract.rs
//! use greeterd as _; // links the modules
//! # extern crate std as greeterd;
//!
//! #[test]
//! fn the_contract_is_kept() {
//!     drpc::contract::assert_kept("contract.txt", DESCRIPTORS);
//! }
//! # const DESCRIPTORS: &[u8] = &[];
//! ```
//!
//! where `DESCRIPTORS` is [`drpc::include_descriptors!()`](crate::include_descriptors).

mod promised;
mod types;

use std::path::Path;
use std::{env, fmt, fs, io};

use drpc_registry::contract::{Change, Contract, compare};

/// Fails a test if this program's modules promise something other than the file.
///
/// The file is a text of all modules that `#[drpc_module]` declares in the program, with their methods, and of every message that these
/// carry, with its fields. A relative path begins where the test runs: in the package's own folder, under cargo. With
/// `DRPC_BLESS=1` in its environment the test writes the file instead; `0`, or nothing, is as if it were not set.
///
/// `descriptors` describe the messages: give [`include_descriptors!()`](crate::include_descriptors), with those of other packages behind it
/// (`[mine, theirs].concat()`), or `&[]` without a `.proto` file. A message that they don't describe, such as one declared in Rust,
/// has its name in the contract, and no fields.
///
/// # Panics
///
/// If the contract is not kept: with every change, what of it breaks a peer, and what to do. Likewise if there is no file, if it can't be
/// read or written, or if no module is declared.
#[track_caller]
pub fn assert_kept(path: impl AsRef<Path>, descriptors: &[u8]) {
    let path = path.as_ref();
    let blesses = env::var_os("DRPC_BLESS").is_some_and(|value| !value.is_empty() && value != "0");
    let promised = promised::by_this_program(descriptors).map_err(NotKept::Promise);
    let kept = promised.and_then(|promised| match blesses {
        true => write(path, &promised),
        false => compare_with(path, &promised),
    });
    if let Err(error) = kept {
        panic!("{error}");
    }
}

/// What the file says before all else.
const HEADING: &str = "\
# What the modules of this package promise their peers. A test compares it with the code, and writes it anew:
# DRPC_BLESS=1 cargo test
";

fn write(path: &Path, promised: &Contract) -> Result<(), NotKept> {
    fs::write(path, text_of(promised)).map_err(|error| NotKept::Unwritable(path.display().to_string(), error))
}

fn compare_with(path: &Path, promised: &Contract) -> Result<(), NotKept> {
    let shown = path.display().to_string();
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(NotKept::NoFile(shown)),
        Err(error) => return Err(NotKept::Unreadable(shown, error)),
    };
    if text == text_of(promised) {
        return Ok(());
    }
    let kept = Contract::parse(path, &text).map_err(|error| NotKept::NoContract(error.to_string()))?;
    Err(NotKept::Changed(shown, compare(&kept, promised)))
}

/// The contract's text, with its heading behind the first line.
fn text_of(promised: &Contract) -> String {
    let text = promised.to_string();
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    format!("{first}\n{HEADING}{rest}")
}

/// Why the contract is not kept.
enum NotKept {
    /// What is promised can't be told.
    Promise(String),
    NoFile(String),
    Unreadable(String, io::Error),
    Unwritable(String, io::Error),
    /// The file holds something else.
    NoContract(String),
    Changed(String, Vec<Change>),
}

const BLESS: &str = "run the test with DRPC_BLESS=1 in its environment";

impl fmt::Display for NotKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotKept::Promise(what) => f.write_str(what),
            NotKept::NoFile(path) => {
                write!(f, "there is no {path} to compare with\n  = help: to write it, {BLESS}, and commit it")
            }
            NotKept::Unreadable(path, error) => write!(f, "can't read {path}: {error}"),
            NotKept::Unwritable(path, error) => write!(f, "can't write {path}: {error}"),
            NotKept::NoContract(what) => write!(f, "{what}\n  = help: to write it anew, {BLESS}"),
            NotKept::Changed(path, changes) if changes.is_empty() => {
                write!(f, "{path} says the same as the code, but not as it is written\n  = help: {BLESS}")
            }
            NotKept::Changed(path, changes) => {
                writeln!(f, "{path} is not what the modules of this program promise:\n")?;
                for change in changes {
                    writeln!(f, "  {change}")?;
                }
                writeln!(f)?;
                if changes.iter().any(Change::is_breaking) {
                    writeln!(
                        f,
                        "  = help: keep what peers know as it was, and add the new beside it, under a number of its own"
                    )?;
                }
                write!(f, "  = help: if all of it is meant, {BLESS}, and commit {path} with the reason")
            }
        }
    }
}
