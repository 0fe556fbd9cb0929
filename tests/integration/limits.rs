//! What a server's clients may take up, and that one at its limit disturbs nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use drpc::wire::{Call, CallFields, Control, Credit};
use drpc::{
    Bytes, Context, Failure, Incoming, Order, PeerCredentials, Server, ServerBuilder, Status, Stream, Wire,
    drpc_module,
};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use crate::support::{
    Gate, Handlers, Logs, PATIENCE, RawPeer, RunningMemory, SOON, WIRES, call, echo, frame, gated, header,
    in_order, interop, isolated, packets_of, patiently, with_every_server,
};

#[test]
fn sessions_beyond_the_limit_are_closed_and_one_that_leaves_makes_room() {
    with_every_server(|driver| {
        // Of all, and of one user.
        for builder in [
            Server::builder().session_limit(2),
            Server::builder().session_limit_per_uid(2),
            Server::builder().session_limit(9).session_limit_per_uid(2),
        ] {
            let (logs, _guard) = Logs::of_this_thread();
            let (ended, mut ends) = mpsc::unbounded_channel();
            let builder = builder.on_close(move |session| ended.send(session.id()).unwrap());
            let server = driver.start(builder.module(interop()));
            let peers = [RawPeer::connect(server.path()), RawPeer::connect(server.path())];
            for round in 0..3 {
                peers.iter().for_each(|peer| peer.assert_served(Wire::Chunked));
                RawPeer::connect(server.path()).assert_closed();
                logs.assert_contain("are open, and no more may be");
                if round == 2 {
                    break;
                }
            }
            let [leaves, stays] = peers;
            drop(leaves);
            in_order(ends.recv()).unwrap();
            RawPeer::connect(server.path()).assert_served(Wire::Plain);
            stays.assert_served(Wire::Chunked);
        }
    });
}

#[test]
fn a_limit_of_none_at_all_is_taken_as_one() {
    with_every_server(|driver| {
        let server = Server::builder()
            .session_limit(0)
            .session_limit_per_uid(0)
            .call_limit(0)
            .order(Order::Concurrent(0))
            .module(interop());
        let server = driver.start(server);
        let peer = RawPeer::connect(server.path());
        peer.assert_served(Wire::Chunked);
        RawPeer::connect(server.path()).assert_closed();
    });
}

#[test]
fn no_more_calls_run_than_the_server_has_room_for_and_all_are_answered() {
    let limits: [fn(ServerBuilder) -> ServerBuilder; 3] = [
        |builder| builder.call_limit(3),
        |builder| builder.call_limit_per_uid(3),
        |builder| builder.call_limit(8).call_limit_per_uid(3),
    ];
    with_every_server(|driver| {
        limits.iter().for_each(|limited| {
            // Of all sessions together, whatever each may run by itself.
            let running = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
            let module = Handlers::new(7, "interop").on(700, {
                let running = running.clone();
                move |_, body| {
                    let running = running.clone();
                    async move {
                        let (now, most) = (&running.0, &running.1);
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        for _ in 0..3 {
                            tokio::task::yield_now().await;
                        }
                        now.fetch_sub(1, Ordering::SeqCst);
                        Ok(body)
                    }
                }
            });
            let builder = Server::builder().order(Order::Concurrent(8)).module(module);
            let server = driver.start(limited(builder));
            let peers: Vec<_> = (0..10).map(|_| RawPeer::connect(server.path())).collect();
            for (place, peer) in peers.iter().enumerate() {
                let wire = WIRES[place % 2];
                (0..20).for_each(|sequence| peer.send_call(wire, 7, 700, sequence, b"x"));
            }
            for (place, peer) in peers.iter().enumerate() {
                let mut sequences: Vec<_> =
                    (0..20).map(|_| peer.recv_response(WIRES[place % 2]).sequence).collect();
                sequences.sort_unstable();
                assert_eq!(sequences, (0..20).collect::<Vec<_>>());
            }
            let most = running.1.load(Ordering::SeqCst);
            assert!((1..=3).contains(&most), "{most} calls ran at once");
        });
    });
}

