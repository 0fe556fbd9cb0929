//! The server that is soaked: what it does, and how it is watched from outside.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::{Server, drpc_module};
use rustix::process::{Pid, Signal, kill_process};

use crate::Error;
use crate::measure::{Measure, return_free_memory};
use crate::sessions::builder;

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

    /// Returns unused memory to the kernel, so that what is resident is in use.
    #[method(2)]
    fn return_free_memory(&self) {
        return_free_memory();
    }
}

/// Serves until SIGTERM.
pub(crate) fn serve(socket: &Path) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let stop = drpc::server::shutdown_signal();
        let server = Server::builder()
            .module(Soaked)
            .message_timeout(Duration::from_secs(1))
            .drain_timeout(Duration::from_secs(1))
            .bind(socket)?;
        // Clients may connect already, and none is accepted yet.
        println!("listening with {} descriptors", Measure::of_this_process()?.descriptors);
        Ok(server.serve_until(stop).await?)
    })
}

/// A server in a process of its own. Dropped, it is killed.
pub(crate) struct ServerProcess {
    child: Child,
    socket: PathBuf,
    /// The descriptors that it had before its first session.
    idle_descriptors: usize,
}

impl ServerProcess {
    pub(crate) fn start(socket: &Path) -> Result<ServerProcess, Error> {
        let this_program = std::env::current_exe()?;
        let mut child = Command::new(this_program).arg("serve").arg(socket).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().ok_or("a server without stdout")?;
        let mut server = ServerProcess { child, socket: socket.to_owned(), idle_descriptors: 0 };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        let said = line.strip_prefix("listening with ").and_then(|line| line.strip_suffix(" descriptors\n"));
        server.idle_descriptors = said.ok_or("the server did not start")?.parse()?;
        Ok(server)
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
        let (begun, expected) = (Instant::now(), self.idle_descriptors + sessions);
        loop {
            let now = Measure::of(self.child.id())?;
            if now.descriptors == expected {
                return Ok(now);
            }
            if begun.elapsed() > PATIENCE {
                let now = now.descriptors;
                return Err(format!(
                    "the server has {now} descriptors open in place of {expected}, which is right for {sessions} sessions"
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
