//! The clients (C1 to C8, W10): one suite for both, and what only the async one can do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::wire::Response;
use drpc::{
    AddedFields, CallErrorKind, CallOptions, Client, ClientBuilder, ConnectError, Method, Order, Server,
    Status, Wire,
};
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use tokio::sync::mpsc;

use crate::support::{
    AnyClient, Fake, Gate, Handlers, Hello, HelloResponse, Kind, PATIENCE, RawPeer, SOON, TestServer, WIRES,
    answered, builder, call, echo, greeting, header, in_order, interop, isolated, packets_of,
    with_both_clients,
};

fn soon() -> CallOptions {
    CallOptions::new().timeout(SOON)
}

fn without_response() -> CallOptions {
    CallOptions::new().no_response()
}

/// A client of a fake server, and that server's end.
fn pair(kind: Kind, fake: &Fake, set: impl FnOnce(ClientBuilder) -> ClientBuilder) -> (AnyClient, RawPeer) {
    let client = kind.connect(set(builder(fake.path()))).unwrap();
    (client, fake.accept())
}

#[test]
fn sequences_count_from_one_and_a_reconnect_starts_again() {
    // C1, C2.
    with_both_clients(|kind| {
        let fake = Fake::listen();
        let (client, mut server) = pair(kind, &fake, |builder| builder);
        for _connection in 0..3 {
            thread::scope(|scope| {
                let calling = scope.spawn(|| (0..4).try_for_each(|_| client.call(7, 700, b"").map(drop)));
                for sequence in 1..=4 {
                    assert_eq!(server.recv_call(Wire::Chunked).unwrap().sequence, sequence);
                    server.send_reply(Wire::Chunked, sequence, 0, b"");
                }
                calling.join().unwrap().unwrap();
            });
            client.close();
            server.assert_closed();
            client.reconnect().unwrap();
            server = fake.accept();
        }
    });
}

