//! Packs (E5): many calls, and their replies, in one packet, between peers that know them; and nothing of the kind with others.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use drpc::wire::{Call, CallFields, Control, Response, ResponseFields};
use drpc::{AddedFields, CallErrorKind, CallOptions, Caller, Client, Method, Order, Server, Status, Wire};

use crate::support::{
    AnyClient, Fake, Gate, Handlers, Items, ItemsMethod, Kind, PATIENCE, RawPeer, SOON, TestServer, WIRES,
    builder, echo, frame, gated, in_order, with_every_client, with_every_server, without_response,
};

const ECHO: Method = Method::new(7, 700, "echo");

fn call(method: i32, sequence: i64, body: &[u8]) -> Call {
    Call { module: 7, method, sequence, body: Bytes::copy_from_slice(body), added: None }
}

/// The bodies of these messages, each with its length before it.
fn joined(messages: impl IntoIterator<Item = Bytes>) -> Bytes {
    let mut body = Vec::new();
    for message in messages {
        prost::encoding::encode_varint(message.len() as u64, &mut body);
        body.extend_from_slice(&message);
    }
    body.into()
}

fn pack_of(messages: impl IntoIterator<Item = Bytes>) -> Bytes {
    let added = CallFields { is_pack: true, ..CallFields::default() };
    let body = joined(messages);
    Call::<Bytes> { module: 0, method: 0, sequence: 0, body, added: Some(added.into()) }.encode()
}

fn pack(calls: &[Call]) -> Bytes {
    pack_of(calls.iter().map(Call::encode))
}

fn pack_of_responses(responses: &[Response]) -> Bytes {
    let added = ResponseFields { is_pack: true, ..ResponseFields::default() };
    let body = joined(responses.iter().map(Response::encode));
    Response::<Bytes> { body, added: Some(added.into()), ..Response::default() }.encode()
}

/// A client that has said that it takes packs, and knows that the server does.
fn packing(path: &std::path::Path, wire: Wire) -> RawPeer {
    let peer = RawPeer::connect(path);
    let asks = CallFields { takes_packs: true, ..CallFields::default() };
    peer.send_message(wire, &Call { added: Some(asks.into()), ..call(700, 1, b"first") }.encode());
    let response = peer.recv_response(wire);
    let known = ResponseFields { takes_packs: true, ..ResponseFields::default() };
    assert_eq!((&response.body[..], response.added.as_deref()), (&b"first"[..], Some(&known)));
    // That the method is quick is known from now on.
    peer.send_call(wire, 7, 700, 2, b"");
    assert_eq!(peer.recv_response(wire).sequence, 2);
    peer
}

/// The responses of one message.
fn responses(peer: &RawPeer, wire: Wire) -> Vec<Response> {
    let message = peer.recv_message(wire).expect("a response, not end of file").into();
    match Response::unpack(&message) {
        Some(packed) => packed.map(|response| Response::decode(response).unwrap()).collect(),
        None => vec![Response::decode(message).unwrap()],
    }
}

/// So many responses, in one message or in several: those that were made quickly go together, and a machine may be slow.
fn responses_to(peer: &RawPeer, wire: Wire, calls: usize) -> Vec<Response> {
    let mut answered = Vec::new();
    while answered.len() < calls {
        answered.extend(responses(peer, wire));
    }
    answered
}

fn told(responses: &[Response]) -> Vec<(i64, Status, &[u8])> {
    responses.iter().map(|response| (response.sequence, response.status, &response.body[..])).collect()
}

fn sequences(responses: &[Response]) -> Vec<i64> {
    responses.iter().map(|response| response.sequence).collect()
}

#[test]
fn calls_of_a_pack_are_answered_in_a_pack() {
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(echo()));
        for wire in WIRES {
            let peer = packing(server.path(), wire);
            let calls: Vec<_> = (3..11).map(|number| call(700, number, &[number as u8; 64])).collect();
            peer.send_message(wire, &pack(&calls));
            let first = responses(&peer, wire);
            let rest = responses_to(&peer, wire, calls.len() - first.len());
            let answered = [first, rest].concat();
            assert_eq!(sequences(&answered), [3, 4, 5, 6, 7, 8, 9, 10]);
            for (call, response) in calls.iter().zip(&answered) {
                assert_eq!((response.status, &response.body), (Status::SUCCESS, &call.body));
            }
            assert!(!peer.has_packet());
            peer.assert_served(wire);
        }
    });
}

