//! Module 1, `sec_agent`.

use drpc::{Context, Der, drpc_module};

use super::credentials::Credentials;
use crate::messages::auth::GetCredResp;

/// Agent security.
#[derive(Debug)]
pub struct SecAgent {
    credentials: Credentials,
}

impl SecAgent {
    /// With these credentials to give.
    pub fn new(credentials: Credentials) -> Self {
        SecAgent { credentials }
    }
}

#[drpc_module(id = 1)]
impl SecAgent {
    /// Makes a credential for the process that asks; who that is, the kernel says.
    #[method(1, idempotent)]
    async fn request_creds(&self, context: &Context) -> GetCredResp {
        match self.credentials.of(context.peer()).await {
            Ok(credential) => GetCredResp { status: 0, cred: Some(credential) },
            Err(error) => {
                tracing::error!(uid = context.peer().uid(), "no credential: {error}");
                GetCredResp { status: Der::MISC.code(), cred: None }
            }
        }
    }
}
