use std::fmt;
use std::future::{Future, pending};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::connection::Connection;
use super::session::SessionState;
use super::shared::Shared;
use crate::dispatch::router::ModuleService;
use crate::observe::metrics;
use crate::server::admission::log_refused;
use crate::server::backoff::Backoff;
use crate::server::builder::ServerBuilder;
use crate::server::config::Config;
use crate::server::error::BindError;
use crate::server::handle::{Handled, ServerHandle};
use crate::server::listener::{Listener, accept_last};
use crate::server::shutdown::{self, Shutdown};
use crate::server::signals::StopSignal;
use crate::server::systemd;
use crate::transport::{Address, Mode, Socket};

/// How many sessions there may be at once, unless it is said.
const SESSION_LIMIT: usize = 1024;

/// How long threads have to end that were cut. One whose handler blocks it does not.
const END_OF_CUT: Duration = Duration::from_millis(250);

/// A server with a thread per session, without a runtime: for handlers that block, and for the lowest latency.
///
/// It serves what the [tokio server](crate::Server) serves, by the same rules and with the same settings. [The guide](crate::guide::servers) compares the three
/// servers.
///
/// # Example
///
/// ```no_run
/// use drpc::blocking::Server;
/// use drpc::drpc_module;
///
/// struct Disks;
///
/// #[drpc_module(id = 5)]
/// impl Disks {
///     #[method(1)]
///     fn flush(&self) {}
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let server = Server::builder().module(Disks).bind_blocking("/run/disks.sock")?;
///     server.serve_until(drpc::server::shutdown_signal())?;
///     Ok(())
/// }
/// ```
///
/// # Handlers
///
/// A handler runs on the thread that read its call. One that blocks, on a disk, a lock or a C library, delays its own session and nobody else; with
/// [`Order::Concurrent`](crate::Order::Concurrent) not even that, until the limit is reached.
///
/// - An `async` handler is polled on that thread, which sleeps until it is woken. For what needs a runtime, such as `tokio::time::sleep`, use
///   [`wrap_threads`](ServerBuilder::wrap_threads).
/// - [`Context::is_cancelled`](crate::Context::is_cancelled) looks at the socket when asked, so a handler that blocks can also learn that its caller left.
/// - At its [deadline](crate::Context::deadline) an `async` handler is dropped at its `await`. One that blocks can't be dropped, but its late reply is discarded and
///   the call is answered FAILURE.
/// - [`Context::spawn`](crate::Context::spawn) starts a thread for each piece of work.
///
/// # Threads
///
/// They are named `drpc-` and the session's number, or `drpc-work`. With [`Order::Concurrent`](crate::Order::Concurrent), a session has as many as it has
/// concurrent calls, up to the limit; one that is not needed for ten seconds ends. There are up to 1,024 sessions unless
/// [`session_limit`](ServerBuilder::session_limit) says otherwise, which bounds the memory for stacks and matches the default limit of descriptors. If no thread
/// can be had for a client, the client is refused and the reason logged.
pub struct Server {
    listener: Listener,
    shared: Arc<Shared>,
}

impl Server {
    /// Returns a builder with the default settings; [`bind_blocking`](ServerBuilder::bind_blocking) makes the server.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    pub(super) fn new(
        listener: Listener,
        service: ModuleService,
        mut config: Config,
    ) -> Result<Self, BindError> {
        listener.take_descriptors(&config);
        config.address = Some(listener.address.clone());
        config.limits.sessions.get_or_insert(SESSION_LIMIT);
        let shared = Shared::new(service, config);
        let shared = shared.map_err(|cause| BindError::io(listener.address.as_ref(), cause))?;
        Ok(Server { listener, shared: Arc::new(shared) })
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

    /// A handle to stop it with, from another thread.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(self.shared.clone())
    }

    /// Serves until [`ServerHandle::shutdown`], then shuts down gracefully ([S7](crate::guide::rules#server)): stops accepting, removes the socket file if it created it, lets running
    /// calls and [background work](crate::Context::spawn) finish until the drain time-out, and cuts the rest. This thread accepts; sessions have threads of their own.
    ///
    /// A handler that blocks its thread can't be cut: its connection is closed, and its thread is logged, with the method's name, and abandoned.
    ///
    /// # Errors
    ///
    /// If polling fails. Errors of `accept` are logged and don't end the server ([S4](crate::guide::rules#server)). Having cut something is not an error: [`Shutdown`] tells.
    pub fn serve(self) -> io::Result<Shutdown> {
        self.serve_until(pending::<()>())
    }

    /// Like [`serve`](Self::serve), and shuts down when `signal` completes: usually [`shutdown_signal`](crate::server::shutdown_signal), whose second signal cuts; or
    /// any other future that is woken from another thread, such as the receiving end of an async channel.
    ///
    /// # Errors
    ///
    /// Those of [`serve`](Self::serve).
    pub fn serve_until(self, signal: impl StopSignal) -> io::Result<Shutdown> {
        signal.tell(self.handle());
        self.listener.is_served_here();
        let Server { listener: Listener { file, socket, address, is_ours }, shared } = self;
        // The file is dropped first: while the socket is open, no other file can come to have the number of ours.
        let (socket, file) = (socket, file);
        let notify_systemd = shared.config.notify_systemd;
        if notify_systemd {
            systemd::notify("READY=1");
        }
        shutdown::log_listening(&address, &shared.service);
        let mut signal = pin!(signal);
        let accepted = accept_sessions(&socket, &shared, signal.as_mut());
        shared.shutdown();
        if notify_systemd {
            systemd::notify("STOPPING=1");
        }
        drop(file);
        accept_rest(socket, is_ours, &shared);
        shutdown::log_stopping(&address, &shared.sessions.list(), shared.background.len());
        let shutdown = drain(&shared);
        shutdown::log_stopped(&address, &shutdown);
        accepted.map(|()| shutdown)
    }
}

