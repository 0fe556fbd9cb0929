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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use drpc::{PeerCredentials, Session};

    use super::*;
    use crate::credential::Signer;

    fn module() -> SecAgent {
        SecAgent::new(Credentials::new(Signer::default(), Duration::from_secs(60)))
    }

    fn call_of(uid: u32, gid: u32) -> Context {
        Context::new(Arc::new(Session::new(1, PeerCredentials::new(uid, gid))), 1)
    }

    #[tokio::test]
    async fn a_caller_who_can_not_be_named_is_told_so_in_the_body() {
        // P: SUCCESS, with DER_MISC in the body.
        for (uid, gid) in [(u32::MAX - 2, 0), (0, u32::MAX - 2)] {
            let reply = module().request_creds(&call_of(uid, gid)).await;
            assert_eq!((reply.status, reply.cred), (-1025, None));
        }
    }

    #[tokio::test]
    async fn a_credential_is_made_once_in_its_lifetime() {
        let module = module();
        let first = module.request_creds(&call_of(0, 0)).await.cred.unwrap();
        assert_eq!(module.request_creds(&call_of(0, 0)).await.cred, Some(first.clone()));
        assert_eq!(first.origin, "agent");
    }
}
