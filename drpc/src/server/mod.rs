//! The three servers: on tokio, with [a task per session](crate::Server); with [a thread per session](crate::blocking::Server); and
//! [driven from a loop of your own](crate::progress::Server).
//!
//! [The guide](crate::guide::servers) compares them. In the sources, start reading at `tokio/session.rs`: it is the path of a call.

mod admission;
mod backoff;
#[cfg(feature = "blocking-server")]
pub(crate) mod blocking;
pub(crate) mod builder;
pub(crate) mod config;
pub(crate) mod error;
#[cfg(any(feature = "server", feature = "blocking-server"))]
pub(crate) mod handle;
mod hooks;
mod kept;
pub(crate) mod listener;
mod modules;
mod packing;
mod permits;
#[cfg(feature = "progress")]
pub(crate) mod progress;
mod protocol;
#[cfg(any(feature = "server", feature = "blocking-server"))]
mod sessions;
mod shutdown;
#[cfg(any(feature = "server", feature = "blocking-server"))]
mod signals;
mod slow;
mod socket_file;
mod systemd;
#[cfg(feature = "server")]
pub(crate) mod tokio;
mod wrong_socket;

pub use builder::ServerBuilder;
pub use config::{ExistingSocket, Order};
pub use error::BindError;
#[cfg(any(feature = "server", feature = "blocking-server"))]
pub use handle::ServerHandle;
pub use shutdown::Shutdown;
#[cfg(any(feature = "server", feature = "blocking-server"))]
pub use signals::{ShutdownSignal, Signal, StopSignal, shutdown_signal};
pub use socket_file::remove_stale_sockets;
pub use systemd::is_socket_activated;

#[cfg(feature = "server")]
pub use self::tokio::Server;
