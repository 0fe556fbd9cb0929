use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::authorization::check_rules;
use super::hooks::Hooks;
use super::limits::Limits;
#[cfg(feature = "progress")]
use super::progress;
use super::{BindError, systemd};
#[cfg(feature = "server")]
use super::{Server, accept::Shared};
use crate::authorization::Rules;
use crate::registry::{ModuleDescriptor, declared_modules, origin_of};
use crate::transport::{FileOptions, Listener};
use crate::wire::{DEFAULT_MESSAGE_LIMIT, WireMode};
use crate::{Address, Allow, Module, ModuleService};

/// Sets a server up: [`bind`](Self::bind) makes the one on tokio, [`bind_progress`](Self::bind_progress) the one in steps.
///
/// | setting | default |
/// |---|---|
/// | [`mode`](Self::mode) | 0600 |
/// | [`owner`](Self::owner) | this process's user and group |
/// | [`existing_socket`](Self::existing_socket) | [`ReplaceStale`](ExistingSocket::ReplaceStale) |
/// | [`order`](Self::order) | [`Serial`](Order::Serial) |
/// | [`wire`](Self::wire) | recognised for each session |
/// | [`message_limit`](Self::message_limit) | 64 MiB |
/// | [`message_timeout`](Self::message_timeout) | 10 s |
/// | [`handler_timeout`](Self::handler_timeout) | none |
/// | [`drain_timeout`](Self::drain_timeout) | 5 s |
/// | [`spin`](Self::spin) | off |
/// | [`added_fields`](Self::added_fields) | heeded |
/// | [`idle_timeout`](Self::idle_timeout) | none |
/// | [`session_limit`](Self::session_limit) | none: as many as the process may have descriptors |
/// | [`session_limit_per_uid`](Self::session_limit_per_uid) | none |
/// | [`pending_reply_limit`](Self::pending_reply_limit) | 256 MiB a session |
/// | [`call_limit`](Self::call_limit) | none: each session's [`order`](Self::order) is its own limit |
/// | [`allow`](Self::allow) | everyone whom the mode lets |
/// | [`rule`](Self::rule) | none: a module that names one does not start |
/// | [`layer`](Self::layer) | none |
/// | [`on_open`](Self::on_open), [`on_close`](Self::on_close) | nothing |
/// | [`notify_systemd`](Self::notify_systemd) | no |
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
    pub(super) rules: Rules,
    #[cfg(feature = "tower")]
    pub(super) layers: crate::middleware::Layers,
    pub(super) config: Config,
}

/// A server's settings.
#[derive(Clone, Debug)]
pub(super) struct Config {
    pub(super) file: FileOptions,
    pub(super) notify_systemd: bool,
    pub(super) order: Order,
    pub(super) wire: WireMode,
    pub(super) message_limit: usize,
    pub(super) message_timeout: Duration,
    pub(super) handler_timeout: Option<Duration>,
    pub(super) drain_timeout: Duration,
    pub(super) spin: Duration,
    /// Whether the fields that this project adds to a call are heeded (E5).
    pub(super) added_fields: bool,
    /// Who may connect; everyone, if there is no rule.
    pub(super) access: Option<Allow>,
    pub(super) limits: Limits,
    pub(super) hooks: Arc<Hooks>,
    /// Where the server listens, once it does.
    pub(super) address: Option<Address>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            file: FileOptions::default(),
            notify_systemd: false,
            order: Order::default(),
            wire: WireMode::Auto,
            message_limit: DEFAULT_MESSAGE_LIMIT,
            message_timeout: Duration::from_secs(10),
            handler_timeout: None,
            drain_timeout: Duration::from_secs(5),
            spin: Duration::ZERO,
            added_fields: true,
            access: None,
            limits: Limits::default(),
            hooks: Arc::default(),
            address: None,
        }
    }
}

/// What to do about something that stands at the socket's path already (S3). Only sockets are ever removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExistingSocket {
    /// Refuse to start, whatever it is.
    Fail,
    /// Remove a socket that no server listens on any more, as one that crashed leaves it; refuse to start if a server
    /// answers there.
    #[default]
    ReplaceStale,
    /// Remove a socket without asking. A server that still listens on it can't be reached any more.
    Unlink,
}

