//! Running the tool, and what it runs against.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use drpc::blocking::Client;
use drpc::wire::Response;
use drpc::{AddedFields, CallError, CallOptions, Method, ServerBuilder, Wire};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub(crate) const GREETER: &str =
    "[[module]]\nid = 5\nname = \"greeter\"\n\n[[module.method]]\nnumber = 1\nname = \"hello\"\n";

pub(crate) const CONTRACT: &str = "drpc contract 1

module 5 greeter
    method 501 hello
        request hello.Hello
        reply hello.Greeting

message hello.Greeting
    1 greeting: string

message hello.Hello
    1 name: string
    2 birth_year: uint32
";

/// A folder of a test's own, in which the tool runs, so that its messages have no path of this machine.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// A folder with the registry of module `greeter`.
    pub(crate) fn with_registry() -> Folder {
        let folder = Folder::new();
        folder.write("modules.toml", GREETER);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The tool with a command line whose words are parted by spaces.
    pub(crate) fn drpc(&self, line: &str) -> snapbox::cmd::Command {
        snapbox::cmd::Command::new(snapbox::cmd::cargo_bin!("drpc"))
            .args(line.split(' '))
            .current_dir(self.0.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
    }

    /// The tool, as a user who may not connect to what this user alone may.
    pub(crate) fn drpc_as_stranger(&self, line: &str) -> snapbox::cmd::Command {
        let tool = snapbox::cmd::cargo_bin!("drpc");
        let mut command = Command::new(tool);
        if rustix::process::geteuid().is_root() {
            // The build's own folder may be closed to them. A process of its own copies: a file that is open here for writing, which another
            // thread's child then has too, can't be run yet.
            assert!(Command::new("cp").arg(tool).arg(self.path("tool")).status().unwrap().success());
            fs::set_permissions(self.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
            command = Command::new(self.path("tool"));
            command.uid(65_534).gid(65_534);
        } else {
            fs::set_permissions(self.path("s.sock"), fs::Permissions::from_mode(0o000)).unwrap();
        }
        // What configures this user is closed to them, too.
        command.args(line.split(' ')).current_dir(self.0.path()).env("XDG_CONFIG_HOME", self.0.path());
        snapbox::cmd::Command::from_std(command)
    }

    /// A server in this process, at `s.sock`.
    pub(crate) fn serve(&self, builder: ServerBuilder) -> Serving {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = builder.explicit_modules_only().bind(self.path("s.sock")).unwrap();
        runtime.spawn(server.serve());
        Serving { _runtime: runtime }
    }

    /// A socket at `s.sock` to which one can connect, and which nobody serves.
    pub(crate) fn listen(&self) -> OwnedFd {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        rustix::net::bind(&socket, &SocketAddrUnix::new(self.path("s.sock")).unwrap()).unwrap();
        rustix::net::listen(&socket, 8).unwrap();
        socket
    }

    /// The tool in the background, once it listens.
    pub(crate) fn spawn(&self, line: &str) -> Running {
        let mut child = Command::new(snapbox::cmd::cargo_bin!("drpc"))
            .args(line.split(' '))
            .current_dir(self.0.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = String::new();
        stderr.read_line(&mut said).unwrap();
        assert!(said.starts_with("listening on "), "{said}");
        Running { child: Some(child), said }
    }
}

/// A server in this process, until dropped.
pub(crate) struct Serving {
    _runtime: tokio::runtime::Runtime,
}

/// A tool that runs until it is interrupted.
pub(crate) struct Running {
    child: Option<Child>,
    /// That it listens.
    pub(crate) said: String,
}

impl Running {
    /// Interrupts it, as ctrl-c does, and gives what it printed.
    pub(crate) fn interrupt(mut self) -> Output {
        let child = self.child.take().unwrap();
        interrupt(&child);
        child.wait_with_output().unwrap()
    }
}

#[cfg(feature = "grpc")]
impl Running {
    /// Sends it SIGHUP.
    pub(crate) fn hang_up(&self) {
        kill_process(Pid::from_child(self.child.as_ref().unwrap()), Signal::HUP).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            interrupt(&child);
            child.wait().unwrap();
        }
    }
}

/// As ctrl-c does.
pub(crate) fn interrupt(child: &Child) {
    kill_process(Pid::from_child(child), Signal::INT).unwrap();
}

/// A client that speaks the chunked wire, so that no probe stands before its calls.
pub(crate) fn client(socket: &Path) -> Client {
    Client::builder(socket).wire(Wire::Chunked).added_fields(AddedFields::ERROR).connect_blocking().unwrap()
}

pub(crate) fn call(client: &Client, method: i32, body: &'static [u8]) -> Result<Response, CallError> {
    client.call_raw(Method::new(method.div_euclid(100), method, "called"), body, &CallOptions::new())
}
