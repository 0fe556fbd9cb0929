//! The connections of a client: how many, made anew when, and one for each call (C1 to C8, S6).

use std::fs;
use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use bytes::Bytes;
use drpc::server::Shutdown;
use drpc::{CallErrorKind, CallOptions, Order, Server, ServerHandle, Status, Wire};
use futures_util::FutureExt;
use tokio::sync::mpsc;

use crate::support::{
    Fake, Handlers, Kind, PATIENCE, RawPeer, SOON, TestServer, builder, call, echo, in_order, interop, soon,
    with_every_client, without_response,
};

/// A server at a path of the test's choice, to be stopped and started again.
struct Served {
    handle: ServerHandle,
    serving: JoinHandle<Shutdown>,
}

impl Served {
    fn start(path: &Path) -> Served {
        let server = Server::builder().explicit_modules_only().module(echo()).bind(path).unwrap();
        Served { handle: server.handle(), serving: thread::spawn(|| in_order(server.serve()).unwrap()) }
    }

    fn stop(self) {
        self.handle.shutdown();
        self.serving.join().unwrap();
    }
}

/// A socket's path where nothing is.
fn nowhere() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    (directory, path)
}

#[test]
fn calls_run_side_by_side_on_so_many_connections_and_no_more() {
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).connections(3)).unwrap();
        thread::scope(|scope| {
            let mut calls = Vec::new();
            let mut servers = Vec::new();
            for _ in 0..3 {
                calls.push(scope.spawn(|| client.call(7, 700, b"").unwrap()));
                servers.push(fake.accept());
                // C1: each counts by itself.
                assert_eq!(servers.last().unwrap().recv_call(Wire::Chunked).unwrap().sequence, 1);
            }
            // One that is too many goes to the connection with the fewest, or waits for the first that is free.
            calls.push(scope.spawn(|| client.call(7, 700, b"").unwrap()));
            servers[0].send_reply(Wire::Chunked, 1, 0, b"");
            assert_eq!(servers[0].recv_call(Wire::Chunked).unwrap().sequence, 2);
            servers[0].send_reply(Wire::Chunked, 2, 0, b"");
            for server in &servers[1..] {
                server.send_reply(Wire::Chunked, 1, 0, b"");
            }
            calls.into_iter().for_each(|call| drop(call.join().unwrap()));
            assert!(fake.nobody_waits());
        });
    });
}

#[test]
fn many_threads_share_few_connections() {
    with_every_client(|kind| {
        let server = TestServer::start(Server::builder().order(Order::Serial).module(interop()));
        let client = kind.connect(builder(server.path()).connections(3)).unwrap();
        thread::scope(|scope| {
            for thread in 0..8_u32 {
                let client = client.clone();
                scope.spawn(move || {
                    for call in 0..200_u32 {
                        let body = [thread.to_le_bytes(), call.to_le_bytes()].concat();
                        assert_eq!(client.call(7, 700, &body).unwrap().body, body);
                    }
                });
            }
        });
    });
}

#[test]
fn calls_share_what_there_is_where_no_further_connection_can_be_made() {
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).connections(2).connect_timeout(SOON)).unwrap();
        let server = fake.accept();
        drop(fake);
        thread::scope(|scope| {
            let first = scope.spawn(|| client.call(7, 700, b"first").unwrap());
            assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, "first");
            let second = scope.spawn(|| client.call(7, 700, b"second").unwrap());
            server.send_reply(Wire::Chunked, 1, 0, b"");
            assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, "second");
            server.send_reply(Wire::Chunked, 2, 0, b"");
            first.join().unwrap();
            second.join().unwrap();
        });
    });
}

