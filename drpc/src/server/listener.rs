//! The socket that a server listens on, made or given.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketType, getpeername, sockopt};

use super::config::{Config, FileOptions};
use super::error::BindError;
use super::socket_file::SocketFile;
use super::systemd::passed_socket;
use super::wrong_socket::WrongSocket;
use crate::transport::{Address, MAX_PATH, Mode, Socket, name_len};

/// A listening socket, and the file that it made.
#[derive(Debug)]
pub(crate) struct Listener {
    /// `None` if the address is abstract, or someone else made the socket. Dropped before the socket: see [`SocketFile`].
    pub(crate) file: Option<SocketFile>,
    pub(crate) socket: Socket,
    pub(crate) address: Address,
    /// This server made the socket, and nobody else has it.
    pub(crate) is_ours: bool,
}

/// Lets nobody connect any more, and gives those who have connected: they may have sent calls.
pub(crate) fn accept_last(listener: &Socket, mode: Mode) -> impl Iterator<Item = io::Result<Socket>> {
    listener.end_receiving();
    let mut failed = false;
    std::iter::from_fn(move || match listener.accept(mode) {
        _ if failed => None,
        // There is nobody left.
        Err(error) if [io::ErrorKind::WouldBlock, io::ErrorKind::InvalidInput].contains(&error.kind()) => {
            None
        }
        accepted => {
            // What is wrong with one is wrong with the next.
            failed = accepted.is_err();
            Some(accepted)
        }
    })
}

impl Listener {
    /// This process serves from now on.
    pub(super) fn is_served_here(&self) {
        if let Some(file) = &self.file {
            file.is_served_here();
        }
    }

    /// Takes descriptors from those who connect, if any method does.
    pub(super) fn take_descriptors(&self, config: &Config) {
        if let Some(limits) = config.takes_descriptors {
            self.socket.take_descriptors(limits);
        }
    }

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
        Ok(Listener { file, socket, address, is_ours: true })
    }

    /// Listens on a socket that the program gives.
    pub(super) fn given(socket: OwnedFd) -> Result<Self, BindError> {
        let fd = socket.as_raw_fd();
        Listener::adopt(socket).map_err(|wrong| BindError::wrong_socket(fd, wrong))
    }

    /// Listens on the socket that the service manager passed, of this name if there are several.
    pub(super) fn passed(name: Option<&str>) -> Result<Self, BindError> {
        let (socket, passed) = passed_socket(name).map_err(BindError::not_passed)?;
        Listener::adopt(socket).map_err(|wrong| BindError::wrong_socket_passed(passed, wrong))
    }

    /// Listens on a socket that someone else has bound, and may listen on already. Its file, if it has one, is not ours.
    fn adopt(fd: OwnedFd) -> Result<Self, WrongSocket> {
        match sockopt::socket_domain(&fd) {
            Ok(AddressFamily::UNIX) => {}
            Ok(AddressFamily::INET | AddressFamily::INET6) => return Err(WrongSocket::Internet),
            Ok(_) => return Err(WrongSocket::OtherFamily),
            Err(Errno::NOTSOCK) => return Err(WrongSocket::NotASocket),
            Err(errno) => return Err(errno.into()),
        }
        match sockopt::socket_type(&fd)? {
            SocketType::SEQPACKET => {}
            SocketType::STREAM => return Err(WrongSocket::Stream),
            _ => return Err(WrongSocket::Datagram),
        }
        let listens = sockopt::socket_acceptconn(&fd)?;
        if !listens && getpeername(&fd).is_ok() {
            return Err(WrongSocket::Connection);
        }
        fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        // Of another type than it says; but what is asked of it here is the same for both.
        let socket = UnixListener::from(fd);
        let address = socket.local_addr().map_err(WrongSocket::Io)?;
        let address = Address::of(&address).ok_or(WrongSocket::Unbound)?;
        socket.set_nonblocking(true).map_err(WrongSocket::Io)?;
        let socket = Socket::adopt(socket.into());
        if !listens {
            socket.listen().map_err(WrongSocket::Io)?;
        }
        Ok(Listener { file: None, socket, address, is_ours: false })
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
