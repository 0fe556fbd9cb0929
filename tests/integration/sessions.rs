//! How a session ends, and who is told (S6, W9): clients that leave, handlers that take too long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::wire::{Call, CallFields, Response};
use drpc::{Context, Order, Server, Status, Wire, drpc_module};
use tokio::sync::{Notify, mpsc};

use crate::support::{
    Gate, Handlers, Logs, PATIENCE, RawPeer, SOON, TestServer, WIRES, echo, header, in_order, interop,
    isolated, open_descriptors, with_every_server,
};

#[test]
fn a_client_that_leaves_is_no_error() {
    // S6, W9: EOF at once, after calls, with replies unread (which resets the connection).
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(Server::builder().module(interop()));
        for wire in WIRES {
            drop(RawPeer::connect(server.path()));
            let peer = RawPeer::connect(server.path());
            peer.assert_served(wire);
            drop(peer);
            let peer = RawPeer::connect(server.path());
            for sequence in 0..20 {
                peer.send_call(wire, 7, 700, sequence, b"never read");
            }
            drop(peer);
        }
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
        server.stop();
        logs.assert_lack("WARN");
        logs.assert_lack("ERROR");
    });
}

#[test]
fn an_empty_call_on_the_plain_wire_does_not_hide_those_behind_it() {
    // W9, S6: an empty packet and end of file read alike, and the client has closed before it is read.
    with_every_server(|driver| {
        let (executed, mut executions) = mpsc::unbounded_channel();
        let gate = Gate::new();
        let method = move |gate: Gate| {
            let executed = executed.clone();
            move |_: Context, body: Bytes| {
                let (executed, gate) = (executed.clone(), gate.clone());
                async move {
                    gate.pass().await;
                    executed.send(body.len()).unwrap();
                    Ok(body)
                }
            }
        };
        let server = Server::builder()
            .module(Handlers::new(0, "test").on(0, method(gate.clone())))
            .module(Handlers::new(7, "interop").on(700, method(gate.clone())));
        let server = driver.start(server);
        let peer = RawPeer::connect(server.path());
        for len in [1, 2] {
            peer.send_call(Wire::Plain, 7, 700, 1, &vec![0; len]);
            peer.send_call(Wire::Plain, 0, 0, 0, b"");
        }
        peer.send_call(Wire::Plain, 7, 700, 1, b"end");
        in_order(gate.arrived(1));
        drop(peer);
        gate.open(5);
        for len in [1, 0, 2, 0, 3] {
            assert_eq!(in_order(executions.recv()), Some(len));
        }
    });
}

#[test]
fn an_empty_packet_on_the_chunked_wire_ends_the_session() {
    // W9.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(Server::builder().module(interop()));
        let peer = RawPeer::connect(server.path());
        peer.assert_served(Wire::Chunked);
        peer.send(b"");
        peer.assert_closed();
        server.stop();
        logs.assert_lack("WARN");
    });
}

#[test]
fn a_client_that_leaves_in_mid_message_is_reported() {
    // W5.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(Server::builder().module(interop()));
        let peer = RawPeer::connect(server.path());
        peer.send(&[header(10, 5, 0, 2), b"01234".to_vec()].concat());
        drop(peer);
        logs.wait_for("session closed: the client closed in mid message");
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
    });
}

#[test]
fn a_reply_to_a_client_that_left_raises_no_signal_and_the_rest_is_executed() {
    // S6: EPIPE in the first reply already, and 50 calls behind it; replies of many chunks among them.
    with_every_server(|driver| {
        for order in [Order::Serial, Order::Concurrent(4)] {
            let (executed, mut executions) = mpsc::unbounded_channel();
            let first = Arc::new(Notify::new());
            let module = Handlers::new(7, "interop").on(700, {
                let first = first.clone();
                move |context: Context, body: Bytes| {
                    let (executed, first) = (executed.clone(), first.clone());
                    async move {
                        if body[0] == 1 {
                            first.notify_one();
                            context.cancelled().await;
                        }
                        executed.send(body[0]).unwrap();
                        Ok(vec![0; 300_000].into())
                    }
                }
            });
            let server = driver.start(Server::builder().order(order).module(module));
            let peer = RawPeer::connect(server.path());
            for call in 1..=50 {
                peer.send_call(Wire::Chunked, 7, 700, call, &[call as u8]);
            }
            in_order(async {
                first.notified().await;
                drop(peer);
                let mut bodies = Vec::new();
                for _ in 0..50 {
                    bodies.extend(executions.recv().await);
                }
                bodies.sort_unstable();
                assert_eq!(bodies, (1..=50).collect::<Vec<u8>>());
            });
            assert_served(&server);
        }
    });
}

