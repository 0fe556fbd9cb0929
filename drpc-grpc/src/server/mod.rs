//! The serving half: modules as gRPC services.

mod connection;
mod ending;
mod error;
#[cfg(feature = "reflection")]
mod reflection;
mod served;
mod service;
mod whole;

use std::fmt;
use std::future::{Future, pending};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use drpc::{Method, Module, ModuleService};
use futures_util::future::{Either, select};
use tokio::net::{TcpListener, ToSocketAddrs};
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use self::connection::accept_on;
pub(crate) use self::ending::Ends;
use self::ending::ending;
pub use self::error::ServeError;
use self::served::Served;
pub(crate) use self::service::{AHEAD, Calls};
use self::service::{Limits, Paths, Shared};
use crate::names;
use crate::tls::Tls;

/// Serves modules to other hosts, as gRPC services.
///
/// ```no_run
/// use drpc::{ModuleService, drpc_module};
/// use drpc_grpc::{GrpcServer, Tls};
///
/// struct Greeter;
///
/// #[drpc_module(id = 5, remote)]
/// impl Greeter {
///     #[method(1)]
///     fn hello(&self) {}
/// }
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let mut modules = ModuleService::new();
///     modules.register(Greeter)?;
///     let tls = Tls::from_files("host.pem", "host.key", "ca.pem")?;
///     GrpcServer::builder(modules).tls(tls).bind("0.0.0.0:7443").await?.serve().await?;
///     Ok(())
/// }
/// ```
///
/// Beside the modules it serves gRPC's own health checks, under each service's name and under none, and with the feature `reflection` what tools list the services by.
pub struct GrpcServer {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    served: Served,
    connection_limit: usize,
    health: HealthReporter,
    services: Vec<String>,
    ends: Ends,
    drain_timeout: Duration,
}

/// The settings of a [`GrpcServer`].
#[must_use = "it does nothing before it is bound"]
pub struct GrpcServerBuilder {
    modules: Arc<ModuleService>,
    tls: Option<Tls>,
    insecure_loopback: bool,
    limits: Limits,
    connection_limit: usize,
    drain_timeout: Duration,
    #[cfg(feature = "reflection")]
    descriptors: Vec<u8>,
    #[cfg(feature = "reflection")]
    carried: reflection::Carried,
}

/// As `ServerBuilder::message_limit`.
pub(crate) const DEFAULT_MESSAGE_LIMIT: usize = 64 << 20;

/// How much of a stream may have come that nobody has read yet.
pub(crate) const STREAM_WINDOW: u32 = 2 << 20;

/// The same of all streams of a caller's connection: those that nobody reads hold up the others once they are 64.
const CONNECTION_WINDOW: u32 = 128 << 20;

/// How many calls and streams a connection may have under way. Its caller keeps those that are more until others are done.
const STREAMS: u32 = 256;

impl GrpcServer {
    /// Settings for a server of these modules, with their rules and layers. Every one of them must be [`remote`](Module::is_remote).
    ///
    /// A module that is served on a socket, too, is one in an `Arc`, of which either service takes a clone.
    pub fn builder(modules: impl Into<Arc<ModuleService>>) -> GrpcServerBuilder {
        GrpcServerBuilder {
            modules: modules.into(),
            tls: None,
            insecure_loopback: false,
            limits: Limits { messages: DEFAULT_MESSAGE_LIMIT, handlers: None, calls: 4096 },
            connection_limit: 1024,
            drain_timeout: Duration::from_secs(5),
            #[cfg(feature = "reflection")]
            descriptors: Vec::new(),
            #[cfg(feature = "reflection")]
            carried: reflection::Carried::new(),
        }
    }

    /// The address that it listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the future is dropped.
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the listening socket fails.
    pub async fn serve(self) -> Result<(), ServeError> {
        self.serve_until(pending()).await
    }

    /// Serves until a future is done, such as `drpc::server::shutdown_signal()`. Then it takes no more connections, tells who asks for its health and
    /// the handlers that run, and returns once all calls are answered and all streams have ended, or were cut after the
    /// [`drain_timeout`](GrpcServerBuilder::drain_timeout).
    ///
    /// # Errors
    ///
    /// [`ServeError`] if the listening socket fails.
    pub async fn serve_until(self, stop: impl Future<Output = ()>) -> Result<(), ServeError> {
        let GrpcServer {
            listener, tls, served, connection_limit, health, services, ends, drain_timeout, ..
        } = self;
        let stopped = async {
            stop.await;
            for service in services.iter().map(String::as_str).chain([""]) {
                health.set_service_status(service, ServingStatus::NotServing).await;
            }
            ends.begin();
        };
        let incoming = accept_on(listener, tls, connection_limit);
        let serving = transport().serve_with_incoming_shutdown(served, incoming, stopped);
        match select(pin!(serving), pin!(ends.cut_after(drain_timeout))).await {
            Either::Left((served, _)) => served.map_err(ServeError::serving),
            Either::Right(_) => Ok(()),
        }
    }
}

