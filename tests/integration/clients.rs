//! The clients (C1 to C8, W10): one suite for both, and what only the async one can do.

use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake};
use std::thread;

use bytes::Bytes;
use drpc::wire::Response;
use drpc::{AddedFields, CallErrorKind, CallOptions, Method, Order, Server, Status, Wire};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use rustix::net::sockopt::set_socket_send_buffer_size;
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use tokio::sync::mpsc;

use crate::support::{
    AnyClient, Fake, Gate, Handlers, Hello, HelloResponse, Kind, PATIENCE, TestServer, WIRES, answered,
    builder, call, gated, greeting, header, in_order, interop, isolated, packets_of, pair, soon,
    with_every_client, without_response, yield_often,
};

#[test]
fn sequences_count_from_one_and_a_reconnect_starts_again() {
    // C1, C2.
    with_every_client(|kind| {
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
fn an_undecodable_reply_is_an_error_of_its_own() {
    // C3.
    with_every_client(|kind| {
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
    with_every_client(|kind| {
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
fn a_reply_that_is_decoded_has_a_limit_of_its_own() {
    // What would become many times as much once it is decoded; the setting is named.
    let server = TestServer::start(Server::builder().module(interop()));
    with_every_client(|kind| {
        // Each field counts 16 bytes.
        for (limit, most) in [(None, (4 << 20) / 8), (Some(1600), 200)] {
            let client = match limit {
                Some(bytes) => kind.connect(builder(server.path()).reply_limit(bytes)).unwrap(),
                None => kind.connect_to(server.path()),
            };
            let options = CallOptions::new();
            let zeros = |len| Bytes::from([0x0a, 0].repeat(len / 2));
            client.call_typed::<_, HelloResponse>(7, 700, zeros(most), &options).unwrap();
            let error = client.call_typed::<_, HelloResponse>(7, 700, zeros(most + 2), &options).unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Reply);
            let source = error.source().unwrap().to_string();
            assert!(source.contains("`ClientBuilder::reply_limit`"), "{source}");
            let reply: Bytes = client.call_typed(7, 700, zeros(most + 2), &options).unwrap();
            assert_eq!(reply.len(), most + 2);
        }
    });
}

#[test]
fn the_servers_statuses_are_kept_whatever_their_number() {
    // E3, D5.
    with_every_client(|kind| {
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
                (
                    2,
                    "the server answered FAILURE: an unknown error occurred; its text is in the server's log, and comes to clients that ask by `AddedFields::ERROR`",
                ),
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
    with_every_client(|kind| {
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
fn a_call_without_response_is_submitted_at_once() {
    // C6: the server is not even there to take it.
    with_every_client(|kind| {
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
    with_every_client(|kind| {
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
    with_every_client(|kind| {
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
    with_every_client(|kind| {
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
fn a_reply_that_comes_while_its_call_is_half_sent_is_received_though_another_call_has_begun() {
    // The server refuses the call by its first packet, and takes no more until it is heard.
    in_order(async {
        let fake = Fake::listen();
        let client = builder(fake.path()).connect().await.unwrap();
        let server = fake.accept();
        let refused = tokio::spawn(call(&client, 700, vec![0; 8 << 20]));
        yield_often().await;
        let next = tokio::spawn(call(&client, 700, "next"));
        yield_often().await;
        server.send_reply(Wire::Chunked, 1, 3, b"");
        assert_eq!(refused.await.unwrap().unwrap().status, Status::UNKNOWN_MODULE);

        let answering = thread::spawn(move || {
            assert_eq!(server.recv_call(Wire::Chunked).unwrap().sequence, 1);
            assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, "next");
            server.send_reply(Wire::Chunked, 2, 0, b"");
            server
        });
        next.await.unwrap().unwrap();
        drop(answering.join().unwrap());
    });
}

#[test]
fn a_call_that_waits_behind_another_when_the_server_goes_is_made_on_a_new_connection() {
    // C3: nothing of it was sent, so that it is as if it had found the connection gone.
    in_order(async {
        let fake = Fake::listen();
        let client = builder(fake.path()).connect().await.unwrap();
        let server = fake.accept();
        let half_sent = tokio::spawn(call(&client, 700, vec![0; 8 << 20]));
        let next = tokio::spawn(call(&client, 700, "next"));
        yield_often().await;
        drop(server);
        assert_eq!(half_sent.await.unwrap().unwrap_err().kind(), CallErrorKind::Disconnected);
        yield_often().await;
        let server = fake.accept();
        assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, "next");
        server.send_reply(Wire::Chunked, 1, 0, b"");
        next.await.unwrap().unwrap();
    });
}

#[test]
fn a_connection_that_breaks_fails_every_call_with_the_same_cause() {
    // C7.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let (client, server) =
            pair(kind, &fake, |builder| builder.server_answers_in_order(false).auto_reconnect(false));
        thread::scope(|scope| {
            let calls: Vec<_> =
                (0..8).map(|_| scope.spawn(|| client.call(7, 700, b"").unwrap_err())).collect();
            // Of a blocking client, one is sent and the others wait for their turn.
            let sent = if kind == Kind::Blocking { 1 } else { 8 };
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
    with_every_client(|kind| {
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
    with_every_client(|kind| {
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

#[test]
fn a_socket_that_refuses_a_packet_breaks_the_connection_rather_than_keeping_the_call_waiting() {
    // C7: EMSGSIZE, as where the system's send buffers are too small for the wire's packets.
    isolated(
        "clients::a_socket_that_refuses_a_packet_breaks_the_connection_rather_than_keeping_the_call_waiting",
        || {
            with_every_client(|kind| {
                let fake = Fake::listen();
                let (client, _server) = pair(kind, &fake, |builder| builder);
                shrink_all_send_buffers();
                let error = client.call(7, 700, &[0; 100_000]).unwrap_err();
                assert_eq!(error.kind(), CallErrorKind::Disconnected);
                assert!(!error.is_retryable(), "it will always be so");
                let said = "the connection failed: Message too long (os error 90): this host lets no socket send so long a packet; \
                            raise the sysctl net.core.wmem_max before all of the call was sent; it was not executed";
                assert_eq!(error.to_string(), said);

                let (client, _server) = pair(kind, &fake, |builder| builder);
                shrink_all_send_buffers();
                let error = client.call_with(7, 700, &[0; 100_000], &without_response()).unwrap_err();
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
        let module = gated(&gate);
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
    let module = gated(&gate);
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
fn who_is_woken_may_drop_its_call_or_make_another_at_once() {
    let (done, ended) = std::sync::mpsc::channel();
    // Not to be waited for should it hang.
    thread::spawn(move || {
        in_order(async {
            let fake = Fake::listen();
            let client = builder(fake.path()).connect().await.unwrap();
            let server = fake.accept();
            let (first, another) = (call(&client, 700, ""), call(&client, 700, ""));
            let (all_answered, answered) = tokio::sync::oneshot::channel();
            AtOnce::begin(true, async move {
                first.await.unwrap();
                another.await.unwrap();
                all_answered.send(()).unwrap();
            });
            let company = tokio::spawn(call(&client, 700, ""));
            yield_often().await;
            server.send_reply(Wire::Chunked, 2, 0, b"");
            server.send_reply(Wire::Chunked, 1, 0, b"");
            company.await.unwrap().unwrap();
            yield_often().await;
            server.send_reply(Wire::Chunked, 3, 0, b"");
            answered.await.unwrap();
        });
        for closes in [true, false] {
            in_order(async {
                let fake = Fake::listen();
                let client = builder(fake.path()).connect().await.unwrap();
                let server = fake.accept();
                AtOnce::begin(false, call(&client, 700, "").map(drop));
                let company = tokio::spawn(call(&client, 700, ""));
                yield_often().await;
                match closes {
                    true => client.close(),
                    false => drop(server),
                }
                assert_eq!(company.await.unwrap().unwrap_err().kind(), CallErrorKind::Disconnected);
            });
        }
        done.send(()).unwrap();
    });
    ended.recv_timeout(PATIENCE).expect("nothing is locked when a call is woken");
}

/// A future that is polled, or dropped, by whoever wakes it, then and there.
struct AtOnce {
    polls: bool,
    future: Mutex<Option<BoxFuture<'static, ()>>>,
}

impl AtOnce {
    fn begin(polls: bool, future: impl Future<Output = ()> + Send + 'static) {
        let this = Arc::new(AtOnce { polls, future: Mutex::default() });
        this.poll(future.boxed());
    }

    fn poll(self: Arc<Self>, mut future: BoxFuture<'static, ()>) {
        let waker = self.clone().into();
        if future.poll_unpin(&mut Context::from_waker(&waker)).is_pending() {
            *self.future.lock().unwrap() = Some(future);
        }
    }
}

impl Wake for AtOnce {
    fn wake(self: Arc<Self>) {
        let future = self.future.lock().unwrap().take();
        match future {
            Some(future) if self.polls => self.poll(future),
            future => drop(future),
        }
    }
}

#[test]
fn a_hook_may_look_at_its_client() {
    with_every_client(|kind| {
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