fn assert_served(server: &TestServer) {
    let peer = RawPeer::connect(server.path());
    peer.send_call(Wire::Chunked, 8, 800, 5, b"");
    assert_eq!(peer.recv_response(Wire::Chunked), Response::failure(5, Status::UNKNOWN_MODULE));
}

#[test]
fn a_handler_sees_that_its_caller_has_left() {
    // D8, S6: told, never cut; also by a client that had stopped sending before.
    with_every_server(|driver| {
        for (order, half_closed) in [
            (Order::Serial, false),
            (Order::Concurrent(4), false),
            (Order::Serial, true),
            (Order::Concurrent(4), true),
        ] {
            let (told, mut tidings) = mpsc::unbounded_channel();
            let gate = Gate::new();
            let module = Handlers::new(7, "interop").on(700, {
                let gate = gate.clone();
                move |context: Context, body| {
                    let (gate, told) = (gate.clone(), told.clone());
                    async move {
                        assert!(!context.is_cancelled());
                        gate.pass().await;
                        context.cancelled().await;
                        told.send(context.is_cancelled()).unwrap();
                        Ok(body)
                    }
                }
            });
            let server = driver.start(Server::builder().order(order).module(module));
            let peer = RawPeer::connect(server.path());
            peer.send_call(Wire::Plain, 7, 700, 1, b"");
            in_order(async {
                gate.arrived(1).await;
                if half_closed {
                    peer.half_close();
                }
                gate.open(1);
                drop(peer);
                assert_eq!(tidings.recv().await, Some(true));
            });
        }
    });
}

#[test]
fn a_handler_of_one_client_is_not_told_about_another() {
    // S1.
    with_every_server(|driver| {
        let (told, mut tidings) = mpsc::unbounded_channel();
        let gate = Gate::new();
        let module = Handlers::new(7, "interop").on(700, {
            let gate = gate.clone();
            move |context: Context, body| {
                let (gate, told) = (gate.clone(), told.clone());
                async move {
                    gate.pass().await;
                    told.send(context.is_cancelled()).unwrap();
                    Ok(body)
                }
            }
        });
        let server = driver.start(Server::builder().module(module));
        let stays = RawPeer::connect(server.path());
        stays.send_call(Wire::Plain, 7, 700, 1, b"stays");
        in_order(gate.arrived(1));
        drop(RawPeer::connect(server.path()));
        assert_served(&server);
        gate.open(1);
        assert_eq!(in_order(tidings.recv()), Some(false));
        assert_eq!(stays.recv_response(Wire::Plain).body, "stays");
    });
}

#[test]
fn a_handler_that_takes_too_long_is_cut_and_its_caller_answered() {
    // Ours: `handler_timeout`. The session goes on, and the deadline is there to be seen.
    with_every_server(|driver| {
        struct Cut(mpsc::UnboundedSender<()>);
        impl Drop for Cut {
            fn drop(&mut self) {
                let _ = self.0.send(());
            }
        }
        let (logs, _guard) = Logs::of_this_thread();
        let (cut, mut cuts) = mpsc::unbounded_channel();
        let module = echo().on(705, move |context: Context, _| {
            let guard = Cut(cut.clone());
            async move {
                let _guard = guard;
                assert!(context.deadline().unwrap() <= Instant::now() + SOON);
                std::future::pending().await
            }
        });
        let server = driver.start(Server::builder().handler_timeout(SOON).module(module));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            peer.send_call(wire, 7, 705, 3, b"");
            assert_eq!(peer.recv_response(wire), Response::failure(3, Status::FAILURE));
            in_order(cuts.recv()).unwrap();
            peer.assert_served(wire);
        }
        logs.assert_contain("call failed: the handler took too long, for its server or its caller");
    });
}

