use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use drpc::ClientBuilder;
use rustix::io::retry_on_intr;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{self, SocketAddrUnix, SocketFlags};
use tempfile::TempDir;

use super::client::{AnyClient, Kind, builder};
use super::raw::{RawPeer, unconnected};
use super::{PATIENCE, is_readable};

/// A listening socket of which a test plays the server, packet by packet.
#[derive(Debug)]
pub(crate) struct Fake {
    listener: OwnedFd,
    path: PathBuf,
    _directory: TempDir,
}

impl Fake {
    pub(crate) fn listen() -> Fake {
        Self::with_backlog(16)
    }

    pub(crate) fn with_backlog(backlog: i32) -> Fake {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("fake.sock");
        let listener = unconnected().expect("a socket");
        set_socket_timeout(&listener, Timeout::Recv, Some(PATIENCE)).expect("takes a time-out");
        net::bind(&listener, &SocketAddrUnix::new(&path).expect("a short path")).expect("binds");
        net::listen(&listener, backlog).expect("listens");
        Fake { listener, path, _directory: directory }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The listening socket, for a server to serve it.
    pub(crate) fn listener(&self) -> OwnedFd {
        self.listener.try_clone().expect("a descriptor")
    }

    /// The next connection.
    pub(crate) fn accept(&self) -> RawPeer {
        let accept = || net::accept_with(&self.listener, SocketFlags::CLOEXEC);
        let socket = retry_on_intr(accept).expect("a client connects");
        RawPeer::new(socket).expect("takes a time-out")
    }

    /// Whether somebody waits to be accepted, who is left to wait.
    pub(crate) fn somebody_waits(&self) -> bool {
        is_readable(&self.listener)
    }

    /// Whether nobody waits to be accepted.
    pub(crate) fn nobody_waits(&self) -> bool {
        let flags = rustix::fs::fcntl_getfl(&self.listener).expect("flags");
        rustix::fs::fcntl_setfl(&self.listener, flags | rustix::fs::OFlags::NONBLOCK).expect("flags");
        let accepted = net::accept(&self.listener);
        rustix::fs::fcntl_setfl(&self.listener, flags).expect("flags");
        matches!(accepted, Err(rustix::io::Errno::AGAIN))
    }
}

/// A client of a fake server, and that server's end.
pub(crate) fn pair(
    kind: Kind,
    fake: &Fake,
    set: impl FnOnce(ClientBuilder) -> ClientBuilder,
) -> (AnyClient, RawPeer) {
    let client = kind.connect(set(builder(fake.path()))).expect("connects");
    (client, fake.accept())
}
