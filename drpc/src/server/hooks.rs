use std::fmt;
use std::sync::Arc;

use super::ServerBuilder;
use crate::failure::Escaped;
use crate::failure::guard::guarded;
use crate::observe::metrics::{OpenSession, session_refused};
use crate::{Failure, Session};

type OnOpen = dyn Fn(&Arc<Session>) -> Result<(), Failure> + Send + Sync;
type OnClose = dyn Fn(&Arc<Session>) + Send + Sync;

/// What is to be done when a session begins, and when it has ended.
#[derive(Clone, Default)]
pub(super) struct Hooks {
    open: Vec<Arc<OnOpen>>,
    close: Vec<Arc<OnClose>>,
}

impl ServerBuilder {
    /// Calls a closure for every session before anything of it is read. It may refuse the session, which is then closed, and
    /// the reason logged. Several are called in the order in which they were given, until one refuses.
    ///
    /// It must not block: it runs in the session's own task, or in the step of a progress server that accepts it, and holds up
    /// whoever else is served on that thread. One that panics refuses.
    ///
    /// ```
    /// # use std::time::Instant;
    /// use drpc::Server;
    ///
    /// struct Opened(Instant);
    ///
    /// let server = Server::builder()
    ///     .on_open(|session| {
    ///         if session.peer().pid().is_none() {
    ///             return Err("it comes out of a container".into());
    ///         }
    ///         session.extensions().insert(Opened(Instant::now()));
    ///         Ok(())
    ///     })
    ///     .on_close(|session| {
    ///         if let Some(opened) = session.extensions().get::<Opened>() {
    ///             println!("{} calls in {:?}", session.calls_done(), opened.0.elapsed());
    ///         }
    ///     });
    /// ```
    pub fn on_open(
        mut self,
        hook: impl Fn(&Arc<Session>) -> Result<(), Failure> + Send + Sync + 'static,
    ) -> Self {
        Arc::make_mut(&mut self.config.hooks).open.push(Arc::new(hook));
        self
    }

    /// Calls a closure for every session that has ended: its connection is closed, and no handler of it runs any more, but
    /// for work that one left behind. So it is also for one that was cut. Not for one that [`on_open`](Self::on_open) refused.
    ///
    /// It must not block.
    pub fn on_close(mut self, hook: impl Fn(&Arc<Session>) + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.config.hooks).close.push(Arc::new(hook));
        self
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
            if let Err(panic) = guarded(|| hook(&self.session)) {
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
