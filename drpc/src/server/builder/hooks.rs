use std::sync::Arc;

use super::ServerBuilder;
use crate::handler::failure::Failure;
use crate::handler::session::Session;

impl ServerBuilder {
    /// Calls a closure for each session before anything is read from it. The closure may refuse the session, which is then closed and the reason logged. Several
    /// closures are called in the order they were added, until one refuses.
    ///
    /// It must not block: it runs in the session's own task, or in the step of a progress server that accepts it, and delays whatever else that thread serves. (On a
    /// [`blocking::Server`](crate::blocking::Server) that is nothing.) A closure that panics refuses.
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
        Arc::make_mut(&mut self.config.hooks).on_open(hook);
        self
    }

    /// Calls a closure for each session that has ended, gracefully or not: its connection is closed, and none of its handlers runs any more, except for background
    /// work. It is not called for a session that [`on_open`](Self::on_open) refused.
    ///
    /// It must not block.
    pub fn on_close(mut self, hook: impl Fn(&Arc<Session>) + Send + Sync + 'static) -> Self {
        Arc::make_mut(&mut self.config.hooks).on_close(hook);
        self
    }
}