#[tokio::test]
async fn a_user_who_takes_all_that_is_theirs_leaves_others_the_rest() {
    let gate = Gate::new();
    let builder = Server::builder().order(Order::Concurrent(16)).call_limit(4).call_limit_per_uid(3);
    let server = drpc::testing::server_of(builder.module(gated(&gate))).unwrap();
    let [greedy, modest] =
        [1000, 1001].map(|uid| server.clone().peer(PeerCredentials::new(uid, uid)).client());
    let waits: Vec<_> = (0..10).map(|_| tokio::spawn(call(&greedy, 705, ""))).collect();
    gate.arrived(3).await;
    assert_eq!(call(&modest, 700, "my turn").await.unwrap().body, "my turn");
    gate.open(10);
    for waits in waits {
        waits.await.unwrap().unwrap();
    }
}

#[test]
fn a_request_that_is_decoded_has_a_limit_of_its_own() {
    with_every_server(|driver| {
        // What would become many times as much once it is decoded, where each field counts 64 bytes; the setting is named.
        for (limit, by_server) in [(None, 4 << 20), (Some(6400), 6400)] {
            let by_method = 6 << 20;
            let (logs, _guard) = Logs::of_this_thread();
            let builder = Server::builder().allow_unlisted().module(Decoding);
            let builder = match limit {
                Some(bytes) => builder.request_limit(bytes),
                None => builder,
            };
            let server = driver.start(builder);
            let peer = RawPeer::connect(server.path());
            let status = |method, len: usize| {
                peer.send_call(Wire::Chunked, 7, method, 1, &[0x0a, 0x00].repeat(len / 2));
                peer.recv_response(Wire::Chunked).status
            };
            let long = |method, len: usize| {
                // One field of so many bytes, which the message does not know.
                let mut body = vec![0x12];
                prost::encoding::encode_varint(len as u64, &mut body);
                body.resize(body.len() + len, 7);
                peer.send_call(Wire::Chunked, 7, method, 1, &body);
                peer.recv_response(Wire::Chunked).status
            };
            for (method, limit) in [(701, by_server), (702, by_method)] {
                assert_eq!(status(method, limit / 32), Status::SUCCESS);
                assert_eq!(status(method, limit / 32 + 2), Status::FAILED_UNMARSHAL_PAYLOAD);
                logs.assert_contain("each of which counts 64 bytes at least, and no more than");
                assert_eq!(long(method, limit - 8), Status::SUCCESS);
                assert_eq!(long(method, limit), Status::FAILED_UNMARSHAL_PAYLOAD);
            }
            logs.assert_contain("`ServerBuilder::request_limit`");
            assert_eq!(status(703, 20 << 20), Status::SUCCESS);
        }
    });
}

