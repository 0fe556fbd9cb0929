use std::fmt;
use std::sync::Arc;

use crate::handler::failure::guard::guarded;
use crate::handler::failure::{Escaped, Failure};
use crate::handler::session::Session;
use crate::observe::metrics::{OpenSession, session_refused};
use crate::observe::peer_log::Line;

type OnOpen = dyn Fn(&Arc<Session>) -> Result<(), Failure> + Send + Sync;
type OnClose = dyn Fn(&Arc<Session>) + Send + Sync;

/// What is to be done when a session begins, and when it has ended.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    open: Vec<Arc<OnOpen>>,
    close: Vec<Arc<OnClose>>,
}

impl Hooks {
    pub(super) fn on_open(
        &mut self,
        hook: impl Fn(&Arc<Session>) -> Result<(), Failure> + Send + Sync + 'static,
    ) {
        self.open.push(Arc::new(hook));
    }

    pub(super) fn on_close(&mut self, hook: impl Fn(&Arc<Session>) + Send + Sync + 'static) {
        self.close.push(Arc::new(hook));
    }
}

/// A session that no hook refused. Dropped, it calls the hooks for its end.
pub(super) struct Opened {
    hooks: Arc<Hooks>,
    session: Arc<Session>,
    _counted: OpenSession,
}

impl Opened {
    pub(super) fn new(hooks: &Arc<Hooks>, session: &Arc<Session>) -> Result<Self, Failure> {
        for hook in &hooks.open {
            let opened = guarded(|| hook(session));
            let opened = opened.unwrap_or_else(|panic| Err(format!("a hook panicked: {panic}").into()));
            opened.inspect_err(|_| session_refused("hook"))?;
        }
        Ok(Opened { hooks: hooks.clone(), session: session.clone(), _counted: OpenSession::begin() })
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        for hook in &self.hooks.close {
            if let Err(panic) = guarded(|| hook(&self.session))
                && self.session.may_log(Line::Panicked)
            {
                tracing::error!(session = self.session.id(), "a hook panicked: {}", Escaped(&panic));
            }
        }
    }
}

impl fmt::Debug for Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hooks").field("open", &self.open.len()).field("close", &self.close.len()).finish()
    }
}