#[test]
fn connecting_when_connected_and_closing_when_closed_do_nothing() {
    // C2, C3.
    with_both_clients(|kind| {
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

#[test]
fn an_undecodable_reply_is_an_error_of_its_own() {
    // C3.
    with_both_clients(|kind| {
        for wire in WIRES {
            let fake = Fake::listen();
            let (client, server) = pair(kind, &fake, |builder| builder.wire(wire).auto_reconnect(false));
            let error =
                answered(&client, &server, wire, |_| server.send_message(wire, b"\xff\xff")).unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Reply);
            assert_eq!(
                error.to_string(),
                "the server sent something else than a response: not a dRPC response"
            );
            assert!(!client.is_connected());
            // The server is not kept waiting for a client that listens no more.
            server.assert_closed();
        }
    });
}

#[test]
fn an_undecodable_body_is_an_error_of_its_call_alone() {
    // C3, D4: the envelope was sound, so that the connection lives on.
    with_both_clients(|kind| {
        let module = greeting().on(1, |_, _| async { Ok(Bytes::from_static(b"\x0a\x01\xff")) });
        let server = TestServer::start(Server::builder().module(module));
        let client = kind.connect_to(server.path());
        let world = || Hello { name: "World".into() };
        let options = CallOptions::new();
        let error = client.call_typed::<_, HelloResponse>(0, 1, world(), &options).unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::Reply);
        assert_eq!(error.to_string(), "the reply's body is not what the method replies");
        let reply: HelloResponse = client.call_typed(0, 0, world(), &options).unwrap();
        assert_eq!(reply.greeting, "Hello World");
    });
}

#[test]
fn the_servers_statuses_are_kept_whatever_their_number() {
    // E3, D5.
    with_both_clients(|kind| {
        for wire in WIRES {
            let fake = Fake::listen();
            let (client, server) = pair(kind, &fake, |builder| builder.wire(wire));
            for (sequence, status) in (1..).zip([2, 3, 4, 5, 6, 7, 8, 42, -1005, i32::MAX, i32::MIN]) {
                let response = answered(&client, &server, wire, |call| {
                    assert_eq!(call, sequence);
                    server.send_reply(wire, call, status, b"");
                });
                assert_eq!(response.unwrap().status.code(), status);
            }
            for (status, said) in [
                (2, "the server answered FAILURE: an unknown error occurred"),
                (3, "the server answered UNKNOWN_MODULE: unrecognized module ID"),
                (42, "the server answered unknown status 42"),
            ] {
                thread::scope(|scope| {
                    let calling =
                        scope.spawn(|| client.call_typed::<_, Bytes>(7, 700, (), &CallOptions::new()));
                    let call = server.recv_call(wire).unwrap();
                    server.send_reply(wire, call.sequence, status, b"");
                    let error = calling.join().unwrap().unwrap_err();
                    assert_eq!(error.kind(), CallErrorKind::Status);
                    assert_eq!(error.status(), Some(Status::from(status)));
                    assert_eq!(error.to_string(), said);
                });
            }
            assert!(client.is_connected());
        }
    });
}

#[test]
fn an_unreadable_call_is_the_oldest_one_that_waits() {
    // C5: the response carries no sequence to find it by.
    with_both_clients(|kind| {
        for wire in WIRES {
            let fake = Fake::listen();
            let (client, server) = pair(kind, &fake, |builder| builder.wire(wire));
            let unreadable = Response::unreadable_call();
            let response =
                answered(&client, &server, wire, |_| server.send_message(wire, &unreadable.encode()))
                    .unwrap();
            assert_eq!(response, unreadable);
            let response =
                answered(&client, &server, wire, |call| server.send_reply(wire, call, 0, b"next")).unwrap();
            assert_eq!(response.body, "next");
        }
    });
}

#[test]
fn a_call_that_times_out_says_so_and_the_next_one_goes_out_on_a_new_connection() {
    // C4: the server answers in order, so that the old connection is held up.
    with_both_clients(|kind| {
        let fake = Fake::listen();
        let (client, held_up) = pair(kind, &fake, |builder| builder);
        let error = client.call_with(7, 700, b"slow", &soon()).unwrap_err();
        assert!(error.is_timeout());
        assert_eq!(error.to_string(), "no reply came within 40ms; the call may have been executed");
        assert!(client.is_connected());
        assert_eq!(held_up.recv_call(Wire::Chunked).unwrap().sequence, 1);

        thread::scope(|scope| {
            let calling = scope.spawn(|| client.call(7, 700, b"next"));
            let server = fake.accept();
            let call = server.recv_call(Wire::Chunked).unwrap();
            assert_eq!((call.sequence, &call.body[..]), (1, &b"next"[..]));
            server.send_reply(Wire::Chunked, 1, 0, b"of the next");
            assert_eq!(calling.join().unwrap().unwrap().body, "of the next");
        });
        held_up.assert_closed();
    });
}

#[test]
fn a_late_reply_is_dropped_where_the_server_answers_in_any_order() {
    // C4: the connection is kept.
    with_both_clients(|kind| {
        for wire in WIRES {
            let fake = Fake::listen();
            let (client, server) =
                pair(kind, &fake, |builder| builder.wire(wire).server_answers_in_order(false));
            for _ in 0..3 {
                assert!(client.call_with(7, 700, b"slow", &soon()).unwrap_err().is_timeout());
            }
            thread::scope(|scope| {
                let calling = scope.spawn(|| client.call(7, 700, b"next"));
                for sequence in 1..=4 {
                    assert_eq!(server.recv_call(wire).unwrap().sequence, sequence);
                }
                for sequence in [2, 1, 3, 4] {
                    server.send_reply(wire, sequence, 0, sequence.to_string().as_bytes());
                }
                assert_eq!(calling.join().unwrap().unwrap().body, "4");
            });
            assert!(fake.nobody_waits());
        }
    });
}

#[test]
fn a_reply_half_there_when_its_call_times_out_is_dropped_whole() {
    // C4, W10: the rest of it comes before the reply to the next call.
    with_both_clients(|kind| {
        let fake = Fake::listen();
        let (client, server) = pair(kind, &fake, |builder| builder.server_answers_in_order(false));
        let late = Response::<bytes::Bytes> {
            sequence: 1,
            status: Status::SUCCESS,
            body: vec![5; 400_000].into(),
            added: None,
        };
        let packets = packets_of(Wire::Chunked, &late.encode());
        server.send(&packets[0]);
        assert!(client.call_with(7, 700, b"slow", &soon()).unwrap_err().is_timeout());
        assert_eq!(server.recv_call(Wire::Chunked).unwrap().sequence, 1);
        let response = answered(&client, &server, Wire::Chunked, |call| {
            packets[1..].iter().for_each(|packet| server.send(packet));
            server.send_reply(Wire::Chunked, call, 0, b"of the next");
        });
        assert_eq!(response.unwrap().body, "of the next");
    });
}

#[test]
fn a_call_that_needs_a_new_connection_keeps_to_its_time() {
    // C4: the server does not accept it.
    with_both_clients(|kind| {
        let fake = Fake::with_backlog(0);
        let (client, _held_up) = pair(kind, &fake, |builder| builder.connect_timeout(2 * PATIENCE));
        let waiting = RawPeer::connect(fake.path());
        let started = Instant::now();
        for _ in 0..3 {
            assert!(client.call_with(7, 700, b"", &soon()).unwrap_err().is_timeout());
        }
        assert!(started.elapsed() < PATIENCE);
        // And nothing was spoilt by it.
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.call(7, 700, b""));
            drop((fake.accept(), waiting));
            // Those that gave up waiting may have left their connections.
            let (server, call) = loop {
                let server = fake.accept();
                if let Some(call) = server.recv_call(Wire::Chunked) {
                    break (server, call);
                }
            };
            server.send_reply(Wire::Chunked, call.sequence, 0, b"");
            calling.join().unwrap().unwrap();
        });
    });
}

