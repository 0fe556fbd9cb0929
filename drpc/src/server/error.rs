use std::error::Error;
use std::os::fd::RawFd;
use std::path::{Path, PathBuf};
use std::{fmt, io};

use rustix::process::geteuid;

use super::config::FileOptions;
use super::modules::{MissingModule, UndefinedRule, UnknownGroup, UnlistedModule};
use super::systemd::{NotPassed, Passed};
use super::wrong_socket::WrongSocket;
use crate::dispatch::router::DuplicateModule;
use crate::transport::{MAX_PATH, abstract_name};

/// Why a server could not start: what is wrong, where, and what to do.
///
/// Its `Debug` form is its text too, since a `main` that returns it prints that.
///
/// ```
/// use drpc::blocking::Server;
///
/// let error = Server::builder().bind_blocking("").unwrap_err();
/// assert!(!error.is_in_use() && !error.is_module_error());
/// println!("{error}");
/// ```
pub struct BindError(Box<Kind>);

#[derive(Debug)]
enum Kind {
    EmptyPath,
    PathTooLong {
        path: PathBuf,
        len: usize,
    },
    Mode {
        path: PathBuf,
        mode: u32,
    },
    Exists {
        path: PathBuf,
    },
    NotASocket {
        path: PathBuf,
    },
    InUse {
        path: PathBuf,
    },
    OfAnotherUser {
        path: PathBuf,
        uid: u32,
        /// Whom this process ran as.
        user: u32,
        cause: io::Error,
    },
    /// An abstract name, and a mode or an owner.
    NoPermissions {
        name: PathBuf,
    },
    Owner {
        path: PathBuf,
        uid: Option<u32>,
        gid: Option<u32>,
        cause: io::Error,
    },
    Io {
        path: PathBuf,
        cause: io::Error,
    },
    WrongSocket {
        fd: RawFd,
        wrong: WrongSocket,
    },
    WrongSocketPassed {
        passed: Passed,
        wrong: WrongSocket,
    },
    NotPassed(NotPassed),
    Duplicate(DuplicateModule),
    Missing(Vec<MissingModule>),
    Unlisted(Vec<UnlistedModule>),
    UndefinedRules(Vec<UndefinedRule>),
    UnknownGroups(Vec<UnknownGroup>),
}

impl BindError {
    pub(crate) fn empty_path() -> Self {
        Kind::EmptyPath.into()
    }

    pub(crate) fn path_too_long(path: &Path, len: usize) -> Self {
        Kind::PathTooLong { path: path.to_owned(), len }.into()
    }

    pub(crate) fn mode(path: &Path, mode: u32) -> Self {
        Kind::Mode { path: path.to_owned(), mode }.into()
    }

    pub(crate) fn exists(path: &Path) -> Self {
        Kind::Exists { path: path.to_owned() }.into()
    }

    pub(crate) fn not_a_socket(path: &Path) -> Self {
        Kind::NotASocket { path: path.to_owned() }.into()
    }

    pub(crate) fn in_use(path: &Path) -> Self {
        Kind::InUse { path: path.to_owned() }.into()
    }

    pub(crate) fn no_permissions(name: &Path) -> Self {
        Kind::NoPermissions { name: name.to_owned() }.into()
    }

    pub(crate) fn owner(path: &Path, options: &FileOptions, cause: io::Error) -> Self {
        Kind::Owner { path: path.to_owned(), uid: options.uid, gid: options.gid, cause }.into()
    }

    pub(super) fn wrong_socket(fd: RawFd, wrong: WrongSocket) -> Self {
        Kind::WrongSocket { fd, wrong }.into()
    }

    pub(super) fn wrong_socket_passed(passed: Passed, wrong: WrongSocket) -> Self {
        Kind::WrongSocketPassed { passed, wrong }.into()
    }

    pub(super) fn not_passed(error: NotPassed) -> Self {
        Kind::NotPassed(error).into()
    }

    pub(crate) fn io(path: &Path, cause: io::Error) -> Self {
        Kind::Io { path: path.to_owned(), cause }.into()
    }

    pub(super) fn duplicate(error: DuplicateModule) -> Self {
        Kind::Duplicate(error).into()
    }

    pub(super) fn missing(modules: Vec<MissingModule>) -> Self {
        Kind::Missing(modules).into()
    }

    pub(super) fn unlisted(modules: Vec<UnlistedModule>) -> Self {
        Kind::Unlisted(modules).into()
    }

    pub(super) fn undefined_rules(rules: Vec<UndefinedRule>) -> Self {
        Kind::UndefinedRules(rules).into()
    }

    pub(super) fn unknown_groups(groups: Vec<UnknownGroup>) -> Self {
        Kind::UnknownGroups(groups).into()
    }

    /// A socket of another user stands at the path, which this one may neither connect to nor remove.
    pub(crate) fn of_another_user(path: &Path, uid: u32, cause: io::Error) -> Self {
        Kind::OfAnotherUser { path: path.to_owned(), uid, user: geteuid().as_raw(), cause }.into()
    }

