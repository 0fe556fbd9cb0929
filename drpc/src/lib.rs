//! RPC between processes on one host, over a Unix `SOCK_SEQPACKET` socket.
//!
//! Put [`#[drpc_module]`](drpc_module) on an ordinary `impl` block, and you get dispatch, a typed client, and, with `register`, a server that
//! finds the module by itself. Requests and replies are protobuf messages. The protocol is dRPC, which the daemons of [DAOS](https://daos.io),
//! an open-source distributed object store, speak among themselves: either end may be [DAOS's own code](https://github.com/daos-stack/daos),
//! in C or Go. Without DAOS, drpc suits any Linux daemon or tool that wants typed calls with low latency, and callers whose user and process ID
//! the kernel vouches for.
//!
//! The package is `drpc-uds`, the library `drpc`.
//!
//! ```standalone_crate
//! use drpc::{Client, Failure, Server, drpc_module};
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
//!     let path = std::env::temp_dir().join(format!("greeter-{}.sock", std::process::id()));
//!     let server = Server::builder().bind(&path)?; // finds the Greeter, thanks to `register`
//!     let handle = server.handle();
//!     let serving = tokio::spawn(server.serve());
//!
//!     let greeter = GreeterClient::new(Client::connect(&path).await?);
//!     let reply = greeter.hello(Hello { name: "World".into() }).await?;
//!     assert_eq!(reply.greeting, "Hello World");
//!
//!     handle.shutdown();
//!     serving.await??;
//!     Ok(())
//! }
//! ```
//!
//! # Modules
//!
//! A *module* has an ID and up to a hundred *methods*, each with a handler. [`drpc_module`] makes one of an `impl` block, and shows every form of
//! handler in [its chapter](guide::attribute). A handler may take a [`Context`]: who calls, whether they still wait, the deadline, and the
//! [`Session`], which is the client's connection. It fails with any error type; [`Failure`](struct@Failure) and
//! [`#[derive(Failure)]`](macro@Failure) choose the [`Status`]. A module may also be written by hand: [`Module`].
//!
//! # Servers
//!
//! A [`ServerBuilder`] collects modules and settings, and binds a socket. It makes one of three servers, which differ in what they need:
//!
//! | server | made by | a session is | needs |
//! |---|---|---|---|
//! | [`Server`] | [`bind`](ServerBuilder::bind) | a task | tokio |
//! | [`blocking::Server`] | [`bind_blocking`](ServerBuilder::bind_blocking) | a thread | nothing |
//! | [`progress::Server`] | [`bind_progress`](ServerBuilder::bind_progress) | state in a loop of yours | nothing |
//!
//! [`Server::serve_until`] with [`server::shutdown_signal`] stops at SIGTERM; a [`ServerHandle`] stops it from elsewhere. [`Allow`] says who may
//! connect and who may call what. [The guide](guide::servers) helps to choose.
//!
//! # Clients
//!
//! A [`ClientBuilder`] makes an async [`Client`], a [`blocking::Client`], or a [`progress::Client`] for a loop of yours; the generated stub, such as
//! `GreeterClient`, takes any of them. Clients are handles that share connections, and reconnect. [`CallOptions`] set a time-out or a [`RetryPolicy`] for a call. A call that fails is a
//! [`CallError`]: by default only the error's status travels, and [`AddedFields`] ask for [its text](guide::errors) too. [`Der`] has DAOS's
//! own error codes, which travel in replies.
//!
//! # More
//!
//! - [`guide`]: a chapter for each "I want …".
//! - [`testing`]: servers in memory, mocks, recordings, faults.
//! - [`middleware`]: `tower` layers around the handlers.
//! - [`health`]: a health check for supervisors and load balancers.
//! - [`reflection`]: a server tells what it serves, and what it is doing.
//! - [`registry`]: how modules register themselves, and when they don't.
//! - [`wire`]: the protocol, without sockets and runtimes.
//!
//! # Features
//!
//! | feature | adds | default |
//! |---|---|---|
//! | `server` | [`Server`], on tokio | yes |
//! | `progress` | [`progress::Server`] and [`progress::Client`], which you drive from a loop of your own; no runtime | yes |
//! | `client` | [`Client`], on tokio | yes |
//! | `blocking` | [`blocking::Client`]; no runtime | yes |
//! | `blocking-server` | [`blocking::Server`], a thread per session; no runtime | yes |
//! | `tower` | [`middleware`]: layers around the handlers | yes |
//! | `metrics` | [counters and histograms](guide::observability#metrics) of calls and sessions | no |
//! | `reflection` | `ServerBuilder::reflection`: a server [tells what it serves](guide::reflection), with docs and types | no |
//! | `contract` | `contract::assert_kept`: tests [what the modules promise](guide::contract) | no |
//! | `unique-ids` | [two modules with one ID](guide::registry#without-a-registry-unique-ids) in one program are a linker error | no |
//!
//! Without any of them, the crate is the protocol and the dispatch, and does not depend on tokio.

#![cfg_attr(docsrs, feature(doc_cfg))]
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
        unreachable_code,
        unreachable_pub,
        reason = "servers and clients share one core; a build without some of them leaves parts unused"
    )
)]

