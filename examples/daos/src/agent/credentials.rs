//! Credentials for callers, made once in a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use drpc::PeerCredentials;
use tokio::task::{self, JoinError};

use super::users::{self, UnknownUser};
use crate::credential::{KeyError, Signer};
use crate::host;
use crate::messages::auth::{Credential, Sys};

/// Makes credentials, and remembers them: to look a user up may ask the network, and to sign takes a millisecond.
#[derive(Clone, Debug)]
pub struct Credentials {
    signer: Arc<Signer>,
    lifetime: Duration,
    made: Arc<Mutex<HashMap<Caller, Made>>>,
}

/// All that a credential depends on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Caller {
    uid: u32,
    gid: u32,
    label: Option<String>,
}

#[derive(Clone, Debug)]
struct Made {
    credential: Credential,
    until: Instant,
}

/// Why there is no credential.
#[derive(Debug, thiserror::Error)]
pub enum NoCredential {
    /// The caller has no name.
    #[error(transparent)]
    Unknown(#[from] UnknownUser),
    /// The key does not work.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The agent ends.
    #[error("the work was given up")]
    GivenUp(#[from] JoinError),
}

impl Credentials {
    /// A cache of credentials that are good for so long.
    pub fn new(signer: Signer, lifetime: Duration) -> Self {
        Credentials { signer: signer.into(), lifetime, made: Arc::default() }
    }

    /// The credential of the process at the other end of a connection.
    ///
    /// # Errors
    ///
    /// If the system has no names for it, or the key can't sign.
    pub async fn of(&self, peer: &PeerCredentials) -> Result<Credential, NoCredential> {
        let caller =
            Caller { uid: peer.uid(), gid: peer.gid(), label: peer.security_label().map(str::to_owned) };
        if let Some(credential) = self.known(&caller) {
            return Ok(credential);
        }
        let signer = self.signer.clone();
        let asked = caller.clone();
        let credential = task::spawn_blocking(move || make(&signer, &asked)).await??;
        let made = Made { credential: credential.clone(), until: Instant::now() + self.lifetime };
        self.lock().insert(caller, made);
        Ok(credential)
    }

    fn known(&self, caller: &Caller) -> Option<Credential> {
        let now = Instant::now();
        let mut made = self.lock();
        made.retain(|_, made| made.until > now);
        made.get(caller).map(|made| made.credential.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Caller, Made>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make(signer: &Signer, caller: &Caller) -> Result<Credential, NoCredential> {
    let names = users::look_up(caller.uid, caller.gid)?;
    let at = |name: String| format!("{name}@");
    let user = Sys {
        stamp: 0,
        machinename: host::short_name(),
        user: at(names.user),
        group: at(names.group),
        groups: names.groups.into_iter().map(at).collect(),
        secctx: caller.label.clone().unwrap_or_default(),
    };
    Ok(signer.sign(&user)?)
}
