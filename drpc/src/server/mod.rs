//! The server, on tokio: one listening socket, a task for each session.
//!
//! Start reading at `session.rs`: it is the way of a call.

mod accept;
mod builder;
mod error;
mod session;
mod sessions;
mod shutdown;
mod systemd;

pub use accept::Server;
pub use builder::{ExistingSocket, Order, ServerBuilder};
pub use error::BindError;
pub use shutdown::{ServerHandle, shutdown_signal};
pub use systemd::is_socket_activated;

pub use crate::transport::remove_stale_sockets;

pub(crate) use session::spawn_in_memory;
