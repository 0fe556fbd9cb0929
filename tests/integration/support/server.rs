use std::future::Future;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use drpc::{Server, ServerBuilder, ServerHandle};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tracing::dispatcher::{self, Dispatch};

/// A server on a runtime of its own, so that a test may block. Dropped, it is shut down gracefully.
pub(crate) struct TestServer {
    path: PathBuf,
    handle: ServerHandle,
    serving: Option<JoinHandle<io::Result<()>>>,
    _directory: TempDir,
}

impl TestServer {
    /// Clients may connect when this returns: it binds, then spawns.
    pub(crate) fn start(builder: ServerBuilder) -> TestServer {
        let directory = tempfile::tempdir().expect("a directory");
        let server = builder.explicit_modules_only().bind(directory.path().join("test.sock")).expect("binds");
        Self::spawn(server, directory)
    }

    fn spawn(server: Server, directory: TempDir) -> TestServer {
        let (path, handle) = (server.path().expect("a path").to_owned(), server.handle());
        let (runtime, dispatch) = (runtime(), dispatcher::get_default(Dispatch::clone));
        let serving = thread::spawn(move || {
            let _logged = dispatcher::set_default(&dispatch);
            runtime.block_on(server.serve())
        });
        TestServer { path, handle, serving: Some(serving), _directory: directory }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Waits until `serve` returns, without asking it to.
    pub(crate) fn wait(mut self) {
        let serving = self.serving.take().expect("not waited for yet");
        serving.join().expect("does not panic").expect("serves without an error");
    }

    /// Shuts down, and waits until `serve` returns.
    pub(crate) fn stop(self) {
        self.handle.shutdown();
        self.wait();
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.handle.shutdown();
        if let Some(serving) = self.serving.take() {
            let result = serving.join();
            if !thread::panicking() {
                result.expect("does not panic").expect("serves without an error");
            }
        }
    }
}

/// A runtime whose threads log where this thread does.
pub(super) fn runtime() -> Runtime {
    let dispatch = dispatcher::get_default(Dispatch::clone);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .on_thread_start(move || mem::forget(dispatcher::set_default(&dispatch)))
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Runs a test's future on a runtime of this thread alone.
pub(crate) fn in_order<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(super::patiently("the end of the test", test))
}
