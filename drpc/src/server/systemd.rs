//! What a service manager hands to a server and wants to hear from it: systemd, or one that does as systemd does.

use std::ffi::OsStr;
use std::os::fd::{BorrowedFd, OwnedFd, RawFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;
use std::{env, fmt, io};

use rustix::io::fcntl_dupfd_cloexec;

/// Whether the service manager passed sockets to this process (`LISTEN_FDS`). If so, start with [`listen_systemd`](super::ServerBuilder::listen_systemd), and
/// otherwise with [`bind`](super::ServerBuilder::bind).
///
/// ```no_run
/// use drpc::{Server, server::is_socket_activated};
///
/// let builder = Server::builder();
/// let server = match is_socket_activated() {
///     true => builder.listen_systemd()?,
///     false => builder.bind("/run/greeter.sock")?,
/// };
/// # Ok::<(), drpc::BindError>(())
/// ```
#[must_use]
pub fn is_socket_activated() -> bool {
    // What can't be read is for `listen_systemd` to explain.
    sd_notify::listen_fds().map_or(true, |passed| passed.len() > 0)
}

/// The one socket that the service manager passed, or the one of this name.
///
/// It is duplicated, not taken: a descriptor that this process inherited is nobody's to close, and may be asked for again.
pub(super) fn passed_socket(name: Option<&str>) -> Result<(OwnedFd, Passed), NotPassed> {
    let passed: Vec<_> = sd_notify::listen_fds_with_names()
        .map_err(NotPassed::Unreadable)?
        .map(|(fd, name)| Passed { fd, name })
        .collect();
    let fits = |passed: &Passed| name.is_none_or(|name| passed.name == name);
    let mut fitting = passed.iter().filter(|passed| fits(passed));
    match (fitting.next(), fitting.count()) {
        (Some(one), 0) => {
            let duplicate = duplicate(one.fd).map_err(NotPassed::Unreadable)?;
            Ok((duplicate, one.clone()))
        }
        (None, _) if passed.is_empty() => Err(NotPassed::Nothing { pid: env::var("LISTEN_PID").ok() }),
        (first, _) => Err(NotPassed::NotOne {
            none: first.is_none(),
            name: name.map(str::to_owned),
            names: passed.into_iter().map(|passed| passed.name).collect(),
        }),
    }
}

#[allow(unsafe_code, reason = "descriptors are inherited by number, and there is no safe way to name one")]
fn duplicate(inherited: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the service manager opened it for this process to use, before it began, and sd-notify has just found it open. It
    // is borrowed for this one call, which neither closes it nor fails to notice if it is closed.
    let inherited = unsafe { BorrowedFd::borrow_raw(inherited) };
    Ok(fcntl_dupfd_cloexec(inherited, 3)?)
}

/// A descriptor that the service manager passed.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    fd: RawFd,
    name: String,
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "descriptor {} ({}) of the service manager", self.fd, self.name)
    }
}

/// Why there is no socket of the service manager to listen on.
#[derive(Debug)]
pub(super) enum NotPassed {
    /// What it says is wrong, or not so.
    Unreadable(io::Error),
    /// None at all; `pid` is the process that it says they are for, if it says any.
    Nothing { pid: Option<String> },
    /// None that fits, or several.
    NotOne { none: bool, name: Option<String>, names: Vec<String> },
}

impl fmt::Display for NotPassed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let this = std::process::id();
        match self {
            NotPassed::Unreadable(error) => {
                write!(f, "what LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES say is not so: {error}")
            }
            NotPassed::Nothing { pid: Some(pid) } if *pid != this.to_string() => write!(
                f,
                "its sockets are for process {pid}, and this is process {this}; a script that starts the program must \
                 `exec` it"
            ),
            NotPassed::Nothing { .. } => f.write_str(
                "it passed none (LISTEN_FDS); start the program by its .socket unit, or let it `bind` a path",
            ),
            NotPassed::NotOne { none, name: Some(name), names } => write!(
                f,
                "{} of those that it passed ({}) is named {name}; see `FileDescriptorName=` in the .socket unit",
                if *none { "none" } else { "more than one" },
                names.join(", ")
            ),
            NotPassed::NotOne { name: None, names, .. } => {
                write!(f, "it passed several ({}); say which, with `listen_systemd_named`", names.join(", "))
            }
        }
    }
}

impl NotPassed {
    pub(super) fn cause(&self) -> Option<&io::Error> {
        match self {
            NotPassed::Unreadable(cause) => Some(cause),
            _ => None,
        }
    }
}

/// Tells the service manager (`sd_notify`), if it wants to be told. That it can't be is logged, and nothing else.
pub(super) fn notify(state: &str) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET") else { return };
    if let Err(error) = send(&socket, state) {
        tracing::warn!(socket = %socket.display(), %error, state, "could not notify the service manager");
    }
}

/// By hand, and not with sd-notify, which sends to paths alone: `NOTIFY_SOCKET` may be an abstract name.
fn send(socket: &OsStr, state: &str) -> io::Result<()> {
    let address = match socket.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(socket)?,
        _ => {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "it is neither a path nor an abstract name",
            ));
        }
    };
    let sender = UnixDatagram::unbound()?;
    // A manager that does not read must not hold the server up.
    sender.set_write_timeout(Some(Duration::from_secs(1)))?;
    sender.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}
