//! How an agent vouches for a user, and how a server checks it (P: `sec_agent` 101, `sec` 401).
//!
//! A credential is a token, which says who somebody is, and a verifier, which is made of the token's bytes: their SHA-512, or, if there is a
//! key, an RSASSA-PSS signature of that. So without a key it guards against mistakes, not against a liar.

use std::path::Path;
use std::{fs, io};

use prost::Message;
use rsa::pkcs1::{DecodeRsaPrivateKey, DecodeRsaPublicKey};
use rsa::pkcs8::{DecodePrivateKey, DecodePublicKey};
use rsa::pss::{Signature, VerifyingKey};
use rsa::sha2::{Digest, Sha512};
use rsa::signature::Verifier;
use rsa::{PrivateKey, PublicKey};

use crate::messages::auth::{Credential, Flavor, Sys};
use crate::messages::{KnownToken, Token};

/// Makes credentials. Its default has no key.
#[derive(Debug, Default)]
pub struct Signer {
    key: Option<PrivateKey>,
}

/// Checks credentials. Its default has no key.
#[derive(Debug, Default)]
pub struct Checker {
    key: Option<VerifyingKey<Sha512>>,
}

/// Why a key can't be used, or a token not be signed with it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file can't be read.
    #[error("can't read the key {0}")]
    Read(String, #[source] io::Error),
    /// There is something else in it.
    #[error(
        "{0} holds no RSA key in PEM: neither PKCS#8 (or SPKI), as `openssl genpkey` and `openssl pkey -pubout` write it, nor PKCS#1"
    )]
    Parse(String),
    /// The key is too short, or the system has no randomness.
    #[error("can't sign with the key")]
    Sign(#[from] rsa::Error),
}

/// A credential that nobody who has the key has made.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCredential {
    /// There is no token, no verifier, or one of another flavor.
    #[error("the credential has no token or verifier of flavor AUTH_SYS")]
    Incomplete,
    /// The verifier is not of this token.
    #[error("the verifier does not match the token")]
    Forged,
}

impl Signer {
    /// With the RSA key in a file, as PEM.
    ///
    /// # Errors
    ///
    /// If there is none in it.
    pub fn with_key(path: &Path) -> Result<Self, KeyError> {
        let pem = read(path)?;
        let key =
            PrivateKey::from_pkcs8_pem(&pem).or_else(|_| PrivateKey::from_pkcs1_pem(&pem).map_err(drop));
        let key = key.map_err(|()| KeyError::Parse(path.display().to_string()))?;
        Ok(Signer { key: Some(key) })
    }

    /// The credential of a user.
    ///
    /// # Errors
    ///
    /// If there is a key, and it can't sign.
    pub fn sign(&self, user: &Sys) -> Result<Credential, KeyError> {
        let token = token(user.encode_to_vec());
        let signed = token.encode_to_vec();
        let verifier = match &self.key {
            None => Sha512::digest(signed).to_vec(),
            Some(key) => key.pss_sign::<Sha512>(&signed)?,
        };
        Ok(Credential { token: Some(token), verifier: Some(self::token(verifier)), origin: "agent".into() })
    }
}

impl Checker {
    /// With the RSA key in a file, the public half of the agent's, as PEM.
    ///
    /// # Errors
    ///
    /// If there is none in it.
    pub fn with_key(path: &Path) -> Result<Self, KeyError> {
        let pem = read(path)?;
        let key =
            PublicKey::from_public_key_pem(&pem).or_else(|_| PublicKey::from_pkcs1_pem(&pem).map_err(drop));
        let key = key.map_err(|()| KeyError::Parse(path.display().to_string()))?;
        // Go's signer takes the longest salt that fits, this one the digest's length.
        Ok(Checker { key: Some(VerifyingKey::new_with_auto_salt_len(key)) })
    }

    /// The token of a credential, if its verifier is that token's.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn check<'c>(&self, credential: &'c Credential) -> Result<&'c Token, BadCredential> {
        let is_sys = |token: &&Token| token.flavor == i32::from(Flavor::AuthSys);
        let token = credential.token.as_ref().filter(is_sys).ok_or(BadCredential::Incomplete)?;
        let verifier = credential.verifier.as_ref().filter(is_sys).ok_or(BadCredential::Incomplete)?;
        let signed = token.encode_to_vec();
        let is_sound = match &self.key {
            None => Sha512::digest(signed)[..] == verifier.data,
            Some(key) => Signature::try_from(&verifier.data[..])
                .and_then(|signature| key.verify(&signed, &signature))
                .is_ok(),
        };
        if is_sound { Ok(token) } else { Err(BadCredential::Forged) }
    }
}

fn token(data: Vec<u8>) -> Token {
    KnownToken { flavor: Flavor::AuthSys.into(), data }.into()
}

fn read(path: &Path) -> Result<String, KeyError> {
    fs::read_to_string(path).map_err(|error| KeyError::Read(path.display().to_string(), error))
}
