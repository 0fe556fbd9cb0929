use std::sync::Arc;

use super::ServerBuilder;

impl ServerBuilder {
    /// The size of the stacks of the threads of a [`blocking::Server`](crate::blocking::Server), in bytes. 2 MiB unless set, as with
    /// all threads of Rust's. Memory is taken only for what is used of it.
    pub fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.config.threads.stack_size = Some(bytes);
        self
    }

    /// Runs each thread of a [`blocking::Server`](crate::blocking::Server) within a closure, which sets up what the handlers need there,
    /// and then calls the one that it is given: to enter a runtime, to log elsewhere, to pin the thread.
    ///
    /// ```
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use drpc::blocking::Server;
    ///
    /// // Async handlers may use tokio's timers and sockets, whose events its own threads wait for.
    /// let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    /// let handle = runtime.handle().clone();
    /// let builder = Server::builder().wrap_threads(move |run| {
    ///     let _entered = handle.enter();
    ///     run();
    /// });
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Given twice, the later closure counts.
    pub fn wrap_threads(mut self, wrap: impl Fn(Box<dyn FnOnce()>) + Send + Sync + 'static) -> Self {
        self.config.threads.wrap = Some(Arc::new(wrap));
        self
    }
}
