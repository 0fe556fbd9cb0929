use std::error::Error;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fmt, io};

use rustix::io::Errno;

use super::disconnect::Disconnect;
use crate::dispatch::authorization::Allow;
use crate::handler::failure::Failure;
use crate::transport::{PeerCredentials, abstract_name, name_len};

/// Why no connection could be made: the path, the system's error, and what to do ([C8](crate::guide::rules#client)).
///
/// Its `Debug` form is its text too, since a `main` that returns it prints that.
///
/// ```
/// use drpc::blocking::Client;
///
/// let error = Client::connect("/run/no-such.sock").unwrap_err();
/// assert_eq!(error.path(), std::path::Path::new("/run/no-such.sock"));
/// assert_eq!(error.raw_os_error(), Some(2)); // ENOENT
/// ```
pub struct ConnectError {
    path: PathBuf,
    cause: ConnectCause,
}

#[derive(Debug)]
enum ConnectCause {
    /// The path, or the abstract name, is empty.
    EmptyPath,
    NulInPath,
    /// There is no tokio runtime for an async client.
    NoRuntime,
    /// An async client, or one in steps, was made before this process was forked.
    Forked,
    /// Something else than a socket is at the path.
    NotASocket(io::Error),
    /// A socket of another type is there.
    OtherType(io::Error, SocketType),
    Io(io::Error),
    /// Of an address on a network.
    Network(io::Error),
    PathTooLong(usize),
    Timeout(Duration),
    Probe(Disconnect),
    /// The client was closed meanwhile.
    Closed,
    /// Somebody else serves there than the client demands.
    OtherServer(Box<(PeerCredentials, Allow)>),
}

impl ConnectError {
    pub(crate) fn io(path: &Path, cause: io::Error) -> Self {
        // The system refuses a connection to a regular file in the same words as to a dead socket.
        let other_file = abstract_name(path).is_none()
            && std::fs::metadata(path).is_ok_and(|file| !file.file_type().is_socket());
        let cause = match Errno::from_io_error(&cause) {
            _ if other_file => ConnectCause::NotASocket(cause),
            Some(Errno::PROTOTYPE) => ConnectCause::OtherType(cause, SocketType::found_at(path)),
            _ => ConnectCause::Io(cause),
        };
        ConnectError { path: path.to_owned(), cause }
    }

    /// An address on a network can't be reached, for a [`Caller`](crate::Caller) of one's own.
    ///
    /// The call is [retryable](crate::CallError::is_retryable) if the cause's kind says that the server is not there or not yet.
    #[must_use]
    pub fn remote(address: &str, cause: io::Error) -> Self {
        ConnectError { path: address.into(), cause: ConnectCause::Network(cause) }
    }

    #[cfg(any(feature = "client", feature = "progress"))]
    pub(in crate::client) fn no_runtime(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::NoRuntime }
    }

    #[cfg(any(feature = "client", feature = "progress"))]
    pub(in crate::client) fn forked(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::Forked }
    }

    /// A blocking client was to connect to what answers in memory.
    pub(in crate::client) fn no_socket(path: &Path) -> Self {
        let cause = "a blocking client needs a socket; connect an async one, or bind the server";
        Self::io(path, io::Error::new(io::ErrorKind::Unsupported, cause))
    }

    pub(in crate::client) fn empty_path(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::EmptyPath }
    }

    pub(in crate::client) fn nul_in_path(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::NulInPath }
    }

    /// The socket to connect to, or the address.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the server did not accept the connection in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.cause, ConnectCause::Timeout(_))
    }

    /// The system's error number, if the system refused.
    #[must_use]
    pub fn raw_os_error(&self) -> Option<i32> {
        match &self.cause {
            ConnectCause::Io(cause)
            | ConnectCause::Network(cause)
            | ConnectCause::NotASocket(cause)
            | ConnectCause::OtherType(cause, _) => cause.raw_os_error(),
            _ => None,
        }
    }
}

impl ConnectError {
    /// Whether the server may yet come: it is not there, or does not listen, or is just starting or stopping.
    pub(in crate::client) fn may_pass(&self) -> bool {
        match &self.cause {
            ConnectCause::Io(cause) => {
                matches!(
                    Errno::from_io_error(cause),
                    Some(Errno::NOENT | Errno::CONNREFUSED | Errno::CONNRESET)
                )
            }
            ConnectCause::Network(cause) => matches!(
                cause.kind(),
                io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::HostUnreachable
                    | io::ErrorKind::NetworkUnreachable
                    | io::ErrorKind::TimedOut
            ),
            ConnectCause::Timeout(_) | ConnectCause::Probe(Disconnect::ByPeer) => true,
            _ => false,
        }
    }

