//! Which connections become sessions, whoever serves them.

use std::collections::HashMap;
use std::fmt;

use super::config::Config;
use crate::budget::{Budget, OverBudget};
use crate::descriptors::has_too_many;
use crate::handler::failure::Failure;
use crate::handler::session::Session;
use crate::observe::metrics;
use crate::observe::peer_log::Line;

/// Counts the sessions, where their number is limited.
#[derive(Debug, Default)]
pub(super) struct Admission {
    sessions: usize,
    per_uid: HashMap<u32, usize>,
}

/// Why a connection is closed before anything is read from it.
#[derive(Debug)]
pub(super) enum Refusal {
    NotAllowed,
    Sessions(usize),
    SessionsPerUid(usize),
    Absent(usize),
    Descriptors(usize),
    Memory(OverBudget),
}

/// Refuses a session whose peer may not connect.
pub(super) fn check_access(session: &Session, config: &Config) -> Result<(), Refusal> {
    match &config.access {
        Some(rule) if !rule.admits(session) => Err(Refusal::NotAllowed.counted()),
        _ => Ok(()),
    }
}

/// Refuses a session whose user has left too many behind.
pub(super) fn check_absent(session: &Session, budget: &Budget, config: &Config) -> Result<(), Refusal> {
    let limit = config.absent_sessions();
    match budget.absent(session.peer().uid()) < limit {
        true => Ok(()),
        false => Err(Refusal::Absent(limit).counted()),
    }
}

/// Refuses a session for which there is no memory: its peer may be in many groups.
pub(super) fn check_memory(session: &Session) -> Result<(), Refusal> {
    session.check_room().map_err(|over| Refusal::Memory(over).counted())
}

/// Refuses a session whose user has passed too many descriptors that are not closed yet.
pub(super) fn check_descriptors(session: &Session, config: &Config) -> Result<(), Refusal> {
    let of_user = config.takes_descriptors.map_or(0, |limits| limits.user);
    match session.account().filter(|account| has_too_many(account, of_user)) {
        Some(account) => Err(Refusal::Descriptors(account.descriptors()).counted()),
        None => Ok(()),
    }
}

impl Admission {
    /// Counts a session, unless there is no room for it.
    pub(super) fn enter(&mut self, session: &Session, config: &Config) -> Result<(), Refusal> {
        let limits = &config.limits;
        if let Some(limit) = limits.sessions.filter(|limit| self.sessions >= *limit) {
            return Err(Refusal::Sessions(limit).counted());
        }
        if let Some(limit) = limits.sessions_per_uid {
            let of_user = self.per_uid.entry(session.peer().uid()).or_default();
            if *of_user >= limit {
                return Err(Refusal::SessionsPerUid(limit).counted());
            }
            *of_user += 1;
        }
        self.sessions += 1;
        Ok(())
    }

    /// A session that was counted has ended.
    pub(super) fn leave(&mut self, session: &Session) {
        self.sessions -= 1;
        let uid = session.peer().uid();
        if let Some(of_user) = self.per_uid.get_mut(&uid) {
            *of_user -= 1;
            if *of_user == 0 {
                self.per_uid.remove(&uid);
            }
        }
    }
}

pub(super) fn log_refused(session: &Session, refusal: &dyn fmt::Display) {
    let _entered = session.span().enter();
    if session.may_log(Line::SessionRefused) {
        tracing::warn!(session = session.id_without_span(), peer = %session.peer(), "connection refused: {refusal}");
    }
}

impl Refusal {
    fn counted(self) -> Self {
        metrics::session_refused(match self {
            Refusal::NotAllowed => "access",
            Refusal::Sessions(_) => "session_limit",
            Refusal::SessionsPerUid(_) => "session_limit_per_uid",
            Refusal::Absent(_) => "absent_session_limit",
            Refusal::Descriptors(_) => "descriptors",
            Refusal::Memory(_) => "memory_limit",
        });
        self
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        refusal.to_string().into()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::NotAllowed => f.write_str("the server's rule does not allow this peer"),
            Refusal::Sessions(limit) => write!(f, "{limit} sessions are open, and no more may be"),
            Refusal::SessionsPerUid(limit) => {
                write!(f, "{limit} sessions of this user are open, and no more may be")
            }
            Refusal::Absent(limit) => write!(
                f,
                "{limit} sessions of this user go on though their clients have left, and no more may: see \
                 `ServerBuilder::absent_session_limit`, and `handler_timeout`, which ends what they wait for"
            ),
            Refusal::Descriptors(held) => write!(
                f,
                "{held} descriptors that this user has passed are not closed yet: their closing takes too long"
            ),
            Refusal::Memory(over) => write!(f, "for the groups that the peer is in, there is {over}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::PeerCredentials;

    #[test]
    fn users_have_their_own_count_and_all_have_one() {
        let mut config = Config::default();
        config.limits.sessions = Some(3);
        config.limits.sessions_per_uid = Some(2);
        let [ann, bob] = [1, 2].map(|uid| Session::new(1, PeerCredentials::new(uid, 0)));
        let mut admission = Admission::default();
        for (session, refused) in [(&ann, false), (&ann, false), (&ann, true), (&bob, false), (&bob, true)] {
            assert_eq!(admission.enter(session, &config).is_err(), refused);
        }
        assert!(matches!(admission.enter(&bob, &config), Err(Refusal::Sessions(3))));
        admission.leave(&bob);
        assert!(matches!(admission.enter(&ann, &config), Err(Refusal::SessionsPerUid(2))));
        admission.leave(&ann);
        assert!(admission.enter(&bob, &config).is_ok());
        assert!(admission.enter(&bob, &config).is_ok());
        // Who has left is forgotten.
        admission.leave(&ann);
        assert_eq!(admission.per_uid.len(), 1);
    }
}