#[test]
fn who_does_not_take_packs_is_sent_none_and_who_asks_is_answered_whatever_becomes_of_the_call() {
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(echo()));
        let peer = RawPeer::connect(server.path());
        let unasked = pack(&[call(700, 1, b"a"), call(700, 2, b"b")]);
        peer.send_message(Wire::Chunked, &unasked);
        for (sequence, body) in [(1, "a"), (2, "b")] {
            let response = peer.recv_response(Wire::Chunked);
            assert_eq!(
                (response.sequence, &response.body[..], response.added),
                (sequence, body.as_bytes(), None)
            );
        }
        let asks = CallFields { takes_packs: true, ..CallFields::default() };
        let unknown = Call { added: Some(asks.into()), ..call(799, 3, b"") };
        peer.send_message(Wire::Chunked, &unknown.encode());
        let response = peer.recv_response(Wire::Chunked);
        assert_eq!(response.status, Status::UNKNOWN_METHOD);
        assert!(response.added.unwrap().takes_packs);

        let ignores = driver.start(Server::builder().module(echo()).added_fields(false));
        let peer = RawPeer::connect(ignores.path());
        peer.send_message(Wire::Chunked, &unknown.encode());
        assert_eq!(peer.recv_response(Wire::Chunked).added, None);
        peer.send_message(Wire::Chunked, &unasked);
        assert_eq!(peer.recv_response(Wire::Chunked).status, Status::UNKNOWN_MODULE);
    });
}

#[test]
fn nothing_is_packed_where_a_pack_may_be_too_long() {
    // W6, D4: each end has a limit of its own.
    with_every_server(|driver| {
        with_every_client(|kind| {
            let module =
                || echo().on(710, |_, body| async move { Ok(vec![b'x'; usize::from(body[0]) << 10].into()) });
            for (servers, clients) in [(8 << 10, 64 << 20), (64 << 20, 8 << 10)] {
                let server = driver.start(Server::builder().module(module()).message_limit(servers));
                let builder = builder(server.path()).added_fields(AddedFields::ALL).message_limit(clients);
                let client = kind.connect(builder).unwrap();
                let method = Method::new(7, 710, "long");
                for _ in 0..2 {
                    for result in client.batch(method, &[&[2u8; 1000][..]; 100], &CallOptions::new()) {
                        assert_eq!(result.unwrap().body.len(), 2 << 10);
                    }
                }
                if servers < clients {
                    let results = client.batch(method, &[&[2u8][..], &[9], &[3]], &CallOptions::new());
                    let told: Vec<_> = results.iter().map(|result| result.as_ref().unwrap().status).collect();
                    assert_eq!(told, [Status::SUCCESS, Status::FAILED_MARSHAL, Status::SUCCESS]);
                }
            }
        });
    });
}

#[test]
fn each_call_of_a_pack_has_its_own_end() {
    // D1, D2: what is no call, and what nobody knows.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(echo()));
        let peer = packing(server.path(), Wire::Chunked);
        let messages = [
            call(700, 3, b"first").encode(),
            call(799, 4, b"").encode(),
            Bytes::from_static(b"\xff\xff"),
            Call { module: 99, ..call(700, 5, b"") }.encode(),
            call(700, 6, b"last").encode(),
        ];
        peer.send_message(Wire::Chunked, &pack_of(messages));
        let answered = responses_to(&peer, Wire::Chunked, 5);
        let expected: [(i64, Status, &[u8]); 5] = [
            (3, Status::SUCCESS, b"first"),
            (4, Status::UNKNOWN_METHOD, b""),
            (-1, Status::FAILED_UNMARSHAL_CALL, b""),
            (5, Status::UNKNOWN_MODULE, b""),
            (6, Status::SUCCESS, b"last"),
        ];
        assert_eq!(told(&answered), expected);
        peer.assert_served(Wire::Chunked);
    });
}

