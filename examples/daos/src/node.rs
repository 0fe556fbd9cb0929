//! A node with all three programs, in a temporary folder: for `daos-demo`, and for tests.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use drpc::WireMode;
use drpc::blocking::Client;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::server::control;
use crate::{agent, server};

/// How long something may take before it counts as never coming.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where the programs are.
#[derive(Clone, Debug)]
pub struct Programs {
    /// `daos-agent`.
    pub agent: PathBuf,
    /// `daos-server`.
    pub server: PathBuf,
    /// `daos-engine`.
    pub engine: PathBuf,
}

/// A server, its engines, and an agent. Dropped, they are killed, and nothing is left of them.
#[derive(Debug)]
pub struct Node {
    /// The server.
    pub server: Process,
    /// The engine that came up last.
    pub engine: Pid,
    /// The agent.
    pub agent: Process,
    /// The engines, as they came up first.
    pub pids: Vec<Pid>,
    programs: Programs,
    show: bool,
    /// Dropped last.
    folder: TempDir,
}

impl Node {
    /// Starts a server, waits until its engine is up, and starts an agent. What they tell is shown, or not.
    ///
    /// # Errors
    ///
    /// If one of them does not come up.
    pub fn start(programs: &Programs, show: bool) -> io::Result<Self> {
        Node::start_with(programs, 1, show)
    }

    /// The same with several engines; [`engine`](Self::engine) is the first.
    ///
    /// # Errors
    ///
    /// If one of them does not come up.
    pub fn start_with(programs: &Programs, engines: u32, show: bool) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("drpc-daos-").tempdir()?;
        let mut server = start_server(programs, engines, folder.path(), show)?;
        let pids = server.wait_for_engines(engines)?;
        let engine = pids[0];
        let mut agent = Command::new(&programs.agent);
        agent.arg("--socket-dir").arg(folder.path()).args(["--cache-lifetime", "1h"]);
        let mut agent = Process::start("agent", agent, show)?;
        agent.wait_for("listening on")?;
        Ok(Node { server, engine, pids, agent, programs: programs.clone(), show, folder })
    }

    /// Starts a server on what the last one has left, and waits until its engine is up.
    ///
    /// # Errors
    ///
    /// If it does not come up.
    pub fn restart_server(&mut self) -> io::Result<()> {
        let engines = self.pids.len().try_into().unwrap_or(u32::MAX);
        self.server = start_server(&self.programs, engines, self.folder.path(), self.show)?;
        self.wait_for_engine()
    }

    /// Waits until an engine is up, the first one or another.
    ///
    /// # Errors
    ///
    /// If none comes up.
    pub fn wait_for_engine(&mut self) -> io::Result<()> {
        self.engine = self.server.wait_for_engine()?;
        Ok(())
    }

    /// The folder with sockets and database.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client of the agent.
    ///
    /// # Errors
    ///
    /// If it can't connect.
    pub fn agent_client(&self, wire: impl Into<WireMode>) -> Result<Client, drpc::ConnectError> {
        self.client(agent::SOCKET, wire)
    }

    /// A client of the server, as an engine is one.
    ///
    /// # Errors
    ///
    /// If it can't connect.
    pub fn server_client(&self, wire: impl Into<WireMode>) -> Result<Client, drpc::ConnectError> {
        self.client(server::SOCKET, wire)
    }

    /// A client of the server, as an administrator is one.
    ///
    /// # Errors
    ///
    /// If it can't connect.
    pub fn control_client(&self, wire: impl Into<WireMode>) -> Result<Client, drpc::ConnectError> {
        self.client(control::SOCKET, wire)
    }

    /// A client of the engine, as the server is one.
    ///
    /// # Errors
    ///
    /// If it can't connect.
    pub fn engine_client(&self, wire: impl Into<WireMode>) -> Result<Client, drpc::ConnectError> {
        self.client(&format!("daos_engine_{}.sock", self.engine.as_raw_nonzero()), wire)
    }

    fn client(&self, socket: &str, wire: impl Into<WireMode>) -> Result<Client, drpc::ConnectError> {
        let client = Client::builder(self.folder().join(socket)).wire(wire);
        // One that was killed is not waited for.
        client.connect_timeout(Duration::from_millis(500)).connect_blocking()
    }
}

fn start_server(programs: &Programs, engines: u32, folder: &Path, show: bool) -> io::Result<Process> {
    let mut server = Command::new(&programs.server);
    server.arg("--socket-dir").arg(folder).arg("--database").arg(folder.join("pools.redb"));
    server.arg("--engine").arg(&programs.engine).args(["--property", "cleanliness=high"]);
    server.args(["--engines", &engines.to_string(), "--", "--containers", "2"]);
    Process::start("server", server, show)
}

/// A process, and what it tells, line by line.
#[derive(Debug)]
pub struct Process {
    child: Child,
    lines: Receiver<String>,
}

impl Process {
    /// Starts it. What it tells is shown under this name, or not.
    ///
    /// # Errors
    ///
    /// If there is no such program.
    pub fn start(name: &'static str, mut command: Command, show: bool) -> io::Result<Self> {
        command.stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("can't start {}: {error}", command.get_program().display()))
        })?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (told, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if show {
                    println!("      {name:6} │ {}", line.trim());
                }
                // Nobody may listen any more; it is shown all the same.
                let _ = told.send(line);
            }
        });
        Ok(Process { child, lines })
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Waits until it tells a line with this text; gives that line. Those before are passed over.
    ///
    /// # Errors
    ///
    /// If it ends first, or takes half a minute.
    pub fn wait_for(&mut self, text: &str) -> io::Result<String> {
        let until = Instant::now() + PATIENCE;
        loop {
            let line =
                self.lines.recv_timeout(until.saturating_duration_since(Instant::now())).map_err(|_| {
                    io::Error::new(io::ErrorKind::UnexpectedEof, format!("the process never told `{text}`"))
                })?;
            if line.contains(text) {
                return Ok(line);
            }
        }
    }

    fn wait_for_engine(&mut self) -> io::Result<Pid> {
        let line = self.wait_for("engine 0 is up")?;
        pid_in(&line)
    }

    /// Waits until so many engines are up, in whatever order, and know of each other.
    fn wait_for_engines(&mut self, count: u32) -> io::Result<Vec<Pid>> {
        let mut pids: Vec<Option<Pid>> = (0..count).map(|_| None).collect();
        let mut told = 0;
        while pids.contains(&None) || told < count {
            let line = self.wait_for("")?;
            if line.contains("the group was told") {
                told += 1;
            }
            for (index, pid) in pids.iter_mut().enumerate() {
                if line.contains(&format!("engine {index} is up")) {
                    *pid = Some(pid_in(&line)?);
                }
            }
        }
        Ok(pids.into_iter().flatten().collect())
    }

    /// Sends it a signal, and waits until it has ended.
    ///
    /// # Errors
    ///
    /// If it can't be told, or waited for.
    pub fn end(&mut self, signal: Signal) -> io::Result<std::process::ExitStatus> {
        kill_process(self.pid(), signal)?;
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The process that a line is about.
fn pid_in(line: &str) -> io::Result<Pid> {
    let pid = line.split_whitespace().find_map(|word| word.strip_prefix("pid="));
    let pid = pid.and_then(|pid| Pid::from_raw(pid.parse().ok()?));
    pid.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("no process in `{line}`")))
}

/// Programs that are beside this one.
#[must_use]
pub fn beside(program: &Path) -> Programs {
    let beside = |name: &str| program.with_file_name(OsStr::new(name));
    Programs { agent: beside("daos-agent"), server: beside("daos-server"), engine: beside("daos-engine") }
}
