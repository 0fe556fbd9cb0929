use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::task::JoinSet;

use super::relay::Line;
use super::watch::{WatchedSession, Watcher};
use super::{Faults, Recorder, Watched};
use crate::client::handle::Client;
use crate::descriptors::Limits;
use crate::server::config::FileOptions;
use crate::server::error::BindError;
use crate::server::listener::Listener;
use crate::transport::{AsyncSocket, Link};

/// A socket in front of a server's: the traffic of real clients and a real server passes through this process, which may record it and
/// inject faults.
///
/// Point the clients at the proxy's path. The server sees the proxy's credentials instead of its clients' ([D8](crate::guide::rules#dispatch)).
///
/// # Example
///
/// ```no_run
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use drpc::testing::Recorder;
///
/// let recorder = Recorder::new();
/// let proxy = recorder.proxy("/tmp/seen.sock", "/run/daos_server/daos_server.sock")?;
/// let serving = tokio::spawn(proxy.serve());
/// // … let clients call /tmp/seen.sock …
/// serving.abort();
/// recorder.sessions().iter().for_each(|session| println!("{session}"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Proxy {
    listener: Listener,
    server: PathBuf,
    line: Line,
    watcher: Option<Watcher>,
}

impl Proxy {
    /// Listens on a socket of its own, with mode 0600; a stale one at the path is replaced. It connects to the server once per client, so
    /// the server need not be running yet.
    ///
    /// # Errors
    ///
    /// As [`ServerBuilder::bind`](crate::ServerBuilder::bind).
    pub fn bind(listen: impl AsRef<Path>, server: impl AsRef<Path>) -> Result<Proxy, BindError> {
        let listener = Listener::bind(listen.as_ref(), &FileOptions::default())?;
        listener.socket.take_descriptors(Limits::TRUSTING);
        Ok(Proxy { listener, server: server.as_ref().to_owned(), line: Line::default(), watcher: None })
    }

    /// Records the sessions.
    #[must_use]
    pub fn record(mut self, recorder: &Recorder) -> Self {
        self.line.recorder = Some(recorder.clone());
        self
    }

    /// Injects faults between the clients and the server.
    #[must_use]
    pub fn faults(mut self, faults: &Faults) -> Self {
        self.line.faults = Some(faults.clone());
        self
    }

    /// Tells of every session and packet at once. A packet goes on only when `tell` returns, so it should not wait for anything.
    ///
    /// # Example
    ///
    /// ```no_run
    /// use drpc::testing::{Proxy, Watched};
    ///
    /// let proxy = Proxy::bind("/tmp/seen.sock", "/run/greeter.sock")?.watch(|watched| match watched {
    ///     Watched::Packet { session, packet, .. } => println!("#{session} {:?} {}", packet.at, packet.direction.sign()),
    ///     other => println!("{other:?}"),
    /// });
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn watch(mut self, tell: impl Fn(Watched<'_>) + Send + Sync + 'static) -> Self {
        self.watcher = Some(Watcher::new(tell));
        self
    }

    /// Serves until it is dropped, which closes all its connections and removes its socket. If the server can't be reached, the client's
    /// connection is closed and the reason logged.
    ///
    /// # Errors
    ///
    /// If the socket can't be registered with the runtime. A client that can't be accepted, for want of descriptors, is none: the others are served on, and it
    /// waits.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time enabled.
    pub async fn serve(self) -> io::Result<()> {
        let Proxy { listener: Listener { file, socket, .. }, server, line, watcher } = self;
        // The file is dropped first, as the server's is.
        let (socket, _file) = (AsyncSocket::new(socket)?, file);
        let mut sessions = JoinSet::new();
        let mut pause = Duration::ZERO;
        loop {
            let accepted = async {
                tokio::time::sleep(pause).await;
                let client = socket.accept().await?;
                let peer = client.peer().ok();
                AsyncSocket::new(client).map(|client| (client, peer))
            };
            tokio::select! {
                // It has given its descriptors back.
                Some(_) = sessions.join_next() => pause = Duration::ZERO,
                accepted = accepted => match accepted {
                    Ok((client, peer)) => {
                        pause = Duration::ZERO;
                        let watched = watcher.as_ref().map(|watcher| watcher.begin(peer.as_ref()));
                        let client = Link::Socket(client);
                        sessions.spawn(session(client, server.clone(), line.clone(), watched));
                    }
                    // The sessions that there are go on, and the next client may have more luck (S4).
                    Err(error) => {
                        pause = (pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
                        tracing::warn!(%error, ?pause, "the proxy could not accept a client");
                    }
                }
            }
        }
    }
}

/// How long nobody is accepted after a client could not be: the kernel is out of descriptors or memory.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);

async fn session(client: Link, server: PathBuf, line: Line, watched: Option<WatchedSession>) {
    match Client::builder(&server).open_link().await {
        Ok(server) => line.relay(client, server, watched).await,
        Err(error) => {
            tracing::warn!(%error, "the proxy closes upon a client");
            if let Some(watched) = watched {
                watched.unreachable(error);
            }
        }
    }
}

impl Recorder {
    /// A [`Proxy`] that records here: `listen` is its own socket, `server` the server's.
    ///
    /// # Errors
    ///
    /// As [`Proxy::bind`].
    pub fn proxy(&self, listen: impl AsRef<Path>, server: impl AsRef<Path>) -> Result<Proxy, BindError> {
        Ok(Proxy::bind(listen, server)?.record(self))
    }
}
