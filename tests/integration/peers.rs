//! What DAOS's own peers get wrong (H): a test for every row, that shows the last column.

use std::thread;
use std::time::Duration;

use bytes::Bytes;
use drpc::wire::Call;
use drpc::{Client, Order, Server, ServerBuilder, Status, Wire};
use futures_util::stream::{self, StreamExt};
use tokio::sync::mpsc;

use crate::support::{
    Fake, Gate, Handlers, Kind, Logs, RawPeer, RunningMemory, SOON, TestServer, WIRES, builder, call, echo,
    frame, greeting, header, interop, isolated, packets_of, with_every_client, with_every_server,
};

/// The server of the vectors, with defaults.
fn plain_server() -> ServerBuilder {
    Server::builder().module(greeting()).module(interop())
}

/// Another client connects, calls and is answered.
#[track_caller]
fn assert_others_fine(server: &TestServer) {
    for wire in WIRES {
        RawPeer::connect(server.path()).assert_served(wire);
    }
}

/// The server says that it could not read the call, in chunks, and closes the session.
#[track_caller]
fn assert_refused(peer: &RawPeer) {
    // D1: sequence -1, FAILED_UNMARSHAL_CALL; not a byte of anything else.
    assert_eq!(peer.recv_packet(), frame(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x05"));
    peer.assert_closed();
}

#[test]
fn a_total_size_of_a_terabyte_or_more_is_refused_on_the_first_packet() {
    // H row 1, W6.
    with_every_server(|driver| {
        let server = driver.start(plain_server());
        for total in [1 << 40, u64::MAX] {
            for chunks in [1, 2, 9_000_000, u32::MAX] {
                let peer = RawPeer::connect(server.path());
                peer.send(&[header(total, 11, 0, chunks), vec![b'x'; 11]].concat());
                assert_refused(&peer);
            }
        }
        assert_others_fine(&server);
    });
}

#[test]
fn eight_gibibytes_and_then_silence_are_refused() {
    // H row 2, W6.
    with_every_server(|driver| {
        let server = driver.start(plain_server());
        let peer = RawPeer::connect(server.path());
        peer.send(&[header(8 << 30, 131_048, 0, 65_547), vec![b'x'; 131_048]].concat());
        assert_refused(&peer);
        assert_others_fine(&server);
    });
}

#[test]
fn under_the_limit_memory_follows_the_data() {
    // H row 2, W6: 64 clients that announce 60 MiB each, and send 5 bytes.
    isolated("peers::under_the_limit_memory_follows_the_data", || {
        with_every_server(|driver| {
            let server = driver.start(plain_server());
            assert_others_fine(&server);
            let before = RunningMemory::now();
            let peers: Vec<_> = (0..64).map(|_| RawPeer::connect(server.path())).collect();
            for peer in &peers {
                peer.send(&[header(60 << 20, 5, 0, 2), b"01234".to_vec()].concat());
                assert_others_fine(&server);
            }
            let after = RunningMemory::now();
            assert!(after.resident < before.resident + (32 << 20), "{before:?} {after:?}");
            assert!(after.allocated < before.allocated + (256 << 20), "{before:?} {after:?}");
        });
    });
}

#[test]
fn an_idle_half_message_times_out() {
    // H row 2.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(plain_server().message_timeout(SOON));
        let peer = RawPeer::connect(server.path());
        peer.send(&[header(60 << 20, 5, 0, 2), b"01234".to_vec()].concat());
        peer.assert_closed();
        logs.wait_for("session closed: the rest of a message did not come in time");
        assert_others_fine(&server);
    });
}

#[test]
fn a_message_whose_chunks_keep_coming_is_held_to_the_same_time() {
    // H row 2: a byte now and then does not keep a session alive for ever.
    with_every_server(|driver| {
        let server = driver.start(plain_server().message_timeout(SOON));
        let peer = RawPeer::connect(server.path());
        let byte = |index| [header(1_000_000, 1, index, 1_000_000), vec![b'x']].concat();
        let sent = (0..1_000_000).take_while(|index| peer.send_unless_closed(&byte(*index))).count();
        assert!(sent < 1_000_000);
        peer.assert_closed();
    });
}

