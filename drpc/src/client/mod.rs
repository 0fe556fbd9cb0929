//! The clients: async on tokio ([`Client`]), and blocking without a runtime ([`blocking::Client`]).
//!
//! Both are thin edges over the same core, and differ in how they wait: [`Calls`](calls::Calls) matches replies to calls,
//! [`Prober`](probe::Prober) finds out the wire, [`Pool`](pool::Pool) says which connection a call takes,
//! [`CallState`](call_state::CallState) how long it tries to get one, [`Attempts`](retry::Attempts) whether it is made again,
//! [`Batch`](batch::Batch) gathers the results of many, and the errors are one set. Generated stubs take either client, through
//! [`Caller`].

mod added_fields;
#[cfg(feature = "client")]
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
mod connection;
mod deadline;
pub(crate) mod error;
#[cfg(feature = "client")]
pub(crate) mod handle;
mod pool;
mod probe;
mod reply;
mod retry;

pub use added_fields::AddedFields;
pub use backoff::Backoff;
pub use builder::ClientBuilder;
pub use caller::{CallOptions, Caller};
pub use error::{CallError, CallErrorKind, ConnectError};
#[cfg(feature = "client")]
pub use handle::Client;
pub use retry::RetryPolicy;