#[test]
fn a_client_has_a_time_limit_of_its_own_and_a_call_another() {
    // C4.
    with_both_clients(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).timeout(SOON)).unwrap();
        let started = Instant::now();
        assert!(client.call(7, 700, b"").unwrap_err().is_timeout());
        assert!(started.elapsed() >= SOON);
        let longer = 2 * SOON;
        let error = client.call_with(7, 700, b"", &CallOptions::new().timeout(longer)).unwrap_err();
        assert!(started.elapsed() >= SOON + longer);
        assert!(error.to_string().contains("80ms"), "{error}");
        let zero = CallOptions::new().timeout(Duration::ZERO);
        assert!(client.call_with(7, 700, b"", &zero).unwrap_err().is_timeout());
    });
}

#[test]
fn the_longest_of_all_times_is_no_limit_for_a_client() {
    with_both_clients(|kind| {
        let server = TestServer::start(Server::builder().module(interop()));
        let client = kind
            .connect(builder(server.path()).timeout(Duration::MAX).connect_timeout(Duration::MAX))
            .unwrap();
        client.assert_served();
    });
}

#[test]
fn a_call_without_response_is_submitted_at_once() {
    // C6: the server is not even there to take it.
    with_both_clients(|kind| {
        for wire in WIRES {
            let fake = Fake::listen();
            let (client, server) = pair(kind, &fake, |builder| builder.wire(wire));
            let response = client.call_with(3, 304, b"event", &without_response()).unwrap();
            assert_eq!(response.status, Status::SUBMITTED);
            // A reply of nothing is there; any other is not.
            client.call_typed::<_, ()>(3, 304, (), &without_response()).unwrap();
            let error = client.call_typed::<_, HelloResponse>(3, 304, (), &without_response()).unwrap_err();
            assert_eq!((error.kind(), error.status()), (CallErrorKind::Submitted, Some(Status::SUBMITTED)));

            // The server answers them nevertheless, and the replies are not taken for another's.
            for sequence in 1..=3 {
                assert_eq!(server.recv_call(wire).unwrap().sequence, sequence);
                server.send_reply(wire, sequence, 0, b"not wanted");
            }
            let response =
                answered(&client, &server, wire, |call| server.send_reply(wire, call, 0, b"wanted")).unwrap();
            assert_eq!((response.sequence, &response.body[..]), (4, &b"wanted"[..]));
        }
    });
}