    /// Whether something exists at the path: a server in use, a socket, or another file ([S3](crate::guide::rules#server)).
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        matches!(
            *self.0,
            Kind::Exists { .. } | Kind::InUse { .. } | Kind::NotASocket { .. } | Kind::OfAnotherUser { .. }
        )
    }

    /// Whether the modules are at fault: two of one ID ([D6](crate::guide::rules#dispatch)), one that was expected and is not there, one that is for tests, or
    /// one that names a rule which the server does not define.
    #[must_use]
    pub fn is_module_error(&self) -> bool {
        matches!(*self.0, Kind::Duplicate(_) | Kind::Missing(_) | Kind::Unlisted(_) | Kind::UndefinedRules(_))
    }
}

impl From<Kind> for BindError {
    fn from(kind: Kind) -> Self {
        BindError(Box::new(kind))
    }
}

impl fmt::Debug for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Kind::EmptyPath => {
                f.write_str("can't listen on an empty path: give the path of the socket to make")
            }
            Kind::PathTooLong { path, len } => write!(
                f,
                "can't listen on {}: the {what} is {len} bytes long, and a socket's {what} is at most {MAX_PATH}",
                path.display(),
                what = if abstract_name(path).is_some() { "name" } else { "path" }
            ),
            Kind::Mode { path, mode } => {
                write!(
                    f,
                    "can't listen on {}: {mode:#o} is no mode for a socket; typical are 0600 (one user) and 0666 (all)",
                    path.display()
                )?;
                match u32::from_str_radix(&mode.to_string(), 8) {
                    Ok(1..=0o777) => write!(f, "; write 0o{mode} for an octal number"),
                    _ => Ok(()),
                }
            }
            Kind::Exists { path } => write!(
                f,
                "can't listen on {}: something is there already; remove it, or let the server replace a stale socket",
                path.display()
            ),
            Kind::NotASocket { path } => write!(
                f,
                "can't listen on {}: what is there is not a socket, and is left alone; move it away or choose another path",
                path.display()
            ),
            Kind::InUse { path } => write!(
                f,
                "can't listen on {}: a server answers there; stop it or choose another {}",
                path.display(),
                if abstract_name(path).is_some() { "name" } else { "path" }
            ),
            Kind::OfAnotherUser { path, uid, user, cause } => write!(
                f,
                "can't listen on {}: a socket of user {uid} is there, and user {user} may not find out whether a server listens on it, or \
                 not remove it ({cause}); have its owner or root remove it, or choose a folder that only this user may write to",
                path.display()
            ),
            Kind::NoPermissions { name } => write!(
                f,
                "can't listen on {}: an abstract name has neither mode nor owner, and lets everyone in; leave them out, or \
                 choose a path",
                name.display()
            ),
            Kind::Owner { path, uid, gid, cause } => {
                let what = [("user", uid), ("group", gid)];
                let what = what.map(|(what, id)| id.map(|id| format!("{what} {id}")));
                let what: Vec<_> = what.into_iter().flatten().collect();
                let hint = match cause.kind() {
                    io::ErrorKind::PermissionDenied => {
                        "; only root may give it to another user, and others to a group of theirs"
                    }
                    _ => "",
                };
                write!(
                    f,
                    "can't listen on {}: can't give the socket to {}: {cause}{hint}",
                    path.display(),
                    what.join(" and ")
                )
            }
            Kind::WrongSocket { fd, wrong } => {
                write!(f, "can't listen on descriptor {fd}: {wrong}{}", wrong.advice_for_program())
            }
            Kind::WrongSocketPassed { passed, wrong } => {
                write!(f, "can't listen on {passed}: {wrong}{}", wrong.advice_for_unit())
            }
            Kind::NotPassed(error) => write!(f, "can't listen on a socket of the service manager: {error}"),
            Kind::Io { path, cause } => {
                let hint = match cause.kind() {
                    io::ErrorKind::NotFound => "; make the directory first",
                    io::ErrorKind::PermissionDenied => "; this user may not write to the directory",
                    _ => "",
                };
                write!(f, "can't listen on {}: {cause}{hint}", path.display())
            }
            Kind::Duplicate(error) => write!(f, "{error}"),
            Kind::Missing(modules) => lines(f, modules),
            Kind::Unlisted(modules) => lines(f, modules),
            Kind::UndefinedRules(rules) => lines(f, rules),
            Kind::UnknownGroups(groups) => lines(f, groups),
        }
    }
}

fn lines(f: &mut fmt::Formatter<'_>, items: &[impl fmt::Display]) -> fmt::Result {
    for (place, item) in items.iter().enumerate() {
        let separator = if place == 0 { "" } else { "\n" };
        write!(f, "{separator}{item}")?;
    }
    Ok(())
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.0 {
            Kind::Io { cause, .. } | Kind::Owner { cause, .. } | Kind::OfAnotherUser { cause, .. } => {
                Some(cause)
            }
            Kind::WrongSocket { wrong: WrongSocket::Io(cause), .. } => Some(cause),
            Kind::WrongSocketPassed { wrong: WrongSocket::Io(cause), .. } => Some(cause),
            Kind::NotPassed(error) => error.cause().map(|cause| cause as _),
            Kind::Duplicate(error) => Some(error),
            _ => None,
        }
    }
}
