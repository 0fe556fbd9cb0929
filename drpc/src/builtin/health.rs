//! A health check: whether a server, or one of its modules, serves. For supervisors, load balancers, and scripts that wait for a daemon
//! (`drpc health SOCKET`).
//!
//! It is modelled on gRPC's health protocol, with the same bytes in its messages. [The chapter](crate::guide::health) has more.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use event_listener::Event;
use futures_util::future::select;

use crate::client::{CallOptions, Caller};
use crate::handler::cancellation::Cancelled;
use crate::handler::context::Context;
use crate::handler::failure::Failure;
use crate::handler::method::Method;
use crate::handler::module::Module;
use crate::handler::payload::Payload;
use crate::handler::reply::Reply;

/// The module's ID.
pub const ID: i32 = super::module_id(0);

/// `check`: the current status.
pub const CHECK: Method = Method::new(ID, ID * 100 + 1, "check").idempotent();

/// `watch`: the status, once it is not the one that the caller knows.
pub const WATCH: Method = Method::new(ID, ID * 100 + 2, "watch").idempotent();

/// The health of a server and its modules: pass it to [`ServerBuilder::health`](crate::ServerBuilder::health), and keep a clone to change it.
///
/// Everything counts as serving unless you say otherwise; once the server begins to stop, nothing does ([S7](crate::guide::rules#server)). Cheap to clone.
///
/// ```
/// # use drpc::drpc_module;
/// # struct Disks;
/// # #[drpc_module(id = 6)]
/// # impl Disks { #[method(1)] fn flush(&self) {} }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use drpc::Server;
/// use drpc::health::{Health, HealthClient, ServingStatus};
///
/// let health = Health::new();
/// let server = Server::builder().module(Disks).health(&health);
///
/// let client = HealthClient::new(drpc::testing::client_of(server)?);
/// assert_eq!(client.check("disks").await?.status(), ServingStatus::Serving);
/// health.set_module("disks", false);
/// assert_eq!(client.check("disks").await?.status(), ServingStatus::NotServing);
/// assert_eq!(client.check("").await?.status(), ServingStatus::Serving);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Health(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Event,
}

#[derive(Debug, Default)]
struct State {
    /// The server as a whole does not serve.
    down: bool,
    /// Whether a module serves, by its name.
    modules: BTreeMap<String, bool>,
}

impl Health {
    /// Everything serves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets whether the server as a whole serves. While it does not, none of its modules does.
    pub fn set(&self, serving: bool) {
        self.state().down = !serving;
        self.0.changed.notify(usize::MAX);
    }

    /// Sets whether a module serves, by its name. A name that no module has is one more that can be asked for.
    pub fn set_module(&self, name: impl Into<String>, serving: bool) {
        self.state().modules.insert(name.into(), serving);
        self.0.changed.notify(usize::MAX);
    }

    /// The current status of a module, by its name, or of the whole server, by `""`; as long as the server is not stopping.
    #[must_use]
    pub fn status(&self, module: &str) -> ServingStatus {
        let state = self.state();
        let known = if module.is_empty() { Some(true) } else { state.modules.get(module).copied() };
        match known {
            None => ServingStatus::ServiceUnknown,
            Some(true) if !state.down => ServingStatus::Serving,
            Some(_) => ServingStatus::NotServing,
        }
    }

    /// The module that answers for a server of these modules.
    pub(crate) fn module_of<'a>(&self, modules: impl Iterator<Item = &'a str>) -> Arc<dyn Module> {
        let mut state = self.state();
        for name in modules {
            state.modules.entry(name.to_owned()).or_insert(true);
        }
        drop(state);
        Arc::new(HealthModule(self.clone()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Health").field(&*self.state()).finish()
    }
}

/// Whether something serves: gRPC's `ServingStatus`.
///
/// ```
/// use drpc::health::ServingStatus;
///
/// assert_eq!(ServingStatus::NotServing.to_string(), "NOT_SERVING"); // as gRPC writes it
/// assert_eq!(ServingStatus::try_from(1), Ok(ServingStatus::Serving));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum ServingStatus {
    /// Unknown. drpc never answers this.
    Unknown = 0,
    /// It serves.
    Serving = 1,
    /// It does not, by its own word, or because the server is stopping.
    NotServing = 2,
    /// The server has no such module.
    ServiceUnknown = 3,
}

/// As gRPC writes it: `SERVING`.
impl fmt::Display for ServingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            ServingStatus::Unknown => "UNKNOWN",
            ServingStatus::Serving => "SERVING",
            ServingStatus::NotServing => "NOT_SERVING",
            ServingStatus::ServiceUnknown => "SERVICE_UNKNOWN",
        })
    }
}