#[test]
fn a_server_that_is_open_to_all_holds_no_more_of_a_user_than_the_guide_says() {
    isolated("limits::a_server_that_is_open_to_all_holds_no_more_of_a_user_than_the_guide_says", || {
        with_every_server(|driver| {
            let gate = Gate::new();
            let builder = Server::builder().open_to_all().allow_unlisted();
            let server = driver.start(builder.module(gated(&gate)).module(Holding(gate.clone())));
            let peers: Vec<_> = (0..32).map(|_| RawPeer::connect(server.path())).collect();
            peers.iter().for_each(|peer| peer.send_call(Wire::Chunked, 7, 705, 0, b""));
            in_order(gate.arrived(32));
            // One session more is refused.
            RawPeer::connect(server.path()).assert_closed();
            gate.open(32);
            peers.iter().for_each(|peer| drop(peer.recv_response(Wire::Chunked)));

            // Each a call as long as may be: its last packet held back, then carried out.
            let before = RunningMemory::now();
            let call = Call::<Bytes> {
                module: 7,
                method: 705,
                sequence: 1,
                body: vec![1; (1 << 20) - 64].into(),
                added: None,
            };
            let packets = packets_of(Wire::Chunked, &call.encode());
            let (last, first) = packets.split_last().unwrap();
            peers.iter().for_each(|peer| first.iter().for_each(|packet| peer.send(packet)));
            let now = RunningMemory::now();
            assert!(now.resident < before.resident + (48 << 20), "{before:?} {now:?}");
            peers.iter().for_each(|peer| peer.send(last));
            in_order(gate.arrived(32));
            let now = RunningMemory::now();
            assert!(now.resident < before.resident + (48 << 20), "{before:?} {now:?}");
            gate.open(32);
            peers.iter().for_each(|peer| drop(peer.recv_response(Wire::Chunked)));

            // Each a stream that it sends, of as many items as may wait, in packets that are longer than these.
            let before = RunningMemory::now();
            let sends = CallFields { sends_items: true, ..CallFields::default() };
            let added = Some(Box::new(sends));
            let opening = Call::<Bytes> { module: 8, method: 802, sequence: 4, body: Bytes::new(), added };
            let added = Some(CallFields { control: Some(Control::Item), ..CallFields::default() }.into());
            let item = Call::<Bytes> { sequence: 4, body: vec![1; 55].into(), added, ..Call::default() };
            // With a field that nobody knows, of which an item makes a little more than half.
            let padding = 108 - item.encode().len() - 2;
            let item = frame(&[&item.encode()[..], &[0x7a, padding as u8], &vec![1; padding]].concat());
            peers.iter().for_each(|peer| peer.send_message(Wire::Chunked, &opening.encode()));
            for peer in &peers {
                assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
                (0..4096).for_each(|_| peer.send(&item));
            }
            let now = RunningMemory::now();
            assert!(now.resident < before.resident + (40 << 20), "{before:?} {now:?}");
            in_order(gate.arrived(32));
            gate.open(32);
            // It may be told first that no more items are taken.
            peers.iter().for_each(|peer| while peer.recv_response(Wire::Chunked).part().is_some() {});

            // Each a request that grows as it is decoded.
            let before = RunningMemory::now();
            let grows = [0x0a, 0].repeat(1 << 10);
            peers.iter().for_each(|peer| peer.send_call(Wire::Chunked, 8, 801, 2, &grows));
            in_order(gate.arrived(32));
            let now = RunningMemory::now();
            // 32 requests of 1,024 messages of 72 bytes.
            assert!(now.resident < before.resident + (12 << 20), "{before:?} {now:?}");
            gate.open(32);
            for peer in &peers {
                assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
                peer.send_call(Wire::Chunked, 8, 801, 3, &[0x0a, 0].repeat((1 << 10) + 1));
                assert_eq!(peer.recv_response(Wire::Chunked).status, Status::FAILED_UNMARSHAL_PAYLOAD);
                // A longer message ends its session.
                peer.send(&header((1 << 20) + 1, 5, 0, 2).into_iter().chain(*b"01234").collect::<Vec<_>>());
                assert_eq!(peer.recv_response(Wire::Chunked).sequence, -1);
                peer.assert_closed();
            }
        });
    });
}

#[test]
fn what_a_user_does_not_read_of_a_server_that_is_open_to_all_is_bounded() {
    isolated("limits::what_a_user_does_not_read_of_a_server_that_is_open_to_all_is_bounded", || {
        with_every_server(|driver| {
            let gate = Gate::new();
            let builder = Server::builder().open_to_all().allow_unlisted();
            let server = driver.start(builder.module(gated(&gate)).module(Holding(gate.clone())));
            let peers: Vec<_> = (0..31).map(|_| RawPeer::connect(server.path())).collect();
            let other = RawPeer::connect(server.path());
            peers.iter().for_each(|peer| peer.assert_served(Wire::Chunked));
            other.assert_served(Wire::Chunked);

            // Replies as long as may be, and more of them asked for.
            let before = RunningMemory::now();
            for peer in &peers {
                (0..4).for_each(|sequence| peer.send_call(Wire::Chunked, 8, 803, sequence, b""));
            }
            in_order(gate.arrived(31));
            other.assert_served(Wire::Chunked);
            let now = RunningMemory::now();
            assert!(now.resident < before.resident + (48 << 20), "{before:?} {now:?}");
            for peer in &peers {
                for sequence in 0..4 {
                    let response = peer.recv_response(Wire::Chunked);
                    assert_eq!((response.sequence, response.status), (sequence, Status::SUCCESS));
                }
            }
            in_order(gate.arrived(3 * 31));

            // Calls behind one that runs, of clients that may say something of it.
            let before = RunningMemory::now();
            let added = Some(CallFields { asks_control: true, ..CallFields::default() }.into());
            let waits = Call::<Bytes> { module: 7, method: 705, sequence: 1, body: Bytes::new(), added };
            let behind = Call {
                method: 700,
                sequence: 2,
                added: None,
                body: vec![1; 1 << 10].into(),
                ..waits.clone()
            };
            let behind = frame(&behind.encode());
            let mut sent = Vec::new();
            for peer in &peers {
                peer.send_message(Wire::Chunked, &waits.encode());
                let mut calls = 0;
                while calls < 1000 && peer.try_send(&behind) {
                    calls += 1;
                }
                sent.push(calls);
            }
            in_order(gate.arrived(31));
            // That all is read has no event: it grows no more.
            let mut last = 0;
            loop {
                (0..100).for_each(|_| other.assert_served(Wire::Chunked));
                let now = RunningMemory::now().resident;
                if now <= last {
                    break;
                }
                last = now;
            }
            assert!(last < before.resident + (12 << 20), "{before:?} {last}");
            gate.open(31);
            for (peer, calls) in peers.iter().zip(sent) {
                (0..=calls)
                    .for_each(|_| assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS));
            }

            // Streams without end, as many as there may be.
            let before = RunningMemory::now();
            let credit = Some(Credit { items: u32::MAX, bytes: u64::MAX });
            let added = Some(Box::new(CallFields { credit, ..CallFields::default() }));
            let pours = Call::<Bytes> { module: 8, method: 804, sequence: 3, body: Bytes::new(), added };
            for sequence in 0..100 {
                let pours = Call { sequence, ..pours.clone() }.encode();
                peers.iter().for_each(|peer| while !peer.try_send(&frame(&pours)) {});
            }
            (0..100).for_each(|_| other.assert_served(Wire::Chunked));
            let now = RunningMemory::now();
            assert!(now.resident < before.resident + (48 << 20), "{before:?} {now:?}");
        });
    });
}