#[test]
fn an_idle_session_without_a_half_message_does_not_time_out() {
    // H row 2: only a message that has begun is held to the time.
    with_every_server(|driver| {
        let server = driver.start(plain_server().message_timeout(Duration::ZERO));
        let idle = RawPeer::connect(server.path());
        let slow = RawPeer::connect(server.path());
        slow.send(&[header(10, 5, 0, 2), b"01234".to_vec()].concat());
        slow.assert_closed();
        idle.assert_served(Wire::Chunked);
    });
}

#[test]
fn a_chunk_size_larger_than_the_packet_is_refused() {
    // H row 3, W5: nothing of other clients' data comes back.
    with_every_server(|driver| {
        let server = driver.start(plain_server());
        let message = Call::<bytes::Bytes> {
            module: 7,
            method: 700,
            sequence: 1,
            body: vec![b'k'; 100].into(),
            added: None,
        }
        .encode();
        for claimed in [message.len() as u64 + 1, 4096, 131_048, 131_049, 1 << 40, u64::MAX] {
            let peer = RawPeer::connect(server.path());
            peer.send(&[header(claimed, claimed, 0, 1), message.to_vec()].concat());
            assert_refused(&peer);
        }
        assert_others_fine(&server);
    });
}

#[test]
fn a_header_alone_that_claims_ten_bytes_is_refused() {
    // H row 4, W5.
    with_every_server(|driver| {
        let server = driver.start(plain_server());
        let peer = RawPeer::connect(server.path());
        peer.send(&header(10, 10, 0, 1));
        assert_refused(&peer);
        assert_others_fine(&server);
    });
}

#[test]
fn the_first_of_two_chunks_and_then_silence_disturb_nobody() {
    // H row 5.
    with_every_server(|driver| {
        let server = driver.start(plain_server().message_timeout(Duration::from_secs(1)));
        let peer = RawPeer::connect(server.path());
        peer.send(&[header(200_000, 131_048, 0, 2), vec![b'x'; 131_048]].concat());
        for _ in 0..10 {
            assert_others_fine(&server);
        }
        peer.assert_closed();
        assert_others_fine(&server);
    });
}

#[test]
fn a_client_that_never_reads_is_bounded_and_disturbs_nobody() {
    // H row 6.
    with_every_server(|driver| {
        let waiting = || {
            echo().on(705, |_, body| async {
                // Not ready at once: it joins the calls that run.
                tokio::task::yield_now().await;
                Ok(body)
            })
        };
        for order in [Order::Serial, Order::Concurrent(8)] {
            for wire in WIRES {
                let server = driver.start(Server::builder().order(order).module(waiting()));
                let peer = RawPeer::connect(server.path());
                let sent = peer.fill(wire, 705, 1, &RawPeer::connect(server.path()));
                // What the socket holds in both directions (it may have room for 2 MiB), and the calls that may run.
                assert!((2..50).contains(&sent.end), "{order:?} {wire:?}: {sent:?} were taken");
                assert_others_fine(&server);

                // Nothing was lost meanwhile: whoever reads at last gets every reply.
                let mut sequences: Vec<_> = sent.clone().map(|_| peer.recv_response(wire).sequence).collect();
                sequences.sort_unstable();
                assert_eq!(sequences, sent.collect::<Vec<_>>());
                peer.half_close();
                peer.assert_closed();
            }
        }
    });
}

#[test]
fn clients_that_never_read_do_not_fill_the_memory() {
    // H row 6.
    isolated("peers::clients_that_never_read_do_not_fill_the_memory", || {
        with_every_server(|driver| {
            let module = echo().on(705, |_, body| async { Ok(body) });
            let server = driver.start(Server::builder().module(module));
            assert_others_fine(&server);
            let before = RunningMemory::now();
            let peers: Vec<_> = (0..16).map(|_| RawPeer::connect(server.path())).collect();
            thread::scope(|scope| {
                for peer in &peers {
                    scope.spawn(|| peer.fill(Wire::Chunked, 705, 1, &RawPeer::connect(server.path())));
                }
            });
            let after = RunningMemory::now();
            assert!(after.resident < before.resident + (64 << 20), "{before:?} {after:?}");
            assert_others_fine(&server);
        });
    });
}

