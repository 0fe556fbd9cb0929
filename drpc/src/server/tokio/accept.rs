use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::session::SessionLoop;
use super::shared::Shared;
use super::stage::{Stage, elapsed, reached};
use super::tasks::Tasks;
use crate::dispatch::router::ModuleService;
use crate::server::backoff::Backoff;
use crate::server::builder::ServerBuilder;
use crate::server::config::Config;
use crate::server::handle::ServerHandle;
use crate::server::listener::{Listener, accept_last};
use crate::server::shutdown::{self, Shutdown};
use crate::server::signals::StopSignal;
use crate::server::systemd;
use crate::transport::{Address, AsyncSocket, Link, Mode, Socket};

/// A server on tokio; each session is a task ([S1](crate::guide::rules#server)).
///
/// # Example
///
/// A daemon that serves until SIGTERM or SIGINT, and says whether it ended cleanly:
///
/// ```no_run
/// use drpc::server::shutdown_signal;
/// use drpc::{Server, drpc_module};
///
/// struct Greeter;
///
/// #[drpc_module(id = 5)]
/// impl Greeter {
///     #[method(1)]
///     fn hello(&self) {}
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let server = Server::builder().module(Greeter).bind("/run/greeter.sock")?;
///     println!("listening on {}", server.address());
///     let shutdown = server.serve_until(shutdown_signal()).await?;
///     println!("{shutdown}");
///     Ok(())
/// }
/// ```
///
/// # Handlers
///
/// A handler runs in its session's task, on the runtime that [`serve`](Self::serve) runs on. Handlers that await cost each other nothing. **One that blocks its
/// thread takes a worker of the runtime** from all sessions: use `tokio::task::spawn_blocking`, or a [`blocking::Server`](crate::blocking::Server).
///
/// Sessions run concurrently; the calls of one session run one at a time unless [`order`](ServerBuilder::order) says otherwise. A panic fails its call, and
/// nothing else.
///
/// [`ServerBuilder`] lists the settings; [the guide](crate::guide::servers) compares the three servers.
#[derive(Debug)]
pub struct Server {
    listener: Listener,
    shared: Arc<Shared>,
}

impl Server {
    /// Returns a builder with the default settings; [`bind`](ServerBuilder::bind) makes the server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    pub(super) fn new(listener: Listener, service: ModuleService, config: Config) -> Self {
        listener.take_descriptors(&config);
        let config = Config { address: Some(listener.address.clone()), ..config };
        Server { listener, shared: Arc::new(Shared::new(service, config)) }
    }

    /// The address that it listens on, to print or to connect to.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.listener.address
    }

    /// The path of the socket file; `None` for an abstract name.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.listener.address.path()
    }

    /// The modules that it serves.
    #[must_use]
    pub fn modules(&self) -> &ModuleService {
        &self.shared.service
    }

    /// A handle to stop it with.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(self.shared.clone())
    }

    /// Serves until [`ServerHandle::shutdown`], then shuts down gracefully ([S7](crate::guide::rules#server)): stops accepting, removes the socket file if it created it, lets running
    /// calls and [background work](crate::Context::spawn) finish until the drain time-out, and cuts the rest.
    ///
    /// Sessions and background work run as tasks of their own. If this future is dropped, they are cut at once.
    ///
    /// A handler that blocks its thread can't be cut. It is logged, with its method's name, and abandoned; this future still completes if it is polled on another
    /// thread. So give the runtime several threads, and await this in `main`; on a single-threaded runtime nothing continues before the handler does, which is notified. A runtime waits
    /// for its threads when it is dropped: see [graceful shutdown](crate::guide::access#graceful-shutdown).
    ///
    /// # Errors
    ///
    /// If the socket can't be registered with the runtime. Errors of `accept` are logged and don't end the server ([S4](crate::guide::rules#server)). Having cut something is not an error:
    /// [`Shutdown`] tells.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with I/O and time enabled.
    pub async fn serve(self) -> io::Result<Shutdown> {
        self.listener.is_served_here();
        let Server { listener: Listener { file, socket, address, is_ours }, shared } = self;
        // The file is dropped first: while the socket is open, no other file can come to have the number of ours.
        let (socket, file) = (AsyncSocket::new(socket)?, file);
        let notify_systemd = shared.config.notify_systemd;
        let background = ClosedAtEnd(shared.background.clone());
        let mut sessions = JoinSet::new();
        if notify_systemd {
            systemd::notify("READY=1");
        }
        shutdown::log_listening(&address, &shared.service);
        accept_sessions(&socket, &shared, &mut sessions).await;

        if notify_systemd {
            systemd::notify("STOPPING=1");
        }
        drop(file);
        accept_rest(socket, is_ours, &shared, &mut sessions);
        shutdown::log_stopping(&address, &shared.sessions.list(), background.0.len());
        let shutdown = drain(&shared, &mut sessions, &background.0).await;
        shutdown::log_stopped(&address, &shutdown);
        Ok(shutdown)
    }

    /// Like [`serve`](Self::serve), and shuts down when `signal` completes: usually [`shutdown_signal`](crate::server::shutdown_signal), whose second signal cuts;
    /// or any future of `()`.
    ///
    /// # Errors
    ///
    /// Those of [`serve`](Self::serve).
    ///
    /// # Panics
    ///
    /// As [`serve`](Self::serve) does.
    pub async fn serve_until(self, signal: impl StopSignal) -> io::Result<Shutdown> {
        let handle = self.handle();
        signal.tell(handle.clone());
        let serving = self.serve();
        tokio::pin!(serving, signal);
        tokio::select! {
            result = &mut serving => return result,
            _ = &mut signal => handle.shutdown(),
        }
        serving.await
    }
}