#[test]
fn a_connection_that_is_held_up_is_replaced_and_the_others_stay() {
    // C4.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).connections(2)).unwrap();
        let first = fake.accept();
        thread::scope(|scope| {
            let slow = scope.spawn(|| client.call(7, 700, b"slow").unwrap());
            first.recv_call(Wire::Chunked).unwrap();
            assert!(client.call_with(7, 700, b"", &soon()).unwrap_err().is_timeout());
            let held_up = fake.accept();
            held_up.recv_call(Wire::Chunked).unwrap();
            held_up.assert_closed();

            let next = scope.spawn(|| client.call(7, 700, b"next").unwrap());
            let second = fake.accept();
            assert_eq!(second.recv_call(Wire::Chunked).unwrap().sequence, 1);
            second.send_reply(Wire::Chunked, 1, 0, b"");
            next.join().unwrap();
            first.send_reply(Wire::Chunked, 1, 0, b"of the slow one");
            assert_eq!(slow.join().unwrap().body, "of the slow one");
        });
    });
}

#[test]
fn an_idle_connection_that_the_server_closed_is_replaced_by_the_next_call() {
    // C1: the sequences begin again. Nothing of the call was sent on the old one, so that no call fails.
    with_every_client(|kind| {
        for connections in [1, 2] {
            let fake = Fake::listen();
            let client = kind.connect(builder(fake.path()).connections(connections)).unwrap();
            for options in [CallOptions::new(), without_response()] {
                drop(fake.accept());
                thread::scope(|scope| {
                    let calling = scope.spawn(|| client.call_with(7, 700, b"body", &options).unwrap());
                    let server = fake.accept();
                    let call = server.recv_call(Wire::Chunked).unwrap();
                    assert_eq!((call.sequence, &call.body[..]), (1, &b"body"[..]));
                    server.send_reply(Wire::Chunked, 1, 0, b"");
                    calling.join().unwrap();
                    drop(server);
                    // For the next of the two.
                    client.close();
                    client.reconnect().unwrap();
                });
            }
        }
    });
}

#[test]
fn a_server_that_stops_sending_is_noticed_by_an_idle_client() {
    // C7: after a call that received its own response nobody receives, and what is sent to a half-closed server still arrives.
    // So the client has to know before it sends.
    in_order(async {
        let fake = Fake::listen();
        let client = builder(fake.path()).auto_reconnect(false).connect().await.unwrap();
        let server = fake.accept();
        server.send_reply(Wire::Chunked, 1, 0, b"");
        call(&client, 700, "").await.unwrap();
        server.half_close();
        while client.is_connected() {
            tokio::task::yield_now().await;
        }
        assert!(call(&client, 700, "").await.unwrap_err().is_retryable());
    });
}

#[test]
fn a_server_that_was_started_anew_is_found_again() {
    with_every_client(|kind| {
        for connections in [1, 3] {
            let (_directory, path) = nowhere();
            let mut server = Served::start(&path);
            let client =
                kind.connect(builder(&path).connections(connections).connect_timeout(PATIENCE)).unwrap();
            for _ in 0..3 {
                client.assert_served();
                server.stop();
                server = thread::scope(|scope| {
                    let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| client.assert_served())).collect();
                    let server = Served::start(&path);
                    calls.into_iter().for_each(|call| call.join().unwrap());
                    server
                });
                assert!(client.is_connected());
            }
            server.stop();
        }
    });
}

#[test]
fn a_server_that_does_not_come_back_is_a_connect_error() {
    // C8: once the connect time-out, or the time of the call, is over.
    with_every_client(|kind| {
        for (connect_timeout, options) in [(SOON, CallOptions::new()), (PATIENCE, soon())] {
            let (_directory, path) = nowhere();
            let server = Served::start(&path);
            let client = kind.connect(builder(&path).connect_timeout(connect_timeout)).unwrap();
            server.stop();
            for _ in 0..2 {
                let error = client.call_with(7, 700, b"", &options).unwrap_err();
                assert_eq!(error.kind(), CallErrorKind::Connect);
                assert!(error.is_connect() && error.is_retryable() && !error.is_timeout());
                assert!(error.to_string().contains("is the server started, and the path right?"), "{error}");
            }
        }
    });
}

