//! The examples as a user sees them: what they print, what they answer, how they end.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use drpc::blocking::Client;
use drpc::wire::Response;
use drpc::{CallOptions, Method, Status, Wire, WireMode};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};
use rustix::process::{Pid, Signal, kill_process};

#[test]
fn quickstart_prints_what_happened() {
    let output = Command::new(env!("CARGO_BIN_EXE_quickstart")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("called hello (501): Hello World\n"), "{stdout}");
    assert!(stdout.ends_with("shut down; the socket is gone: true\n"), "{stdout}");
}

#[test]
fn own_loop_serves_between_its_work_without_a_runtime() {
    let output = Command::new(env!("CARGO_BIN_EXE_own-loop")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("called: Hello World, from between piece "), "{stdout}");
    assert!(stdout.ends_with("shut down; the socket is gone: true\n"), "{stdout}");
}

#[test]
fn threads_blocks_in_a_handler_and_stops_at_a_signal() {
    let output = Command::new(env!("CARGO_BIN_EXE_threads")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("called: Good morning, World\n"), "{stdout}");
    assert!(stdout.ends_with("shut down, drained; the socket is gone: true\n"), "{stdout}");
}

#[test]
fn submitted_answers_before_its_work_is_done() {
    let output = Command::new(env!("CARGO_BIN_EXE_submitted")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("about the world: submitted\nfinished: 1\n"), "{stdout}");
    assert!(stdout.ends_with("the report about Everything is left unwritten\nshut down\n"), "{stdout}");
}

#[test]
fn watch_sees_what_is_there_and_what_becomes_of_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_watch")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    let expected = "there is home\nthere is tank\ncreated: scratch\nall: home, tank, scratch\nshut down, and the stream has ended: true\n";
    assert_eq!(stdout, expected);
}