/// How long tasks that were cut have to end. One whose handler blocks its thread does not.
const END_OF_CUT: Duration = Duration::from_millis(250);

/// Waits until all that runs has finished; cuts what does not in time.
async fn drain(shared: &Shared, sessions: &mut JoinSet<()>, background: &Tasks) -> Shutdown {
    tokio::select! {
        biased;
        () = async {
            while sessions.join_next().await.is_some() {}
            background.finished().await;
        } => return Shutdown::default(),
        () = reached(shared.stage.subscribe(), Stage::Cutting) => {}
        () = elapsed(shared.config.drain_timeout) => {}
    }
    let mut work = background.close();
    let mut shutdown = shutdown::cut(&shared.service, &shared.sessions.list(), work.len());
    sessions.abort_all();
    work.abort_all();
    tokio::select! {
        biased;
        () = async {
            while sessions.join_next().await.is_some() {}
            while work.join_next().await.is_some() {}
        } => {}
        () = elapsed(END_OF_CUT) => {
            let stuck = sessions.len() + work.len();
            shutdown::leave(&mut shutdown, stuck, &shared.service, &shared.sessions.list());
        }
    }
    shutdown
}

/// Closes the background of a server that ends, also by being dropped.
struct ClosedAtEnd(Arc<Tasks>);

impl Drop for ClosedAtEnd {
    fn drop(&mut self) {
        drop(self.0.close());
    }
}

/// Accepts sessions until the server is to stop. No session, and no error of accepting, ends this (S1, S4).
async fn accept_sessions(socket: &AsyncSocket, shared: &Arc<Shared>, sessions: &mut JoinSet<()>) {
    let shutdown = reached(shared.stage.subscribe(), Stage::Draining);
    tokio::pin!(shutdown);
    let mut backoff = Backoff::default();
    loop {
        tokio::select! {
            () = &mut shutdown => return,
            // A session that ended has given its descriptor back: no reason to wait any longer.
            Some(_) = sessions.join_next() => backoff.try_now(),
            accepted = accept(socket, backoff.wait()) => match accepted.and_then(|link| open(link, shared)) {
                Ok(session) => {
                    backoff.reset();
                    if let Some(session) = session {
                        let id = session.id();
                        shared.sessions.attach(id, sessions.spawn(session.run()));
                    }
                }
                Err(error) => {
                    backoff.increase(&error);
                }
            }
        }
    }
}

/// Serves those who had connected when the server was to stop, and may have sent calls: as if they had been accepted before (S7). A socket
/// that was given stays open at its giver's, and they with it.
fn accept_rest(socket: AsyncSocket, is_ours: bool, shared: &Arc<Shared>, sessions: &mut JoinSet<()>) {
    if !is_ours {
        return;
    }
    for accepted in accept_last(socket.socket(), Mode::NonBlocking) {
        match accepted.and_then(|link| open(link, shared)) {
            Ok(session) => session.into_iter().for_each(|session| {
                let id = session.id();
                shared.sessions.attach(id, sessions.spawn(session.run()));
            }),
            Err(error) => tracing::error!(%error, "could not accept a connection"),
        }
    }
}

async fn accept(socket: &AsyncSocket, wait: Duration) -> io::Result<Socket> {
    if !wait.is_zero() {
        sleep(wait).await;
    }
    socket.accept().await
}

/// A session on the connection, or nothing if the server refuses it.
fn open(socket: Socket, shared: &Arc<Shared>) -> io::Result<Option<SessionLoop>> {
    let peer = socket.peer()?;
    let link = Link::Socket(AsyncSocket::new(socket)?.spinning(shared.config.spin));
    let session = shared.open_session(peer);
    Ok(session.map(|session| {
        link.charge_descriptors(session.account());
        SessionLoop::new(link, session, shared.clone())
    }))
}
