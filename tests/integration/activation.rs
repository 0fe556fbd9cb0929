//! Sockets that someone else made: given as descriptors, or passed by systemd; and what systemd is told (S1, S7).
//!
//! The tests play systemd: a shell lays the descriptors where systemd lays them, and then becomes the program.

use std::env;
use std::fs;
use std::net::TcpListener;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::Duration;

use drpc::server::is_socket_activated;
use drpc::{BindError, Server, ServerBuilder, Wire, blocking, progress};
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketType};
use tempfile::TempDir;

use crate::support::{PATIENCE, RawPeer, in_order, interop, isolated, isolated_by};

fn builder() -> ServerBuilder {
    Server::builder().module(interop()).explicit_modules_only()
}

fn socket(kind: SocketType) -> OwnedFd {
    net::socket(AddressFamily::UNIX, kind, None).unwrap()
}

/// A `SOCK_SEQPACKET` socket, bound and not yet listening.
fn bound(path: &Path) -> OwnedFd {
    let socket = socket(SocketType::SEQPACKET);
    net::bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    socket
}

fn listening(path: &Path) -> OwnedFd {
    let socket = bound(path);
    net::listen(&socket, 16).unwrap();
    socket
}

/// Serves until a call through this path is answered.
fn assert_serves(server: Server, path: &Path) {
    let handle = server.handle();
    thread::scope(|scope| {
        scope.spawn(|| in_order(server.serve()).unwrap());
        RawPeer::connect(path).assert_served(Wire::Chunked);
        handle.shutdown();
    });
}

/// The same with the server in threads.
fn assert_serves_in_threads(server: blocking::Server, path: &Path) {
    let handle = server.handle();
    thread::scope(|scope| {
        scope.spawn(|| server.serve().unwrap());
        RawPeer::connect(path).assert_served(Wire::Chunked);
        handle.shutdown();
    });
}

/// The same with the server in steps.
fn assert_serves_in_steps(mut server: progress::Server, path: &Path) {
    thread::scope(|scope| {
        scope.spawn(|| RawPeer::connect(path).assert_served(Wire::Chunked));
        let mut closed = 0;
        while closed == 0 {
            closed += server.progress(PATIENCE).unwrap().closed();
        }
    });
    server.begin_shutdown();
    assert!(server.is_drained());
}

#[test]
fn a_given_socket_is_served_and_its_file_left_in_its_place() {
    // S7: only what the server made is removed.
    let directory = tempfile::tempdir().unwrap();
    for (name, socket) in [("bound", bound as fn(&Path) -> OwnedFd), ("listening", listening)] {
        let path = directory.path().join(name);
        let server = builder().listen_fd(socket(&path)).unwrap();
        assert_eq!(server.path(), Some(&*path));
        assert_eq!(server.address().to_string(), path.to_str().unwrap());
        assert_serves(server, &path);
        assert!(path.exists());

        let path = directory.path().join(format!("{name} in threads"));
        let server = builder().listen_fd_blocking(socket(&path)).unwrap();
        assert_eq!(server.path(), Some(&*path));
        assert_eq!(server.address().to_string(), path.to_str().unwrap());
        assert_serves_in_threads(server, &path);
        assert!(path.exists());

        let path = directory.path().join(format!("{name} in steps"));
        let server = builder().listen_fd_progress(socket(&path)).unwrap();
        assert_eq!(server.address().path(), Some(&*path));
        assert_serves_in_steps(server, &path);
        assert!(path.exists());
    }
}

#[test]
fn a_given_socket_with_an_abstract_name_is_served() {
    let name = format!("drpc-test-given-{}", process::id());
    let socket = socket(SocketType::SEQPACKET);
    net::bind(&socket, &SocketAddrUnix::new_abstract_name(name.as_bytes()).unwrap()).unwrap();
    let server = builder().listen_fd(socket).unwrap();
    assert_eq!(server.address().to_string(), format!("@{name}"));
    assert_eq!((server.path(), server.address().abstract_name()), (None, Some(name.as_bytes())));
}