#[test]
fn upload_stores_what_was_sent_whole() {
    let output = Command::new(env!("CARGO_BIN_EXE_upload")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    let (before, rest) = stdout.split_once("disk: ").unwrap();
    let (refusal, after) = rest.split_once('\n').unwrap();
    assert_eq!(before, "notes: 20 bytes\n");
    assert!(refusal.contains("FAILURE"), "{refusal}");
    let expected = "a piece of 3 bytes\na piece of 5 bytes\nand that was all: true\nthread: 13 bytes\nstored: notes, thread\n";
    assert_eq!(after, expected);
}

#[test]
fn memory_is_read_where_it_is_if_its_seals_say_so() {
    let output = Command::new(env!("CARGO_BIN_EXE_memory")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("100 MiB, read where they are: [4, 4, 5, 5] and so on\n"), "{stdout}");
    assert!(stdout.contains("not trusted: the memory can still change"), "{stdout}");
}

#[test]
fn handover_hands_a_connection_to_another_process() {
    let output = Command::new(env!("CARGO_BIN_EXE_handover")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    assert!(stdout.contains("over TCP: Hello visitor, from the worker\n"), "{stdout}");
    assert!(stdout.contains("a pipe: the server answered FAILED_UNMARSHAL_PAYLOAD: "), "{stdout}");
}

#[test]
fn layers_see_every_call() {
    let output = Command::new(env!("CARGO_BIN_EXE_layers")).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{stdout}");
    for line in ["hello: SUCCESS after ", "called: Hello World\n", "hello: request timed out after "] {
        assert!(stdout.contains(line), "{stdout}");
    }
}

/// An `interop-server` in a folder of its own.
struct Interop {
    server: Child,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Interop {
    fn start(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("s.sock");
        let mut server = Command::new(env!("CARGO_BIN_EXE_interop-server"))
            .arg("--socket")
            .arg(&socket)
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, format!("listening on {}\n", socket.display()));
        Interop { server, socket, _folder: folder }
    }

    fn client(&self, wire: impl Into<WireMode>) -> Client {
        Client::builder(&self.socket).wire(wire).connect_blocking().unwrap()
    }

    /// Sends the signal; gives the exit code.
    fn stop(mut self, signal: Signal) -> (Option<i32>, bool) {
        kill_process(Pid::from_child(&self.server), signal).unwrap();
        let status = self.server.wait().unwrap();
        (status.code(), self.socket.exists())
    }
}

impl Drop for Interop {
    fn drop(&mut self) {
        // It may have been stopped already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn call(client: &Client, module: i32, method: i32, body: &'static [u8]) -> Response {
    client.call_raw(Method::new(module, method, "by number"), body, &CallOptions::new()).unwrap()
}

#[test]
fn interop_server_answers_on_both_wires() {
    let interop = Interop::start(&[]);
    for wire in [Wire::Chunked, Wire::Plain] {
        let client = interop.client(wire);
        let called = |module, method, body| {
            let response = call(&client, module, method, body);
            (response.status, String::from_utf8(response.body.to_vec()).unwrap())
        };
        let success = |body: &str| (Status::SUCCESS, body.to_owned());
        let failure = |status| (status, String::new());

        assert_eq!(called(0, 0, b"\x0a\x05World"), success("\n\u{b}Hello World"));
        assert_eq!(called(7, 700, b"ping"), success("ping"));
        assert_eq!(called(7, 701, b"ping"), failure(Status::FAILURE));
        assert_eq!(called(7, 702, b"\x01\0\0\0"), success("\u{1}\0\0\0"));
        assert_eq!(called(7, 702, b"\x01"), failure(Status::FAILURE));
        assert_eq!(called(7, 703, b""), failure(Status::FAILURE));
        let uid = rustix::process::getuid().as_raw();
        let gid = rustix::process::getgid().as_raw();
        assert_eq!(called(7, 704, b""), success(&format!("uid={uid} gid={gid} pid={}", std::process::id())));
        assert_eq!(called(7, 705, b""), failure(Status::UNKNOWN_METHOD));
        assert_eq!(called(99, 9900, b""), failure(Status::UNKNOWN_MODULE));
        assert_eq!(called(0, 0, b"\xff"), failure(Status::FAILED_UNMARSHAL_PAYLOAD));
    }
}

#[test]
fn interop_server_stops_gracefully() {
    for signal in [Signal::TERM, Signal::INT] {
        let interop = Interop::start(&["--mode", "0640", "--order", "concurrent", "--wire", "plain"]);
        assert_eq!(mode_of(&interop.socket), 0o640);
        // A session that is open and idle does not hold it up.
        let _idle = interop.client(Wire::Plain);
        assert_eq!(interop.stop(signal), (Some(0), false));
    }
}

#[test]
fn interop_server_refuses_a_wrong_command_line() {
    for args in
        [&["--socket", "/tmp/s", "--wire", "fast"][..], &["--socket", "/tmp/s", "--mode", "0900"], &[]]
    {
        let output = Command::new(env!("CARGO_BIN_EXE_interop-server")).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}");
    }
}

/// The example `activated`, started as systemd starts it; and what it tells systemd, line by line.
fn activated() -> (Interop, impl Fn() -> String) {
    let folder = tempfile::tempdir().unwrap();
    let (socket, notify) = (folder.path().join("s.sock"), folder.path().join("notify"));
    let listener = net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
    net::bind(&listener, &SocketAddrUnix::new(&socket).unwrap()).unwrap();
    net::listen(&listener, 16).unwrap();
    let manager = UnixDatagram::bind(&notify).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let told = move || {
        let mut buffer = [0; 100];
        let len = manager.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..len].to_vec()).unwrap()
    };

    // As systemd does: the socket is descriptor 3, and the process is told that it is meant.
    let server = Command::new("sh")
        .args(["-c", r#"LISTEN_PID=$$; export LISTEN_PID; exec "$0" 3<&0 0</dev/null"#])
        .arg(env!("CARGO_BIN_EXE_activated"))
        .env("LISTEN_FDS", "1")
        .env("NOTIFY_SOCKET", &notify)
        .stdin(Stdio::from(listener))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (Interop { server, socket, _folder: folder }, told)
}

#[test]
fn activated_serves_the_socket_that_it_is_passed_and_says_so() {
    let (server, told) = activated();
    assert_eq!(told(), "READY=1");
    let response = call(&server.client(Wire::Chunked), 5, 501, b"\x0a\x05World");
    assert_eq!((response.status, &*response.body), (Status::SUCCESS, &b"\n\x0bHello World"[..]));
    assert_eq!(server.stop(Signal::TERM), (Some(0), true), "the socket's file is not the daemon's");
    assert_eq!(told(), "STOPPING=1");
}

/// The units as the guide shows them, checked by systemd where it is installed.
#[test]
fn the_units_are_valid_and_those_of_the_guide() {
    let guide = fs::read_to_string("../drpc/src/guide/systemd.md").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut units = Vec::new();
    for name in ["greeter.socket", "greeter.service"] {
        let unit = fs::read_to_string(Path::new("systemd").join(name)).unwrap();
        assert!(
            guide.contains(&format!("```ini\n# /etc/systemd/system/{name}\n{unit}```")),
            "{name} is another in the guide"
        );
        // systemd looks whether there is such a program.
        let path = folder.path().join(name);
        fs::write(&path, unit.replace("/usr/local/bin/activated", env!("CARGO_BIN_EXE_activated"))).unwrap();
        units.push(path);
    }
    let Some(output) =
        run_if_installed(Command::new("systemd-analyze").args(["verify", "--man=no"]).args(units))
    else {
        return;
    };
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}

#[test]
fn python_calls_the_greeter() {
    let (server, _told) = activated();
    let mut python = Command::new("python3");
    let Some(output) = run_if_installed(python.arg("python/greeter.py").arg(&server.socket).arg("World"))
    else {
        return;
    };
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "Hello World\n");
}

#[test]
fn python_cuts_long_messages_into_packets_and_is_told_what_failed() {
    let interop = Interop::start(&[]);
    let script = "\
import sys
from greeter import Client
client = Client(sys.argv[1])
for length in 0, 1, 131_000, 131_048, 1_000_000:
    assert client.call(7, 700, bytes(length)) == bytes(length), length
try:
    client.call(7, 701)
except RuntimeError as error:
    print(error)
";
    let mut python = Command::new("python3");
    python
        .args(["-c", script])
        .arg(&interop.socket)
        .env("PYTHONPATH", "python")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let Some(output) = run_if_installed(&mut python) else {
        return;
    };
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "status 2: asked to fail\n");
}

/// Runs a program that not every machine has; where it is not there, the test says so and holds nothing.
fn run_if_installed(command: &mut Command) -> Option<Output> {
    match command.output() {
        Ok(output) => Some(output),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("skipped: there is no {}", command.get_program().display());
            None
        }
        Err(error) => panic!("{command:?}: {error}"),
    }
}

fn mode_of(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}
