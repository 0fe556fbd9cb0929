//! The settings of a server. Each driver adds how it is made, by an `impl` of its own: [`ServerBuilder::bind`] and its like.

mod access;
mod hooks;
#[cfg(feature = "tower")]
mod layers;
mod limits;
mod threads;

use std::sync::Arc;
use std::time::Duration;

use super::config::{Config, ExistingSocket, Order};
use super::error::BindError;
use super::modules::{missing_modules, undefined_rules, unknown_groups, unlisted_modules};
use crate::builtin::health::Health;
use crate::dispatch::authorization::Rules;
#[cfg(feature = "tower")]
use crate::dispatch::middleware::Layers;
use crate::dispatch::registry::{declared_modules, origin_of};
use crate::dispatch::router::ModuleService;
use crate::handler::module::{Module, name_of};
use crate::wire::WireMode;

/// Sets a server up: [`bind`](Self::bind) makes the one on tokio, [`bind_blocking`](Self::bind_blocking) the one in threads,
/// [`bind_progress`](Self::bind_progress) the one in steps.
///
/// | setting | default |
/// |---|---|
/// | [`mode`](Self::mode) | 0600 |
/// | [`owner`](Self::owner) | this process's user and group |
/// | [`existing_socket`](Self::existing_socket) | [`ReplaceStale`](ExistingSocket::ReplaceStale) |
/// | [`order`](Self::order) | [`Serial`](Order::Serial) |
/// | [`wire`](Self::wire) | recognised for each session |
/// | [`message_limit`](Self::message_limit) | 64 MiB |
/// | [`request_limit`](Self::request_limit) | 4 MiB |
/// | [`message_timeout`](Self::message_timeout) | 10 s |
/// | [`handler_timeout`](Self::handler_timeout) | none |
/// | [`drain_timeout`](Self::drain_timeout) | 5 s |
/// | [`spin`](Self::spin) | off |
/// | [`added_fields`](Self::added_fields) | heeded |
/// | [`idle_timeout`](Self::idle_timeout) | none |
/// | [`session_limit`](Self::session_limit) | none: as many as the process may have descriptors; 1,024 in threads |
/// | [`session_limit_per_uid`](Self::session_limit_per_uid) | none |
/// | [`pending_reply_limit`](Self::pending_reply_limit) | 256 MiB a session |
/// | [`call_limit`](Self::call_limit) | none: each session's [`order`](Self::order) is its own limit |
/// | [`call_limit_per_uid`](Self::call_limit_per_uid) | none |
/// | [`allow`](Self::allow) | everyone whom the mode lets |
/// | [`rule`](Self::rule) | none: a module that names one does not start |
/// | [`health`](Self::health) | no health check |
/// | [`layer`](Self::layer) | none |
/// | [`on_open`](Self::on_open), [`on_close`](Self::on_close) | nothing |
/// | [`thread_stack_size`](Self::thread_stack_size), [`wrap_threads`](Self::wrap_threads) | 2 MiB, nothing |
/// | [`notify_systemd`](Self::notify_systemd) | no |
///
/// [`open_to_all`](Self::open_to_all) sets those that a socket needs which every user of the host may connect to.
///
/// At last, [`bind`](Self::bind) makes a socket to listen on; [`listen_systemd`](Self::listen_systemd) and
/// [`listen_fd`](Self::listen_fd) take one that is there.
///
/// [The chapter on access, limits and shutdown](crate::guide::access) tells how they work together.
#[derive(Default)]
#[must_use = "a server is not made before `bind` or `listen_…`"]
pub struct ServerBuilder {
    modules: Vec<(Arc<dyn Module>, String)>,
    expected: Vec<(i32, String)>,
    explicit_only: bool,
    allow_unlisted: bool,
    rules: Rules,
    health: Option<Health>,
    #[cfg(feature = "tower")]
    layers: Layers,
    config: Config,
}

