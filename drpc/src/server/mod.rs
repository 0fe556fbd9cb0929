//! The servers: on tokio, a task for each session; or in steps, in a loop of the caller's own ([`progress`]).
//!
//! Start reading at `session.rs`: it is the way of a call.

#[cfg(feature = "server")]
mod accept;
mod admission;
mod authorization;
mod backoff;
mod builder;
mod error;
mod hooks;
#[cfg(feature = "server")]
mod idle;
#[cfg(feature = "tower")]
mod layers;
mod limits;
#[cfg(feature = "progress")]
pub mod progress;
mod protocol;
#[cfg(feature = "server")]
mod room;
#[cfg(feature = "server")]
mod session;
#[cfg(feature = "server")]
mod sessions;
#[cfg(feature = "server")]
mod shutdown;
mod systemd;
#[cfg(feature = "server")]
mod tasks;

#[cfg(feature = "server")]
pub use accept::Server;
pub use builder::{ExistingSocket, Order, ServerBuilder};
pub use error::BindError;
#[cfg(feature = "server")]
pub use shutdown::{ServerHandle, shutdown_signal};
pub use systemd::is_socket_activated;

pub use crate::transport::remove_stale_sockets;

#[cfg(feature = "server")]
pub(crate) use accept::Shared;
#[cfg(feature = "server")]
pub(crate) use session::spawn_in_memory;