#[test]
fn without_auto_reconnect_it_takes_a_reconnect() {
    // C3.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).auto_reconnect(false)).unwrap();
        drop(fake.accept());
        for _ in 0..2 {
            let error = client.call(7, 700, b"").unwrap_err();
            assert!(error.is_connect(), "{error}");
            assert_eq!(error.kind(), CallErrorKind::NotConnected);
            assert!(error.is_retryable());
        }
        assert!(!client.is_connected());
        assert!(fake.nobody_waits());
        client.reconnect().unwrap();
        assert!(client.is_connected());
        fake.accept();
    });
}

#[test]
fn a_closed_client_is_not_connected_by_its_calls() {
    // C2, C3.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).connections(2)).unwrap();
        client.close();
        fake.accept().assert_closed();
        let error = client.call(7, 700, b"").unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::NotConnected);
        assert!(!error.is_retryable());
        assert!(fake.nobody_waits());
    });
}

#[test]
fn a_call_under_way_ends_with_its_blocking_client() {
    // C2, C7: at once, though the client is connected again meanwhile.
    let fake = Fake::listen();
    let client = Kind::Blocking.connect(builder(fake.path()).connections(2)).unwrap();
    let server = fake.accept();
    thread::scope(|scope| {
        let calling = scope.spawn(|| client.call(7, 700, b"").unwrap_err());
        server.recv_call(Wire::Chunked).unwrap();
        client.close();
        client.reconnect().unwrap();
        drop(fake.accept());
        assert_eq!(calling.join().unwrap().kind(), CallErrorKind::Disconnected);
        server.assert_closed();
    });
}

#[test]
fn a_server_that_is_only_starting_is_waited_for() {
    // C8: no socket, and then one on which nobody listens.
    with_every_client(|kind| {
        for stale in [false, true] {
            let (_directory, path) = nowhere();
            if stale {
                drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
            }
            thread::scope(|scope| {
                let connecting = scope.spawn(|| kind.connect(builder(&path).wait_until_ready(PATIENCE)));
                let server = Served::start(&path);
                connecting.join().unwrap().unwrap().assert_served();
                server.stop();
            });
        }
    });
}

#[test]
fn what_will_not_pass_is_not_waited_for() {
    // C8: a file is no server that is starting. One that does not come in time is told as without waiting.
    with_every_client(|kind| {
        let (_directory, path) = nowhere();
        let error = kind.connect(builder(&path).wait_until_ready(SOON)).err().unwrap();
        assert_eq!(error.raw_os_error(), Some(2));
        fs::write(&path, "").unwrap();
        let error = kind.connect(builder(&path).wait_until_ready(PATIENCE)).err().unwrap();
        assert!(error.to_string().contains("is not a socket"), "{error}");
    });
}

#[test]
fn each_call_has_a_connection_of_its_own_if_so_told() {
    // C1: as daos_server calls its engines. The first one is that of `connect`.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).connection_per_call()).unwrap();
        for _ in 0..3 {
            let calling = |server: RawPeer| {
                let call = server.recv_call(Wire::Chunked).unwrap();
                assert_eq!(call.sequence, 1);
                server.send_reply(Wire::Chunked, 1, 0, b"");
                server.assert_closed();
            };
            thread::scope(|scope| {
                // Side by side, though there is "one connection".
                let calls = [(); 2].map(|()| scope.spawn(|| client.call(7, 700, b"").unwrap()));
                let servers = [fake.accept(), fake.accept()];
                servers.into_iter().for_each(calling);
                calls.into_iter().for_each(|call| drop(call.join().unwrap()));
            });
        }
        assert!(fake.nobody_waits());
        client.close();
        assert_eq!(client.call(7, 700, b"").unwrap_err().kind(), CallErrorKind::NotConnected);
    });
}