/// In which order the calls of one session are carried out (S5). Sessions are always served side by side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// One call at a time, answered in the order of the calls, as DAOS's Go server does.
    #[default]
    Serial,
    /// Up to so many calls of a session at once, answered as they finish, as DAOS's engine does. A further call is
    /// not read before one of them is answered. A limit of 0 is taken as 1.
    Concurrent(usize),
}

impl Order {
    pub(super) fn limit(self) -> usize {
        match self {
            Order::Serial => 1,
            Order::Concurrent(limit) => limit.max(1),
        }
    }
}

impl ServerBuilder {
    /// Serves this module, beside those that register themselves.
    pub fn module<M: Module>(mut self, module: M) -> Self {
        let origin = origin_of(&module);
        self.modules.push((Arc::new(module), origin));
        self
    }

    /// Leaves out the modules that register themselves (`#[drpc_module(…, register)]`): only those given by
    /// [`module`](Self::module) are served.
    pub fn explicit_modules_only(mut self) -> Self {
        self.explicit_only = true;
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

    /// How long the rest of a message may take, once its first chunk has come. Then the session ends.
    pub fn message_timeout(mut self, timeout: Duration) -> Self {
        self.config.message_timeout = timeout;
        self
    }

    /// How long a handler may take. Then it is dropped where it waits, and its caller is answered FAILURE. A handler that
    /// blocks its thread can't be dropped.
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
    /// It is for the server on tokio: whoever drives the one in steps may step without waiting.
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
    /// It is ready once [`Server::serve`] accepts, or at the first [step](progress::Server::progress). In a program of several servers, ask it of the one that starts last.
    pub fn notify_systemd(mut self) -> Self {
        self.config.notify_systemd = true;
        self
    }

    /// Makes the socket and listens on it. Clients may connect from now on; they are served once
    /// [`Server::serve`] runs.
    ///
    /// `@name` is a name in Linux's abstract namespace: see [`Address`](crate::Address). It is no file, so it is never stale,
    /// and has no permissions: **whoever is in the same network namespace may connect**, so say who by
    /// [`allow`](Self::allow).
    ///
    /// Of several servers that start on one path at the same time, one gets it. For that, the folder is locked meanwhile
    /// (`flock`), and when the file is removed. If the folder may not be read, or another program keeps it locked for a second,
    /// the server goes on without.
    ///
    /// # Errors
    ///
    /// [`BindError`] if the path or mode is unfit (S2), the file can't be given to the [`owner`](Self::owner), something stands at
    /// the path that may not be removed (S3), two modules have the same ID (D6), an expected module is missing, or a module or
    /// method names a [`rule`](Self::rule) that is not defined. With an abstract name: if it is in use, or a mode or owner was
    /// asked for.
    #[cfg(feature = "server")]
    pub fn bind(self, path: impl AsRef<Path>) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Ok(Server::new(Listener::bind(path.as_ref(), &config.file)?, service, config))
    }

