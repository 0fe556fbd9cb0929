//! Calls that take too long, or are given up (C4, W10): what becomes of them, and of the next one.

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::wire::Response;
use drpc::{CallOptions, Method, Server, Status, Wire};
use futures_util::FutureExt;

use crate::support::{
    Fake, Kind, PATIENCE, RawPeer, SOON, TestServer, WIRES, answered, builder, call, in_order, interop,
    packets_of, pair, soon, with_every_client, without_response, yield_often,
};

#[test]
fn a_call_that_times_out_says_so_and_the_next_one_goes_out_on_a_new_connection() {
    // C4: the server answers in order, so that the old connection is held up.
    with_every_client(|kind| {
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
    with_every_client(|kind| {
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
    with_every_client(|kind| {
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
    with_every_client(|kind| {
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
    with_every_client(|kind| {
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
    with_every_client(|kind| {
        let server = TestServer::start(Server::builder().module(interop()));
        let client = kind
            .connect(builder(server.path()).timeout(Duration::MAX).connect_timeout(Duration::MAX))
            .unwrap();
        client.assert_served();
    });
}

#[test]
fn a_call_that_times_out_half_sent_does_not_spoil_the_next() {
    // W10, C4: the server takes nothing, so that only some chunks of the call fit the socket.
    with_every_client(|kind| {
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
fn a_call_without_response_that_times_out_half_sent_does_not_hold_up_the_next() {
    // C4, C6: the server takes nothing. The next call goes out on a new connection.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let (client, _held_up) = pair(kind, &fake, |builder| builder);
        let options = without_response().timeout(SOON);
        let error = client.call_with(7, 700, &vec![0; 4 << 20], &options).unwrap_err();
        assert!(error.is_timeout() && !error.is_retryable(), "{error}");
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.call(7, 700, b"next"));
            let server = fake.accept();
            assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, "next");
            server.send_reply(Wire::Chunked, 1, 0, b"");
            calling.join().unwrap().unwrap();
        });
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
    with_every_client(|kind| {
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
fn a_call_of_which_nothing_was_sent_in_time_says_so() {
    // C4: the server reads nothing, until there is no more room.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect_to(fake.path());
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
    });
}

#[test]
fn calls_that_give_up_waiting_for_room_are_never_made() {
    // C4: not even the one that is next.
    let fake = Fake::listen();
    in_order(async {
        let client = builder(fake.path()).server_answers_in_order(false).connect().await.unwrap();
        let server = fake.accept();
        let mut sent = 0;
        let (method, now) = (Method::new(7, 700, "echo"), CallOptions::new().no_response());
        while client.call_raw(method, vec![0; 10_000], &now).now_or_never().is_some() {
            sent += 1;
        }
        let unsent = client.call_raw(method, "unsent", &soon()).await.unwrap_err();
        assert!(unsent.is_timeout() && unsent.is_retryable(), "{unsent}");
        let sequences: Vec<_> =
            (0..sent).map(|_| server.recv_call(Wire::Chunked).unwrap().sequence).collect();
        assert_eq!(sequences, (1..=sent).collect::<Vec<_>>());

        let calling = call(&client, 700, "sent");
        let answering = async {
            let call = server.recv_call(Wire::Chunked).unwrap();
            assert_eq!(call.body, "sent");
            server.send_reply(Wire::Chunked, call.sequence, 0, b"");
        };
        tokio::join!(calling, answering).0.unwrap();
    });
}
