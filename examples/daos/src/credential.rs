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
    /// There is no token, or no verifier.
    #[error("the credential has no token or no verifier")]
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

    /// The token of a credential, if its verifier is that token's. Flavors are not looked at, as in DAOS: the token's is part of what is
    /// signed.
    ///
    /// # Errors
    ///
    /// If it is not.
    pub fn check<'c>(&self, credential: &'c Credential) -> Result<&'c Token, BadCredential> {
        let token = credential.token.as_ref().ok_or(BadCredential::Incomplete)?;
        let verifier = credential.verifier.as_ref().ok_or(BadCredential::Incomplete)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn bob() -> Sys {
        let groups = vec!["users@".into(), "wheel@".into()];
        Sys {
            machinename: "node1".into(),
            user: "bob@".into(),
            group: "users@".into(),
            groups,
            ..Sys::default()
        }
    }

    fn data(name: &str) -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
    }

    #[test]
    fn without_a_key_the_verifier_is_the_tokens_digest() {
        // P: SHA-512 of the marshalled token.
        let credential = Signer::default().sign(&bob()).unwrap();
        assert_eq!(credential.origin, "agent");
        let token = credential.token.clone().unwrap();
        assert_eq!(Sys::decode(&token.data[..]).unwrap(), bob());
        assert_eq!(credential.verifier.as_ref().unwrap().data, Sha512::digest(token.encode_to_vec())[..]);
        assert_eq!(Checker::default().check(&credential), Ok(&token));
    }

    #[test]
    fn a_changed_token_is_forged() {
        let mut credential = Signer::default().sign(&bob()).unwrap();
        credential.token.as_mut().unwrap().data.push(0);
        assert_eq!(Checker::default().check(&credential), Err(BadCredential::Forged));
        credential.verifier = None;
        assert_eq!(Checker::default().check(&credential), Err(BadCredential::Incomplete));
    }

    #[test]
    fn a_signature_is_of_one_key() {
        let credential = Signer::with_key(&data("agent-key.pem")).unwrap().sign(&bob()).unwrap();
        let check = |checker: Checker| checker.check(&credential).map(drop);
        assert_eq!(check(Checker::with_key(&data("agent-public.pem")).unwrap()), Ok(()));
        assert_eq!(check(Checker::with_key(&data("other-public.pem")).unwrap()), Err(BadCredential::Forged));
        assert_eq!(check(Checker::default()), Err(BadCredential::Forged));
    }

    #[test]
    fn a_signature_by_another_program_holds_with_the_longest_salt() {
        // openssl dgst -sha512 -sign agent-key.pem -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:max
        let mut credential = Signer::default().sign(&bob()).unwrap();
        credential.verifier.as_mut().unwrap().data = fs::read(data("longest-salt.signature")).unwrap();
        let checker = Checker::with_key(&data("agent-public.pem")).unwrap();
        checker.check(&credential).unwrap();
    }

    #[test]
    fn a_newer_token_comes_back_whole() {
        let mut credential = Signer::default().sign(&bob()).unwrap();
        let newer = [&credential.token.unwrap().encode_to_vec()[..], b"\xfa\x3f\x03new"].concat();
        credential.token = Some(Token::decode(&newer[..]).unwrap());
        assert_eq!(Checker::default().check(&credential), Err(BadCredential::Forged), "all of it is signed");
        credential.verifier = Some(token(Sha512::digest(&newer).to_vec()));
        assert_eq!(Checker::default().check(&credential).unwrap().encode_to_vec(), newer);
    }

    #[test]
    fn what_is_no_key_is_told_of() {
        let error = Checker::with_key(&data("agent-key.pem")).unwrap_err();
        assert!(error.to_string().contains("holds no RSA key in PEM"), "{error}");
    }
}
