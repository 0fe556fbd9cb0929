use std::sync::Arc;

use super::ServerBuilder;

impl ServerBuilder {
    /// The stack size of a [`blocking::Server`](crate::blocking::Server)'s threads, in bytes; 2 MiB by default, as for all Rust threads. Memory is used only as far as a
    /// stack is touched.
    pub fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.config.threads.stack_size = Some(bytes);
        self
    }

    /// Runs each thread of a [`blocking::Server`](crate::blocking::Server) inside a closure that sets up what handlers need there, and then calls the function it is
    /// given: to enter a runtime, to redirect logging, to pin the thread to a core.
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
    /// If called twice, the later closure counts.
    pub fn wrap_threads(mut self, wrap: impl Fn(Box<dyn FnOnce()>) + Send + Sync + 'static) -> Self {
        self.config.threads.wrap = Some(Arc::new(wrap));
        self
    }
}