#[test]
fn a_call_without_response_on_a_connection_of_its_own_is_executed() {
    // C6, S6: connect, send, close.
    with_every_client(|kind| {
        let (executed, mut executions) = mpsc::unbounded_channel();
        let module = Handlers::new(3, "srv").on(304, move |_, body: Bytes| {
            executed.send(body.len()).unwrap();
            async { Ok(Bytes::new()) }
        });
        let server = TestServer::start(Server::builder().module(module));
        let client = kind.connect(builder(server.path()).connection_per_call()).unwrap();
        for len in [0, 10, 300_000, 4 << 20] {
            let response = client.call_with(3, 304, &vec![0; len], &without_response()).unwrap();
            assert_eq!(response.status, Status::SUBMITTED);
            assert_eq!(in_order(executions.recv()), Some(len));
        }
    });
}

#[test]
fn calls_without_response_go_out_on_a_pool_and_do_not_clog_it() {
    // C6: each is executed once, and no reply to one is taken for another's.
    with_every_client(|kind| {
        let (executed, mut executions) = mpsc::unbounded_channel();
        let module = interop().on(704, move |_, body: Bytes| {
            executed.send(body).unwrap();
            async { Ok(Bytes::from_static(b"not wanted")) }
        });
        let server = TestServer::start(Server::builder().module(module));
        let client = kind.connect(builder(server.path()).connections(2)).unwrap();
        thread::scope(|scope| {
            for thread in 0..4_u8 {
                let client = client.clone();
                scope.spawn(move || {
                    for _ in 0..500 {
                        client.call_with(7, 704, &[thread], &without_response()).unwrap();
                        client.assert_served();
                    }
                });
            }
        });
        let mut counts = [0; 4];
        for _ in 0..2000 {
            counts[usize::from(in_order(executions.recv()).unwrap()[0])] += 1;
        }
        assert_eq!(counts, [500; 4]);
    });
}

#[test]
fn a_call_that_was_not_sent_in_time_says_that_it_was_not_executed() {
    // C4: the old connection is held up, and the server does not take a new one.
    with_every_client(|kind| {
        let fake = Fake::with_backlog(0);
        let client = kind.connect(builder(fake.path()).connect_timeout(PATIENCE)).unwrap();
        let held_up = fake.accept();
        let sent = client.call_with(7, 700, b"", &soon()).unwrap_err();
        assert!(sent.is_timeout() && !sent.is_retryable());
        assert_eq!(held_up.recv_call(Wire::Chunked).unwrap().sequence, 1);
        let _waiting = RawPeer::connect(fake.path());
        let unsent = client.call_with(7, 700, b"", &soon()).unwrap_err();
        assert_eq!(unsent.kind(), CallErrorKind::Timeout);
        assert!(unsent.is_timeout() && unsent.is_retryable());
        assert!(unsent.to_string().starts_with("the call could not be sent within 40ms"), "{unsent}");
    });
}

#[test]
fn a_blocking_call_that_gets_no_turn_says_that_it_was_not_executed() {
    let fake = Fake::listen();
    let client = Kind::Blocking.connect_to(fake.path());
    let server = fake.accept();
    thread::scope(|scope| {
        let first = scope.spawn(|| client.call(7, 700, b"").unwrap());
        server.recv_call(Wire::Chunked).unwrap();
        let unsent = client.call_with(7, 700, b"", &soon()).unwrap_err();
        assert!(unsent.is_timeout() && unsent.is_retryable());
        server.send_reply(Wire::Chunked, 1, 0, b"");
        first.join().unwrap();
    });
}