struct Timed;

#[drpc_module(id = 9)]
impl Timed {
    #[method(1, timeout = "40ms")]
    async fn shorter(&self) {
        std::future::pending::<()>().await;
    }

    #[method(2, timeout = "2h")]
    fn longer(&self, context: &Context) -> Bytes {
        seconds_left(context)
    }

    #[method(3)]
    fn without(&self, context: &Context) -> Bytes {
        seconds_left(context)
    }
}

fn seconds_left(context: &Context) -> Bytes {
    let left = context.deadline().unwrap().saturating_duration_since(Instant::now());
    Bytes::copy_from_slice(&left.as_secs().to_be_bytes())
}

#[test]
fn a_methods_own_timeout_stands_in_place_of_the_servers() {
    // Ours: `#[method(1, timeout = "…")]`. A caller's time may end it before (E5).
    const HOUR: Duration = Duration::from_secs(3600);
    with_every_server(|driver| {
        let server = driver.start(Server::builder().handler_timeout(HOUR).module(Timed));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 9, 901, 1, b"");
        assert_eq!(peer.recv_response(Wire::Chunked), Response::failure(1, Status::FAILURE));
        let seconds = |method, time_left| {
            let added = Some(CallFields { time_left, ..CallFields::default() }.into());
            let call = Call { module: 9, method, sequence: 2, body: Bytes::new(), added };
            peer.send_message(Wire::Chunked, &call.encode());
            u64::from_be_bytes(peer.recv_response(Wire::Chunked).body[..].try_into().unwrap())
        };
        assert!((3600..7200).contains(&seconds(902, None)));
        assert!((900..1800).contains(&seconds(902, Some(HOUR / 2))));
        assert!((1800..3600).contains(&seconds(903, None)));
    });
}

#[test]
fn without_a_limit_there_is_no_deadline() {
    with_every_server(|driver| {
        let module = Handlers::new(7, "interop")
            .on(700, |context: Context, _| async move { Ok(format!("{:?}", context.deadline()).into()) });
        let server = driver.start(Server::builder().module(module));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 700, 1, b"");
        assert_eq!(peer.recv_response(Wire::Chunked).body, "None");
    });
}

#[test]
fn the_longest_of_all_times_is_no_limit() {
    // What a user writes who wants none.
    with_every_server(|driver| {
        let server = driver.start(
            Server::builder()
                .handler_timeout(Duration::MAX)
                .message_timeout(Duration::MAX)
                .drain_timeout(Duration::MAX)
                .module(interop()),
        );
        let peer = RawPeer::connect(server.path());
        peer.assert_served(Wire::Chunked);
        peer.send_call(Wire::Chunked, 7, 700, 1, &[7; 300_000]);
        assert_eq!(peer.recv_response(Wire::Chunked).body, vec![7; 300_000]);
    });
}

#[test]
fn sessions_give_their_descriptors_back() {
    // S1: however they end.
    isolated("sessions::sessions_give_their_descriptors_back", || {
        with_every_server(|driver| {
            let server = driver.start(Server::builder().message_timeout(SOON).module(interop()));
            let before = open_descriptors();
            for round in 0..50 {
                let peer = RawPeer::connect(server.path());
                match round % 5 {
                    0 => {}
                    1 => peer.assert_served(Wire::Plain),
                    2 => peer.send(b"garbage!"),
                    3 => peer.send(&header(1 << 40, 0, 0, 1)),
                    _ => {
                        peer.send(&[header(10, 5, 0, 2), b"01234".to_vec()].concat());
                        peer.assert_closed();
                    }
                }
            }
            // A session closes when its task is next at it; calls of another one give it the time.
            let started = Instant::now();
            while open_descriptors() != before {
                assert!(started.elapsed() < PATIENCE, "{} descriptors, not {before}", open_descriptors());
                RawPeer::connect(server.path()).assert_served(Wire::Chunked);
            }
        });
    });
}
