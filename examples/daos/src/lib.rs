//! DAOS's dRPC modules: typed contracts and clients for all of them, and an agent, a server and an engine that serve them.
//!
//! # Calling a real DAOS
//!
//! A client of [`contract`] is all it takes. [`WireMode::Auto`](drpc::WireMode::Auto) asks whether the other end speaks the chunked wire of
//! DAOS 2.8 or the plain one of 2.6, without executing anything (W8):
//!
//! ```no_run
//! use drpc::{Der, WireMode, blocking::Client};
//! use drpc_daos::contract::SecAgentClient;
//!
//! let client = Client::builder("/var/run/daos_agent/daos_agent.sock").wire(WireMode::Auto).connect_blocking()?;
//! let reply = SecAgentClient::new(client).request_creds()?;
//! Der::check(reply.status)?; // an error of the method stands in the body (E4)
//! println!("{:?}", reply.cred);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The same stubs take the async [`drpc::Client`].
//!
//! # Where is what
//!
//! - [`messages`]: what travels. [`kept`]: a message that keeps what this build does not know.
//! - [`contract`]: who promises what, a file for each module.
//! - [`agent`], [`server`], [`engine`]: the three programs. In each, `mod.rs` tells what it is made of.
//! - [`credential`]: how an agent vouches for a user, and how a server checks it.
//! - [`node`]: all of them as processes, in a temporary folder; for `daos-demo`, and for tests.

pub mod agent;
pub mod contract;
pub mod credential;
pub mod engine;
mod host;
pub mod kept;
mod log;
pub mod messages;
pub mod node;
pub mod pool;
pub mod ras;
mod requests;
pub mod server;

/// The IDs of `proto/daos/modules.toml`.
pub mod registry {
    drpc::include_registry!();
}