/// The request of both methods: gRPC's `HealthCheckRequest`. [`HealthClient`] makes it.
///
/// ```
/// use drpc::health::{HealthRequest, ServingStatus};
///
/// let disks = HealthRequest { service: "disks".into(), known: ServingStatus::Unknown.into() };
/// let whole_server = HealthRequest::default();
/// ```
#[derive(Clone, PartialEq, Eq, prost::Message)]
pub struct HealthRequest {
    /// The module's name; empty for the server as a whole.
    #[prost(string, tag = "1")]
    pub service: String,
    /// For `watch`: the status that the caller knows already.
    #[prost(enumeration = "ServingStatus", tag = "1000")]
    pub known: i32,
}

/// The reply of both methods: gRPC's `HealthCheckResponse`.
///
/// ```
/// use drpc::health::{HealthReply, ServingStatus};
///
/// let reply = HealthReply { status: 2 };
/// assert_eq!(reply.status(), ServingStatus::NotServing);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, prost::Message)]
pub struct HealthReply {
    /// The status.
    #[prost(enumeration = "ServingStatus", tag = "1")]
    pub status: i32,
}

/// A typed client of the health module, over any client: what `#[drpc_module]` generates for your modules.
///
/// A server without a health module answers `UNKNOWN_MODULE`.
///
/// ```no_run
/// use drpc::blocking::Client;
/// use drpc::health::{HealthClient, ServingStatus};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let health = HealthClient::new(Client::connect("/run/greeter.sock")?);
///     if health.check("")?.status() != ServingStatus::Serving {
///         std::process::exit(1);
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct HealthClient<C> {
    caller: C,
    options: CallOptions,
}

impl<C: Caller> HealthClient<C> {
    /// A client that calls through `caller`.
    pub fn new(caller: C) -> Self {
        HealthClient { caller, options: CallOptions::default() }
    }

    /// The same client with options for the calls to come.
    #[must_use]
    pub fn with(&self, options: CallOptions) -> Self {
        HealthClient { caller: self.caller.clone(), options }
    }

    /// The current status of a module, by its name, or of the whole server, by `""`.
    pub fn check(&self, module: &str) -> C::Outcome<HealthReply> {
        self.call(CHECK, module, ServingStatus::Unknown)
    }

    /// Like [`check`](Self::check), but replies once the status is not `known`; with [`ServingStatus::Unknown`], at once. When the server begins to stop, it is answered
    /// `NotServing` before the connection ends.
    ///
    /// Where a server runs a session's calls [one at a time](crate::Order::Serial), a pending watch blocks those behind it: give it a client of its own, without a
    /// time-out.
    pub fn watch(&self, module: &str, known: ServingStatus) -> C::Outcome<HealthReply> {
        self.call(WATCH, module, known)
    }

    fn call(&self, method: Method, module: &str, known: ServingStatus) -> C::Outcome<HealthReply> {
        let request = HealthRequest { service: module.to_owned(), known: known.into() };
        self.caller.call(method, request, &self.options)
    }
}

/// The module of one server.
struct HealthModule(Health);

#[crate::async_trait]
impl Module for HealthModule {
    fn id(&self) -> i32 {
        ID
    }

    fn name(&self) -> &str {
        "health"
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        [CHECK, WATCH].into_iter().find(|method| method.id() == id)
    }

    async fn handle_call(
        self: Arc<Self>,
        context: Context,
        method: Method,
        body: Bytes,
    ) -> Result<Reply, Failure> {
        let mut decoding = context.decoding(method, &body);
        let request = HealthRequest::from_body_within(body, &mut decoding)?;
        let status = match method {
            CHECK => self.status(&context, &request.service),
            WATCH => self.changed(&context, &request).await,
            _ => return Err(Failure::unknown_method()),
        };
        Ok(HealthReply { status: status.into() }.into_body().into_bytes().into())
    }
}

impl HealthModule {
    fn status(&self, context: &Context, module: &str) -> ServingStatus {
        match self.0.status(module) {
            ServingStatus::Serving if context.cancellation() == Some(Cancelled::ShuttingDown) => {
                ServingStatus::NotServing
            }
            status => status,
        }
    }

    /// The status, once it is not the one that the caller knows, or nobody waits for it any more.
    async fn changed(&self, context: &Context, request: &HealthRequest) -> ServingStatus {
        loop {
            let changed = self.0.0.changed.listen();
            let status = self.status(context, &request.service);
            if i32::from(status) != request.known || context.is_cancelled() {
                return status;
            }
            select(changed, pin!(context.cancelled())).await;
        }
    }
}
