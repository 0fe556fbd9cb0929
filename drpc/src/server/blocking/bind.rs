use std::os::fd::OwnedFd;
use std::path::Path;

use super::accept::Server;
use crate::server::builder::ServerBuilder;
use crate::server::error::BindError;
use crate::server::listener::Listener;

impl ServerBuilder {
    /// Like [`bind`](Self::bind), for a server with a thread per session. Clients may connect from now on; they are served once [`serve`](Server::serve) runs.
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind).
    pub fn bind_blocking(self, path: impl AsRef<Path>) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Server::new(Listener::bind(path.as_ref(), &config.file)?, service, config)
    }

    /// Like [`listen_fd`](Self::listen_fd), for a server with a thread per session.
    ///
    /// # Errors
    ///
    /// Those of [`listen_fd`](Self::listen_fd).
    pub fn listen_fd_blocking(self, socket: OwnedFd) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Server::new(Listener::given(socket)?, service, config)
    }

    /// Like [`listen_systemd`](Self::listen_systemd), for a server with a thread per session.
    ///
    /// # Errors
    ///
    /// Those of [`listen_systemd`](Self::listen_systemd).
    pub fn listen_systemd_blocking(self) -> Result<Server, BindError> {
        self.listen_passed_blocking(None)
    }

    /// Like [`listen_systemd_named`](Self::listen_systemd_named), for a server with a thread per session.
    ///
    /// # Errors
    ///
    /// Those of [`listen_systemd_named`](Self::listen_systemd_named).
    pub fn listen_systemd_named_blocking(self, name: &str) -> Result<Server, BindError> {
        self.listen_passed_blocking(Some(name))
    }

    fn listen_passed_blocking(self, name: Option<&str>) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Server::new(Listener::passed(name)?, service, config)
    }
}