    /// Listens on a socket that is bound already, whether or not it listens.
    ///
    /// Its file is left as it is, and in its place when the server ends: [`mode`](Self::mode), [`owner`](Self::owner) and
    /// [`existing_socket`](Self::existing_socket) are for [`bind`](Self::bind). The socket no longer blocks from now on, for those
    /// with whom it is shared, too.
    ///
    /// # Errors
    ///
    /// [`BindError`] if it is not a Unix socket of type `SOCK_SEQPACKET`, is a connection, or is not bound; or if the modules are at
    /// fault.
    #[cfg(feature = "server")]
    pub fn listen_fd(self, socket: OwnedFd) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Ok(Server::new(given(socket)?, service, config))
    }

    /// Listens on the socket that systemd passed to this process (socket activation): its unit says
    /// `ListenSequentialPacket=/run/greeter.sock`, and mode and owner.
    ///
    /// As with [`listen_fd`](Self::listen_fd), the file is left in its place. So is the environment, which can't be changed safely
    /// once there are threads: `LISTEN_PID` keeps programs that are started from here from taking it as theirs, and they don't
    /// inherit the descriptors. The socket stays open until the process ends, so that it can be listened on again.
    ///
    /// # Errors
    ///
    /// [`BindError`] if systemd passed no socket or several, what it passed is unfit, or the modules are at fault. See
    /// [`is_socket_activated`](super::is_socket_activated) for a program that may also be started by hand.
    #[cfg(feature = "server")]
    pub fn listen_systemd(self) -> Result<Server, BindError> {
        self.listen_passed(None)
    }

    /// As [`listen_systemd`](Self::listen_systemd), for one of several sockets: its unit says `FileDescriptorName=`, which is the
    /// unit's own name (`greeter.socket`) by default.
    ///
    /// # Errors
    ///
    /// As [`listen_systemd`](Self::listen_systemd), and if no socket has this name, or several have it.
    #[cfg(feature = "server")]
    pub fn listen_systemd_named(self, name: &str) -> Result<Server, BindError> {
        self.listen_passed(Some(name))
    }

    #[cfg(feature = "server")]
    fn listen_passed(self, name: Option<&str>) -> Result<Server, BindError> {
        let (service, config) = self.build()?;
        Ok(Server::new(passed(name)?, service, config))
    }

    /// As [`bind`](Self::bind), for a server that is driven in steps (S9). Clients may connect from now on; they are served by
    /// [`progress`](progress::Server::progress).
    ///
    /// # Errors
    ///
    /// As [`bind`](Self::bind).
    #[cfg(feature = "progress")]
    pub fn bind_progress(self, path: impl AsRef<Path>) -> Result<progress::Server, BindError> {
        let (service, config) = self.build()?;
        progress::Server::new(Listener::bind(path.as_ref(), &config.file)?, service, config)
    }

    /// As [`listen_fd`](Self::listen_fd), for a server that is driven in steps (S9).
    ///
    /// # Errors
    ///
    /// As [`listen_fd`](Self::listen_fd).
    #[cfg(feature = "progress")]
    pub fn listen_fd_progress(self, socket: OwnedFd) -> Result<progress::Server, BindError> {
        let (service, config) = self.build()?;
        progress::Server::new(given(socket)?, service, config)
    }

    /// As [`listen_systemd`](Self::listen_systemd), for a server that is driven in steps (S9).
    ///
    /// # Errors
    ///
    /// As [`listen_systemd`](Self::listen_systemd).
    #[cfg(feature = "progress")]
    pub fn listen_systemd_progress(self) -> Result<progress::Server, BindError> {
        let (service, config) = self.build()?;
        progress::Server::new(passed(None)?, service, config)
    }

    /// The server without its socket.
    #[cfg(feature = "server")]
    pub(crate) fn build_shared(self) -> Result<Arc<Shared>, BindError> {
        let (service, config) = self.build()?;
        Ok(Arc::new(Shared::new(service, config)))
    }

    fn build(self) -> Result<(ModuleService, Config), BindError> {
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
        let missing: Vec<_> = self
            .expected
            .iter()
            .filter(|(id, _)| service.get(*id).is_none())
            .map(|(id, name)| MissingModule { id: *id, name: name.clone(), declared: declared(*id) })
            .collect();
        if !missing.is_empty() {
            return Err(BindError::missing(missing));
        }
        service.rules = self.rules;
        check_rules(&service)?;
        #[cfg(feature = "tower")]
        service.set_layers(self.layers);
        Ok((service, self.config))
    }
}

/// The socket that the program gives.
fn given(socket: OwnedFd) -> Result<Listener, BindError> {
    let fd = socket.as_raw_fd();
    Listener::adopt(socket).map_err(|unfit| BindError::unfit(fd, unfit))
}

/// The socket that the service manager passed, of this name if there are several.
fn passed(name: Option<&str>) -> Result<Listener, BindError> {
    let (socket, passed) = systemd::passed_socket(name).map_err(BindError::not_passed)?;
    Listener::adopt(socket).map_err(|unfit| BindError::unfit_passed(passed, unfit))
}

/// A module that was expected, and is not served.
#[derive(Debug)]
pub(super) struct MissingModule {
    pub(super) id: i32,
    pub(super) name: String,
    /// Where the program declares it nevertheless.
    pub(super) declared: Option<&'static ModuleDescriptor>,
}

fn declared(id: i32) -> Option<&'static ModuleDescriptor> {
    declared_modules().find(|descriptor| descriptor.id() == id)
}

impl std::fmt::Debug for ServerBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerBuilder").field("config", &self.config).finish_non_exhaustive()
    }
}