#[test]
fn sixteen_clients_of_three_thousand_calls_are_fine() {
    // H row 7: calls of one session in any order, each reply to its own call.
    with_every_server(|driver| {
        let module = echo().on(705, |_, body| async {
            tokio::task::yield_now().await;
            Ok(body)
        });
        let server = driver.start(Server::builder().order(Order::Concurrent(64)).module(module));
        let body = |client: u32, call: u32| Bytes::from([client.to_le_bytes(), call.to_le_bytes()].concat());
        thread::scope(|scope| {
            for client in 0..8 {
                let path = server.path();
                scope.spawn(move || {
                    let connected = Kind::Blocking.connect_to(path);
                    for call in 0..3000 {
                        let response = connected.call(7, 705, &body(client, call)).unwrap();
                        assert_eq!(response.body, body(client, call));
                    }
                });
            }
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let clients = stream::iter(8..16).map(async |client| {
                    let connected =
                        builder(server.path()).server_answers_in_order(false).connect().await.unwrap();
                    let calls = stream::iter(0..3000).map(|number| {
                        let reply = call(&connected, 705, body(client, number));
                        async move { assert_eq!(reply.await.unwrap().body, body(client, number)) }
                    });
                    calls.buffer_unordered(64).collect::<()>().await;
                });
                clients.buffer_unordered(8).collect::<()>().await;
            });
        });
    });
}

#[test]
fn success_of_sequence_0_without_a_body_is_fine() {
    // H row 8, W4, W9.
    with_every_server(|driver| {
        let server = driver.start(plain_server());
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            // On the plain wire, an empty packet is a call only where an earlier one has told the wire.
            peer.assert_served(wire);
            peer.send_call(wire, 7, 700, 0, b"");
            assert_eq!(peer.recv_packet(), packets_of(wire, b"")[0]);
            peer.assert_served(wire);
        }
    });
}

#[test]
fn two_replies_of_300_kilobytes_in_flight_do_not_interleave() {
    // H row 9, W10: `recv_response` sees to it that chunks come in order and alone.
    with_every_server(|driver| {
        let gate = Gate::new();
        let module = Handlers::new(7, "interop").on(700, {
            let gate = gate.clone();
            move |_, body| {
                let gate = gate.clone();
                async move {
                    gate.pass().await;
                    Ok(body.repeat(300_000).into())
                }
            }
        });
        let server = driver.start(Server::builder().order(Order::Concurrent(16)).module(module));
        let peer = RawPeer::connect(server.path());
        for call in 1..=16 {
            peer.send_call(Wire::Chunked, 7, 700, call, &[call as u8]);
        }
        crate::support::in_order(gate.arrived(16));
        gate.open(16);
        let mut sequences = Vec::new();
        for _ in 0..16 {
            let response = peer.recv_response(Wire::Chunked);
            assert_eq!(response.body, vec![response.sequence as u8; 300_000]);
            sequences.push(response.sequence);
        }
        sequences.sort_unstable();
        assert_eq!(sequences, (1..=16).collect::<Vec<_>>());
    });
}

#[test]
fn calls_sent_before_closing_at_once_are_handled_however_busy_the_server() {
    // H row 10, S6.
    with_every_server(|driver| {
        for order in [Order::Serial, Order::Concurrent(2)] {
            for wire in WIRES {
                let (executed, mut executions) = mpsc::unbounded_channel();
                let gate = Gate::new();
                let module = Handlers::new(7, "interop").on(700, {
                    let gate = gate.clone();
                    move |_, body: Bytes| {
                        let (gate, executed) = (gate.clone(), executed.clone());
                        async move {
                            gate.pass().await;
                            executed.send(body[0]).unwrap();
                            Ok(body)
                        }
                    }
                });
                let server = driver.start(Server::builder().order(order).module(module));
                let peer = RawPeer::connect(server.path());
                for call in 1..=20 {
                    peer.send_call(wire, 7, 700, call, &[call as u8]);
                }
                drop(peer);
                // The server is at the first, and the client gone.
                crate::support::in_order(async {
                    gate.arrived(1).await;
                    gate.open(20);
                    let mut bodies = Vec::new();
                    for _ in 0..20 {
                        bodies.extend(executions.recv().await);
                    }
                    bodies.sort_unstable();
                    assert_eq!(bodies, (1..=20).collect::<Vec<u8>>(), "{order:?} {wire:?}");
                });
            }
        }
    });
}

