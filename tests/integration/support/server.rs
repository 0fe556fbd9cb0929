use std::future::Future;
use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use drpc::server::Shutdown;
use drpc::{ServerBuilder, ServerHandle, progress};
use tempfile::TempDir;
use tokio::runtime::{Handle, Runtime};
use tracing::dispatcher::{self, Dispatch};

/// What drives a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// [`drpc::Server`], on a runtime of two threads.
    Tokio,
    /// [`drpc::blocking::Server`], with a thread for each session.
    Threads,
    /// [`drpc::progress::Server`], in a loop on one thread without a runtime.
    Progress,
}

/// Runs a test with each of the three servers: one suite, three drivers.
pub(crate) fn with_every_server(test: impl Fn(Driver)) {
    for driver in [Driver::Tokio, Driver::Threads, Driver::Progress] {
        println!("with the {driver:?} server");
        test(driver);
    }
}

/// Runs a test with each of the two servers that have a [`ServerHandle`].
pub(crate) fn with_every_handle(test: impl Fn(Driver)) {
    for driver in [Driver::Tokio, Driver::Threads] {
        println!("with the {driver:?} server");
        test(driver);
    }
}

impl Driver {
    /// Clients may connect when this returns: it binds, then spawns. Steps and threads run within the runtime that this is called on, if
    /// there is one, and log where this thread does.
    pub(crate) fn start(self, builder: ServerBuilder) -> TestServer {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("test.sock");
        let mut server = self.start_on(builder, &path, None);
        server.directory = Some(directory);
        server
    }

    /// As [`start`](Self::start), at a path that outlives it, or on a socket that listens there.
    pub(crate) fn start_on(
        self,
        builder: ServerBuilder,
        path: &Path,
        listener: Option<OwnedFd>,
    ) -> TestServer {
        let builder = builder.explicit_modules_only();
        let surroundings = Surroundings::of_this_thread();
        let (stop, serve): (_, Box<dyn FnOnce() -> io::Result<Shutdown> + Send>) = match self {
            Driver::Tokio => {
                let server = match listener {
                    Some(fd) => builder.listen_fd(fd),
                    None => builder.bind(path),
                };
                let server = server.expect("listens");
                let (handle, runtime) = (server.handle(), runtime());
                (Stop::Handle(handle), Box::new(move || runtime.block_on(server.serve())))
            }
            Driver::Threads => {
                let surroundings = surroundings.clone();
                let builder = builder.wrap_threads(move |run| surroundings.within(run));
                let server = match listener {
                    Some(fd) => builder.listen_fd_blocking(fd),
                    None => builder.bind_blocking(path),
                };
                let server = server.expect("listens");
                (Stop::Handle(server.handle()), Box::new(move || server.serve()))
            }
            Driver::Progress => {
                let server = match listener {
                    Some(fd) => builder.listen_fd_progress(fd),
                    None => builder.bind_progress(path),
                };
                let server = server.expect("listens");
                let asked = Arc::new(AtomicBool::new(false));
                (Stop::Progress(asked.clone(), server.waker()), Box::new(move || step(server, &asked)))
            }
        };
        let serving = thread::spawn(move || surroundings.within(serve));
        TestServer { path: path.to_owned(), stop, serving: Some(serving), directory: None }
    }
}

/// Where a thread logs, and the runtime that it runs in.
#[derive(Clone)]
struct Surroundings {
    dispatch: Dispatch,
    runtime: Option<Handle>,
}

impl Surroundings {
    fn of_this_thread() -> Self {
        let dispatch = dispatcher::get_default(Dispatch::clone);
        Surroundings { dispatch, runtime: Handle::try_current().ok() }
    }

    fn within<T>(&self, run: impl FnOnce() -> T) -> T {
        let _logged = dispatcher::set_default(&self.dispatch);
        let _entered = self.runtime.as_ref().map(Handle::enter);
        run()
    }
}

/// The loop of a program that owns it. It waits without end, so that whatever does not wake it makes its test fail.
fn step(mut server: progress::Server, asked_to_stop: &AtomicBool) -> io::Result<Shutdown> {
    while !server.is_drained() {
        server.progress(Duration::MAX)?;
        if asked_to_stop.load(Ordering::SeqCst) {
            server.begin_shutdown();
        }
    }
    Ok(server.outcome().expect("it has ended"))
}

/// A server on threads of its own, so that a test may block. Dropped, it is shut down gracefully.
pub(crate) struct TestServer {
    path: PathBuf,
    stop: Stop,
    serving: Option<JoinHandle<io::Result<Shutdown>>>,
    directory: Option<TempDir>,
}

/// Asks a server to stop.
#[derive(Clone)]
pub(crate) enum Stop {
    Handle(ServerHandle),
    Progress(Arc<AtomicBool>, Waker),
}

impl Stop {
    pub(crate) fn shutdown(&self) {
        match self {
            Stop::Handle(handle) => handle.shutdown(),
            Stop::Progress(asked, waker) => {
                asked.store(true, Ordering::SeqCst);
                waker.wake_by_ref();
            }
        }
    }
}

impl TestServer {
    /// The server on tokio, for a test that is about something else.
    pub(crate) fn start(builder: ServerBuilder) -> TestServer {
        Driver::Tokio.start(builder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn handle(&self) -> Stop {
        self.stop.clone()
    }

    /// The handle of a server on tokio, or in threads.
    pub(crate) fn server_handle(&self) -> ServerHandle {
        match &self.stop {
            Stop::Handle(handle) => handle.clone(),
            Stop::Progress(..) => panic!("a progress server has no handle"),
        }
    }

    /// Waits until it has stopped, without asking it to.
    pub(crate) fn wait(mut self) -> Shutdown {
        let serving = self.serving.take().expect("not waited for yet");
        serving.join().expect("does not panic").expect("serves without an error")
    }

    /// Shuts down, and waits until it has stopped.
    pub(crate) fn stop(self) -> Shutdown {
        self.stop.shutdown();
        self.wait()
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.stop.shutdown();
        if let Some(serving) = self.serving.take() {
            let result = serving.join();
            if !thread::panicking() {
                result.expect("does not panic").expect("serves without an error");
            }
        }
    }
}

/// A runtime whose threads log where this thread does.
pub(crate) fn runtime() -> Runtime {
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