#[test]
fn what_is_no_sound_pack_is_a_call_that_nobody_knows() {
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(echo()));
        let peer = RawPeer::connect(server.path());
        let short = call(700, 1, b"").encode();
        let within_another = pack(&[call(700, 1, b"in a pack in a pack")]);
        let too_many = pack_of(std::iter::repeat_n(short, 129));
        let none = pack_of([]);
        let too_long = pack(&[call(700, 1, &[0; 20_000])]);
        for message in [pack_of([within_another]), too_many, none, too_long] {
            peer.send_message(Wire::Chunked, &message);
            let response = peer.recv_response(Wire::Chunked);
            assert_eq!((response.sequence, response.status), (0, Status::UNKNOWN_MODULE));
        }
        peer.assert_served(Wire::Chunked);
    });
}

#[test]
fn no_reply_waits_for_a_handler_that_waits() {
    with_every_server(|driver| {
        let gate = Gate::new();
        let server = driver.start(Server::builder().module(gated(&gate)));
        let peer = packing(server.path(), Wire::Chunked);
        peer.send_message(Wire::Chunked, &pack(&[call(700, 3, b""), call(705, 4, b""), call(700, 5, b"")]));
        assert_eq!(sequences(&responses(&peer, Wire::Chunked)), [3]);
        gate.open(1);
        assert_eq!(sequences(&responses_to(&peer, Wire::Chunked, 2)), [4, 5]);
    });
}

#[test]
fn no_reply_waits_for_a_handler_that_blocks_if_that_can_be_known() {
    with_every_server(|driver| {
        let (go_on, blocks) = mpsc::channel::<()>();
        let blocks = Arc::new(Mutex::new(blocks));
        let module = echo().on(706, move |_, body| {
            blocks.lock().unwrap().recv().unwrap();
            // However soon it was let go, it is not quick.
            thread::sleep(Duration::from_millis(1));
            async { Ok(body) }
        });
        let server = driver.start(Server::builder().module(module));
        let peer = packing(server.path(), Wire::Chunked);
        // It was never carried out, and then it was slow.
        for _ in 0..2 {
            peer.send_message(
                Wire::Chunked,
                &pack(&[call(700, 3, b""), call(700, 4, b""), call(706, 5, b"")]),
            );
            assert_eq!(sequences(&responses_to(&peer, Wire::Chunked, 2)), [3, 4]);
            go_on.send(()).unwrap();
            assert_eq!(sequences(&responses(&peer, Wire::Chunked)), [5]);
        }
    });
}

#[test]
fn no_reply_waits_for_a_call_that_is_not_in_its_pack() {
    with_every_server(|driver| {
        let gate = Gate::new();
        let (go_on, blocks) = mpsc::channel::<()>();
        let blocks = Arc::new(Mutex::new(blocks));
        let module = gated(&gate).on(706, move |_, body| {
            blocks.lock().unwrap().recv().unwrap();
            async { Ok(body) }
        });
        let server = driver.start(Server::builder().order(Order::Concurrent(4)).module(module));
        let peer = packing(server.path(), Wire::Chunked);
        // All of these have come when the first is done.
        for (sequence, method) in (3..).zip([706, 705, 700, 706]) {
            peer.send_message(Wire::Chunked, &call(method, sequence, b"").encode());
        }
        go_on.send(()).unwrap();
        // In threads, the last one may be let go first.
        assert!(sequences(&responses_to(&peer, Wire::Chunked, 2)).contains(&5));
        go_on.send(()).unwrap();
        gate.open(1);
        responses_to(&peer, Wire::Chunked, 2);
    });
}

#[test]
fn a_handler_that_blocks_before_it_waits_is_not_quick() {
    with_every_server(|driver| {
        let gate = Gate::new();
        let (go_on, blocks) = mpsc::channel::<()>();
        let (held, blocks) = (gate.clone(), Arc::new(Mutex::new(blocks)));
        let module = echo().on(707, move |_, body| {
            let held = held.clone();
            if body.is_empty() {
                blocks.lock().unwrap().recv().unwrap();
                // However soon it was let go.
                thread::sleep(Duration::from_millis(1));
            }
            async move {
                if body.is_empty() {
                    held.pass().await;
                }
                Ok(body)
            }
        });
        let server = driver.start(Server::builder().module(module));
        let peer = packing(server.path(), Wire::Chunked);
        peer.send_message(Wire::Chunked, &pack(&[call(707, 3, b"quick"), call(700, 4, b"")]));
        responses_to(&peer, Wire::Chunked, 2);
        // That it was quick once is what is known of it, and then that it was not.
        for waits in [true, false] {
            peer.send_message(Wire::Chunked, &pack(&[call(700, 5, b""), call(707, 6, b"")]));
            if waits {
                go_on.send(()).unwrap();
            }
            assert_eq!(sequences(&responses(&peer, Wire::Chunked)), [5]);
            if !waits {
                go_on.send(()).unwrap();
            }
            gate.open(1);
            assert_eq!(sequences(&responses(&peer, Wire::Chunked)), [6]);
        }
    });
}