#[test]
fn a_call_without_response_is_executed_though_the_client_leaves_at_once() {
    // C6, S6: as the engine sends its events; also one of many chunks, that no socket holds in one go.
    with_both_clients(|kind| {
        let (executed, mut executions) = mpsc::unbounded_channel();
        let module = Handlers::new(3, "srv").on(304, move |_, body: Bytes| {
            executed.send(body.len()).unwrap();
            async { Ok(Bytes::new()) }
        });
        let server = TestServer::start(Server::builder().module(module));
        for len in [0, 10, 300_000, 8 << 20] {
            let client = kind.connect_to(server.path());
            client.call_with(3, 304, &vec![0; len], &without_response()).unwrap();
            client.close();
            drop(client);
            assert_eq!(in_order(executions.recv()), Some(len));
        }
    });
}

#[test]
fn thousands_of_calls_without_response_do_not_clog_the_connection() {
    // C6: the server answers each of them, and somebody has to take the answers off the socket, or both ends wait for
    // each other for ever.
    with_both_clients(|kind| {
        let server = TestServer::start(Server::builder().module(interop()));
        let client = kind.connect_to(server.path());
        for _ in 0..20_000 {
            client.call_with(7, 700, b"event", &without_response()).unwrap();
        }
        client.assert_served();
    });
}

#[test]
fn a_long_call_is_sent_while_replies_come_in() {
    // C6: the server is stuck in a reply that nobody reads when the client begins a call longer than the socket holds.
    with_both_clients(|kind| {
        let server = TestServer::start(Server::builder().module(interop()));
        let client = kind.connect_to(server.path());
        for _ in 0..4 {
            client.call_with(7, 700, &vec![1; 300_000], &without_response()).unwrap();
        }
        let response = client.call(7, 700, &vec![2; 8 << 20]).unwrap();
        assert_eq!(response.body, vec![2; 8 << 20]);
    });
}

#[test]
fn a_connection_that_breaks_fails_every_call_with_the_same_cause() {
    // C7.
    with_both_clients(|kind| {
        let fake = Fake::listen();
        let (client, server) =
            pair(kind, &fake, |builder| builder.server_answers_in_order(false).auto_reconnect(false));
        thread::scope(|scope| {
            let calls: Vec<_> =
                (0..8).map(|_| scope.spawn(|| client.call(7, 700, b"").unwrap_err())).collect();
            // Of a blocking client, one is sent and the others wait for their turn.
            let sent = if kind == Kind::Async { 8 } else { 1 };
            for _ in 0..sent {
                server.recv_call(Wire::Chunked).unwrap();
            }
            drop(server);
            let errors: Vec<_> = calls.into_iter().map(|call| call.join().unwrap()).collect();
            let broken = errors.iter().filter(|error| error.kind() == CallErrorKind::Disconnected);
            assert_eq!(broken.count(), sent);
            for error in errors {
                assert!(error.to_string().contains("the server closed the connection"), "{error}");
            }
        });
        // And those after them, which were never sent.
        assert!(!client.is_connected());
        let error = client.call(7, 700, b"").unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::NotConnected);
        let said = "not connected: the server closed the connection; nothing was sent; connect again, and see the server's log";
        assert!(error.to_string().starts_with(said), "{error}");
        client.reconnect().unwrap();
        assert!(client.is_connected());
    });
}

#[test]
fn a_broken_frame_from_the_server_is_told_to_every_call_by_name() {
    // C7, W5.
    with_both_clients(|kind| {
        let fake = Fake::listen();
        let (client, server) = pair(kind, &fake, |builder| builder.auto_reconnect(false));
        let broken = [header(10, 5, 1, 2), b"01234".to_vec()].concat();
        let error = answered(&client, &server, Wire::Chunked, |_| server.send(&broken)).unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::Disconnected);
        let said = "the server broke the wire's rules: chunk 1 came where chunk 0 was due: a chunk was lost or came twice";
        assert_eq!(error.to_string(), format!("{said}; the call may have been executed"));
        let error = client.call(7, 700, b"").unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::NotConnected);
        assert!(
            error.to_string().starts_with(&format!("not connected: {said}; nothing was sent")),
            "{error}"
        );
        server.assert_closed();
    });
}