#[test]
fn a_half_closed_session_is_closed_after_the_replies() {
    // H row 11: and nothing is executed that was never called.
    with_every_server(|driver| {
        for order in [Order::Serial, Order::Concurrent(8)] {
            for wire in WIRES {
                let gate = Gate::new();
                let module = Handlers::new(7, "interop").on(700, {
                    let gate = gate.clone();
                    move |context: drpc::Context, body| {
                        let gate = gate.clone();
                        async move {
                            gate.pass().await;
                            // A client that waits for its replies has not left.
                            assert!(!context.is_cancelled());
                            Ok(body)
                        }
                    }
                });
                let server = driver.start(Server::builder().order(order).module(module));
                let peer = RawPeer::connect(server.path());
                for call in 1..=3 {
                    peer.send_call(wire, 7, 700, call, &[call as u8]);
                }
                peer.half_close();
                crate::support::in_order(gate.arrived(1));
                gate.open(3);
                let mut sequences: Vec<_> = (0..3).map(|_| peer.recv_response(wire).sequence).collect();
                peer.assert_closed();
                sequences.sort_unstable();
                assert_eq!(sequences, [1, 2, 3], "{order:?} {wire:?}");
                assert_eq!(gate.unnoticed(), 2);
            }
        }
    });
}

#[test]
fn a_wrong_sequence_in_a_reply_is_reported_and_not_delivered() {
    // H row 12, C5.
    with_every_client(|kind| {
        for wire in WIRES {
            let fake = Fake::listen();
            let client = kind.connect(builder(fake.path()).wire(wire)).unwrap();
            let server = fake.accept();
            thread::scope(|scope| {
                // A call without company receives on its own thread.
                let calling = scope.spawn(|| {
                    let (logs, _guard) = Logs::of_this_thread();
                    let response = client.call(7, 700, b"mine");
                    logs.assert_contain(
                        "the server answered a call that was never made; the response is dropped",
                    );
                    logs.assert_contain("sequence=9223372036854775807");
                    response
                });
                let call = server.recv_call(wire).unwrap();
                for wrong in [call.sequence + 1, 0, -1, i64::MAX] {
                    server.send_reply(wire, wrong, 0, b"another's");
                }
                server.send_reply(wire, call.sequence, 0, b"mine");
                let response = calling.join().unwrap().unwrap();
                assert_eq!((response.sequence, &response.body[..]), (1, &b"mine"[..]));
            });
        }
    });
}

#[test]
fn invalid_utf8_in_a_string_is_refused() {
    // H row 13, D4.
    with_every_server(|driver| {
        let server = driver.start(plain_server());
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            for name in [&b"\xff"[..], b"W\xc3", b"\xed\xa0\x80"] {
                let body = [&[0x0a, name.len() as u8], name].concat();
                peer.send_call(wire, 0, 0, 5, &body);
                let response = peer.recv_response(wire);
                assert_eq!(response, drpc::wire::Response::failure(5, Status::FAILED_UNMARSHAL_PAYLOAD));
            }
            peer.assert_served(wire);
        }
    });
}

#[test]
fn a_client_of_drpc_is_no_such_peer() {
    // The other way round: what our own client sends is taken by a server that is as strict as W5.
    with_every_server(|driver| {
        let server = driver.start(plain_server());
        crate::support::in_order(async {
            let client = Client::connect(server.path()).await.unwrap();
            for len in [0, 1, 131_030, 131_048, 131_049, 262_096, 300_000] {
                let body = Bytes::from(vec![b'x'; len]);
                assert_eq!(call(&client, 700, body.clone()).await.unwrap().body, body);
            }
        });
    });
}
