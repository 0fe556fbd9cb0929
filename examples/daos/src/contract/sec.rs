//! Module 4: what a server does for an engine that was shown a credential.

use drpc::drpc_module;

use crate::messages::auth::{ValidateCredReq, ValidateCredResp};

/// Security: served by the server.
#[drpc_module(id = 4, client_only)]
pub trait Sec {
    /// Checks a credential and returns its token.
    #[method(1, idempotent)]
    fn validate_creds(&self, req: ValidateCredReq) -> ValidateCredResp;
}
