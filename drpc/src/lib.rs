//! Declare RPC modules by macro and serve them over a Unix domain socket, speaking DAOS's dRPC.
//!
//! Write an ordinary `impl` block and put [`#[drpc_module]`](drpc_module) on it:
//!
//! ```standalone_crate
//! use drpc::{Failure, Server, drpc_module};
//!
//! #[derive(Clone, PartialEq, prost::Message)]
//! pub struct Hello {
//!     #[prost(string, tag = "1")]
//!     pub name: String,
//! }
//!
//! #[derive(Clone, PartialEq, prost::Message)]
//! pub struct HelloResponse {
//!     #[prost(string, tag = "1")]
//!     pub greeting: String,
//! }
//!
//! #[derive(Default)]
//! struct Greeter;
//!
//! #[drpc_module(id = 5, register)]
//! impl Greeter {
//!     /// Greets a person by name.
//!     #[method(1)]
//!     async fn hello(&self, req: Hello) -> Result<HelloResponse, Failure> {
//!         Ok(HelloResponse { greeting: format!("Hello {}", req.name) })
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // `register` made the server find the module; no socket is needed to try it.
//!     let client = drpc::testing::client_of(Server::builder())?;
//!     let reply = GreeterClient::new(client).hello(Hello { name: "World".into() }).await?;
//!     assert_eq!(reply.greeting, "Hello World");
//!     Ok(())
//! }
//! ```
//!
//! # Where to go from here
//!
//! - [`drpc_module`]: the attribute, with every key and every form of handler.
//! - [`Server`] serves modules, [`blocking::Server`] with a thread for each session, [`progress::Server`] in a loop of your own;
//!   [`Client`] and [`blocking::Client`] call them.
//! - [`Context`]: who calls, and whether they still wait. [`struct@Failure`]: how a handler fails.
//! - [`Allow`]: who may connect, and who may call what. [`Session`]: one client's connection, and what it is doing.
//! - [`registry`]: how modules register themselves, and when they don't.
//! - [`guide`]: chapters on the attribute, on the registry, on contracts, on the client, on which server to take, on sockets, on access, limits and shutdown, on
//!   health checks, on middleware, on the fields added to DAOS's, on spans and figures, and for those who come from hand-written dispatch.
//! - [`middleware`]: time-outs, limits and counters around the handlers, by `tower` or your own.
//! - [`health`]: a health check, for supervisors and load balancers.
//! - [`testing`]: the whole way of a call, without a socket.
//! - [`wire`]: the protocol, without sockets and runtimes.
//!
//! # Features
//!
//! | feature | what it adds | default |
//! |---|---|---|
//! | `server` | [`Server`], on tokio | yes |
//! | `progress` | [`progress::Server`], in a loop of the caller's own, without a runtime | yes |
//! | `client` | [`Client`], on tokio | yes |
//! | `blocking` | [`blocking::Client`], without a runtime | yes |
//! | `blocking-server` | [`blocking::Server`], a thread for each session, without a runtime | yes |
//! | `tower` | [`middleware`]: layers around the handlers | yes |
//! | `metrics` | [counters and histograms](guide::observability) of calls and sessions | no |
//! | `contract` | `contract::assert_kept`: a test of [what the modules promise](guide::contract) | no |
//! | `unique-ids` | two modules with one ID in one program are an error of the linker | no |
//!
//! Without any of them the crate is the protocol and the dispatch, without tokio in its dependency tree.
//!
//! Rules such as W8 or D4 in these pages are those of DAOS's behaviour, which [a chapter](guide::rules) lists.

#![cfg_attr(
    not(all(
        feature = "server",
        feature = "progress",
        feature = "blocking-server",
        feature = "client",
        feature = "blocking",
        feature = "tower"
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "the edges share one core; a build without some of them leaves parts unused"
    )
)]

mod buffer;
mod builtin;
mod client;
#[cfg(feature = "contract")]
pub mod contract;
mod dispatch;
mod handler;
mod observe;
mod transport;

#[cfg(any(feature = "blocking", feature = "blocking-server"))]
pub mod blocking;
#[cfg(all(
    feature = "server",
    feature = "progress",
    feature = "blocking-server",
    feature = "client",
    feature = "blocking",
    feature = "tower"
))]
pub mod guide;
#[cfg(any(feature = "server", feature = "progress", feature = "blocking-server"))]
pub mod server;
#[cfg(all(feature = "server", feature = "client"))]
pub mod testing;
pub mod wire;

