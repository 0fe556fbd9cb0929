//! Module 4, `sec`.

use drpc::{Der, drpc_module};

use crate::credential::{BadCredential, Checker};
use crate::messages::auth::{ValidateCredReq, ValidateCredResp};

/// Security.
#[derive(Debug)]
pub struct Sec {
    checker: Checker,
}

impl Sec {
    /// Credentials are checked with this.
    pub fn new(checker: Checker) -> Self {
        Sec { checker }
    }
}

#[drpc_module(id = 4)]
impl Sec {
    /// Checks a credential and returns its token, as it came.
    #[method(1, idempotent)]
    fn validate_creds(&self, req: ValidateCredReq) -> ValidateCredResp {
        let credential = req.cred.as_ref().ok_or(BadCredential::Incomplete);
        match credential.and_then(|credential| self.checker.check(credential)) {
            Ok(token) => ValidateCredResp { status: 0, token: Some(token.clone()) },
            Err(error) => {
                tracing::error!("{error}");
                ValidateCredResp { status: Der::NO_PERM.code(), token: None }
            }
        }
    }
}