#[test]
fn what_a_client_may_say_of_calls_costs_its_session_little() {
    // Calls that are read before there is room for them: by themselves, in packs, and with a long message in the same pack.
    let empty = frame(b"");
    let one = call(700, 9, b"").encode();
    let tiny = frame(&pack_of(std::iter::repeat_n(Bytes::from_static(b"\x18\x01"), 128)));
    let item = CallFields { control: Some(Control::Item), ..CallFields::default() };
    let item = Call { module: 0, added: Some(item.into()), ..call(0, 99, &[7; 15_000]) };
    let beside = frame(&pack_of([one, item.encode()]));
    for packet in [empty, tiny, beside] {
        let gate = Gate::new();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let mut server =
            Server::builder().allow_unlisted().module(gated(&gate)).bind_progress(&path).unwrap();
        let peer = RawPeer::connect(&path);
        let asks = CallFields { takes_packs: true, asks_control: true, ..CallFields::default() };
        peer.send_message(Wire::Chunked, &Call { added: Some(asks.into()), ..call(705, 1, b"") }.encode());
        while gate.unnoticed() == 0 {
            server.progress(SOON).unwrap();
        }
        let mut sent = 0;
        loop {
            if peer.try_send(&packet) {
                sent += 1;
                assert!(sent < 2000, "all is taken of packets of {} bytes", packet.len());
            } else if server.progress(Duration::ZERO).unwrap().is_idle() {
                break;
            }
        }
    }
}

#[test]
fn a_session_with_packs_has_no_step_to_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s");
    // Ready the second time that it is asked.
    let module = echo().on(711, |_, body| async move {
        tokio::task::yield_now().await;
        Ok(body)
    });
    let mut server = Server::builder().allow_unlisted().module(module).bind_progress(&path).unwrap();
    let peer = RawPeer::connect(&path);
    let asks = CallFields { takes_packs: true, ..CallFields::default() };
    peer.send_message(Wire::Chunked, &Call { added: Some(asks.into()), ..call(700, 1, b"") }.encode());
    while server.progress(SOON).unwrap().replies() == 0 {}
    for _ in 0..100 {
        peer.send_message(Wire::Chunked, &pack(&[call(711, 2, b""), call(700, 3, b"")]));
    }
    let (mut calls, mut replies) = (0, 0);
    while replies < 200 {
        let step = server.progress(SOON).unwrap();
        assert!(step.calls() <= 66, "{} calls in one step", step.calls());
        (calls, replies) = (calls + step.calls(), replies + step.replies());
    }
    assert_eq!((calls, replies), (200, 200));
}

#[test]
fn calls_of_a_pack_run_side_by_side_where_they_may() {
    with_every_server(|driver| {
        let gate = Gate::new();
        let server = driver.start(Server::builder().order(Order::Concurrent(3)).module(gated(&gate)));
        let peer = packing(server.path(), Wire::Chunked);
        peer.send_message(
            Wire::Chunked,
            &pack(&[call(705, 3, b""), call(700, 4, b""), call(705, 5, b""), call(700, 6, b"")]),
        );
        let quick = responses_to(&peer, Wire::Chunked, 2);
        assert_eq!(sequences(&quick), [4, 6]);
        gate.open(2);
        let mut held = responses_to(&peer, Wire::Chunked, 2);
        held.sort_by_key(|response| response.sequence);
        assert_eq!(sequences(&held), [3, 5]);
    });
}

