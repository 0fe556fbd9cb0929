use std::os::fd::OwnedFd;
use std::path::Path;

use super::accept::Server;
use crate::server::builder::ServerBuilder;
use crate::server::error::BindError;
use crate::server::listener::Listener;

impl ServerBuilder {
    /// Creates the socket and listens on it. Clients may connect from now on; they are served once [`Server::serve`] runs.
    ///
    /// `@name` is a name in Linux's abstract namespace: see [`Address`](crate::Address). It is not a file, so it never goes stale and has no permissions: **anyone in the
    /// same network namespace may connect**, so say who may with [`allow`](Self::allow).
    ///
    /// If several servers start on one path at the same time, one gets it. To ensure that, the directory is locked (`flock`) meanwhile, and when the file is removed. If
    /// the directory can't be read, or another program keeps it locked for a fifth of a second, the server goes on without the lock.
    ///
    /// # Errors
    ///
    /// [`BindError`] if the path or mode is invalid ([S2](crate::guide::rules#server)), the [`owner`](Self::owner) can't be set, something exists at the path that may not be removed
    /// ([S3](crate::guide::rules#server)), two modules have the same ID ([D6](crate::guide::rules#dispatch)), an expected module is missing, or a module or method names a [`rule`](Self::rule) that is not defined. With
    /// an abstract name: if it is in use, or a mode or owner is set.
    pub fn bind(self, path: impl AsRef<Path>) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Ok(Server::new(Listener::bind(path.as_ref(), &config.file)?, service, config))
    }

    /// Listens on a socket that is already bound, and may be listening.
    ///
    /// Its file is left alone, also when the server ends: [`mode`](Self::mode), [`owner`](Self::owner) and [`existing_socket`](Self::existing_socket) are for
    /// [`bind`](Self::bind). The socket becomes non-blocking, also for others who share it.
    ///
    /// # Errors
    ///
    /// [`BindError`] if it is not a Unix socket of type `SOCK_SEQPACKET`, is a connection, or is not bound; or if something is wrong with the modules.
    pub fn listen_fd(self, socket: OwnedFd) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Ok(Server::new(Listener::given(socket)?, service, config))
    }

    /// Listens on the socket that systemd passed to this process (socket activation). Its unit says `ListenSequentialPacket=/run/greeter.sock`, and sets mode and
    /// owner: see [the chapter](crate::guide::systemd).
    ///
    /// As with [`listen_fd`](Self::listen_fd), the file is left alone. So is the environment, which can't be changed safely once there are threads: `LISTEN_PID` keeps
    /// child processes from taking the socket for theirs, and they don't inherit the descriptor. The socket stays open until the process ends, so that it can be
    /// listened on again.
    ///
    /// # Errors
    ///
    /// [`BindError`] if systemd passed no socket or several, what it passed is not suitable, or something is wrong with the modules. See
    /// [`is_socket_activated`](crate::server::is_socket_activated) for programs that may also be started by hand.
    pub fn listen_systemd(self) -> Result<Server, BindError> {
        self.listen_passed(None)
    }

    /// As [`listen_systemd`](Self::listen_systemd), for one of several sockets: its unit says `FileDescriptorName=`, which is the
    /// unit's own name (`greeter.socket`) by default.
    ///
    /// # Errors
    ///
    /// As [`listen_systemd`](Self::listen_systemd), and if no socket has this name, or several have it.
    pub fn listen_systemd_named(self, name: &str) -> Result<Server, BindError> {
        self.listen_passed(Some(name))
    }

    fn listen_passed(self, name: Option<&str>) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Ok(Server::new(Listener::passed(name)?, service, config))
    }
}
