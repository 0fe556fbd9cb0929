//! The settings of a server. Each driver adds how it is made, by an `impl` of its own: [`ServerBuilder::bind`] and its like.

mod access;
mod hooks;
#[cfg(feature = "tower")]
mod layers;
mod limits;
#[cfg(feature = "reflection")]
mod reflection;
mod threads;

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "reflection")]
use self::reflection::ReflectionOptions;
use super::config::{Config, ExistingSocket, Order};
use super::error::BindError;
use super::modules::{missing_modules, takes_descriptors, undefined_rules, unknown_groups, unlisted_modules};
use crate::builtin::health::Health;
use crate::dispatch::authorization::Rules;
#[cfg(feature = "tower")]
use crate::dispatch::middleware::Layers;
use crate::dispatch::registry::{declared_modules, origin_of};
use crate::dispatch::router::ModuleService;
use crate::handler::module::{Module, name_of};
use crate::transport::look_at_namespace;
use crate::wire::WireMode;

/// Sets up a server: [`bind`](Self::bind) makes the one on tokio, [`bind_blocking`](Self::bind_blocking) the one with a thread per session,
/// [`bind_progress`](Self::bind_progress) the one that you drive from a loop of your own.
///
/// ```no_run
/// use std::time::Duration;
///
/// use drpc::{Allow, Server, drpc_module};
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
///     let server = Server::builder()
///         .module(Greeter)
///         .mode(0o660)
///         .allow(Allow::same_user().or(Allow::root()))
///         .handler_timeout(Duration::from_secs(30))
///         .bind("/run/greeter.sock")?;
///     server.serve_until(drpc::server::shutdown_signal()).await?;
///     Ok(())
/// }
/// ```
///
/// | setting | default |
/// |---|---|
/// | [`mode`](Self::mode) | 0600 |
/// | [`owner`](Self::owner) | the process's user and group |
/// | [`existing_socket`](Self::existing_socket) | [`ReplaceStale`](ExistingSocket::ReplaceStale) |
/// | [`order`](Self::order) | [`Serial`](Order::Serial) |
/// | [`wire`](Self::wire) | detected for each session |
/// | [`message_limit`](Self::message_limit) | 64 MiB |
/// | [`request_limit`](Self::request_limit) | 4 MiB |
/// | [`message_timeout`](Self::message_timeout) | 10 s |
/// | [`handler_timeout`](Self::handler_timeout) | none |
/// | [`drain_timeout`](Self::drain_timeout) | 5 s |
/// | [`spin`](Self::spin) | off |
/// | [`added_fields`](Self::added_fields) | on |
/// | [`idle_timeout`](Self::idle_timeout) | none |
/// | [`session_limit`](Self::session_limit) | none, so the process's descriptors; 1,024 on the blocking server |
/// | [`session_limit_per_uid`](Self::session_limit_per_uid) | none |
/// | [`absent_session_limit`](Self::absent_session_limit) | 4,096, or half of the session limit |
/// | [`descriptor_limit`](Self::descriptor_limit), [`session_descriptor_limit`](Self::session_descriptor_limit) | 16, 64 |
/// | [`descriptor_limit_per_uid`](Self::descriptor_limit_per_uid) | as many as are left for others |
/// | [`pending_reply_limit`](Self::pending_reply_limit) | 256 MiB per session |
/// | [`stream_limit`](Self::stream_limit) | 256 per session |
/// | [`stream_credit`](Self::stream_credit) | 4096 items, 1 MiB per stream |
/// | [`memory_limit`](Self::memory_limit) | 512 MiB, or eight times the message limit if that is more |
/// | [`memory_limit_per_uid`](Self::memory_limit_per_uid) | half the memory limit |
/// | [`call_limit`](Self::call_limit) | none: each session is limited by its [`order`](Self::order) |
/// | [`call_limit_per_uid`](Self::call_limit_per_uid) | none |
/// | [`allow`](Self::allow) | anyone who can open the socket |
/// | [`rule`](Self::rule) | none; a module that names an undefined rule is an error |
/// | [`layer`](Self::layer) | none |
/// | [`health`](Self::health) | none |
/// | `reflection`, `message_descriptors` (feature `reflection`) | off, none |
/// | [`on_open`](Self::on_open), [`on_close`](Self::on_close) | none |
/// | [`thread_stack_size`](Self::thread_stack_size), [`wrap_threads`](Self::wrap_threads) | 2 MiB, none |
/// | [`notify_systemd`](Self::notify_systemd) | off |
///
/// [`open_to_all`](Self::open_to_all) sets what a socket needs that every user of the host may connect to.
///
/// Finally, [`bind`](Self::bind) creates a socket; [`listen_systemd`](Self::listen_systemd) and [`listen_fd`](Self::listen_fd) take an existing one.
///
/// [The chapter on access, limits and shutdown](crate::guide::access) explains how the settings work together.
#[derive(Default)]
#[must_use = "a server is not made before `bind` or `listen_…`"]
pub struct ServerBuilder {
    modules: Vec<(Arc<dyn Module>, String)>,
    expected: Vec<(i32, String)>,
    explicit_only: bool,
    allow_unlisted: bool,
    rules: Rules,
    health: Option<Health>,
    #[cfg(feature = "reflection")]
    reflection: ReflectionOptions,
    #[cfg(feature = "tower")]
    layers: Layers,
    config: Config,
}

