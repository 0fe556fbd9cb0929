//! Blocking, without a runtime: a client, and a server with a thread per session.

#[cfg(feature = "blocking")]
pub use crate::client::blocking::{Client, Exchange, Streaming, Upload};
#[cfg(feature = "blocking-server")]
pub use crate::server::blocking::Server;