#[test]
fn more_calls_than_may_run_wait_in_their_pack() {
    with_every_server(|driver| {
        let gate = Gate::new();
        let builder = Server::builder().order(Order::Concurrent(2)).call_limit(3).module(gated(&gate));
        let server = driver.start(builder);
        let peers = [packing(server.path(), Wire::Chunked), packing(server.path(), Wire::Plain)];
        let calls: Vec<_> = (3..10).map(|sequence| call(705, sequence, b"")).collect();
        for (peer, wire) in peers.iter().zip([Wire::Chunked, Wire::Plain]) {
            peer.send_message(wire, &pack(&calls));
        }
        gate.open(14);
        for (peer, wire) in peers.iter().zip([Wire::Chunked, Wire::Plain]) {
            let mut answered = responses_to(peer, wire, 7);
            answered.sort_by_key(|response| response.sequence);
            assert_eq!(sequences(&answered), [3, 4, 5, 6, 7, 8, 9]);
        }
    });
}

#[test]
fn replies_of_every_length_keep_their_order() {
    // W10, D4: short ones go together, long ones by themselves, and what is too long fails alone.
    with_every_server(|driver| {
        let module = Handlers::new(7, "long")
            .on(700, |_, body| async { Ok(body) })
            .on(710, |_, body| async move { Ok(vec![b'x'; usize::from(body[0]) << 12].into()) });
        let server = driver.start(Server::builder().module(module).message_limit(500_000));
        for (wire, longest) in [(Wire::Chunked, 100), (Wire::Plain, 20)] {
            let peer = packing(server.path(), wire);
            let units = [0, 1, 3, longest, 0, 2, 200, 4, 0, 0, longest, 1];
            let calls: Vec<_> = units.iter().zip(3..).map(|(units, at)| call(710, at, &[*units])).collect();
            for _ in 0..2 {
                peer.send_message(wire, &pack(&calls));
                let answered = responses_to(&peer, wire, units.len());
                for ((response, units), sequence) in answered.iter().zip(units).zip(3..) {
                    let expected = match units {
                        200 => (sequence, Status::FAILED_MARSHAL, 0),
                        units => (sequence, Status::SUCCESS, usize::from(units) << 12),
                    };
                    assert_eq!((response.sequence, response.status, response.body.len()), expected);
                }
            }
        }
    });
}

#[test]
fn what_came_in_a_pack_is_executed_whoever_leaves() {
    // S6, S7: a client that leaves, and a server that stops.
    with_every_server(|driver| {
        let gate = Gate::new();
        let server = driver.start(Server::builder().module(gated(&gate)));
        let calls: Vec<_> = (3..8).map(|sequence| call(705, sequence, b"")).collect();
        let peer = packing(server.path(), Wire::Chunked);
        peer.send_message(Wire::Chunked, &pack(&calls));
        in_order(gate.arrived(1));
        drop(peer);
        gate.open(5);
        in_order(gate.arrived(4));

        let peer = packing(server.path(), Wire::Chunked);
        peer.send_message(Wire::Chunked, &pack(&calls));
        in_order(gate.arrived(1));
        server.handle().shutdown();
        gate.open(5);
        let answered = responses_to(&peer, Wire::Chunked, 5);
        assert_eq!(sequences(&answered), [3, 4, 5, 6, 7]);
        peer.assert_closed();
        server.wait();
    });
}

