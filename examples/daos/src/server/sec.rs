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
    /// Checks a credential and returns its token, as it came. One that lacks a part is bad input, one that was not signed has no permission.
    #[method(1, idempotent)]
    fn validate_creds(&self, req: ValidateCredReq) -> ValidateCredResp {
        let credential = req.cred.as_ref().ok_or(BadCredential::Incomplete);
        match credential.and_then(|credential| self.checker.check(credential)) {
            Ok(token) => ValidateCredResp { status: 0, token: Some(token.clone()) },
            Err(error) => {
                tracing::error!("{error}");
                let code = match error {
                    BadCredential::Incomplete => Der::INVAL,
                    BadCredential::Forged => Der::NO_PERM,
                };
                ValidateCredResp { status: code.code(), token: None }
            }
        }
    }
}