impl ServerBuilder {
    /// Serves this module, beside those that register themselves.
    pub fn module<M: Module>(mut self, module: M) -> Self {
        let origin = origin_of(&module);
        self.modules.push((Arc::new(module), origin));
        self
    }

    /// Serves a [health check](crate::health), which tells what `health` says of the server and its modules.
    pub fn health(mut self, health: &Health) -> Self {
        self.health = Some(health.clone());
        self
    }

    /// Leaves out the modules that register themselves (`#[drpc_module(…, register)]`): only those given by
    /// [`module`](Self::module) are served.
    pub fn explicit_modules_only(mut self) -> Self {
        self.explicit_only = true;
        self
    }

    /// Serves modules that the registry does not list (`#[drpc_module(…, unlisted)]`), which is for tests. A server in memory
    /// ([`testing`](crate::testing)) does so by itself; without this, one on a socket does not start with such a module.
    pub fn allow_unlisted(mut self) -> Self {
        self.allow_unlisted = true;
        self
    }

    /// Refuses to start unless modules of these IDs are served, such as the `MODULES` that the build helper makes of
    /// the registry. This catches a registration that the linker lost: see [`registry`](crate::registry).
    pub fn expect_modules(mut self, modules: &[(i32, &str)]) -> Self {
        self.expected.extend(modules.iter().map(|(id, name)| (*id, (*name).to_owned())));
        self
    }

    /// The socket file's permissions (S2), for [`bind`](Self::bind). They hold from the moment the file exists.
    pub fn mode(mut self, mode: u32) -> Self {
        self.config.file.mode = Some(mode);
        self
    }

    /// The user and the group that the socket file is given to, by number, for [`bind`](Self::bind); `None` leaves either as it
    /// is. It is given before anyone can connect (S2).
    ///
    /// Only root may give a file to another user; others may give it to a group of theirs.
    ///
    /// ```no_run
    /// # const OPERATORS: u32 = 1001;
    /// // For the members of a group alone.
    /// let server = drpc::Server::builder().mode(0o660).owner(None, Some(OPERATORS)).bind("/run/greeter.sock")?;
    /// # Ok::<(), drpc::BindError>(())
    /// ```
    pub fn owner(mut self, uid: Option<u32>, gid: Option<u32>) -> Self {
        (self.config.file.uid, self.config.file.gid) = (uid, gid);
        self
    }

    /// What to do about something that stands at the path already (S3).
    pub fn existing_socket(mut self, existing: ExistingSocket) -> Self {
        self.config.file.existing = existing;
        self
    }

    /// In which order the calls of one session are carried out (S5).
    pub fn order(mut self, order: Order) -> Self {
        self.config.order = order;
        self
    }

    /// Which generation of the wire to speak (W8). A [`Wire`](crate::Wire) for one alone.
    pub fn wire(mut self, wire: impl Into<WireMode>) -> Self {
        self.config.wire = wire.into();
        self
    }

    /// The longest message that is taken or sent, in bytes (W6). A longer call ends its session; a longer reply is answered
    /// `FAILED_MARSHAL`.
    pub fn message_limit(mut self, bytes: usize) -> Self {
        self.config.message_limit = bytes;
        self
    }

    /// How many bytes a request may have that is decoded for its handler: a prost message, not [`Bytes`](crate::Bytes), for which
    /// [`message_limit`](Self::message_limit) alone counts. A longer one is answered `FAILED_UNMARSHAL_PAYLOAD`, and logged.
    ///
    /// It bounds what a request may become: two bytes on the wire can be an empty message in a repeated field, which takes as much room
    /// as its Rust type, so that 4 MiB of them can become 150 MiB while the handler has them. A method has its own limit by
    /// `#[method(1, request_limit = "64KiB")]`.
    pub fn request_limit(mut self, bytes: usize) -> Self {
        self.config.request_limit = bytes;
        self
    }