/// Waits until all that runs has finished; cuts what does not in time.
fn drain(shared: &Shared) -> Shutdown {
    let mut shutdown = Shutdown::default();
    let deadline = Instant::now().checked_add(shared.config.drain_timeout);
    if !shared.threads.wait_until_hurried(deadline) {
        shutdown = shutdown::cut(&shared.service, &shared.sessions.list(), shared.background.len());
        shared.sessions.cut_all();
        shared.background.close();
        if !shared.threads.wait_until_ended(Instant::now().checked_add(END_OF_CUT)) {
            let stuck = shared.threads.running();
            shutdown::leave(&mut shutdown, stuck, &shared.service, &shared.sessions.list());
        }
    }
    shared.background.close();
    shutdown
}

/// Accepts sessions until the server is to stop. No session, and no error of accepting, ends this (S1, S4).
fn accept_sessions(
    listener: &Socket,
    shared: &Arc<Shared>,
    mut signal: Pin<&mut impl Future>,
) -> io::Result<()> {
    let waker = Waker::from(shared.wakeup.clone());
    let mut backoff = Backoff::default();
    while signal.as_mut().poll(&mut Context::from_waker(&waker)).is_pending() && !shared.is_stopping() {
        match listener.accept(Mode::Blocking).and_then(|socket| open(socket, shared)) {
            Ok(()) => backoff.reset(),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if wait(shared, Some(listener), None)?.intersects(PollFlags::HUP | PollFlags::ERR) {
                    pause(shared, &mut backoff, &Backoff::hung_up())?;
                }
            }
            Err(error) => pause(shared, &mut backoff, &error)?,
        }
    }
    Ok(())
}

/// Accepts nothing for a while, after an error.
fn pause(shared: &Shared, backoff: &mut Backoff, error: &io::Error) -> io::Result<()> {
    backoff.increase(error);
    if !backoff.wait().is_zero() {
        shared.set_paused(true);
        wait(shared, None, Some(backoff.wait()))?;
        shared.set_paused(false);
    }
    Ok(())
}

/// Serves those who had connected when the server was to stop, and may have sent calls: as if they had been accepted before (S7). A socket
/// that was given stays open at its giver's, and they with it.
fn accept_rest(listener: Socket, is_ours: bool, shared: &Arc<Shared>) {
    if !is_ours {
        return;
    }
    for accepted in accept_last(&listener, Mode::Blocking) {
        if let Err(error) = accepted.and_then(|socket| open(socket, shared)) {
            tracing::error!(%error, "could not accept a connection");
        }
    }
}

/// Serves a connection, unless it is refused.
fn open(socket: Socket, shared: &Arc<Shared>) -> io::Result<()> {
    let Some(session) = shared.sessions.open(socket.peer()?, &shared.config) else { return Ok(()) };
    socket.charge_descriptors(session.account());
    let connection = Connection::new(socket);
    let cut_by = Arc::downgrade(&connection);
    match SessionState::spawn(shared, session.clone(), connection) {
        Ok(()) => shared.sessions.attach(session.id(), cut_by),
        Err(error) => {
            metrics::session_refused("thread");
            log_refused(&session, &format_args!("no thread can be had for it: {error}"));
        }
    }
    Ok(())
}

/// Waits until a connection can be accepted, the server is woken, or the time is over; gives what is with the listener.
fn wait(shared: &Shared, listener: Option<&Socket>, timeout: Option<Duration>) -> io::Result<PollFlags> {
    let mut fds = vec![PollFd::new(&shared.wakeup, PollFlags::IN)];
    fds.extend(listener.map(|listener| PollFd::new(listener, PollFlags::IN)));
    let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
    match poll(&mut fds, timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    if fds[0].revents().contains(PollFlags::IN) {
        shared.wakeup.clear();
    }
    Ok(fds.get(1).map_or(PollFlags::empty(), PollFd::revents))
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("address", self.address())
            .field("sessions", &self.shared.sessions.list().len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_limit_of_sessions_unless_it_is_said() {
        let directory = tempfile::tempdir().unwrap();
        let limit = |builder: ServerBuilder| {
            let server = builder.bind_blocking(directory.path().join("s")).unwrap();
            server.shared.config.limits.sessions
        };
        assert_eq!(limit(Server::builder()), Some(1024));
        assert_eq!(limit(Server::builder().session_limit(5000)), Some(5000));
    }
}