#[test]
fn a_server_that_answers_and_closes_is_heard_out() {
    // C7: the answer counts, also where the client had more to send than the server took (ECONNRESET, EPIPE).
    with_both_clients(|kind| {
        for len in [0, 10, 100_000, 8 << 20] {
            let fake = Fake::listen();
            let (client, server) = pair(kind, &fake, |builder| builder);
            thread::scope(|scope| {
                let calling = scope.spawn(|| client.call(7, 700, &vec![0; len]));
                server.recv_packet();
                server.send_reply(Wire::Chunked, 1, 2, b"");
                drop(server);
                assert_eq!(calling.join().unwrap().unwrap().status, Status::FAILURE, "{len} bytes");
            });
        }
    });
}

#[test]
fn a_reply_of_many_chunks_is_heard_out_while_the_client_is_stuck_sending() {
    // C7: the reply to an earlier call is half received when the server closes, with a call of ours half sent.
    for _ in 0..20 {
        in_order(async {
            let fake = Fake::listen();
            let client = builder(fake.path()).connect().await.unwrap();
            let server = fake.accept();
            let first = tokio::spawn(call(&client, 700, ""));
            let stuck = tokio::spawn(call(&client, 700, vec![0; 8 << 20]));
            yield_often().await;
            let response = Response::<bytes::Bytes> {
                sequence: 1,
                status: Status::SUCCESS,
                body: vec![5; 150_000].into(),
                added: None,
            };
            let packets = packets_of(Wire::Chunked, &response.encode());
            server.send(&packets[0]);
            yield_often().await;
            server.send(&packets[1]);
            drop(server);
            assert_eq!(first.await.unwrap().unwrap().body, vec![5; 150_000]);
            assert_eq!(stuck.await.unwrap().unwrap_err().kind(), CallErrorKind::Disconnected);
        });
    }
}

/// Lets the other tasks of this thread, and its I/O, have their turn.
async fn yield_often() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_socket_that_refuses_a_packet_breaks_the_connection_rather_than_keeping_the_call_waiting() {
    // C7: EMSGSIZE, as where the system's send buffers are too small for the wire's packets.
    isolated(
        "clients::a_socket_that_refuses_a_packet_breaks_the_connection_rather_than_keeping_the_call_waiting",
        || {
            with_both_clients(|kind| {
                let fake = Fake::listen();
                let (client, _server) = pair(kind, &fake, |builder| builder);
                shrink_all_send_buffers();
                let error = client.call(7, 700, &[0; 100_000]).unwrap_err();
                assert_eq!(error.kind(), CallErrorKind::Disconnected);
                let said =
                    "the connection failed: Message too long (os error 90); the call may have been executed";
                assert_eq!(error.to_string(), said);
            });
        },
    );
}

/// Makes the send buffer of every socket of this process too small for a long packet.
fn shrink_all_send_buffers() {
    let this_process = pidfd_open(getpid(), PidfdFlags::empty()).unwrap();
    for descriptor in 0..64 {
        if let Ok(copy) = pidfd_getfd(&this_process, descriptor, PidfdGetfdFlags::empty()) {
            // What is no socket has no send buffer.
            let _ = set_socket_send_buffer_size(&copy, 0);
        }
    }
}

fn connect_error(kind: Kind, path: &Path) -> ConnectError {
    kind.connect(builder(path)).err().expect("can't connect")
}