    pub(in crate::client) fn path_too_long(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::PathTooLong(name_len(path)) }
    }

    pub(in crate::client) fn timeout(path: &Path, after: Duration) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::Timeout(after) }
    }

    pub(in crate::client) fn other_server(path: &Path, server: PeerCredentials, allowed: Allow) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::OtherServer(Box::new((server, allowed))) }
    }

    pub(in crate::client) fn probe(path: &Path, cause: Disconnect) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::Probe(cause) }
    }

    pub(in crate::client) fn closed(path: &Path) -> Self {
        ConnectError { path: path.to_owned(), cause: ConnectCause::Closed }
    }
}

impl fmt::Debug for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            ConnectCause::EmptyPath if abstract_name(&self.path).is_none() => {
                return f.write_str("can't connect to an empty path: give the path of the server's socket");
            }
            // So that it can be seen.
            ConnectCause::NulInPath => write!(f, "can't connect to {:?}: ", self.path)?,
            _ => write!(f, "can't connect to {}: ", self.path.display())?,
        }
        match &self.cause {
            ConnectCause::EmptyPath => f.write_str("the abstract name is empty: give the name after the @"),
            ConnectCause::NulInPath => f.write_str("a path can't contain a NUL byte"),
            ConnectCause::Closed => f.write_str("the client was closed meanwhile; connect again"),
            ConnectCause::NoRuntime => f.write_str(
                "there is no tokio runtime here; connect within one (`#[tokio::main]`, or `Runtime::block_on`), or take \
                 `drpc::blocking::Client`, which needs none",
            ),
            ConnectCause::Forked => f.write_str(
                "the client was made in another process, from which this one was forked; make one of its own here, or take \
                 `drpc::blocking::Client`, which notices",
            ),
            ConnectCause::OtherType(cause, found) => {
                write!(f, "{cause}; a {found} socket is there, not dRPC's SOCK_SEQPACKET")
            }
            ConnectCause::NotASocket(cause) => write!(f, "{cause}; what is there is not a socket"),
            ConnectCause::Io(cause) => {
                write!(f, "{cause}")?;
                match Errno::from_io_error(cause) {
                    Some(Errno::NOENT) => f.write_str("; is the server started, and the path right?"),
                    Some(Errno::CONNREFUSED) if abstract_name(&self.path).is_some() => {
                        f.write_str("; is the server started, in this network namespace, and the name right?")
                    }
                    Some(Errno::CONNREFUSED) => f.write_str(
                        "; nobody listens there: the socket file is stale, start the server again",
                    ),
                    Some(Errno::ACCESS) => f.write_str(
                        "; run as a user whom the socket's mode lets in, or open its mode at the server",
                    ),
                    _ => Ok(()),
                }
            }
            ConnectCause::Network(cause) => {
                write!(f, "{cause}")?;
                match cause.kind() {
                    io::ErrorKind::ConnectionRefused => {
                        f.write_str("; nobody listens there: is the server started, and the port right?")
                    }
                    _ => Ok(()),
                }
            }
            ConnectCause::PathTooLong(len) => {
                write!(
                    f,
                    "the {what} is {len} bytes long, and a socket's {what} is at most {}",
                    crate::transport::MAX_PATH,
                    what = if abstract_name(&self.path).is_some() { "name" } else { "path" }
                )
            }
            ConnectCause::OtherServer(other) => {
                let (server, allowed) = &**other;
                write!(
                    f,
                    "it is served by {server}, and this client takes {allowed} for its server; somebody else may have taken the \
                     path: see who that is, or change what `ClientBuilder::server` demands"
                )
            }
            ConnectCause::Timeout(after) => {
                write!(
                    f,
                    "the server did not take the connection within {after:?}; it may be stuck or overloaded"
                )
            }
            ConnectCause::Probe(cause) => {
                write!(f, "could not find out which wire the server speaks: {cause}")
            }
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.cause {
            ConnectCause::Io(cause)
            | ConnectCause::Network(cause)
            | ConnectCause::NotASocket(cause)
            | ConnectCause::OtherType(cause, _) => Some(cause),
            ConnectCause::Probe(cause) => cause.source(),
            _ => None,
        }
    }
}

/// The type of a socket that is not dRPC's.
#[derive(Clone, Copy, Debug)]
enum SocketType {
    Stream,
    Datagram,
}

impl SocketType {
    /// Which of the two it is: who receives datagrams does not notice who only connects.
    fn found_at(path: &Path) -> Self {
        let connect = |socket: UnixDatagram| match abstract_name(path) {
            Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?),
            None => socket.connect(path),
        };
        match UnixDatagram::unbound().and_then(connect) {
            Ok(()) => SocketType::Datagram,
            Err(_) => SocketType::Stream,
        }
    }
}

impl fmt::Display for SocketType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SocketType::Stream => "stream",
            SocketType::Datagram => "datagram",
        })
    }
}

/// For a handler that calls another server.
impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        Failure::from_error(error)
    }
}
