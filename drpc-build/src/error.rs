//! What can stop a build script.

use std::path::{Path, PathBuf};
use std::{error, fmt, io};

use drpc_registry::RegistryError;

/// Why a build script failed: mistakes in the registry or in `.proto` files, or a file that can't be read or written.
///
/// `Display` gives the whole report over several lines, and `Debug` the same, since that is what the `main` of a build
/// script prints.
pub struct Error {
    failures: Vec<Failure>,
}

impl Error {
    /// Whether the registry has mistakes or can't be read.
    pub fn is_registry(&self) -> bool {
        self.failures.iter().any(|failure| matches!(failure, Failure::Registry(_)))
    }

    /// Whether a `.proto` file has mistakes or can't be found.
    pub fn is_proto(&self) -> bool {
        self.failures.iter().any(|failure| matches!(failure, Failure::Proto(_)))
    }

    pub(crate) fn new(failures: Vec<Failure>) -> Self {
        Self { failures }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::new(vec![failure])
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, failure) in self.failures.iter().enumerate() {
            let space = if index > 0 { "\n\n" } else { "" };
            write!(f, "{space}{failure}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self.failures.first()? {
            Failure::Registry(error) => Some(error),
            Failure::Proto(error) => Some(error),
            Failure::Generate(error) | Failure::Read { error, .. } | Failure::Write { error, .. } => {
                Some(error)
            }
            Failure::NoRegistry(_) | Failure::NoOutDir => None,
        }
    }
}

/// One reason to fail.
pub(crate) enum Failure {
    /// The registry is wrong or can't be read.
    Registry(RegistryError),
    /// A `.proto` file is wrong or can't be found.
    Proto(protox::Error),
    /// prost-build can't make messages of the `.proto` files.
    Generate(io::Error),
    /// A file can't be read.
    Read { path: PathBuf, error: io::Error },
    /// A file can't be written.
    Write { path: PathBuf, error: io::Error },
    /// A file should be made of a registry, and none is configured.
    NoRegistry(PathBuf),
    /// Neither `out_dir` nor `OUT_DIR` is set.
    NoOutDir,
}

impl Failure {
    pub(crate) fn read(path: &Path, error: io::Error) -> Self {
        Failure::Read { path: path.to_owned(), error }
    }

    pub(crate) fn write(path: &Path, error: io::Error) -> Self {
        Failure::Write { path: path.to_owned(), error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Registry(error) => write!(f, "{error}"),
            // Unlike Display, this begins with file, line and column.
            Failure::Proto(error) => write!(f, "{error:?}"),
            Failure::Generate(error) => write!(f, "can't make messages of the .proto files: {error}"),
            Failure::Read { path, error } => write!(f, "can't read {}: {error}", path.display()),
            Failure::Write { path, error } => write!(f, "can't write {}: {error}", path.display()),
            Failure::NoRegistry(path) => {
                let path = path.display();
                write!(f, "{path} can't be written: no registry is configured\n  = help: add `.registry(\"…\")`")
            }
            Failure::NoOutDir => f.write_str(
                "nowhere to write to: OUT_DIR is not set\n  = help: run from a build script, or set `.out_dir(\"…\")`",
            ),
        }
    }
}
