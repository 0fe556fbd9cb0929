//! The beginning and the end of a server, as its operator hears of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::dispatch::router::ModuleService;
use crate::handler::module::{methods_of, name_of};
use crate::handler::session::Session;
use crate::transport::Address;

/// How a server ended ([S7](crate::guide::rules#server)): drained, or what was cut after the [drain time-out](crate::ServerBuilder::drain_timeout) or at a second signal.
///
/// ```no_run
/// # fn serve() -> std::io::Result<()> {
/// use drpc::blocking::Server;
/// use drpc::server::shutdown_signal;
///
/// let server = Server::builder().bind_blocking("/run/greeter.sock").map_err(std::io::Error::other)?;
/// let shutdown = server.serve_until(shutdown_signal())?;
/// if !shutdown.is_drained() {
///     eprintln!("{shutdown}");
///     std::process::exit(1);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    pub(super) cut_sessions: usize,
    pub(super) cut_calls: usize,
    pub(super) cut_work: usize,
    pub(super) stuck: usize,
}

impl Shutdown {
    /// Whether everything finished: nothing was cut.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        *self == Shutdown::default()
    }

    /// How many sessions were cut. One without a call is possible, if its client did not read its reply.
    #[must_use]
    pub fn cut_sessions(&self) -> usize {
        self.cut_sessions
    }

    /// How many calls were cut, and not answered.
    #[must_use]
    pub fn cut_calls(&self) -> usize {
        self.cut_calls
    }

    /// How many [background jobs](crate::Context::spawn) were cut.
    #[must_use]
    pub fn cut_work(&self) -> usize {
        self.cut_work
    }

    /// How many tasks or threads could not even be cut, because a handler or a hook blocks them: they are abandoned. The log names the methods.
    #[must_use]
    pub fn stuck(&self) -> usize {
        self.stuck
    }
}

impl fmt::Display for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_drained() {
            return f.write_str("drained");
        }
        let Shutdown { cut_sessions, cut_calls, cut_work, stuck } = self;
        write!(f, "cut: sessions={cut_sessions} calls={cut_calls} background={cut_work} stuck={stuck}")
    }
}

/// Tells that clients are served from now on.
pub(super) fn log_listening(address: &Address, service: &ModuleService) {
    let modules: Vec<_> = service.modules().map(name_of).collect();
    let methods: usize = service.modules().map(|module| methods_of(module).count()).sum();
    tracing::info!(%address, ?modules, methods, "listening");
    if cfg!(panic = "abort") {
        tracing::warn!(
            "this program is built with `panic = \"abort\"`: a handler that panics ends it, and all its sessions"
        );
    }
}

/// Tells that no more clients are, and what is still to be finished.
pub(super) fn log_stopping(address: &Address, sessions: &[Arc<Session>], background: usize) {
    let calls: usize = sessions.iter().map(|session| session.running_calls().len()).sum();
    tracing::info!(%address, sessions = sessions.len(), calls, background, "stopping");
}

/// Tells that all is over.
pub(super) fn log_stopped(address: &Address, shutdown: &Shutdown) {
    tracing::info!(%address, "stopped: {shutdown}");
}

/// What is about to be cut; it is told, too.
pub(super) fn cut(service: &ModuleService, sessions: &[Arc<Session>], background: usize) -> Shutdown {
    let calls = Calls::of(service, sessions);
    tracing::warn!(sessions = sessions.len(), background, %calls, "cutting what did not finish in time");
    Shutdown { cut_sessions: sessions.len(), cut_calls: calls.count(), cut_work: background, stuck: 0 }
}

/// Takes note, and tells, of what could not be cut.
#[cfg(any(feature = "server", feature = "blocking-server"))]
pub(super) fn leave(
    shutdown: &mut Shutdown,
    stuck: usize,
    service: &ModuleService,
    sessions: &[Arc<Session>],
) {
    shutdown.stuck = stuck;
    let calls = Calls::of(service, sessions);
    tracing::error!(stuck, %calls, "left to themselves: handlers that block their threads");
}

/// The calls that run, by their methods.
struct Calls(BTreeMap<String, usize>);

/// How many methods a line names.
const NAMED: usize = 10;

impl Calls {
    fn of(service: &ModuleService, sessions: &[Arc<Session>]) -> Self {
        let mut calls = BTreeMap::new();
        for call in sessions.iter().flat_map(|session| session.running_calls()) {
            let method = call.method();
            let module = service.get(method.module()).map_or("unknown", |module| name_of(&**module));
            *calls.entry(format!("{module}.{method}")).or_default() += 1;
        }
        Calls(calls)
    }

    fn count(&self) -> usize {
        self.0.values().sum()
    }
}

impl fmt::Display for Calls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (method, count)) in self.0.iter().take(NAMED).enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{method}")?;
            if *count > 1 {
                write!(f, " ({count})")?;
            }
        }
        match self.0.len().saturating_sub(NAMED) {
            0 => Ok(()),
            more => write!(f, " and {more} methods more"),
        }
    }
}