impl GrpcServerBuilder {
    /// Who this host is, and whose certificates its callers must show. Without it, a server does not start.
    pub fn tls(self, tls: Tls) -> Self {
        GrpcServerBuilder { tls: Some(tls), ..self }
    }

    /// Serves without TLS, on a loopback address alone, to whoever is on this host: for tests, and behind a proxy that does TLS. Nobody is known by name, so
    /// that rules which name someone refuse all.
    pub fn insecure_loopback(self) -> Self {
        GrpcServerBuilder { insecure_loopback: true, ..self }
    }

    /// How many bytes a request or a reply may have: 64 MiB, unless this says otherwise. A longer request is refused before it is read; a longer reply fails
    /// its call.
    pub fn message_limit(self, bytes: usize) -> Self {
        GrpcServerBuilder { limits: Limits { messages: bytes, ..self.limits }, ..self }
    }

    /// How long a handler may take, of a method that does not say so itself, to answer or to open its stream. It is then dropped, and its caller answered
    /// `DEADLINE_EXCEEDED`.
    pub fn handler_timeout(self, timeout: Duration) -> Self {
        GrpcServerBuilder { limits: Limits { handlers: Some(timeout), ..self.limits }, ..self }
    }

    /// How many calls and streams are carried out at a time, of all callers: 4,096, unless this says otherwise. One whose caller has left counts until its handler is done. What is
    /// more is not begun, and answered UNAVAILABLE.
    pub fn call_limit(self, calls: usize) -> Self {
        GrpcServerBuilder { limits: Limits { calls, ..self.limits }, ..self }
    }

    /// How many connections there may be at a time, those included whose callers have yet to show who they are: 1,024, unless this says otherwise. What is more is closed at once.
    pub fn connection_limit(self, connections: usize) -> Self {
        GrpcServerBuilder { connection_limit: connections, ..self }
    }

    /// How long calls and streams that are under way may go on when the server stops: 5 seconds, unless this says otherwise. What is not done by then is
    /// answered UNAVAILABLE.
    pub fn drain_timeout(self, timeout: Duration) -> Self {
        GrpcServerBuilder { drain_timeout: timeout, ..self }
    }

    /// Serves reflection, by which tools list the services and make calls: `drpc::include_descriptors!()`, of the package that has the messages. Several may be given, one
    /// after the other. Of them, only the files that the served methods' messages need are shown.
    ///
    /// Shown are the methods of modules that `#[drpc_module]` declares in this program, whose messages the descriptors have. One that takes or returns
    /// raw bytes is not of protobuf, and is left out.
    #[cfg(feature = "reflection")]
    pub fn descriptors(mut self, descriptors: &[u8]) -> Self {
        // Descriptor sets one behind the other are one.
        self.descriptors.extend_from_slice(descriptors);
        self
    }

    /// Says which messages a method carries, by their full names in protobuf: one of a module that no `#[drpc_module]` in this program declares, such as a
    /// [`Forwarded`](crate::Forwarded) one.
    #[cfg(feature = "reflection")]
    pub fn carried(mut self, method: i32, request: impl Into<String>, reply: impl Into<String>) -> Self {
        let carried = self.carried.entry(method).or_default();
        (carried.request, carried.reply) = (request.into(), reply.into());
        self
    }

    /// The same of each item that a method takes, if it [takes a stream](drpc::Method::client_streaming), beside [`carried`](Self::carried). To a tool, such a method
    /// is one of these items; a comment says what its request is, and where it goes.
    #[cfg(feature = "reflection")]
    pub fn carried_items(mut self, method: i32, item: impl Into<String>) -> Self {
        self.carried.entry(method).or_default().items = Some(item.into());
        self
    }

