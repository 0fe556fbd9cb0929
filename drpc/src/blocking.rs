//! What blocks its thread, and needs no runtime: a client, and a server with a thread for each session.

#[cfg(feature = "blocking")]
pub use crate::client::blocking::Client;
#[cfg(feature = "blocking-server")]
pub use crate::server::blocking::Server;
