use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use super::admission::{
    Admission, Refusal, check_absent, check_access, check_descriptors, check_memory, log_refused,
};
use super::config::Config;
use crate::budget::Budget;
use crate::handler::background::Background;
use crate::handler::cancellation::Cancelled;
use crate::handler::session::{Methods, Session};
use crate::observe::peer_log::PeerLogs;
use crate::sync::{Mutex, MutexGuard};
use crate::transport::PeerCredentials;

/// The live sessions of a server, each of which is carried by a task of its own.
pub(super) struct Sessions<T> {
    last_id: AtomicU64,
    state: Mutex<State<T>>,
    /// Where is done what they leave to be done in the background.
    background: Arc<dyn Background>,
    methods: Arc<dyn Methods>,
    logs: PeerLogs,
    budget: Budget,
}

/// What carries a session.
pub(super) trait Abort {
    /// Ends the session at once.
    fn abort(&self);
}

struct State<T> {
    live: HashMap<u64, Live<T>>,
    admission: Admission,
    /// The server is to stop.
    stopping: bool,
}

struct Live<T> {
    session: Arc<Session>,
    /// The session's task, once it is spawned.
    task: Option<T>,
    /// The task is not to go on.
    cut: bool,
}

impl<T: Abort> Live<T> {
    fn cut(&mut self) {
        self.cut = true;
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl<T: Abort> Sessions<T> {
    pub(super) fn new(background: Arc<dyn Background>, methods: Arc<dyn Methods>, config: &Config) -> Self {
        let state = State { live: HashMap::new(), admission: Admission::default(), stopping: false };
        Sessions {
            last_id: AtomicU64::new(0),
            state: Mutex::new(state),
            background,
            methods,
            logs: PeerLogs::default(),
            budget: Budget::new(config.allowed()),
        }
    }

    /// Makes a session of a connection, unless its peer may not connect or there is no room for it; that is logged.
    pub(super) fn open(&self, peer: PeerCredentials, config: &Config) -> Option<Arc<Session>> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let session = Session::new(id, peer)
            .with_background(self.background.clone())
            .with_methods(self.methods.clone())
            .with_log(&self.logs)
            .with_budget(&self.budget)
            .with_request_limit(config.request_limit)
            .observed(config.address.as_ref());
        let session = Arc::new(session);
        match self.admit(&session, config) {
            Ok(()) => Some(session),
            Err(refusal) => {
                log_refused(&session, &refusal);
                None
            }
        }
    }

    fn admit(&self, session: &Arc<Session>, config: &Config) -> Result<(), Refusal> {
        // A stranger's code, so nothing is locked.
        check_access(session, config)?;
        self.look_for_clients(session.peer().uid(), config.absent_sessions());
        check_absent(session, &self.budget, config)?;
        check_descriptors(session, config)?;
        check_memory(session)?;
        let mut state = self.state();
        state.admission.enter(session, config)?;
        state.live.insert(session.id(), Live { session: session.clone(), task: None, cut: false });
        if state.stopping {
            session.stop(Cancelled::ShuttingDown);
        }
        Ok(())
    }

    /// Has all sessions of a user look for their clients that do so only when they are asked, if there are as many as may be without theirs: a
    /// handler that blocks its thread does not see that its caller has left.
    fn look_for_clients(&self, uid: u32, limit: usize) {
        let state = self.state();
        if state.live.len() < limit {
            return;
        }
        let of_user =
            state.live.values().map(|live| &live.session).filter(|session| session.peer().uid() == uid);
        let of_user: Vec<_> = of_user.cloned().collect();
        drop(state);
        if of_user.len() >= limit {
            of_user.iter().for_each(|session| session.look_for_client());
        }
    }

    /// Says which task serves a session.
    pub(super) fn attach(&self, id: u64, task: T) {
        if let Some(live) = self.state().live.get_mut(&id) {
            if live.cut {
                task.abort();
            }
            live.task = Some(task);
        }
    }

    /// Forgets a session that has ended, and tells the handlers that go on by themselves.
    pub(super) fn close(&self, session: &Session) {
        let mut state = self.state();
        if state.live.remove(&session.id()).is_some() {
            state.admission.leave(session);
        }
        drop(state);
        session.end();
    }

    /// The live sessions, the oldest first.
    pub(super) fn list(&self) -> Vec<Arc<Session>> {
        let mut sessions: Vec<_> = self.state().live.values().map(|live| live.session.clone()).collect();
        sessions.sort_unstable_by_key(|session| session.id());
        sessions
    }

    /// Ends a session at once; false if there is none of this number.
    pub(super) fn cut(&self, id: u64) -> bool {
        let mut state = self.state();
        let Some(live) = state.live.get_mut(&id) else { return false };
        tracing::warn!(session = id, "cutting the session");
        live.session.stop(Cancelled::SessionClosed);
        live.cut();
        true
    }

    /// Ends all sessions at once.
    pub(super) fn cut_all(&self) {
        for live in self.state().live.values_mut() {
            live.cut();
        }
    }

    /// Stops all sessions: those that live, and those that are still to be opened (S7); tells the work in the background.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stopping = true;
        state.live.values().for_each(|live| live.session.stop(Cancelled::ShuttingDown));
        drop(state);
        self.background.cancellation().cancel(Cancelled::ShuttingDown);
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Sessions<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("last_id", &self.last_id).finish_non_exhaustive()
    }
}