    /// Checks the modules and listens.
    ///
    /// # Errors
    ///
    /// [`ServeError`]: without TLS that was not asked for, or on an address that others reach; a module that is not remote; a method that passes descriptors; a name that gRPC can't carry, or that two
    /// have; descriptors that can't be read; the system's error.
    pub async fn bind(self, address: impl ToSocketAddrs) -> Result<GrpcServer, ServeError> {
        let (paths, services) = paths_of(&self.modules)?;
        self.refuse_open()?;
        let (health, health_service) = tonic_health::server::health_reporter();
        let routes = Routes::new(health_service);
        #[cfg(feature = "reflection")]
        let routes = match self.descriptors.is_empty() {
            true => routes,
            false => reflection::add_to(routes, &self.modules, &self.descriptors, &self.carried)?,
        };
        let listener = TcpListener::bind(address).await.map_err(ServeError::listening)?;
        let address = listener.local_addr().map_err(ServeError::listening)?;
        if self.tls.is_none() && !address.ip().is_loopback() {
            return Err(ServeError::open_to_others(address));
        }
        for service in &services {
            health.set_service_status(service, ServingStatus::Serving).await;
        }
        let (calls, ends) = calls_of(self.modules, paths, self.limits);
        Ok(GrpcServer {
            listener,
            address,
            tls: self.tls,
            served: Served::new(calls, routes),
            connection_limit: self.connection_limit,
            health,
            services,
            ends,
            drain_timeout: self.drain_timeout,
        })
    }

    /// Without TLS it must be asked for.
    fn refuse_open(&self) -> Result<(), ServeError> {
        match self.tls.is_some() || self.insecure_loopback {
            true => Ok(()),
            false => Err(ServeError::without_tls()),
        }
    }
}

/// What carries out calls, and what ends that.
fn calls_of(modules: Arc<ModuleService>, paths: Paths, limits: Limits) -> (Calls, Ends) {
    let (ends, ending) = ending();
    (Calls::new(Shared::new(modules, paths, limits, ending)), ends)
}

/// The same of a server without a network. It goes on as long as both are there.
pub(crate) fn detached(
    modules: impl Into<Arc<ModuleService>>,
    message_limit: usize,
) -> Result<(Calls, Ends), ServeError> {
    let modules = modules.into();
    let (paths, _) = paths_of(&modules)?;
    let limits = Limits { messages: message_limit, handlers: None, calls: usize::MAX };
    Ok(calls_of(modules, paths, limits))
}

fn transport() -> tonic::transport::Server {
    // A caller that is gone without a word, as in a partition, is noticed in half a minute.
    tonic::transport::Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .http2_keepalive_timeout(Some(Duration::from_secs(10)))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(STREAMS)
}

/// What the methods of all modules are called by, and the names of their services.
fn paths_of(modules: &ModuleService) -> Result<(Paths, Vec<String>), ServeError> {
    let (mut paths, mut services) = (Paths::new(), Vec::new());
    for module in modules.modules() {
        let name = module.name();
        if !module.is_remote() {
            return Err(ServeError::not_remote(name, module.id()));
        }
        if !names::is_identifier(name) {
            return Err(ServeError::bad_name(name));
        }
        let service = names::service(name);
        if services.contains(&service) {
            return Err(ServeError::name_taken(&service));
        }
        if let Some(rule) = module.rule().filter(|rule| !modules.has_rule(rule)) {
            return Err(ServeError::no_rule(name, rule));
        }
        for method in methods_of(module) {
            if let Some(rule) = method.rule().filter(|rule| !modules.has_rule(rule)) {
                return Err(ServeError::no_rule(name, rule));
            }
            if method.has_fds() {
                return Err(ServeError::passes_descriptors(name, method.name()));
            }
            let path = format!("/{service}/{}", names::method(method.name()));
            if let Some(other) = paths.insert(path.clone(), method) {
                return Err(ServeError::methods_alike(&path, other.id(), method.id()));
            }
            paths.insert(names::path_of(method).to_string(), method);
        }
        services.push(service);
    }
    match services.is_empty() {
        true => Err(ServeError::no_modules()),
        false => Ok((paths, services)),
    }
}

/// The methods of a module: they are of its own hundred (M).
pub(crate) fn methods_of(module: &dyn Module) -> impl Iterator<Item = Method> {
    let first = i64::from(module.id()) * 100;
    (first..first + 100).filter_map(|id| module.get_method(i32::try_from(id).ok()?))
}

impl fmt::Debug for GrpcServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcServer")
            .field("address", &self.address)
            .field("services", &self.services)
            .finish()
    }
}

impl fmt::Debug for GrpcServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcServerBuilder").field("modules", &self.modules).finish_non_exhaustive()
    }
}
