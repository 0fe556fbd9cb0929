//! DAOS's dRPC modules: typed contracts and clients for all of them.
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

pub mod contract;
pub mod kept;
pub mod messages;

/// The IDs of `proto/daos/modules.toml`.
pub mod registry {
    drpc::include_registry!();
}
