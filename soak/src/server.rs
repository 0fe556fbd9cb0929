//! The server that is soaked: what it does, and how it is watched from outside.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::ValueEnum;
use drpc::{Failure, Incoming, Server, Stream, drpc_module};
use futures_util::{StreamExt, stream};
use rustix::process::{Pid, Signal, kill_process};

use crate::measure::{Measure, return_free_memory};
use crate::sessions::builder;
use crate::{Driver, Error};

/// How long the server may take to open and close sessions.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Soaked;

#[drpc_module(id = 7)]
impl Soaked {
    /// Returns the body as it came.
    #[method(0)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    /// The same, after a while.
    #[method(1)]
    async fn slow_echo(&self, body: Bytes) -> Bytes {
        tokio::time::sleep(Duration::from_millis(10)).await;
        body
    }

    /// Numbers without end.
    #[method(3, stream)]
    fn numbers(&self) -> impl Stream<Item = Result<Bytes, Failure>> + use<> {
        stream::iter(0u64..).map(|number| Ok(Bytes::copy_from_slice(&number.to_le_bytes())))
    }

    /// Takes numbers, in their order; returns how many.
    #[method(4, stream)]
    async fn take(&self, mut numbers: Incoming<Bytes>) -> Result<Bytes, Failure> {
        let mut taken = 0u64;
        while let Some(number) = numbers.next().await {
            if number? != taken.to_le_bytes()[..] {
                return Err("a number came out of its turn".into());
            }
            taken += 1;
        }
        Ok(Bytes::copy_from_slice(&taken.to_le_bytes()))
    }

    /// Returns unused memory to the kernel, so that what is resident is in use.
    #[method(2)]
    fn return_free_memory(&self) {
        return_free_memory();
    }
}

/// Serves until SIGTERM.
pub(crate) fn serve(driver: Driver, socket: &Path) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let _entered = runtime.enter();
    let stop = drpc::server::shutdown_signal();
    let builder = Server::builder()
        .module(Soaked)
        .message_timeout(Duration::from_secs(1))
        .drain_timeout(Duration::from_secs(1));
    // Clients may connect from then on, and none is accepted yet.
    let say = || -> Result<(), Error> {
        let Measure { descriptors, threads, .. } = Measure::of_this_process()?;
        println!("listening with {descriptors} descriptors and {threads} threads");
        Ok(())
    };
    match driver {
        Driver::Tokio => {
            let server = builder.bind(socket)?;
            say()?;
            runtime.block_on(server.serve_until(stop))?;
            Ok(())
        }
        Driver::Threads => {
            let handle = runtime.handle().clone();
            let builder = builder.session_limit(usize::MAX).wrap_threads(move |run| {
                let _entered = handle.enter();
                run();
            });
            let server = builder.bind_blocking(socket)?;
            say()?;
            server.serve_until(stop)?;
            Ok(())
        }
        Driver::Steps => {
            let mut server = builder.bind_progress(socket)?;
            let (waker, asked) = (server.waker(), Arc::new(AtomicBool::new(false)));
            let to_stop = asked.clone();
            runtime.spawn(async move {
                stop.await;
                to_stop.store(true, Ordering::SeqCst);
                waker.wake();
            });
            say()?;
            while !server.is_drained() {
                server.progress(Duration::MAX)?;
                if asked.load(Ordering::SeqCst) {
                    server.begin_shutdown();
                }
            }
            Ok(())
        }
    }
}

/// A server in a process of its own. Dropped, it is killed.
pub(crate) struct ServerProcess {
    driver: Driver,
    child: Child,
    socket: PathBuf,
    /// The descriptors and threads that it had before its first session.
    idle: (usize, usize),
}

impl ServerProcess {
    pub(crate) fn start(driver: Driver, socket: &Path) -> Result<ServerProcess, Error> {
        let this_program = std::env::current_exe()?;
        let name = driver.to_possible_value().ok_or("a server without a name")?;
        let mut command = Command::new(this_program);
        command.args(["--server", name.get_name(), "serve"]).arg(socket);
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("a server without stdout")?;
        let mut server = ServerProcess { driver, child, socket: socket.to_owned(), idle: (0, 0) };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let said = line.strip_prefix("listening with ").and_then(|line| line.strip_suffix(" threads\n"));
        let (descriptors, threads) =
            said.and_then(|said| said.split_once(" descriptors and ")).ok_or("the server did not start")?;
        server.idle = (descriptors.parse()?, threads.parse()?);
        Ok(server)
    }

    pub(crate) fn driver(&self) -> Driver {
        self.driver
    }

    /// Measures it with so many sessions open, and with what it does not use returned to the kernel.
    pub(crate) fn measure(&self, sessions: usize) -> Result<Measure, Error> {
        self.wait_for_sessions(sessions)?;
        let client = builder(&self.socket).connect_blocking()?;
        SoakedClient::new(client).return_free_memory()?;
        self.wait_for_sessions(sessions)
    }

    /// Waits until the server has so many sessions: when it opens and closes one, no client can see.
    fn wait_for_sessions(&self, sessions: usize) -> Result<Measure, Error> {
        let begun = Instant::now();
        let descriptors = self.idle.0 + sessions;
        let threads = match self.driver {
            Driver::Tokio | Driver::Steps => self.idle.1,
            Driver::Threads => self.idle.1 + sessions,
        };
        loop {
            let now = Measure::of(self.child.id())?;
            if (now.descriptors, now.threads) == (descriptors, threads) {
                return Ok(now);
            }
            if begun.elapsed() > PATIENCE {
                return Err(format!(
                    "the server has {} descriptors and {} threads in place of the {descriptors} and {threads} that are right for \
                     {sessions} sessions",
                    now.descriptors, now.threads
                )
                .into());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<(), Error> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        if !status.success() {
            return Err(format!("the server ended with {status}").into());
        }
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
