use std::os::fd::OwnedFd;
use std::path::Path;

use super::Server;
use crate::server::builder::ServerBuilder;
use crate::server::error::BindError;
use crate::server::listener::Listener;

impl ServerBuilder {
    /// Like [`bind`](Self::bind), for a server driven from a loop of your own ([S9](crate::guide::rules#server)). Clients may connect from now on; they are served by [`progress`](Server::progress).
    ///
    /// # Errors
    ///
    /// Those of [`bind`](Self::bind).
    pub fn bind_progress(self, path: impl AsRef<Path>) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Server::new(Listener::bind(path.as_ref(), &config.file)?, service, config)
    }

    /// Like [`listen_fd`](Self::listen_fd), for a server driven from a loop of your own ([S9](crate::guide::rules#server)).
    ///
    /// # Errors
    ///
    /// Those of [`listen_fd`](Self::listen_fd).
    pub fn listen_fd_progress(self, socket: OwnedFd) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Server::new(Listener::given(socket)?, service, config)
    }

    /// Like [`listen_systemd`](Self::listen_systemd), for a server driven from a loop of your own ([S9](crate::guide::rules#server)).
    ///
    /// # Errors
    ///
    /// Those of [`listen_systemd`](Self::listen_systemd).
    pub fn listen_systemd_progress(self) -> Result<Server, BindError> {
        self.listen_passed_progress(None)
    }

    /// Like [`listen_systemd_named`](Self::listen_systemd_named), for a server driven from a loop of your own ([S9](crate::guide::rules#server)).
    ///
    /// # Errors
    ///
    /// Those of [`listen_systemd_named`](Self::listen_systemd_named).
    pub fn listen_systemd_named_progress(self, name: &str) -> Result<Server, BindError> {
        self.listen_passed_progress(Some(name))
    }

    fn listen_passed_progress(self, name: Option<&str>) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Server::new(Listener::passed(name)?, service, config)
    }
}
