//! Module 1: what an agent does for whoever needs a credential.

use drpc::drpc_module;

use crate::messages::auth::GetCredResp;

/// Agent security: served by the agent.
#[drpc_module(id = 1, client_only)]
pub trait SecAgent {
    /// Makes a credential for the process that asks; who that is, the kernel says.
    #[method(1, idempotent)]
    fn request_creds(&self) -> GetCredResp;
}
