//! What can stop a build script.

use std::path::{Component, Path, PathBuf};
use std::{env, error, fmt, io};

use drpc_registry::{InvalidGoPackage, RegistryError};

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
        self.failures.iter().any(|failure| matches!(failure, Failure::Registry { .. }))
    }

    /// Whether a `.proto` file has mistakes or can't be found.
    pub fn is_proto(&self) -> bool {
        self.failures.iter().any(|failure| matches!(failure, Failure::Proto { .. } | Failure::NoInclude(_)))
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
            Failure::Registry { error, .. } => Some(error),
            Failure::Proto { error, .. } => Some(error),
            Failure::Generate(error) | Failure::Read { error, .. } | Failure::Write { error, .. } => {
                Some(error)
            }
            Failure::GoPackage(error) => Some(error),
            Failure::NoRegistry(_) | Failure::IsRegistry(_) | Failure::NoInclude(_) | Failure::NoOutDir => {
                None
            }
        }
    }
}

/// One reason to fail.
pub(crate) enum Failure {
    /// The registry is wrong or can't be read.
    Registry { error: RegistryError, help: Option<&'static str> },
    /// A `.proto` file is wrong or can't be found.
    Proto { error: protox::Error, help: Option<&'static str> },
    /// prost-build can't make messages of the `.proto` files.
    Generate(io::Error),
    /// A file can't be read.
    Read { path: PathBuf, error: io::Error, help: Option<&'static str> },
    /// A file can't be written.
    Write { path: PathBuf, error: io::Error },
    /// A file should be made of a registry, and none is configured.
    NoRegistry(PathBuf),
    /// A file that should be made of the registry is the registry.
    IsRegistry(PathBuf),
    /// A folder to search imports in is not there.
    NoInclude(PathBuf),
    /// Go would not take the name of a package.
    GoPackage(InvalidGoPackage),
    /// Neither `out_dir` nor `OUT_DIR` is set.
    NoOutDir,
}

impl Failure {
    /// The registry at `path` is wrong or can't be read.
    pub(crate) fn registry(path: &Path, error: RegistryError) -> Self {
        let help = if error.is_unreadable() { left_behind(path) } else { None };
        Failure::Registry { error, help }
    }

    pub(crate) fn proto(error: protox::Error, help: Option<&'static str>) -> Self {
        Failure::Proto { error, help }
    }

    pub(crate) fn read(path: &Path, error: io::Error) -> Self {
        Failure::Read { path: path.to_owned(), error, help: left_behind(path) }
    }

    pub(crate) fn write(path: &Path, error: io::Error) -> Self {
        Failure::Write { path: path.to_owned(), error }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Registry { error, help } => with_help(f, error, *help),
            // Unlike Display, this begins with file, line and column.
            Failure::Proto { error, help } => with_help(f, format_args!("{error:?}"), *help),
            Failure::Generate(error) => write!(f, "can't make messages of the .proto files: {error}"),
            Failure::Read { path, error, help } => {
                with_help(f, format_args!("can't read {}: {error}", path.display()), *help)
            }
            Failure::Write { path, error } => write!(f, "can't write {}: {error}", path.display()),
            Failure::NoRegistry(path) => {
                let path = path.display();
                write!(f, "{path} can't be written: no registry is configured\n  = help: add `.registry(\"…\")`")
            }
            Failure::IsRegistry(path) => {
                let path = path.display();
                write!(f, "{path} can't be written: it is the registry itself\n  = help: name another file, or none")
            }
            Failure::NoInclude(path) => {
                let path = path.display();
                write!(f, "there is no include folder {path}\n  = help: make it, correct the path, or leave it out")
            }
            Failure::GoPackage(error) => write!(f, "{error}"),
            Failure::NoOutDir => f.write_str(
                "nowhere to write to: OUT_DIR is not set\n  = help: run from a build script, or set `.out_dir(\"…\")`",
            ),
        }
    }
}

fn with_help(f: &mut fmt::Formatter<'_>, what: impl fmt::Display, help: Option<&str>) -> fmt::Result {
    write!(f, "{what}")?;
    help.map_or(Ok(()), |help| write!(f, "\n  = help: {help}"))
}

/// What to do about a file that is missing because `cargo package` packs only what is in the package.
fn left_behind(path: &Path) -> Option<&'static str> {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR")?);
    // cargo writes this file into each package that it packs.
    let is_packed = package.join("Cargo.toml.orig").exists();
    (is_packed && leads_out(path, &package)).then_some(
        "the path leads out of the package, and cargo packs what is in it: name a symbolic link in the package, which cargo \
         packs as the file that it leads to",
    )
}

/// Whether a path that begins at the package leads out of it.
fn leads_out(path: &Path, package: &Path) -> bool {
    let Ok(inside) = package.join(path).strip_prefix(package).map(Path::to_owned) else { return true };
    let mut depth = 0;
    inside.components().any(|component| {
        depth += match component {
            Component::ParentDir => -1,
            Component::Normal(_) => 1,
            _ => 0,
        };
        depth < 0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_out_of_the_package_or_not() {
        let leads_out = |path: &str| leads_out(Path::new(path), Path::new("/work/package"));
        for inside in ["modules.toml", "./proto/../modules.toml", "/work/package/modules.toml"] {
            assert!(!leads_out(inside), "{inside}");
        }
        for outside in
            ["../modules.toml", "proto/../../modules.toml", "/work/package/../a", "/etc/modules.toml"]
        {
            assert!(leads_out(outside), "{outside}");
        }
    }
}