#[test]
fn connect_errors_say_path_errno_and_what_to_do() {
    // C8.
    with_both_clients(|kind| {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing.sock");
        let stale = directory.path().join("stale.sock");
        drop(UnixListener::bind(&stale).unwrap());
        let stream = directory.path().join("stream.sock");
        let _listener = UnixListener::bind(&stream).unwrap();
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
                "Protocol wrong type for socket (os error 91); a stream socket listens there, not dRPC's SOCK_SEQPACKET",
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
    with_both_clients(|kind| {
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
fn a_server_that_does_not_accept_is_given_up() {
    // C8: its backlog is full.
    with_both_clients(|kind| {
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
    with_both_clients(|kind| {
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
    with_both_clients(|kind| {
        let gate = Gate::new();
        let module = echo().on(705, {
            let gate = gate.clone();
            move |_, body| {
                let gate = gate.clone();
                async move {
                    gate.pass().await;
                    Ok(body)
                }
            }
        });
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
fn a_call_that_times_out_half_sent_does_not_spoil_the_next() {
    // W10, C4: the server takes nothing, so that only some chunks of the call fit the socket.
    with_both_clients(|kind| {
        let fake = Fake::listen();
        let (client, held_up) = pair(kind, &fake, |builder| builder);
        assert!(client.call_with(7, 700, &vec![0; 4 << 20], &soon()).unwrap_err().is_timeout());
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.call(7, 700, b"next"));
            let server = fake.accept();
            assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, "next");
            server.send_reply(Wire::Chunked, 1, 0, b"of the next");
            assert_eq!(calling.join().unwrap().unwrap().body, "of the next");
        });
        // What is left of the old one: whole packets of one message, and its end.
        let mut index = 0;
        while let Some(packet) = held_up.recv() {
            assert_eq!(packet[16..20], u32::to_le_bytes(index));
            index += 1;
        }
        assert!(index >= 1);
    });
}

#[test]
fn a_call_cancelled_half_sent_goes_out_whole_where_the_connection_is_kept() {
    // W10: the driver sends the rest, and then the next call.
    in_order(async {
        let fake = Fake::listen();
        let client = builder(fake.path()).server_answers_in_order(false).connect().await.unwrap();
        let server = fake.accept();
        let half_sent = tokio::spawn(call(&client, 700, vec![1; 4 << 20]));
        let unsent = tokio::spawn(call(&client, 700, vec![2; 4 << 20]));
        yield_often().await;
        for cancelled in [half_sent, unsent] {
            cancelled.abort();
            assert!(cancelled.await.unwrap_err().is_cancelled());
        }
        let next = tokio::spawn(call(&client, 700, vec![3; 300_000]));
        yield_often().await;
        let playing = thread::spawn(move || {
            let first = server.recv_call(Wire::Chunked).unwrap();
            assert_eq!((first.sequence, first.body), (1, vec![1; 4 << 20].into()));
            // The second was taken back: not a byte of it was sent.
            let next = server.recv_call(Wire::Chunked).unwrap();
            assert_eq!((next.sequence, &next.body), (3, &vec![3; 300_000].into()));
            server.send_reply(Wire::Chunked, 1, 0, &[1; 300_000]);
            server.send_reply(Wire::Chunked, 3, 0, &next.body);
            server
        });
        assert_eq!(next.await.unwrap().unwrap().body, vec![3; 300_000]);
        drop(playing.join().unwrap());
    });
}

#[test]
fn calls_that_wait_on_a_replaced_connection_go_on_there() {
    // C4: one of two calls is cancelled, and the other is still answered.
    in_order(async {
        let fake = Fake::listen();
        let client = builder(fake.path()).connect().await.unwrap();
        let old = fake.accept();
        let cancelled = tokio::spawn(call(&client, 700, "cancelled"));
        let waits = tokio::spawn(call(&client, 700, "waits"));
        yield_often().await;
        cancelled.abort();
        assert!(cancelled.await.unwrap_err().is_cancelled());

        let next = tokio::spawn(call(&client, 700, "next"));
        yield_often().await;
        let new = fake.accept();
        let received = new.recv_call(Wire::Chunked).unwrap();
        assert_eq!((received.sequence, &received.body[..]), (1, &b"next"[..]));
        new.send_reply(Wire::Chunked, 1, 0, b"next");
        assert_eq!(next.await.unwrap().unwrap().body, "next");

        old.send_reply(Wire::Chunked, 1, 0, b"cancelled");
        old.send_reply(Wire::Chunked, 2, 0, b"waits");
        assert_eq!(waits.await.unwrap().unwrap().body, "waits");
        // Nobody waits there any more.
        old.recv_call(Wire::Chunked).unwrap();
        old.recv_call(Wire::Chunked).unwrap();
        tokio::task::spawn_blocking(move || old.assert_closed()).await.unwrap();
    });
}

#[test]
fn a_call_that_was_never_polled_is_never_made() {
    // "Cancel safe: a call whose future is dropped before it was sent is not made."
    in_order(async {
        let fake = Fake::listen();
        let client = builder(fake.path()).connect().await.unwrap();
        let server = fake.accept();
        drop(call(&client, 700, ""));
        drop(client);
        tokio::task::spawn_blocking(move || server.assert_closed()).await.unwrap();
    });
}

#[test]
fn many_calls_in_flight_are_answered_in_any_order() {
    // C5: each takes its own reply.
    in_order(async {
        let fake = Fake::listen();
        let client = builder(fake.path()).connect().await.unwrap();
        let server = fake.accept();
        let playing = thread::spawn(move || {
            let mut calls: Vec<_> = (0..200).map(|_| server.recv_call(Wire::Chunked).unwrap()).collect();
            calls.reverse();
            for call in calls {
                server.send_reply(Wire::Chunked, call.sequence, 0, &call.body);
            }
        });
        let calls: Vec<_> = (0..200u32)
            .map(|number| {
                let body = Bytes::copy_from_slice(&number.to_le_bytes());
                let reply = call(&client, 700, body.clone());
                tokio::spawn(async move { assert_eq!(reply.await.unwrap().body, body) })
            })
            .collect();
        for call in calls {
            call.await.unwrap();
        }
        playing.join().unwrap();
    });
}

#[test]
fn calls_of_one_connection_do_not_wait_for_each_other() {
    // S5: the client keeps up with a concurrent server.
    in_order(async {
        let gate = Gate::new();
        let module = echo().on(705, {
            let gate = gate.clone();
            move |_, body| {
                let gate = gate.clone();
                async move {
                    gate.pass().await;
                    Ok(body)
                }
            }
        });
        let builder = Server::builder().explicit_modules_only().order(Order::Concurrent(100)).module(module);
        let client = drpc::testing::client_of(builder).unwrap();
        let slow: Vec<_> = (0..100).map(|_| tokio::spawn(call(&client, 705, ""))).collect();
        gate.arrived(100).await;
        gate.open(100);
        for call in slow {
            call.await.unwrap().unwrap();
        }
    });
}

#[test]
fn threads_take_turns_on_a_blocking_client() {
    // The blocking client: one call at a time, and a time-out while waiting for the turn.
    let gate = Gate::new();
    let module = echo().on(705, {
        let gate = gate.clone();
        move |_, body| {
            let gate = gate.clone();
            async move {
                gate.pass().await;
                Ok(body)
            }
        }
    });
    let server = TestServer::start(Server::builder().module(module));
    let client = Kind::Blocking.connect_to(server.path());
    thread::scope(|scope| {
        let first = scope.spawn(|| client.call(7, 705, b"first"));
        in_order(gate.arrived(1));
        assert!(client.call_with(7, 700, b"no turn", &soon()).unwrap_err().is_timeout());
        let others: Vec<_> = (0..8).map(|_| scope.spawn(|| client.assert_served())).collect();
        gate.open(1);
        assert_eq!(first.join().unwrap().unwrap().body, "first");
        others.into_iter().for_each(|other| other.join().unwrap());
    });
}

#[test]
fn a_client_whose_runtime_is_gone_says_so() {
    // C7.
    let server = TestServer::start(Server::builder().module(interop()));
    let client = in_order(builder(server.path()).auto_reconnect(false).connect()).unwrap();
    let error = in_order(call(&client, 700, "")).unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::NotConnected);
    assert!(error.to_string().contains("the runtime that the connection was made on has stopped"), "{error}");
    in_order(async {
        client.reconnect().await.unwrap();
        call(&client, 700, "").await.unwrap();
    });
}

#[test]
fn a_hook_may_look_at_its_client() {
    with_both_clients(|kind| {
        let server = TestServer::start(Server::builder().module(interop()));
        let known: Arc<Mutex<Option<AnyClient>>> = Arc::default();
        let hook = {
            let known = known.clone();
            move || {
                assert!(known.lock().unwrap().as_ref().unwrap().is_connected());
                None
            }
        };
        let settings = builder(server.path()).added_fields(AddedFields::TRACE).trace_context(hook);
        let client = kind.connect(settings).unwrap();
        *known.lock().unwrap() = Some(client.clone());
        let (done, ended) = std::sync::mpsc::channel();
        // Not to be waited for should it hang.
        thread::spawn(move || {
            client.assert_served();
            assert!(client.batch(Method::new(7, 700, "echo"), &[b"a"], &CallOptions::new())[0].is_ok());
            done.send(()).unwrap();
        });
        ended.recv_timeout(PATIENCE).expect("it does not wait for itself");
        let client = known.lock().unwrap().take();
        drop(client);
    });
}

#[test]
fn a_blocking_call_looks_at_the_clock_between_replies_to_others() {
    // C4: also if there is always something to receive.
    let fake = Fake::listen();
    for spin in [Duration::ZERO, SOON] {
        let client = Kind::Blocking.connect(builder(fake.path()).spin(spin)).unwrap();
        let server = fake.accept();
        server.send_reply(Wire::Chunked, 99, 0, b"to nobody");
        server.send_reply(Wire::Chunked, 1, 0, b"too late");
        let error = client
            .call_with(7, 700, b"", &CallOptions::new().timeout(Duration::from_nanos(1)))
            .expect_err("it is too late");
        assert!(error.is_timeout() && !error.is_retryable(), "{error}");
    }
}

#[test]
fn a_server_that_never_stops_sending_does_not_hold_a_call_up() {
    // C4: neither while it is sent nor after. It sends until the connection is closed.
    with_both_clients(|kind| {
        for len in [0, 16 << 20] {
            let fake = Fake::listen();
            let client = kind.connect_to(fake.path());
            let server = fake.accept();
            let reply = Response::<Bytes> { sequence: 99, body: "to nobody".into(), ..Response::default() };
            let reply = packets_of(Wire::Chunked, &reply.encode()).concat();
            thread::scope(|scope| {
                scope.spawn(|| while server.send_unless_closed(&reply) {});
                let options = CallOptions::new().timeout(SOON);
                let error = client.call_with(7, 700, &vec![0; len], &options).unwrap_err();
                assert!(error.is_timeout() && !error.is_retryable(), "{error}");
                client.close();
            });
        }
    });
}

#[test]
fn a_blocking_call_of_which_nothing_was_sent_in_time_says_so() {
    // C4: the server reads nothing, until there is no more room.
    let fake = Fake::listen();
    let client = Kind::Blocking.connect_to(fake.path());
    let _server = fake.accept();
    let options = CallOptions::new().no_response().timeout(SOON);
    let error = loop {
        if let Err(error) = client.call_with(7, 700, b"", &options) {
            break error;
        }
    };
    assert!(error.is_timeout() && error.is_retryable(), "{error}");

    let results = client.batch(Method::new(7, 700, "echo"), &vec![&b""[..]; 10_000], &options);
    let unsent = results.iter().skip_while(|result| result.is_ok());
    let errors: Vec<_> = unsent.map(|result| result.as_ref().unwrap_err()).collect();
    assert!(!errors.is_empty() && errors.iter().all(|error| error.is_timeout() && error.is_retryable()));
}

#[test]
fn a_path_that_can_be_none_is_refused_with_the_reason() {
    // C8.
    with_both_clients(|kind| {
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
