//! How the clients connect, and what they say where they can't (C2, C8).

use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::thread;
use std::{env, fs};

use drpc::{Allow, CallErrorKind, CallOptions, Client, ClientBuilder, ConnectError, Server, Wire, WireMode};
use futures_util::FutureExt;

use crate::support::{
    Fake, Gate, Kind, PATIENCE, RawPeer, SOON, TestServer, builder, echo, gated, in_order, interop, isolated,
    pair, soon, with_every_client, with_every_server, without_response,
};

#[test]
fn connecting_when_connected_and_closing_when_closed_do_nothing() {
    // C2, C3.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let (client, server) = pair(kind, &fake, |builder| builder);
        client.reconnect().unwrap();
        assert!(client.is_connected());
        assert!(fake.nobody_waits());
        client.close();
        client.close();
        server.assert_closed();
        assert!(!client.is_connected());
        for options in [CallOptions::new(), without_response(), soon()] {
            let error = client.call_with(7, 700, b"", &options).unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::NotConnected);
            assert_eq!(
                error.to_string(),
                "not connected: the connection was closed by this client; connect again first"
            );
        }
    });
}

fn connect_error(kind: Kind, path: &Path) -> ConnectError {
    kind.connect(builder(path)).err().expect("can't connect")
}

#[test]
fn connect_errors_say_path_errno_and_what_to_do() {
    // C8.
    with_every_client(|kind| {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing.sock");
        let stale = directory.path().join("stale.sock");
        drop(UnixListener::bind(&stale).unwrap());
        let stream = directory.path().join("stream.sock");
        let _listener = UnixListener::bind(&stream).unwrap();
        let datagrams = directory.path().join("datagrams.sock");
        let _receiver = UnixDatagram::bind(&datagrams).unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        for (path, errno, said) in [
            (
                &missing,
                2,
                "No such file or directory (os error 2); is the server started, and the path right?",
            ),
            (
                &stale,
                111,
                "Connection refused (os error 111); nobody listens there: the socket file is stale, start the server \
                 again",
            ),
            (
                &stream,
                91,
                "Protocol wrong type for socket (os error 91); a stream socket is there, not dRPC's SOCK_SEQPACKET",
            ),
            (
                &datagrams,
                91,
                "Protocol wrong type for socket (os error 91); a datagram socket is there, not dRPC's SOCK_SEQPACKET",
            ),
            (&file, 111, "Connection refused (os error 111); what is there is not a socket"),
        ] {
            let error = connect_error(kind, path);
            assert_eq!(error.to_string(), format!("can't connect to {}: {said}", path.display()));
            assert_eq!(error.raw_os_error(), Some(errno));
            assert_eq!(error.path(), path);
        }
    });
}

#[test]
fn a_path_too_long_to_connect_to_is_named_with_its_length() {
    // C8, S2.
    with_every_client(|kind| {
        let path = format!("/{}", "x".repeat(107));
        let error = connect_error(kind, Path::new(&path));
        assert_eq!(
            error.to_string(),
            format!(
                "can't connect to {path}: the path is 108 bytes long, and a socket's path is at most 107"
            )
        );
        assert_eq!(error.raw_os_error(), None);
    });
}

#[test]
fn a_path_that_can_be_none_is_refused_with_the_reason() {
    // C8.
    with_every_client(|kind| {
        for (path, reason) in [
            ("a\0b", r#"can't connect to "a\0b": a path can't contain a NUL byte"#),
            ("@", "can't connect to @: the abstract name is empty: give the name after the @"),
            ("", "can't connect to an empty path"),
        ] {
            let error = kind.connect(builder(Path::new(path))).err().unwrap().to_string();
            assert!(error.starts_with(reason), "{error}");
        }
    });
}

#[test]
fn permission_denied_says_whose_it_is_to_open_the_socket() {
    // C8: root is denied nothing, so that it becomes somebody else for a thread.
    let server = TestServer::start(Server::builder().module(interop()));
    let path = server.path();
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o755)).unwrap();
    } else {
        fs::set_permissions(path, fs::Permissions::from_mode(0o000)).unwrap();
    }
    thread::scope(|scope| {
        scope.spawn(|| {
            if rustix::process::geteuid().is_root() {
                rustix::thread::set_thread_uid(rustix::process::Uid::from_raw(65_534)).unwrap();
            }
            let errors = [
                Client::builder(path).connect_blocking().unwrap_err(),
                in_order(Client::builder(path).connect()).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(
                    error.to_string(),
                    format!(
                        "can't connect to {}: Permission denied (os error 13); run as a user whom the socket's mode \
                         lets in, or open its mode at the server",
                        path.display()
                    )
                );
            }
        });
    });
}

