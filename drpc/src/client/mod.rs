//! The clients: async on tokio ([`Client`]), the same in steps ([`progress::Client`]), and blocking without a runtime
//! ([`blocking::Client`]).
//!
//! The first two are one, on two runtimes ([`Runtime`](runtime::Runtime)): tokio, or a [`Reactor`](reactor::Reactor) that has no thread.
//! All are thin edges over the same core, and differ in how they wait: [`Calls`](calls::Calls) matches replies to calls,
//! [`Prober`](probe::Prober) finds out the wire, [`Pool`](pool::Pool) says which connection a call takes,
//! [`CallState`](call_state::CallState) how long it tries to get one, [`Attempts`](retry::Attempts) whether it is made again,
//! [`Batch`](batch::Batch) gathers the results of many, and the errors are one set. Generated stubs take any client, through
//! [`Caller`].

mod added_fields;
#[cfg(any(feature = "client", feature = "progress"))]
mod answers;
mod backoff;
mod batch;
#[cfg(feature = "blocking")]
pub(crate) mod blocking;
pub(crate) mod builder;
mod call_state;
pub(crate) mod caller;
mod calls;
#[cfg(feature = "client")]
mod carried;
#[cfg(any(feature = "client", feature = "progress"))]
mod connection;
mod deadline;
mod descriptors;
pub(crate) mod error;
#[cfg(any(feature = "client", feature = "progress"))]
pub(crate) mod handle;
#[cfg(any(feature = "client", feature = "progress"))]
#[cfg_attr(not(feature = "client"), path = "no_tokio.rs")]
mod on_tokio;
#[cfg(any(feature = "client", feature = "progress"))]
mod outgo;
mod packs;
mod pool;
mod probe;
#[cfg(feature = "progress")]
pub(crate) mod progress;
#[cfg(any(feature = "client", feature = "progress"))]
mod reactor;
mod reply;
mod retry;
#[cfg(any(feature = "client", feature = "progress"))]
mod runtime;
#[cfg(any(feature = "client", feature = "progress"))]
mod turns;
mod unpacking;

pub use added_fields::AddedFields;
pub use backoff::Backoff;
pub use builder::ClientBuilder;
pub use caller::{CallOptions, Caller};
#[cfg(feature = "client")]
pub use carried::{Attempt, Outgoing};
pub use error::{CallError, CallErrorKind, ConnectError};
#[cfg(feature = "client")]
pub use handle::{Client, Sending, Streaming, Upload};
pub use retry::RetryPolicy;