#[test]
fn an_unfit_descriptor_is_refused_with_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = listening(&directory.path().join("listening"));
    let client = RawPeer::connect(&directory.path().join("listening"));
    let cases: [(OwnedFd, &str); 7] = [
        (
            fs::File::create(&path).unwrap().into(),
            "it is not a socket; make it with `AF_UNIX` and `SOCK_SEQPACKET`",
        ),
        (
            TcpListener::bind("127.0.0.1:0").unwrap().into(),
            "it is an Internet socket, and dRPC needs a Unix one; make it with `AF_UNIX` and `SOCK_SEQPACKET`",
        ),
        (
            UnixListener::bind(directory.path().join("stream")).unwrap().into(),
            "it is a stream socket, and dRPC needs SOCK_SEQPACKET; make it with `AF_UNIX` and `SOCK_SEQPACKET`",
        ),
        (
            UnixDatagram::bind(directory.path().join("datagram")).unwrap().into(),
            "it is a datagram socket, and dRPC needs SOCK_SEQPACKET; make it with `AF_UNIX` and `SOCK_SEQPACKET`",
        ),
        (
            net::accept(&listener).unwrap(),
            "it is a connection, not a socket that listens; give the listening socket that it was accepted from",
        ),
        (
            client.as_fd().try_clone_to_owned().unwrap(),
            "it is a connection, not a socket that listens; give the listening socket that it was accepted from",
        ),
        (socket(SocketType::SEQPACKET), "it is bound to no address; bind it first"),
    ];
    for (descriptor, said) in cases {
        let expected = format!("can't listen on descriptor {}: {said}", descriptor.as_raw_fd());
        assert_eq!(builder().listen_fd(descriptor).unwrap_err().to_string(), expected);
    }
}

/// How a shell becomes this program with its standard input, and output, where systemd lays what it passes.
const ONE_SOCKET: &str = r#"LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@" 3<&0 0</dev/null"#;
const TWO_SOCKETS: &str = r#"LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@" 3<&0 4<&1 0</dev/null 1>&2"#;

/// The folder of the sockets that a test passes, for the process that they are passed to.
const FOLDER: &str = "DRPC_TEST_FOLDER";

fn folder() -> PathBuf {
    env::var_os(FOLDER).unwrap().into()
}

/// Runs a test in a process that was passed the sockets which `make` makes in the folder that it is given.
fn activated(
    name: &str,
    script: &str,
    variables: &[(&str, &str)],
    make: impl FnOnce(&Path) -> Vec<OwnedFd>,
    test: impl FnOnce(),
) {
    let directory: TempDir = tempfile::tempdir().unwrap();
    let start = |program: PathBuf| {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).arg(program).env(FOLDER, directory.path());
        command.envs(variables.iter().copied());
        let mut sockets = make(directory.path()).into_iter();
        command.stdin(sockets.next().map_or(Stdio::null(), Stdio::from));
        if let Some(second) = sockets.next() {
            command.stdout(second);
        }
        command
    };
    isolated_by(name, start, test);
}

fn refusal(server: Result<Server, BindError>) -> String {
    let error = server.unwrap_err().to_string();
    let (subject, said) = error.split_once(": ").unwrap();
    assert!(subject.starts_with("can't listen on "), "{error}");
    said.to_owned()
}