#[test]
fn a_client_at_a_relative_path_connects_again_from_wherever_the_process_has_gone() {
    // C2.
    isolated(
        "connecting::a_client_at_a_relative_path_connects_again_from_wherever_the_process_has_gone",
        || {
            with_every_client(|kind| {
                let server = TestServer::start(Server::builder().module(interop()));
                env::set_current_dir(server.path().parent().unwrap()).unwrap();
                let client = kind.connect(builder(Path::new(server.path().file_name().unwrap()))).unwrap();
                env::set_current_dir("/").unwrap();
                client.close();
                client.reconnect().unwrap();
                client.call_with(7, 700, b"", &CallOptions::new()).unwrap();
            });
        },
    );
}

#[test]
fn outside_of_a_runtime_an_async_client_says_what_to_do() {
    // Ours: no panic.
    let path = Path::new("/run/greeter.sock");
    let connect = |client: ClientBuilder| client.connect().now_or_never().expect("it waits for nothing");
    let error = connect(Client::builder(path)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "can't connect to /run/greeter.sock: there is no tokio runtime here; connect within one (`#[tokio::main]`, or \
         `Runtime::block_on`), or take `drpc::blocking::Client`, which needs none"
    );
    // Waiting is of no use, and is not begun.
    assert!(connect(Client::builder(path).wait_until_ready(PATIENCE)).is_err());
}

#[test]
fn a_server_that_does_not_accept_is_given_up() {
    // C8: its backlog is full.
    with_every_client(|kind| {
        let fake = Fake::with_backlog(0);
        let _waiting = RawPeer::connect(fake.path());
        let error = kind.connect(builder(fake.path()).connect_timeout(SOON)).err().unwrap();
        assert_eq!(
            error.to_string(),
            format!(
                "can't connect to {}: the server did not take the connection within 40ms; it may be stuck or overloaded",
                fake.path().display()
            )
        );
    });
}

#[test]
fn a_full_backlog_is_waited_for() {
    // C8: a busy server is not a dead one.
    with_every_client(|kind| {
        let fake = Fake::with_backlog(0);
        let waiting = RawPeer::connect(fake.path());
        thread::scope(|scope| {
            let connecting = scope.spawn(|| kind.connect(builder(fake.path()).connect_timeout(PATIENCE)));
            let accepted = fake.accept();
            connecting.join().unwrap().unwrap();
            drop((waiting, accepted));
        });
    });
}

#[test]
fn a_connection_replaced_in_vain_is_tried_again_by_the_next_call() {
    // C4, C8.
    with_every_client(|kind| {
        let gate = Gate::new();
        let module = gated(&gate);
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let server = Server::builder().module(module).drain_timeout(SOON).bind(&path).unwrap();
        let handle = server.handle();
        let serving = thread::spawn(|| in_order(server.serve()));
        let client = kind.connect(builder(&path).connect_timeout(SOON)).unwrap();
        assert!(client.call_with(7, 705, b"", &soon()).unwrap_err().is_timeout());
        handle.shutdown();
        serving.join().unwrap().unwrap();
        for _ in 0..2 {
            let error = client.call(7, 700, b"").unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Connect);
            assert!(error.to_string().contains("is the server started, and the path right?"), "{error}");
        }
        let server = Server::builder().module(echo()).bind(&path).unwrap();
        let handle = server.handle();
        let serving = thread::spawn(|| in_order(server.serve()));
        client.assert_served();
        handle.shutdown();
        serving.join().unwrap().unwrap();
    });
}

