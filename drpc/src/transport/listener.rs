use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, getpeername, sockopt};

use super::address::name_len;
use super::seqpacket::Mode;
use super::socket_file::{FileOptions, SocketFile};
use super::{Address, MAX_PATH, Socket};
use crate::server::BindError;

/// A listening socket, and the file that it made.
#[derive(Debug)]
pub(crate) struct Listener {
    /// `None` if the address is abstract, or someone else made the socket. Dropped before the socket: see [`SocketFile`].
    pub(crate) file: Option<SocketFile>,
    pub(crate) socket: Socket,
    pub(crate) address: Address,
}

impl Listener {
    /// Binds and listens (S1 to S3).
    pub(crate) fn bind(path: &Path, options: &FileOptions) -> Result<Self, BindError> {
        let address = Address::new(path);
        // S2: DAOS's C code silently cuts a path that is too long.
        match name_len(path) {
            0 => return Err(BindError::empty_path()),
            1..=MAX_PATH => {}
            len => return Err(BindError::path_too_long(path, len)),
        }
        let (file, socket) = match address.path() {
            Some(path) => {
                let (file, socket) = SocketFile::listen(path, options)?;
                (Some(file), socket)
            }
            None => (None, listen_abstract(path, options)?),
        };
        Ok(Listener { file, socket, address })
    }

    /// Listens on a socket that someone else has bound, and may listen on already. Its file, if it has one, is not ours.
    pub(crate) fn adopt(fd: OwnedFd) -> Result<Self, Unfit> {
        match sockopt::socket_domain(&fd) {
            Ok(AddressFamily::UNIX) => {}
            Ok(AddressFamily::INET | AddressFamily::INET6) => return Err(Unfit::Internet),
            Ok(_) => return Err(Unfit::OtherFamily),
            Err(Errno::NOTSOCK) => return Err(Unfit::NotASocket),
            Err(errno) => return Err(errno.into()),
        }
        match sockopt::socket_type(&fd)? {
            SocketType::SEQPACKET => {}
            SocketType::STREAM => return Err(Unfit::Stream),
            _ => return Err(Unfit::Datagram),
        }
        let listens = sockopt::socket_acceptconn(&fd)?;
        if !listens && getpeername(&fd).is_ok() {
            return Err(Unfit::Connection);
        }
        fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        // Of another type than it says; but what is asked of it here is the same for both.
        let socket = UnixListener::from(fd);
        let address = socket.local_addr().map_err(Unfit::Io)?;
        let address = Address::of(&address).ok_or(Unfit::Unbound)?;
        socket.set_nonblocking(true).map_err(Unfit::Io)?;
        let socket = Socket::adopt(socket.into());
        if !listens {
            socket.listen().map_err(Unfit::Io)?;
        }
        Ok(Listener { file: None, socket, address })
    }
}

/// An abstract name is never stale: it goes with its socket. It has no mode and no owner, either.
fn listen_abstract(name: &Path, options: &FileOptions) -> Result<Socket, BindError> {
    if options.mode.is_some() || options.uid.is_some() || options.gid.is_some() {
        return Err(BindError::no_permissions(name));
    }
    let failed = |cause: io::Error| match Errno::from_io_error(&cause) {
        Some(Errno::ADDRINUSE) => BindError::in_use(name),
        _ => BindError::io(name, cause),
    };
    let socket = Socket::new(Mode::NonBlocking).map_err(failed)?;
    socket.bind(name).map_err(failed)?;
    socket.listen().map_err(failed)?;
    Ok(socket)
}

/// Why a descriptor is none that a server can listen on.
#[derive(Debug)]
pub(crate) enum Unfit {
    NotASocket,
    Internet,
    OtherFamily,
    Stream,
    Datagram,
    Connection,
    Unbound,
    Io(io::Error),
}

impl Unfit {
    /// What to do about it, if whoever runs the program made the socket with a systemd unit.
    pub(crate) fn advice_for_unit(&self) -> &'static str {
        match self {
            Unfit::NotASocket => {
                "; write `ListenSequentialPacket=` and a path, and nothing else, in the .socket unit"
            }
            Unfit::Internet | Unfit::OtherFamily => {
                "; give `ListenSequentialPacket=` in the .socket unit a path"
            }
            Unfit::Stream => "; write `ListenSequentialPacket=`, not `ListenStream=`, in the .socket unit",
            Unfit::Datagram => {
                "; write `ListenSequentialPacket=`, not `ListenDatagram=`, in the .socket unit"
            }
            Unfit::Connection => "; write `Accept=no` in the .socket unit",
            Unfit::Unbound | Unfit::Io(_) => "",
        }
    }

    /// What to do about it, if the program made the socket.
    pub(crate) fn advice_for_program(&self) -> &'static str {
        match self {
            Unfit::NotASocket | Unfit::Internet | Unfit::OtherFamily | Unfit::Stream | Unfit::Datagram => {
                "; make it with `AF_UNIX` and `SOCK_SEQPACKET`"
            }
            Unfit::Connection => "; give the listening socket that it was accepted from",
            Unfit::Unbound => "; bind it first",
            Unfit::Io(_) => "",
        }
    }
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unfit::NotASocket => "it is not a socket",
            Unfit::Internet => "it is an Internet socket, and dRPC needs a Unix one",
            Unfit::OtherFamily => "it is not a Unix socket",
            Unfit::Stream => "it is a stream socket, and dRPC needs SOCK_SEQPACKET",
            Unfit::Datagram => "it is a datagram socket, and dRPC needs SOCK_SEQPACKET",
            Unfit::Connection => "it is a connection, not a socket that listens",
            Unfit::Unbound => "it is bound to no address",
            Unfit::Io(cause) => return cause.fmt(f),
        })
    }
}

impl From<Errno> for Unfit {
    fn from(errno: Errno) -> Self {
        Unfit::Io(errno.into())
    }
}