#[test]
fn calls_that_wait_for_a_connection_learn_that_there_will_be_none() {
    // C3, C7: all of them, not only the one that is woken when a broken connection is given back.
    for _ in 0..20 {
        let fake = Fake::listen();
        let client =
            Kind::Blocking.connect(builder(fake.path()).connections(2).auto_reconnect(false)).unwrap();
        thread::scope(|scope| {
            let calls: Vec<_> =
                (0..6).map(|_| scope.spawn(|| client.call(7, 700, b"").unwrap_err())).collect();
            let servers = [fake.accept(), fake.accept()];
            for server in &servers {
                server.recv_call(Wire::Chunked).unwrap();
            }
            drop(servers);
            for call in calls {
                let kind = call.join().unwrap().kind();
                assert!(
                    matches!(kind, CallErrorKind::Disconnected | CallErrorKind::NotConnected),
                    "{kind:?}"
                );
            }
        });
    }
}

#[test]
fn a_deadline_holds_while_others_overtake() {
    // C8: the only connection, which was made anew, goes from one call of the same thread to the next.
    let fake = Fake::listen();
    let client = Kind::Blocking.connect(builder(fake.path())).unwrap();
    drop(fake.accept());
    thread::scope(|scope| {
        let busy = scope.spawn(|| [client.call(7, 700, b"1"), client.call(7, 700, b"2")].map(Result::unwrap));
        let server = fake.accept();
        let first = server.recv_call(Wire::Chunked).unwrap();
        let (ended, ends) = std::sync::mpsc::channel();
        let late = &client;
        scope.spawn(move || ended.send(late.call_with(7, 700, b"late", &soon()).unwrap_err()).unwrap());
        thread::yield_now();
        server.send_reply(Wire::Chunked, first.sequence, 0, b"");
        let second = server.recv_call(Wire::Chunked).unwrap();
        let error = ends.recv_timeout(PATIENCE).expect("its time is over");
        if second.body == "2" {
            assert!(error.to_string().contains("was not executed"), "{error}");
            server.send_reply(Wire::Chunked, second.sequence, 0, b"");
        } else {
            // It was first, and holds its connection up.
            let server = fake.accept();
            let second = server.recv_call(Wire::Chunked).unwrap();
            server.send_reply(Wire::Chunked, second.sequence, 0, b"");
        }
        busy.join().unwrap();
    });
}

#[test]
fn who_waits_for_a_server_does_not_connect_without_a_pause() {
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).connect_timeout(10 * SOON)).unwrap();
        drop(fake.accept());
        drop(fake);
        let switches = || {
            let status = fs::read_to_string("/proc/thread-self/status").unwrap();
            let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            count.unwrap().trim().parse::<u64>().unwrap()
        };
        thread::scope(|scope| {
            let calls = [(); 4].map(|()| {
                scope.spawn(|| {
                    let before = switches();
                    assert_eq!(client.call(7, 700, b"").unwrap_err().kind(), CallErrorKind::Connect);
                    switches() - before
                })
            });
            for call in calls {
                let switches = call.join().unwrap();
                assert!(switches < 500, "{switches} times another thread had its turn");
            }
        });
    });
}

#[test]
fn closing_reaches_connections_that_no_further_call_takes() {
    // C2, C7.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).connection_per_call()).unwrap();
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.call(7, 700, b"").unwrap_err());
            let server = fake.accept();
            server.recv_call(Wire::Chunked).unwrap();
            client.close();
            assert_eq!(calling.join().unwrap().kind(), CallErrorKind::Disconnected);
            server.assert_closed();
        });
    });
}

#[test]
fn a_call_that_is_polled_no_more_holds_up_no_other() {
    in_order(async {
        let fake = Fake::listen();
        let client = builder(fake.path()).connect_timeout(SOON).connect().await.unwrap();
        drop(fake.accept());
        drop(fake);
        let mut first = Box::pin(call(&client, 700, ""));
        // The connection is gone, and no other can be had: it pauses before it tries again.
        assert!(first.as_mut().now_or_never().is_none());
        let second = tokio::time::timeout(PATIENCE, call(&client, 700, "")).await;
        assert_eq!(second.expect("it ends").unwrap_err().kind(), CallErrorKind::Connect);
    });
}