#[test]
fn every_client_packs_for_a_server_that_takes_packs_and_for_no_other() {
    with_every_client(|kind| {
        for wire in WIRES {
            let fake = Fake::listen();
            let client =
                kind.connect(builder(fake.path()).wire(wire).added_fields(AddedFields::PACKS)).unwrap();
            let server = fake.accept();
            let batch = |bodies: &[&[u8]], answer: &dyn Fn()| {
                thread::scope(|scope| {
                    let calling = scope.spawn(|| client.batch(ECHO, bodies, &CallOptions::new()));
                    answer();
                    let results = calling.join().unwrap().into_iter().map(Result::unwrap);
                    results.map(|response| (response.sequence, response.body)).collect::<Vec<_>>()
                })
            };
            let reply = |sequence: i64, body: &str| Response::<Bytes> {
                sequence,
                body: body.to_owned().into(),
                ..Response::default()
            };
            // It is asked, and does not say.
            let results = batch(&[b"a", b"b", b"c"], &|| {
                for sequence in 1..4 {
                    let call = server.recv_call(wire).unwrap();
                    assert_eq!(call.sequence, sequence);
                    assert!(call.added.unwrap().takes_packs);
                    server.send_message(wire, &reply(sequence, "one").encode());
                }
            });
            assert_eq!(results, [(1, "one".into()), (2, "one".into()), (3, "one".into())]);
            // It says.
            let results = batch(&[b"a", b"b", b"c"], &|| {
                for _ in 4..7 {
                    assert!(server.recv_call(wire).unwrap().added.unwrap().takes_packs);
                }
                for sequence in 4..7 {
                    let known = ResponseFields { takes_packs: true, ..ResponseFields::default() };
                    let response = Response { added: Some(known.into()), ..reply(sequence, "") };
                    server.send_message(wire, &response.encode());
                }
            });
            assert_eq!(results.len(), 3);
            // It is sent packs, and sends some; in any order (C5).
            let bodies: Vec<_> = (0..100u8).map(|number| [number]).collect();
            let results = batch(&bodies.iter().map(|body| &body[..]).collect::<Vec<_>>(), &|| {
                let (mut packets, mut replies) = (0, Vec::new());
                while replies.len() < bodies.len() {
                    let message = Bytes::from(server.recv_message(wire).unwrap());
                    for call in Call::unpack(&message).map_or(vec![message], Iterator::collect) {
                        let Call { sequence, body, added, .. } = Call::decode(call).unwrap();
                        assert_eq!(added, None);
                        replies.push(Response { sequence, body, ..Response::default() });
                    }
                    packets += 1;
                }
                assert!(packets < bodies.len(), "each call went by itself");
                replies.push(reply(999, "nobody's"));
                replies.reverse();
                server.send_message(wire, &pack_of_responses(&replies));
            });
            assert_eq!(results.len(), bodies.len());
            for ((sequence, body), expected) in results.iter().zip(bodies) {
                assert_eq!((*sequence, &body[..]), (7 + i64::from(expected[0]), &expected[..]));
            }
        }
    });
}

#[test]
fn every_client_and_every_server_agree_on_bodies_of_every_length() {
    with_every_server(|driver| {
        with_every_client(|kind| {
            for order in [Order::Serial, Order::Concurrent(8)] {
                let server = driver.start(Server::builder().module(echo()).order(order));
                let client = kind.connect(builder(server.path()).added_fields(AddedFields::ALL)).unwrap();
                let bodies: Vec<Vec<u8>> = (0..600usize)
                    .map(|at| vec![at as u8; [0, 1, 64, 4095, 4097, 20_000, 200_000][at % 7]])
                    .collect();
                let bodies: Vec<&[u8]> = bodies.iter().map(Vec::as_slice).collect();
                for _ in 0..2 {
                    let results = client.batch(ECHO, &bodies, &CallOptions::new());
                    for (body, result) in bodies.iter().zip(results) {
                        assert!(result.unwrap().body == *body, "{} bytes", body.len());
                    }
                }
                let sent = client.batch(ECHO, &[&b"x"[..]; 300], &without_response());
                assert!(sent.iter().all(|result| result.as_ref().unwrap().status == Status::SUBMITTED));
                client.assert_served();
            }
        });
    });
}

#[test]
fn a_call_that_is_dropped_before_its_turn_is_not_sent() {
    // C4.
    in_order(async {
        let fake = Fake::listen();
        let client = Client::builder(fake.path()).added_fields(AddedFields::PACKS).connect().await.unwrap();
        let server = fake.accept();
        let options = CallOptions::new();
        let mut first = pin!(client.call_raw(ECHO, "first", &options));
        poll_fn(|context| Poll::Ready(first.as_mut().poll(context).is_pending())).await;
        assert_eq!(server.recv_call(Wire::Chunked).unwrap().sequence, 1);
        let known = ResponseFields { takes_packs: true, ..ResponseFields::default() };
        let response = Response::<Bytes> { sequence: 1, added: Some(known.into()), ..Response::default() };
        server.send_message(Wire::Chunked, &response.encode());
        first.await.unwrap();

        let mut alone = pin!(client.call_raw(ECHO, "alone", &options));
        let mut kept = pin!(client.call_raw(ECHO, "kept", &options));
        {
            let mut dropped = pin!(client.call_raw(ECHO, "dropped", &options));
            poll_fn(|context| {
                let polled = [
                    alone.as_mut().poll(context),
                    dropped.as_mut().poll(context),
                    kept.as_mut().poll(context),
                ];
                assert!(polled.iter().all(Poll::is_pending));
                Poll::Ready(())
            })
            .await;
        }
        let server = tokio::task::spawn_blocking(move || {
            for body in ["alone", "kept"] {
                let call = server.recv_call(Wire::Chunked).unwrap();
                assert_eq!(call.body, body);
                server.send_reply(Wire::Chunked, call.sequence, 0, &call.body);
            }
            server
        });
        assert_eq!(alone.await.unwrap().body, "alone");
        assert_eq!(kept.await.unwrap().body, "kept");
        drop(server.await.unwrap());
    });
}