#[test]
fn the_one_socket_that_systemd_passes_is_served() {
    activated(
        "activation::the_one_socket_that_systemd_passes_is_served",
        ONE_SOCKET,
        &[("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "test.socket")],
        |folder| vec![listening(&folder.join("s"))],
        || {
            let path = folder().join("s");
            assert!(is_socket_activated());
            let server = builder().listen_systemd().unwrap();
            assert_eq!(server.path(), Some(&*path));
            assert_serves(server, &path);
            assert!(path.exists(), "it is systemd's");

            // Once more, by its name.
            assert_serves(builder().listen_systemd_named("test.socket").unwrap(), &path);
            assert_serves_in_threads(builder().listen_systemd_blocking().unwrap(), &path);
            assert_serves_in_steps(builder().listen_systemd_progress().unwrap(), &path);
            assert_eq!(
                refusal(builder().listen_systemd_named("other")),
                "none of those that it passed (test.socket) is named other; see `FileDescriptorName=` in the .socket unit"
            );
        },
    );
}

#[test]
fn of_several_sockets_the_one_that_is_named_is_served() {
    activated(
        "activation::of_several_sockets_the_one_that_is_named_is_served",
        TWO_SOCKETS,
        &[("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "control:events")],
        |folder| vec![listening(&folder.join("control")), listening(&folder.join("events"))],
        || {
            assert_eq!(
                refusal(builder().listen_systemd()),
                "it passed several (control, events); say which, with `listen_systemd_named`"
            );
            for name in ["events", "control"] {
                let path = folder().join(name);
                assert_serves(builder().listen_systemd_named(name).unwrap(), &path);
                assert_serves_in_threads(builder().listen_systemd_named_blocking(name).unwrap(), &path);
                assert_serves_in_steps(builder().listen_systemd_named_progress(name).unwrap(), &path);
            }
        },
    );
}

#[test]
fn of_sockets_that_share_a_name_none_is_taken() {
    activated(
        "activation::of_sockets_that_share_a_name_none_is_taken",
        TWO_SOCKETS,
        &[("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "test.socket:test.socket")],
        |folder| vec![listening(&folder.join("one")), listening(&folder.join("another"))],
        || {
            assert_eq!(
                refusal(builder().listen_systemd_named("test.socket")),
                "more than one of those that it passed (test.socket, test.socket) is named test.socket; see \
                 `FileDescriptorName=` in the .socket unit"
            );
        },
    );
}

#[test]
fn a_socket_without_a_name_is_served() {
    activated(
        "activation::a_socket_without_a_name_is_served",
        ONE_SOCKET,
        &[("LISTEN_FDS", "1")],
        |folder| vec![bound(&folder.join("s"))],
        || assert_serves(builder().listen_systemd().unwrap(), &folder().join("s")),
    );
}

#[test]
fn a_stream_socket_of_systemd_is_refused_with_what_to_write() {
    activated(
        "activation::a_stream_socket_of_systemd_is_refused_with_what_to_write",
        ONE_SOCKET,
        &[("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "test.socket")],
        |folder| vec![UnixListener::bind(folder.join("s")).unwrap().into()],
        || {
            assert_eq!(
                builder().listen_systemd().unwrap_err().to_string(),
                "can't listen on descriptor 3 (test.socket) of the service manager: it is a stream socket, and dRPC needs \
                 SOCK_SEQPACKET; write `ListenSequentialPacket=`, not `ListenStream=`, in the .socket unit"
            );
        },
    );
}

#[test]
fn a_connection_of_systemd_is_refused_with_what_to_write() {
    activated(
        "activation::a_connection_of_systemd_is_refused_with_what_to_write",
        ONE_SOCKET,
        &[("LISTEN_FDS", "1")],
        |folder| {
            let listener = listening(&folder.join("s"));
            RawPeer::connect(&folder.join("s"));
            vec![net::accept(&listener).unwrap()]
        },
        || {
            let said = refusal(builder().listen_systemd());
            assert!(
                said.ends_with("not a socket that listens; write `Accept=no` in the .socket unit"),
                "{said}"
            );
        },
    );
}

#[test]
fn without_activation_systemd_has_passed_nothing() {
    isolated("activation::without_activation_systemd_has_passed_nothing", || {
        assert!(!is_socket_activated());
        assert_eq!(
            refusal(builder().listen_systemd()),
            "it passed none (LISTEN_FDS); start the program by its .socket unit, or let it `bind` a path"
        );
    });
}

#[test]
fn sockets_for_another_process_are_not_taken() {
    // As a script finds them that runs the program, rather than becoming it.
    activated(
        "activation::sockets_for_another_process_are_not_taken",
        r#"LISTEN_PID=1; export LISTEN_PID; exec "$0" "$@" 3<&0"#,
        &[("LISTEN_FDS", "1")],
        |folder| vec![listening(&folder.join("s"))],
        || {
            assert!(!is_socket_activated());
            assert_eq!(
                refusal(builder().listen_systemd()),
                format!(
                    "its sockets are for process 1, and this is process {}; a script that starts the program must `exec` it",
                    process::id()
                )
            );
        },
    );
}

#[test]
fn what_is_not_so_is_refused() {
    // Two are promised, and one is there.
    activated(
        "activation::what_is_not_so_is_refused",
        r#"LISTEN_PID=$$; export LISTEN_PID; exec "$0" "$@" 3<&0 4<&-"#,
        &[("LISTEN_FDS", "2")],
        |folder| vec![listening(&folder.join("s"))],
        || {
            assert!(is_socket_activated(), "which leads to this error, and not to a path");
            assert_eq!(
                refusal(builder().listen_systemd()),
                "what LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES say is not so: Bad file descriptor (os error 9)"
            );
        },
    );
}

/// Runs a test in a process that is to notify this address.
fn notifying(name: &str, address: &str, test: impl FnOnce(UnixDatagram)) {
    let start = |program| {
        let mut command = Command::new(program);
        command.env("NOTIFY_SOCKET", address);
        command
    };
    isolated_by(name, start, || {
        let address = env::var_os("NOTIFY_SOCKET").unwrap();
        let address = match address.as_bytes().strip_prefix(b"@") {
            Some(name) => SocketAddr::from_abstract_name(name).unwrap(),
            None => SocketAddr::from_pathname(address).unwrap(),
        };
        let manager = UnixDatagram::bind_addr(&address).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        test(manager);
    });
}

fn assert_told(manager: &UnixDatagram, state: &str) {
    let mut buffer = [0; 100];
    let len = manager.recv(&mut buffer).unwrap();
    assert_eq!(std::str::from_utf8(&buffer[..len]).unwrap(), state);
}

fn assert_notifies(manager: &UnixDatagram) {
    let directory = tempfile::tempdir().unwrap();
    let server = builder().notify_systemd().bind(directory.path().join("s")).unwrap();
    let (path, handle) = (server.path().unwrap().to_owned(), server.handle());
    manager.set_nonblocking(true).unwrap();
    assert!(manager.recv(&mut []).is_err(), "it is not ready before it serves");
    manager.set_nonblocking(false).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| in_order(server.serve()).unwrap());
        assert_told(manager, "READY=1");
        RawPeer::connect(&path).assert_served(Wire::Chunked);
        handle.shutdown();
        assert_told(manager, "STOPPING=1");
    });

    let server = builder().notify_systemd().bind_blocking(&path).unwrap();
    let handle = server.handle();
    manager.set_nonblocking(true).unwrap();
    assert!(manager.recv(&mut []).is_err(), "it is not ready before it serves");
    manager.set_nonblocking(false).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| server.serve().unwrap());
        assert_told(manager, "READY=1");
        RawPeer::connect(&path).assert_served(Wire::Chunked);
        handle.shutdown();
        assert_told(manager, "STOPPING=1");
    });

    let mut server = builder().notify_systemd().bind_progress(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    assert!(manager.recv(&mut []).is_err(), "it is not ready before its first step");
    for _ in 0..2 {
        server.progress(Duration::ZERO).unwrap();
    }
    assert_told(manager, "READY=1");
    assert!(manager.recv(&mut []).is_err(), "it is told once");
    server.begin_shutdown();
    assert_told(manager, "STOPPING=1");
}

#[test]
fn systemd_is_told_when_the_server_is_ready_and_when_it_stops() {
    let directory = tempfile::tempdir().unwrap();
    let address = directory.path().join("notify");
    notifying(
        "activation::systemd_is_told_when_the_server_is_ready_and_when_it_stops",
        address.to_str().unwrap(),
        |manager| assert_notifies(&manager),
    );
}

#[test]
fn systemd_is_told_at_an_abstract_address_too() {
    notifying(
        "activation::systemd_is_told_at_an_abstract_address_too",
        &format!("@drpc-test-notify-{}", process::id()),
        |manager| assert_notifies(&manager),
    );
}

#[test]
fn systemd_is_told_nothing_unless_the_server_is_asked_to() {
    let directory = tempfile::tempdir().unwrap();
    let address = directory.path().join("notify");
    notifying(
        "activation::systemd_is_told_nothing_unless_the_server_is_asked_to",
        address.to_str().unwrap(),
        |manager| {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("s");
            assert_serves(builder().bind(&path).unwrap(), &path);
            manager.set_nonblocking(true).unwrap();
            assert!(manager.recv(&mut []).is_err());
        },
    );
}

#[test]
fn a_manager_that_is_not_there_does_not_keep_the_server_from_serving() {
    isolated_by(
        "activation::a_manager_that_is_not_there_does_not_keep_the_server_from_serving",
        |program| {
            let mut command = Command::new(program);
            command.env("NOTIFY_SOCKET", "/nowhere/notify");
            command
        },
        || {
            let logs = crate::support::Logs::of_this_process();
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("s");
            assert_serves(builder().notify_systemd().bind(&path).unwrap(), &path);
            logs.wait_for("could not notify the service manager socket=/nowhere/notify");
        },
    );
}