#[tokio::test]
async fn all_users_of_a_server_that_is_open_to_all_can_make_it_hold_no_more_than_the_guide_says() {
    let gate = Gate::new();
    let server = drpc::testing::server_of(Server::builder().open_to_all().module(gated(&gate))).unwrap();
    let body = Bytes::from(vec![1; (1 << 20) - 64]);
    let refused = Arc::new(AtomicUsize::new(0));
    let (mut held, mut calls, mut clients) = (Vec::new(), Vec::new(), Vec::new());
    for uid in 1000..1016 {
        for _ in 0..32 {
            let client = server.clone().peer(PeerCredentials::new(uid, uid)).client();
            let (calling, body, refused) = (client.clone(), body.clone(), refused.clone());
            clients.push(client);
            calls.push(tokio::spawn(async move {
                let answered = call(&calling, 705, body).await;
                let is_held = answered.is_ok_and(|response| response.status == Status::SUCCESS);
                refused.fetch_add(usize::from(!is_held), Ordering::SeqCst);
            }));
        }
        let all = calls.len();
        patiently("calls", async {
            while gate.unnoticed() + refused.load(Ordering::SeqCst) < all {
                tokio::task::yield_now().await;
            }
        })
        .await;
        held.push(gate.unnoticed());
    }
    // Two have all that they may; of what is left, each further one has half at most.
    assert_eq!(held[..2], [32, 64], "{held:?}");
    assert!((100..=128).contains(held.last().unwrap()), "{held:?}");
    gate.open(calls.len());
}

/// Methods that decode, and one that does not.
struct Decoding;

#[drpc_module(id = 7, unlisted)]
impl Decoding {
    #[method(1)]
    fn decodes(&self, _: Many) {}

    #[method(2, request_limit = "6MiB")]
    fn decodes_more(&self, _: Many) {}

    #[method(3)]
    fn takes_bytes(&self, _: Bytes) {}
}

#[derive(Clone, PartialEq, prost::Message)]
struct Many {
    #[prost(message, repeated, tag = "1")]
    empty: Vec<()>,
}

/// A module whose handler keeps what it was asked until the gate opens.
struct Holding(Gate);

#[drpc_module(id = 8, unlisted)]
impl Holding {
    #[method(1)]
    async fn hold(&self, request: Growing) {
        self.0.pass().await;
        drop(request);
    }

    /// As long as a reply of `open_to_all` may be.
    #[method(3)]
    async fn tell(&self, _request: Bytes) -> Bytes {
        self.0.arrive();
        vec![7; (1 << 20) - 64].into()
    }

    /// Items without end, each as long as may be without being counted.
    #[method(4, stream)]
    fn pour(&self) -> impl Stream<Item = Result<Bytes, Failure>> + use<> {
        stream::repeat(()).map(|()| Ok(vec![7; 16 << 10].into()))
    }