#[doc(hidden)]
pub mod private;

pub use builtin::health;
#[cfg(feature = "client")]
pub use client::Client;
pub use client::{
    AddedFields, Backoff, CallError, CallErrorKind, CallOptions, Caller, ClientBuilder, ConnectError,
    RetryPolicy,
};
pub use dispatch::authorization::Allow;
#[cfg(feature = "tower")]
pub use dispatch::middleware;
pub use dispatch::registry;
pub use dispatch::router::{DuplicateModule, ModuleService, Processing};
pub use handler::cancellation::Cancelled;
pub use handler::context::Context;
pub use handler::details::Details;
pub use handler::extensions::Extensions;
pub use handler::failure::Failure;
pub use handler::method::{Method, UnknownMethod};
pub use handler::module::Module;
pub use handler::payload::Payload;
pub use handler::reply::{Reply, Submitted};
pub use handler::session::{RunningCall, Session};
#[cfg(feature = "server")]
pub use server::Server;
#[cfg(any(feature = "server", feature = "blocking-server"))]
pub use server::ServerHandle;
#[cfg(feature = "progress")]
pub use server::progress;
#[cfg(any(feature = "server", feature = "progress", feature = "blocking-server"))]
pub use server::{BindError, ExistingSocket, Order, ServerBuilder};
pub use transport::{Address, PeerCredentials};
pub use wire::{Body, FailureCause, InvalidTraceContext, Status, TraceContext, Wire, WireMode};

/// The raw body of a call, as a handler may take and return it.
pub use bytes::Bytes;

/// For modules written by hand: put it on the `impl` of [`Module`].
pub use async_trait::async_trait;
/// Makes a module of an `impl` block: its enum of methods, its [`Module`], its client, and its registration.
///
/// ```
/// use drpc::{Failure, drpc_module};
///
/// struct Echo;
///
/// #[drpc_module(id = 7)]
/// impl Echo {
///     /// Returns the body as it came.
///     #[method(0)]
///     fn echo(&self, body: bytes::Bytes) -> Result<bytes::Bytes, Failure> {
///         if body.is_empty() { Err("nothing to echo".into()) } else { Ok(body) }
///     }
/// }
///
/// assert_eq!(EchoMethod::Echo.id(), 700);
/// ```
///
/// Keys: `id` (an integer or a constant expression), `name`, `register` or `register = path`, `allow = "rule"`, `prefix`, `part`, `unlisted`,
/// `crate = path`, `client_only`. A handler takes `&self` or `self: Arc<Self>`, a request by value or none, a `&Context` or none; it
/// returns a message, `Bytes`, `()`, [`Submitted`], or a `Result` of those with any error.
/// [The guide](guide::attribute) has it all.
pub use drpc_macros::drpc_module;

/// Makes a [`struct@Failure`] of an error type: its status and [details](Details), and the error back again at a caller that knows the type.
///
/// Keys of `#[failure(…)]` on a variant (or a struct): `status = FAILURE`, one of [`Status`]'s constants or an expression; `local` for what
/// its callers are not told, besides status and text; `name = "…"`, what it is called on the way, where the variant was renamed. On
/// the type: `name = "…"` and `crate = path`. The type has a `Display`; where it is an `Error`, too, its sources go to the log.
///
/// ```
/// #[derive(Debug, thiserror::Error, drpc::Failure)]
/// #[error("{pool} is full: {used} of {size} bytes")]
/// struct Full { pool: String, used: u64, size: u64 }
/// ```
///
/// Fields travel in their order: add new ones behind the others. What a field may be, [`Details`] tells.
pub use drpc_macros::Failure;

/// Includes what `drpc-build` made of the registry: a module of constants for each dRPC module, and `MODULES`.
///
/// ```ignore
/// mod registry {
///     drpc::include_registry!();
/// }
/// use registry::greeter;
/// ```
pub use drpc_macros::include_registry;

/// Includes the messages that `drpc-build` made of a `.proto` file, by what the file says after `package`; `"_"` if it says
/// nothing.
///
/// ```ignore
/// mod hello {
///     drpc::include_proto!("hello");
/// }
/// use hello::Hello;
/// ```
pub use drpc_macros::include_proto;

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