#[test]
fn a_client_that_demands_who_serves_sends_nothing_to_a_stranger() {
    // H: somebody else may have taken the path first.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let this_user = rustix::process::geteuid().as_raw();
        kind.connect(builder(fake.path()).server(Allow::root().or(Allow::same_user()))).unwrap();
        let _wanted = fake.accept();
        for wire in [WireMode::Fixed(Wire::Chunked), WireMode::Auto] {
            let others = Allow::uid(this_user + 1).except(Allow::gid(9));
            let error = kind.connect(builder(fake.path()).wire(wire).server(others)).err().unwrap();
            fake.accept().assert_closed();
            let said = error.to_string();
            assert!(said.contains(&format!("it is served by uid={this_user} gid=")), "{said}");
            let demanded = format!("takes uids [{}], but not gids [9] for its server", this_user + 1);
            assert!(said.contains(&demanded), "{said}");
        }
    });
}

#[test]
fn a_call_that_was_not_wholly_sent_was_not_executed() {
    // C7: no server can have read it. It may be made again, whatever its method does.
    with_every_client(|kind| {
        for options in [CallOptions::new(), without_response()] {
            let fake = Fake::listen();
            let (client, server) = pair(kind, &fake, |builder| builder.auto_reconnect(false));
            let (sending, gone) = (client.clone(), thread::spawn(move || server.refuse_rest()));
            let error = sending.call_with(7, 700, &vec![0; 16 << 20], &options).unwrap_err();
            gone.join().unwrap();
            assert_eq!(error.kind(), CallErrorKind::Disconnected);
            assert!(error.is_retryable());
            assert_eq!(
                error.to_string(),
                "the server closed the connection before all of the call was sent; it was not executed"
            );
        }
    });
}

#[test]
fn closing_the_client_fails_a_call_under_way_at_once() {
    // C7: also the one that waits in the kernel, which has the only connection.
    with_every_server(|driver| {
        let gate = Gate::new();
        let server = driver.start(Server::builder().module(gated(&gate)));
        for kind in [Kind::Async, Kind::Blocking] {
            for connections in [1, 3] {
                let client = kind.connect(builder(server.path()).connections(connections)).unwrap();
                thread::scope(|scope| {
                    let calling = scope.spawn(|| client.call(7, 705, b""));
                    in_order(gate.arrived(1));
                    assert!(client.is_connected());
                    client.close();
                    let error = calling.join().unwrap().unwrap_err();
                    assert_eq!(error.kind(), CallErrorKind::Disconnected);
                    assert!(error.to_string().contains("closed by this client"), "{error}");
                });
                assert!(!client.is_connected());
                assert_eq!(client.call(7, 700, b"").unwrap_err().kind(), CallErrorKind::NotConnected);
                client.reconnect().unwrap();
                client.assert_served();
                gate.open(1);
            }
        }
    });
}

#[test]
fn a_client_that_is_closed_as_it_reconnects_stays_closed() {
    // C2.
    with_every_client(|kind| {
        let fake = Fake::listen();
        // Connects as far as the probe; `meanwhile` is before that is answered.
        let probed = |meanwhile: &dyn Fn()| {
            let server = fake.accept();
            let probe = server.recv_call(Wire::Chunked).unwrap();
            meanwhile();
            server.send_reply(Wire::Chunked, probe.sequence, 3, b"");
            server
        };
        let client = thread::scope(|scope| {
            let connecting = scope.spawn(|| kind.connect(builder(fake.path()).wire(WireMode::Auto)).unwrap());
            drop(probed(&|| {}));
            connecting.join().unwrap()
        });
        client.close();
        thread::scope(|scope| {
            let reconnecting = scope.spawn(|| client.reconnect());
            let server = probed(&|| client.close());
            let error = reconnecting.join().unwrap().unwrap_err();
            assert!(error.to_string().contains("closed meanwhile"), "{error}");
            server.assert_closed();
            assert!(!client.is_connected());

            let reconnecting = scope.spawn(|| client.reconnect());
            let server = probed(&|| {});
            reconnecting.join().unwrap().unwrap();
            let calling = scope.spawn(|| client.call(7, 700, b"").unwrap());
            let call = server.recv_call(Wire::Chunked).unwrap();
            server.send_reply(Wire::Chunked, call.sequence, 0, b"");
            calling.join().unwrap();
        });
    });
}