    /// Takes no item until the gate opens.
    #[method(2, stream)]
    async fn leave(&self, _request: Bytes, items: Incoming<Bytes>) {
        self.0.pass().await;
        drop(items);
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Growing {
    #[prost(message, repeated, tag = "1")]
    empty: Vec<Wide>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wide {
    #[prost(string, tag = "1")]
    one: String,
    #[prost(string, tag = "2")]
    two: String,
    #[prost(string, tag = "3")]
    three: String,
}

#[test]
fn a_session_that_asks_for_all_the_room_leaves_others_their_turn() {
    with_every_server(|driver| {
        // Room goes to those who wait, in the order of their coming.
        let gate = Gate::new();
        let builder = Server::builder().order(Order::Concurrent(100)).call_limit(2).module(gated(&gate));
        let server = driver.start(builder);
        let greedy = RawPeer::connect(server.path());
        for sequence in 0..50 {
            greedy.send_call(Wire::Chunked, 7, 705, sequence, b"");
        }
        in_order(gate.arrived(2));
        let modest = RawPeer::connect(server.path());
        modest.send_call(Wire::Chunked, 7, 700, 1, b"my turn");
        // It is behind one call of the greedy session at most, if it has been read; so a few calls later it is answered.
        gate.open(50);
        assert_eq!(modest.recv_response(Wire::Chunked).body, "my turn");
        for _ in 0..50 {
            let _ = greedy.recv_response(Wire::Chunked);
        }
    });
}

#[test]
fn a_call_that_waits_for_room_at_a_shutdown_has_its_turn() {
    with_every_server(|driver| {
        // S7: it has reached the server.
        let gate = Gate::new();
        let module = gated(&gate).on(706, |_, body| async { Ok(body) });
        let server = driver.start(Server::builder().call_limit(1).module(module));
        let runs = RawPeer::connect(server.path());
        runs.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(gate.arrived(1));
        let waits = RawPeer::connect(server.path());
        waits.send_call(Wire::Chunked, 7, 706, 1, b"");
        server.handle().shutdown();
        gate.open(1);
        assert_eq!(runs.recv_response(Wire::Chunked).sequence, 1);
        assert_eq!(waits.recv_response(Wire::Chunked).sequence, 1);
        waits.assert_closed();
        server.wait();
    });
}

#[test]
fn a_client_that_does_not_read_takes_no_room_from_others() {
    with_every_server(|driver| {
        // H: its replies wait, and neither its handlers nor its reader hold what others need.
        for order in [Order::Serial, Order::Concurrent(4)] {
            let server = driver.start(Server::builder().order(order).call_limit(1).module(interop()));
            let other = RawPeer::connect(server.path());
            let silent = RawPeer::connect(server.path());
            let sent = silent.fill(Wire::Chunked, 700, 0, &other);
            other.assert_served(Wire::Chunked);
            for _ in sent {
                assert_eq!(silent.recv_response(Wire::Chunked).body.len(), 100_000);
            }
            silent.assert_served(Wire::Chunked);
        }
    });
}

#[test]
fn replies_that_wait_are_bounded_and_the_client_that_leaves_them_is_closed() {
    with_every_server(|driver| {
        // H: bounded memory.
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let builder = Server::builder().order(Order::Concurrent(16)).pending_reply_limit(1_000_000);
        let server = driver.start(builder.module(gated(&gate)));
        let other = RawPeer::connect(server.path());
        let silent = RawPeer::connect(server.path());
        for sequence in 0..16 {
            silent.send_call(Wire::Chunked, 7, 705, sequence, &[7; 400_000]);
        }
        in_order(gate.arrived(16));
        gate.open(16);
        // Of replies that are ready at once, more may wait before the first is found to be stuck.
        logs.wait_for("session closed: the client does not read its replies: ");
        logs.assert_contain("bytes of them wait, and at most 1000000 may");
        other.assert_served(Wire::Chunked);
    });
}

#[test]
fn texts_and_details_of_errors_that_wait_are_bounded_too() {
    with_every_server(|driver| {
        // H: bounded memory; E5.
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let module = echo()
            .on(705, {
                let gate = gate.clone();
                move |_, _| {
                    let gate = gate.clone();
                    async move {
                        gate.pass().await;
                        Err(Failure::from("no".repeat(2_000)).with_details(Bytes::from(vec![1; 60_000])))
                    }
                }
            })
            .on(706, |_, _| async { Ok(vec![1; 8_000_000].into()) });
        let builder = Server::builder().order(Order::Concurrent(32)).pending_reply_limit(1_000_000);
        let server = driver.start(builder.module(module));
        let silent = RawPeer::connect(server.path());
        for sequence in 0..20 {
            let fields = CallFields { wants_error: true, ..CallFields::default() };
            let added = Some(fields.into());
            let call = Call::<Bytes> { module: 7, method: 705, sequence, body: Bytes::new(), added };
            silent.send_message(Wire::Chunked, &call.encode());
        }
        in_order(gate.arrived(20));
        silent.send_call(Wire::Chunked, 7, 706, 99, b"");
        silent.recv_packet();
        gate.open(20);
        logs.wait_for("session closed: the client does not read its replies: ");
        logs.assert_contain("bytes of them wait, and at most 1000000 may");
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
    });
}

#[test]
fn details_of_errors_that_wait_are_in_the_memory_of_their_user() {
    with_every_server(|driver| {
        // H: bounded memory; E5.
        const SESSIONS: usize = 8;
        const CALLS: usize = 64;
        let gate = Gate::new();
        let failing = echo().on(705, {
            let gate = gate.clone();
            move |_, _| {
                let gate = gate.clone();
                async move {
                    gate.pass().await;
                    Err(Failure::from("no").with_details(Bytes::from(vec![1; 60_000])))
                }
            }
        });
        let builder = Server::builder().order(Order::Concurrent(CALLS)).memory_limit_per_uid(4 << 20);
        let server = driver.start(builder.module(failing));
        let other = RawPeer::connect(server.path());
        let peers: Vec<_> = (0..SESSIONS).map(|_| RawPeer::connect(server.path())).collect();
        let added = || Some(CallFields { wants_error: true, ..CallFields::default() }.into());
        for (peer, sequence) in peers.iter().flat_map(|peer| (0..CALLS as i64).map(move |call| (peer, call)))
        {
            let call = Call::<Bytes> { module: 7, method: 705, sequence, body: Bytes::new(), added: added() };
            peer.send_message(Wire::Chunked, &call.encode());
        }
        in_order(gate.arrived((SESSIONS * CALLS) as u32));
        gate.open(SESSIONS * CALLS);
        (0..200).for_each(|_| other.assert_served(Wire::Chunked));
        let mut told = 0;
        for peer in &peers {
            for _ in 0..CALLS {
                let response = peer.recv_response(Wire::Chunked);
                let added = response.added.unwrap();
                assert_eq!((response.status, &*added.error), (Status::FAILURE, "no"));
                told += usize::from(!added.details.is_empty());
            }
        }
        // What a socket takes is not held; 4 MiB are twice 35 details, since those that wait have been encoded.
        assert!((20..SESSIONS * CALLS * 3 / 4).contains(&told), "{told} details");
    });
}

#[test]
fn calls_that_were_read_ahead_begin_no_sooner_than_replies_are_taken() {
    with_every_server(|driver| {
        // H: bounded memory; S5.
        const CALLS: i64 = 200;
        let gate = Gate::new();
        let begun = Arc::new(AtomicUsize::new(0));
        let counted = begun.clone();
        let module = gated(&gate).on(706, move |_, _| {
            counted.fetch_add(1, Ordering::SeqCst);
            async { Ok(vec![1; 100_000].into()) }
        });
        let server = driver.start(Server::builder().pending_reply_limit(1 << 20).module(module));
        let [peer, other] = [0; 2].map(|_| RawPeer::connect(server.path()));
        let added = Some(CallFields { asks_control: true, ..CallFields::default() }.into());
        let first = Call::<Bytes> { module: 7, method: 705, sequence: 0, body: Bytes::new(), added };
        peer.send_message(Wire::Chunked, &first.encode());
        in_order(gate.arrived(1));
        // All of these are read, since one of them might say something of the first; none may begin.
        (1..=CALLS).for_each(|sequence| peer.send_call(Wire::Chunked, 7, 706, sequence, b""));
        // Nothing more is read then, and what was is answered.
        peer.half_close();
        gate.open(1);
        (0..10).for_each(|_| other.assert_served(Wire::Chunked));
        let unread = begun.load(Ordering::SeqCst);
        assert!(unread < CALLS as usize / 2, "{unread} calls have begun, and no reply was taken");
        for sequence in 0..=CALLS {
            let response = peer.recv_response(Wire::Chunked);
            assert_eq!((response.sequence, response.status), (sequence, Status::SUCCESS));
        }
        peer.assert_closed();
    });
}

#[test]
fn replies_that_wait_within_the_limit_are_all_delivered() {
    with_every_server(|driver| {
        let gate = Gate::new();
        let builder = Server::builder().order(Order::Concurrent(16)).pending_reply_limit(16 * 400_000);
        let server = driver.start(builder.module(gated(&gate)));
        let slow = RawPeer::connect(server.path());
        for sequence in 0..16 {
            slow.send_call(Wire::Chunked, 7, 705, sequence, &[7; 400_000]);
        }
        in_order(gate.arrived(16));
        gate.open(16);
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
        let mut sequences: Vec<_> = (0..16).map(|_| slow.recv_response(Wire::Chunked).sequence).collect();
        sequences.sort_unstable();
        assert_eq!(sequences, (0..16).collect::<Vec<_>>());
        // What has been delivered no longer counts.
        slow.assert_served(Wire::Chunked);
    });
}

#[test]
fn an_idle_session_is_closed_and_one_whose_call_runs_is_not() {
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let server = driver.start(Server::builder().idle_timeout(SOON).module(gated(&gate)));
        let busy = RawPeer::connect(server.path());
        busy.send_call(Wire::Chunked, 7, 705, 1, b"busy");
        in_order(gate.arrived(1));
        for wire in WIRES {
            RawPeer::connect(server.path()).assert_closed();
            let served = RawPeer::connect(server.path());
            served.assert_served(wire);
            served.assert_closed();
        }
        // Twice its time has passed, and it is still there.
        gate.open(1);
        assert_eq!(busy.recv_response(Wire::Chunked).body, "busy");
        busy.assert_closed();
        server.stop();
        logs.assert_lack("WARN");
    });
}

#[test]
fn half_a_message_is_not_idle() {
    with_every_server(|driver| {
        // W6: it has the time of its message.
        let (logs, _guard) = Logs::of_this_thread();
        let builder = Server::builder().idle_timeout(SOON).message_timeout(4 * SOON).module(interop());
        let server = driver.start(builder);
        let half = RawPeer::connect(server.path());
        half.send(&[header(10, 5, 0, 2), b"01234".to_vec()].concat());
        let idle = RawPeer::connect(server.path());
        idle.assert_closed();
        half.assert_closed();
        logs.wait_for("session closed: the rest of a message did not come in time");
    });
}

/// Items without end.
struct Pouring;

#[drpc_module(id = 8, unlisted)]
impl Pouring {
    #[method(1, stream)]
    fn pour(&self) -> impl Stream<Item = Result<Bytes, Failure>> + use<> {
        stream::repeat(()).map(|()| Ok(vec![7; 60_000].into()))
    }
}

#[test]
fn half_a_message_is_let_go_of_though_a_stream_is_read_little_by_little() {
    with_every_server(|driver| {
        // W6: however long the replies hold the reading up.
        let builder =
            Server::builder().message_timeout(25 * SOON).memory_limit_per_uid(6 << 20).allow_unlisted();
        let server = driver.start(builder.module(interop()).module(Pouring));
        let [peer, other] = [0; 2].map(|_| RawPeer::connect(server.path()));
        let credit = Some(Credit { items: u32::MAX, bytes: u64::MAX });
        let added = Some(CallFields { credit, ..CallFields::default() }.into());
        let opening = Call::<Bytes> { module: 8, method: 801, sequence: 1, body: Bytes::new(), added };
        peer.send_message(Wire::Chunked, &opening.encode());
        let long = |len: usize| {
            let body = vec![1; len].into();
            packets_of(
                Wire::Chunked,
                &Call::<Bytes> { module: 7, method: 700, sequence: 2, body, added: None }.encode(),
            )
        };
        // All but the end of a message that takes two thirds of what requests may.
        let half = long(2 << 20);
        for packet in &half[..half.len() - 1] {
            while !peer.try_send(packet) {
                peer.recv_packet();
            }
        }
        // There is no room for another until that is let go of.
        let whole = long(3 << 19);
        let begun = Instant::now();
        loop {
            // Its socket is full again before it takes one item more.
            (0..5).for_each(|_| other.assert_served(Wire::Chunked));
            peer.recv();
            let third = RawPeer::connect(server.path());
            if whole.iter().all(|packet| third.send_unless_closed(packet))
                && third.recv_response(Wire::Chunked).sequence == 2
            {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "half a message is still held");
        }
    });
}

#[test]
fn a_client_that_takes_nothing_of_its_reply_is_idle() {
    with_every_server(|driver| {
        // H: what it holds is given back.
        let (logs, _guard) = Logs::of_this_thread();
        let (ended, mut ends) = mpsc::unbounded_channel();
        let builder = Server::builder()
            .idle_timeout(SOON)
            .on_close(move |session| ended.send(session.calls_done()).unwrap())
            .module(interop().on(705, |_: Context, _| async { Ok(Bytes::from(vec![7; 8_000_000])) }));
        let server = driver.start(builder);
        let silent = RawPeer::connect(server.path());
        silent.send_call(Wire::Chunked, 7, 705, 1, b"");
        assert_eq!(in_order(ends.recv()), Some(1));
        logs.wait_for("session closed: the client did not read its reply in time");
        // One who reads has all the time that it takes.
        let reads = RawPeer::connect(server.path());
        reads.send_call(Wire::Chunked, 7, 705, 1, b"");
        assert_eq!(reads.recv_response(Wire::Chunked).body.len(), 8_000_000);
    });
}

#[test]
fn a_message_has_its_time_while_the_server_itself_does_not_read() {
    // S1: a reply that waits for its client holds the reading up, and that is not the fault of what is sent meanwhile.
    with_every_server(|driver| {
        let gate = Gate::new();
        let module = echo().on(705, {
            let gate = gate.clone();
            move |_, _| {
                let gate = gate.clone();
                async move {
                    gate.pass().await;
                    Ok(vec![7; 8_000_000].into())
                }
            }
        });
        let builder = Server::builder().order(Order::Concurrent(4)).message_timeout(SOON).module(module);
        let server = driver.start(builder);
        let peer = RawPeer::connect(server.path());
        let late = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(gate.arrived(1));
        let call = Call::<Bytes> { module: 7, method: 700, sequence: 2, body: "late".into(), added: None };
        let call = call.encode();
        let chunks = call.chunks(call.len().div_ceil(3));
        let header = |(index, data): (u32, &[u8])| header(call.len() as u64, data.len() as u64, index, 3);
        let packets: Vec<_> = (0..).zip(chunks).map(|chunk| [&header(chunk), chunk.1].concat()).collect();
        peer.send(&packets[0]);
        late.assert_served(Wire::Chunked);
        gate.open(1);
        let begun = peer.recv_packet();
        packets[1..].iter().for_each(|packet| peer.send(packet));
        // What another client began later, and did not send in time, shows that the time is over.
        late.send(&packets[0]);
        late.assert_closed();
        let mut received = begun.len();
        while received < 8_000_000 {
            received += peer.recv_packet().len();
        }
        assert_eq!(peer.recv_response(Wire::Chunked).sequence, 2);
        peer.assert_served(Wire::Chunked);
    });
}

#[test]
fn half_a_message_beside_a_reply_that_is_not_read_does_not_keep_its_session() {
    with_every_server(|driver| {
        // H, W6: nothing is read while the reply waits, and that it is not taken is idleness.
        let gate = Gate::new();
        let (ended, mut ends) = mpsc::unbounded_channel();
        let module = echo().on(705, {
            let gate = gate.clone();
            move |_, _| {
                let gate = gate.clone();
                async move {
                    gate.pass().await;
                    Ok(vec![7; 8_000_000].into())
                }
            }
        });
        let builder = Server::builder()
            .order(Order::Concurrent(4))
            .idle_timeout(SOON)
            .message_timeout(SOON)
            .on_close(move |session| ended.send(session.id()).unwrap());
        let server = driver.start(builder.module(module));
        let silent = RawPeer::connect(server.path());
        silent.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(gate.arrived(1));
        silent.send(&[header(10, 5, 0, 2), b"01234".to_vec()].concat());
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
        gate.open(1);
        // It was the first to connect.
        while in_order(ends.recv()).unwrap() != 1 {}
    });
}
