//! The servers: on tokio, a task for each session; or in steps, in a loop of the caller's own ([`progress`]).
//!
//! Start reading at `tokio/session.rs`: it is the way of a call.

mod admission;
mod backoff;
pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod error;
mod hooks;
pub(crate) mod listener;
mod modules;
#[cfg(feature = "progress")]
pub mod progress;
mod protocol;
#[cfg(feature = "server")]
mod sessions;
mod socket_file;
mod systemd;
#[cfg(feature = "server")]
pub(crate) mod tokio;
mod wrong_socket;

pub use builder::ServerBuilder;
pub use config::{ExistingSocket, Order};
pub use error::BindError;
pub use socket_file::remove_stale_sockets;
pub use systemd::is_socket_activated;

#[cfg(feature = "server")]
pub use self::tokio::{Server, ServerHandle, shutdown_signal};
