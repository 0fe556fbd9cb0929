use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{PeerCredentials, Session};

/// The live sessions of a server.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    live: HashMap<u64, Arc<Session>>,
    last_id: u64,
    /// The server is to stop.
    stopping: bool,
}

impl Sessions {
    pub(super) fn open(&self, peer: PeerCredentials) -> Arc<Session> {
        let mut state = self.state();
        state.last_id += 1;
        let session = Arc::new(Session::new(state.last_id, peer));
        state.live.insert(session.id(), session.clone());
        if state.stopping {
            session.stop();
        }
        session
    }

    /// Forgets a session that has ended, and tells the handlers that go on by themselves.
    pub(super) fn close(&self, session: &Session) {
        self.state().live.remove(&session.id());
        session.cancel();
    }

    /// Stops all sessions: those that live, and those that are still to be opened (S7).
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stopping = true;
        state.live.values().for_each(|session| session.stop());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
