//! Who promises what: the four modules, with all methods of DAOS 2.8, and their clients.
//!
//! A module is a contract, and several programs may serve a part of it (D7): `mgmt` is the agent's in five methods, the engine's in the
//! others, and a client knows from the socket whom it calls. To what it does not serve, a program answers `UNKNOWN_METHOD`.

mod mgmt;
mod sec;
mod sec_agent;
mod srv;

pub use mgmt::{MgmtClient, MgmtMethod};
pub use sec::{SecClient, SecMethod};
pub use sec_agent::{SecAgentClient, SecAgentMethod};
pub use srv::{SrvClient, SrvMethod};