/// Has a client learn, from the answer to its first call, that its server takes packs.
fn learn(client: &AnyClient, server: &RawPeer) {
    thread::scope(|scope| {
        let calling = scope.spawn(|| client.call(7, 700, b""));
        let known = ResponseFields { takes_packs: true, ..ResponseFields::default() };
        let sequence = server.recv_call(Wire::Chunked).unwrap().sequence;
        let response = Response::<Bytes> { sequence, added: Some(known.into()), ..Response::default() };
        server.send_message(Wire::Chunked, &response.encode());
        calling.join().unwrap().unwrap();
    });
}

#[test]
fn a_pack_that_is_lost_is_no_call_that_was_not_sent() {
    // C7: what was sent may have been executed, in a pack too.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).added_fields(AddedFields::PACKS)).unwrap();
        let server = fake.accept();
        learn(&client, &server);
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.batch(ECHO, &[b"a", b"b", b"c"], &CallOptions::new()));
            let mut received = 0;
            while received < 3 {
                let message = server.recv_message(Wire::Chunked).unwrap().into();
                received += Call::unpack(&message).map_or(1, |calls| calls.len());
            }
            drop(server);
            for result in calling.join().unwrap() {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), CallErrorKind::Disconnected, "{error}");
            }
        });
    });
}

#[test]
fn of_a_pack_that_was_never_sent_no_call_may_have_been_executed() {
    // C7. The socket takes some packs, and then no more, until its server is gone.
    let fake = Fake::listen();
    let client = Kind::Blocking.connect(builder(fake.path()).added_fields(AddedFields::PACKS)).unwrap();
    let server = fake.accept();
    learn(&client, &server);
    thread::scope(|scope| {
        let calling = scope.spawn(|| client.batch(ECHO, &[&[7; 3000][..]; 2000], &CallOptions::new()));
        while !server.has_packet() {
            thread::yield_now();
        }
        // It has closed its end before anything was taken.
        drop(server);
        let errors: Vec<_> = calling.join().unwrap().into_iter().map(|result| result.unwrap_err()).collect();
        let sent = errors.iter().take_while(|error| !error.is_retryable()).count();
        assert!(errors[sent..].iter().all(|error| error.is_retryable()), "{:?}", &errors[sent..sent + 3]);
        assert!((1..2000).contains(&sent), "{sent} were sent");
    });
}

#[test]
fn an_upload_that_waits_behind_a_call_goes_on_when_that_is_dropped() {
    in_order(async {
        let server = TestServer::start(Server::builder().module(echo()).module(Items));
        let builder = builder(server.path()).added_fields(AddedFields::ALL).server_answers_in_order(false);
        let client = builder.connect().await.unwrap();
        let options = CallOptions::new();
        client.call_raw(ECHO, "first", &options).await.unwrap();
        let opening = client.upload::<_, Bytes, Bytes>(ItemsMethod::Count.method(), Bytes::new(), &options);
        let mut upload = opening.await.unwrap();
        {
            let mut sending = pin!(upload.send("item".into()));
            let mut dropped = Some(Box::pin(client.call_raw(ECHO, "dropped", &options)));
            // It is asked again only if it is woken.
            let sent = poll_fn(|context| match dropped.take() {
                Some(mut dropped) => {
                    assert!(dropped.as_mut().poll(context).is_pending());
                    assert!(sending.as_mut().poll(context).is_pending());
                    Poll::Pending
                }
                None => sending.as_mut().poll(context),
            });
            tokio::select! {
                biased;
                () = tokio::time::sleep(PATIENCE) => panic!("nobody has woken the upload"),
                sent = sent => sent.unwrap(),
            }
        }
        assert_eq!(upload.finish().await.unwrap(), "4");
    });
}