    /// How long the rest of a message may take, once its first chunk has come. Then the session ends.
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.config.message_timeout = timeout;
        self
    }

    /// How long a handler may take. Then it is dropped where it waits, and its caller is answered FAILURE. A handler that
    /// blocks its thread can't be dropped; in a [`blocking::Server`](crate::blocking::Server), what it answers later is not sent, and
    /// its caller is answered FAILURE then.
    ///
    /// It is for all methods that have no time-out of their own (`#[method(1, timeout = "60s")]`, [`Method::with_timeout`]), which
    /// stands in its place, be it longer or shorter.
    ///
    /// [`Method::with_timeout`]: crate::Method::with_timeout
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.config.handler_timeout = Some(timeout);
        self
    }

    /// How long running calls may go on once the server is to stop (S7).
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.config.drain_timeout = timeout;
        self
    }

    /// How long a session tries to receive its next call again and again before it waits for it. 50 µs is a good value;
    /// off unless set.
    ///
    /// For servers that one client at a time keeps busy: see [`ClientBuilder::spin`](crate::ClientBuilder::spin) for what it gains
    /// and costs. One session of a process spins at a time, if no other has received since and none of its own handlers waits;
    /// it holds up the other tasks of its thread for as long, on a runtime of one thread all of them. After 16 calls in a row
    /// they have their turn.
    ///
    /// It is for the servers on tokio and in threads: whoever drives the one in steps may step without waiting.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.config.spin = limit;
        self
    }

    /// Whether to heed what a client of this project may [add to its calls](crate::guide::added_fields) (E5): the time that it has
    /// left, its place in a trace, and that it wants to be told the text and the details of an error.
    ///
    /// A server adds nothing by itself: what a client did not ask for is not sent to it. With `false`, it ignores what was added, and
    /// sends nothing that DAOS's servers would not.
    pub fn added_fields(mut self, heeded: bool) -> Self {
        self.config.added_fields = heeded;
        self
    }

    /// Tells systemd when the server is ready, and when it begins to stop: `READY=1` and `STOPPING=1`, to `NOTIFY_SOCKET`, if
    /// that is set. For a unit of `Type=notify`.
    ///
    /// It is ready once [`serve`](crate::Server::serve) accepts, or at the first
    /// [step](crate::progress::Server::progress). In a program of several servers, ask it of the one that starts last.
    pub fn notify_systemd(mut self) -> Self {
        self.config.notify_systemd = true;
        self
    }

    /// The modules, and the settings: what a driver needs beside a socket.
    pub(super) fn build(self) -> Result<(ModuleService, Config), BindError> {
        let mut service = ModuleService::new();
        if !self.explicit_only {
            for descriptor in declared_modules() {
                if let Some(module) = descriptor.create() {
                    service.register_arc(module, descriptor.to_string()).map_err(BindError::duplicate)?;
                }
            }
        }
        for (module, origin) in self.modules {
            service.register_arc(module, origin).map_err(BindError::duplicate)?;
        }
        if service.modules().len() == 0 {
            tracing::warn!("the server has no module: every call will be answered UNKNOWN_MODULE");
        }
        if let Some(health) = self.health {
            let module = health.module_of(service.modules().map(name_of));
            service.register_arc(module, "`ServerBuilder::health`".into()).map_err(BindError::duplicate)?;
        }
        let missing = missing_modules(&service, self.expected);
        if !missing.is_empty() {
            return Err(BindError::missing(missing));
        }
        let unlisted = unlisted_modules(&service);
        if !self.allow_unlisted && !unlisted.is_empty() {
            return Err(BindError::unlisted(unlisted));
        }
        let unknown = unknown_groups(self.config.access.as_ref(), &self.rules);
        if !unknown.is_empty() {
            return Err(BindError::unknown_groups(unknown));
        }
        service.rules = self.rules;
        let undefined = undefined_rules(&service);
        if !undefined.is_empty() {
            return Err(BindError::undefined_rules(undefined));
        }
        #[cfg(feature = "tower")]
        service.set_layers(self.layers);
        Ok((service, self.config))
    }
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