mod budget;
mod buffer;
mod builtin;
mod client;
#[cfg(feature = "contract")]
pub mod contract;
mod der;
mod descriptors;
mod dispatch;
mod flow;
mod gather;
mod handler;
mod observe;
mod rate;
mod steps;
mod sync;
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
#[cfg(feature = "progress")]
pub mod progress;
#[cfg(any(feature = "server", feature = "progress", feature = "blocking-server"))]
pub mod server;
#[cfg(all(feature = "server", feature = "client"))]
pub mod testing;
pub mod wire;

#[doc(hidden)]
pub mod private;

pub use builtin::{health, reflection};
pub use client::{
    AddedFields, Backoff, CallError, CallErrorKind, CallOptions, Caller, ClientBuilder, ConnectError,
    RetryPolicy,
};
#[cfg(feature = "client")]
pub use client::{Attempt, Client, Outgoing, Sending, Streaming, Upload};
pub use der::Der;
pub use dispatch::authorization::Allow;
#[cfg(feature = "tower")]
pub use dispatch::middleware;
pub use dispatch::processing::Processing;
pub use dispatch::registry;
pub use dispatch::router::{DuplicateModule, ModuleService};
pub use handler::cancellation::Cancelled;
pub use handler::context::Context;
pub use handler::details::Details;
pub use handler::events::{Events, Slow, Subscription, Told, Watched};
pub use handler::extensions::Extensions;
pub use handler::failure::Failure;
pub use handler::incoming::{Incoming, IncomingIter};
pub use handler::method::{Method, UnknownMethod};
pub use handler::module::Module;
pub use handler::payload::Payload;
pub use handler::reply::{Reply, ReplyStream, Submitted};
pub use handler::session::{RunningCall, Session};
pub use handler::with_fds::WithFds;
#[doc(no_inline)]
pub use prost;
#[cfg(feature = "server")]
pub use server::Server;
#[cfg(any(feature = "server", feature = "blocking-server"))]
pub use server::ServerHandle;
#[cfg(any(feature = "server", feature = "progress", feature = "blocking-server"))]
pub use server::{BindError, ExistingSocket, Order, ServerBuilder};
pub use transport::{Address, PeerCredentials, RemotePeer};
pub use wire::{Body, FailureCause, InvalidTraceContext, Status, TraceContext, Wire, WireMode};

/// A raw body, which a handler may take and return.
pub use bytes::Bytes;

/// What a [streaming](guide::streams) handler returns; the trait of the crates `futures`, whose combinators work with it.
pub use futures_util::stream::Stream;

/// For [modules](Module) written by hand: goes on the `impl`.
pub use async_trait::async_trait;
/// Turns an `impl` block into a module: generates its enum of methods, its [`Module`], its client, and its registration.
///
/// ```
/// use drpc::{Bytes, Failure, drpc_module};
///
/// struct Echo;
///
/// #[drpc_module(id = 7)]
/// impl Echo {
///     /// Returns the body as it came.
///     #[method(0)]
///     fn echo(&self, body: Bytes) -> Result<Bytes, Failure> {
///         if body.is_empty() { Err("nothing to echo".into()) } else { Ok(body) }
///     }
/// }
///
/// assert_eq!(EchoMethod::Echo.id(), 700);
/// ```
///
/// Keys: `id` (an integer or a constant expression), `name`, `register` or `register = path`, `allow = "rule"`, `prefix`, `part`, `unlisted`, `remote`,
/// `crate = path`, `client_only`. A handler takes `&self` or `self: Arc<Self>`, an optional request by value and an optional `&Context`; it
/// returns a message, `Bytes`, `()`, [`Submitted`], or a `Result` of these with any error.
/// [The guide](guide::attribute) has all of it.
pub use drpc_macros::drpc_module;

/// Converts an error type into a [`struct@Failure`] with a status and [details](Details), from which a caller that knows the type gets the error
/// back.
///
/// ```
/// #[derive(Debug, thiserror::Error, drpc::Failure)]
/// #[error("{pool} is full: {used} of {size} bytes")]
/// struct Full { pool: String, used: u64, size: u64 }
/// ```
///
/// Keys of `#[failure(…)]` on a variant (or a struct): `status = FAILURE`, one of [`Status`]'s constants or an expression; `local`, to send callers
/// only status and text; `name = "…"`, the name on the wire if the variant was renamed. On an enum itself: `status = …`, for the variants that name none;
/// `name = "…"` and `crate = path`. The type implements `Display`; if it implements `Error` too, its sources go to the log.
///
/// Fields travel in order: append new ones. [`Details`] lists the types that a field may have.
///
/// A caller receives the error only if it asks, by [`AddedFields::ERROR`]: see [the chapter](guide::errors).
pub use drpc_macros::Failure;

/// Includes what `drpc-build` generated from the registry: a Rust module of constants for each dRPC module, and `MODULES`.
///
/// ```ignore
/// mod registry {
///     drpc::include_registry!();
/// }
/// use registry::greeter;
/// ```
pub use drpc_macros::include_registry;

/// Includes the messages that `drpc-build` generated from a `.proto` file, named by the file's `package`; `"_"` if it has none.
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