impl ServerBuilder {
    /// Serves this module, in addition to those that register themselves.
    pub fn module<M: Module>(mut self, module: M) -> Self {
        let origin = origin_of(&module);
        self.modules.push((Arc::new(module), origin));
        self
    }

    /// Serves a [health check](crate::health) that reports what `health` says about the server and its modules.
    pub fn health(mut self, health: &Health) -> Self {
        self.health = Some(health.clone());
        self
    }

    /// Ignores modules that register themselves (`#[drpc_module(…, register)]`): only those passed to [`module`](Self::module) are served.
    pub fn explicit_modules_only(mut self) -> Self {
        self.explicit_only = true;
        self
    }

    /// Serves modules that the registry does not list (`#[drpc_module(…, unlisted)]`), which are for tests. Servers in memory
    /// ([`testing`](crate::testing)) always do; without this, a server on a socket refuses to start with such a module.
    pub fn allow_unlisted(mut self) -> Self {
        self.allow_unlisted = true;
        self
    }

    /// Refuses to start unless modules with these IDs are served, such as the `MODULES` that the build helper generates from the registry. This catches a
    /// registration that the linker dropped: see [`registry`](crate::registry).
    pub fn expect_modules(mut self, modules: &[(i32, &str)]) -> Self {
        self.expected.extend(modules.iter().map(|(id, name)| (*id, (*name).to_owned())));
        self
    }

    /// The permissions of the socket file, for [`bind`](Self::bind). They hold from the moment the file exists ([S2](crate::guide::rules#server)).
    pub fn mode(mut self, mode: u32) -> Self {
        self.config.file.mode = Some(mode);
        self
    }

    /// The user and group of the socket file, by number, for [`bind`](Self::bind); `None` leaves one as it is. They are set before anyone can connect ([S2](crate::guide::rules#server)).
    ///
    /// Only root may give a file to another user; others may give it to one of their groups.
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

    /// What to do if the path exists ([S3](crate::guide::rules#server)).
    pub fn existing_socket(mut self, existing: ExistingSocket) -> Self {
        self.config.file.existing = existing;
        self
    }

    /// Whether the calls of one session run one at a time or concurrently ([S5](crate::guide::rules#server)). With [`Order::Concurrent`], set
    /// [`server_answers_in_order(false)`](crate::ClientBuilder::server_answers_in_order) on the clients: see [the chapter](crate::guide::concurrency).
    pub fn order(mut self, order: Order) -> Self {
        self.config.order = order;
        self
    }

    /// Which wire format to speak ([W8](crate::guide::rules#wire)): detected per session by default, or a single [`Wire`](crate::Wire).
    pub fn wire(mut self, wire: impl Into<WireMode>) -> Self {
        self.config.wire = wire.into();
        self
    }

    /// The longest message to receive or send, in bytes ([W6](crate::guide::rules#wire)). A longer call ends its session; a longer reply becomes `FAILED_MARSHAL`.
    pub fn message_limit(mut self, bytes: usize) -> Self {
        self.config.message_limit = bytes;
        self
    }

    /// The longest request that is decoded for its handler, in bytes: a prost message, not [`Bytes`](crate::Bytes), for which
    /// [`message_limit`](Self::message_limit) alone counts. The limit applies to messages: a longer one is answered `FAILED_UNMARSHAL_PAYLOAD`, and logged.
    ///
    /// It bounds what a request may become: two bytes on the wire can be an empty message in a repeated field, which takes as much room
    /// as its Rust type. So each field counts as 64 bytes at least, and 4 MiB can be 65,536 fields. A method has its own limit by
    /// `#[method(1, request_limit = "64KiB")]`.
    pub fn request_limit(mut self, bytes: usize) -> Self {
        self.config.request_limit = bytes;
        self
    }

    /// How long the rest of a message may take after its first chunk. Then the session ends. While the client leaves replies unread, which holds the reading up,
    /// the time stands still, but for no longer than it is.
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.config.message_timeout = timeout;
        self
    }

    /// How long a handler may take. Then it is dropped at its `await`, and its call is answered FAILURE. A handler that blocks its thread can't be dropped; on
    /// a [`blocking::Server`](crate::blocking::Server), its late reply is discarded and the call is answered FAILURE when it returns.
    ///
    /// It applies to methods without a time-out of their own (`#[method(1, timeout = "60s")]`, [`Method::with_timeout`]), which overrides this one, whether longer or
    /// shorter.
    ///
    /// [`Method::with_timeout`]: crate::Method::with_timeout
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.config.handler_timeout = Some(timeout);
        self
    }

    /// How long running calls may continue during a shutdown ([S7](crate::guide::rules#server)).
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.config.drain_timeout = timeout;
        self
    }

    /// How long a session busy-polls for its next call before it sleeps. Off by default; 50 µs is a good value.
    ///
    /// It is for servers that one client at a time keeps busy: [`ClientBuilder::spin`](crate::ClientBuilder::spin) explains gains and costs. One session of a process
    /// spins at a time, and only if no other has received anything since and none of its own handlers is waiting. Meanwhile the other tasks of its thread wait (on a
    /// single-threaded runtime, all tasks); after 16 calls in a row they get their turn.
    ///
    /// It applies to the tokio server and the blocking server: whoever drives a progress server can step without waiting.
    pub fn spin(mut self, limit: Duration) -> Self {
        self.config.spin = limit;
        self
    }

    /// Whether to honour what a client [adds to its calls](crate::guide::added_fields) ([E5](crate::guide::rules#envelope)): the time it has left, its trace context, and its wish to be
    /// told an error's text and details.
    ///
    /// A server never adds anything that the client did not ask for. With `false`, it ignores what was added and sends exactly what DAOS's servers would.
    pub fn added_fields(mut self, heeded: bool) -> Self {
        self.config.added_fields = heeded;
        self
    }

    /// Tells systemd when the server is ready and when it begins to stop: `READY=1` and `STOPPING=1` to `NOTIFY_SOCKET`, if that is set. For units with
    /// `Type=notify`; see [the chapter](crate::guide::systemd).
    ///
    /// The server is ready once [`serve`](crate::Server::serve) accepts, or at the first [step](crate::progress::Server::progress). If a program has several servers,
    /// set this on the one that starts last.
    pub fn notify_systemd(mut self) -> Self {
        self.config.notify_systemd = true;
        self
    }

    /// The modules, and the settings: what a driver needs beside a socket.
    pub(super) fn build(self) -> Result<(ModuleService, Config), BindError> {
        look_at_namespace();
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
        let takes_descriptors = takes_descriptors(&service).then_some(self.config.limits.descriptors);
        #[cfg(feature = "tower")]
        service.set_layers(self.layers);
        let config = Config { takes_descriptors, ..self.config };
        #[cfg(feature = "reflection")]
        let config = self.reflection.install(&mut service, config)?;
        Ok((service, config))
    }
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
