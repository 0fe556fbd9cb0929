//! Which wire the peer speaks: the probe, and what is said of a mismatch (W7, W8).

use std::thread;

use drpc::wire::{Call, Response};
use drpc::{CallErrorKind, Context, Server, Status, Wire, WireMode};
use tokio::sync::mpsc;

use crate::support::{
    AnyClient, Fake, Kind, Logs, RawPeer, SOON, WIRES, answered, builder, echo, frame, greeting, header,
    interop, with_every_client, with_every_server,
};

/// The framed Call `{ sequence: 1 }`, byte by byte as the rule has it.
const PROBE: &[u8] = b"\x02\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\x18\x01";

/// What every plain server answers to it.
const PLAIN_ANSWER: &[u8] = b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x05";

const MODES: [WireMode; 3] = [WireMode::Auto, WireMode::Fixed(Wire::Chunked), WireMode::Fixed(Wire::Plain)];

/// A probing client, while the test plays its server.
fn probing<T>(kind: Kind, fake: &Fake, server: impl FnOnce() -> T) -> (AnyClient, T) {
    thread::scope(|scope| {
        let connecting = scope.spawn(|| kind.connect(builder(fake.path()).wire(WireMode::Auto)));
        let played = server();
        (connecting.join().unwrap().unwrap(), played)
    })
}

/// Sees the client's next call, and answers it.
fn answer_call(client: &AnyClient, server: &RawPeer, wire: Wire) -> Call {
    thread::scope(|scope| {
        let calling = scope.spawn(|| client.call(7, 700, b"body"));
        let call = server.recv_call(wire).unwrap();
        server.send_reply(wire, call.sequence, 0, &call.body);
        assert_eq!(calling.join().unwrap().unwrap().body, "body");
        call
    })
}

#[test]
fn a_probing_client_finds_out_what_our_server_speaks() {
    // W8: with and without the one method that the probe can reach.
    with_every_server(|driver| {
        with_every_client(|kind| {
            for mode in MODES {
                for greets in [true, false] {
                    let server = Server::builder().wire(mode).module(interop());
                    let server = driver.start(if greets { server.module(greeting()) } else { server });
                    let client = kind.connect(builder(server.path()).wire(WireMode::Auto)).unwrap();
                    client.assert_served();
                    let too_long_for_plain = client.call(7, 700, &vec![1; 1 << 20]);
                    match mode {
                        WireMode::Fixed(Wire::Plain) => {
                            assert_eq!(too_long_for_plain.err().unwrap().kind(), CallErrorKind::TooLong);
                        }
                        _ => assert_eq!(too_long_for_plain.unwrap().body.len(), 1 << 20),
                    }
                }
            }
        });
    });
}

#[test]
fn the_probe_executes_nothing_but_the_greeting() {
    // W8: every other method of every module counts its calls.
    with_every_server(|driver| {
        with_every_client(|kind| {
            for mode in MODES {
                let (executed, mut executions) = mpsc::unbounded_channel();
                let method = move |context: Context, body| {
                    executed.send(context.sequence()).unwrap();
                    async move { Ok(body) }
                };
                let zero = crate::support::Handlers::new(0, "test").on(1, method.clone());
                let seven = echo().on(700, method.clone()).on(0, method.clone()).on(1, method);
                let server = driver.start(Server::builder().wire(mode).module(zero).module(seven));
                let client = kind.connect(builder(server.path()).wire(WireMode::Auto)).unwrap();
                client.assert_served();
                // C1: on a chunked connection the probe was the first call.
                let first = if mode == WireMode::from(Wire::Plain) { 1 } else { 2 };
                assert_eq!(executions.try_recv(), Ok(first), "{mode:?}");
                assert!(executions.try_recv().is_err());
            }
        });
    });
}

#[test]
fn a_chunked_server_is_probed_and_called_on_one_connection() {
    // W8: DAOS 2.8, with module 0 and without.
    with_every_client(|kind| {
        for (status, body) in [(Status::SUCCESS, &b"\x0a\x06Hello "[..]), (Status::UNKNOWN_MODULE, b"")] {
            let fake = Fake::listen();
            let (client, server) = probing(kind, &fake, || {
                let server = fake.accept();
                assert_eq!(server.recv_packet(), PROBE);
                server.send_reply(Wire::Chunked, 1, status.code(), body);
                server
            });
            assert_eq!(answer_call(&client, &server, Wire::Chunked).sequence, 2);
            assert!(fake.nobody_waits());
        }
    });
}

#[test]
fn a_plain_server_is_called_on_a_new_connection_whether_it_closes_or_stays() {
    // W8: C closes upon the probe, Go stays.
    with_every_client(|kind| {
        for closes in [true, false] {
            let fake = Fake::listen();
            let (client, (probed, server)) = probing(kind, &fake, || {
                let probed = fake.accept();
                assert_eq!(probed.recv_packet(), PROBE);
                probed.send(PLAIN_ANSWER);
                let probed = (!closes).then_some(probed);
                (probed, fake.accept())
            });
            if let Some(probed) = probed {
                probed.assert_closed();
            }
            // C1.
            assert_eq!(answer_call(&client, &server, Wire::Plain).sequence, 1);
        }
    });
}

#[test]
fn every_new_connection_is_probed_anew() {
    // W8: the server may have been updated in the meantime.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let (client, server) = probing(kind, &fake, || {
            let probed = fake.accept();
            assert_eq!(probed.recv_packet(), PROBE);
            probed.send(PLAIN_ANSWER);
            fake.accept()
        });
        answer_call(&client, &server, Wire::Plain);
        client.close();
        thread::scope(|scope| {
            let connecting = scope.spawn(|| client.reconnect());
            let server = fake.accept();
            assert_eq!(server.recv_packet(), PROBE);
            server.send_reply(Wire::Chunked, 1, 3, b"");
            connecting.join().unwrap().unwrap();
            assert_eq!(answer_call(&client, &server, Wire::Chunked).sequence, 2);
        });
    });
}

#[test]
fn a_server_that_answers_the_probe_with_nothing_usable_is_named() {
    // W8, C8.
    type Play = fn(RawPeer);
    let cases: [(Play, &str); 4] = [
        (drop, "could not find out which wire the server speaks: the server closed the connection"),
        (
            |server| server.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "could not find out which wire the server speaks: the server broke the wire's rules",
        ),
        (
            |server| server.send(&frame(b"\xff")),
            "could not find out which wire the server speaks: the server sent something else than a response",
        ),
        (
            |server| server.send(b"?"),
            "could not find out which wire the server speaks: the server broke the wire's rules: packet of 1 bytes \
             is too short",
        ),
    ];
    with_every_client(|kind| {
        for (play, said) in cases {
            let fake = Fake::listen();
            thread::scope(|scope| {
                let connecting = scope.spawn(|| kind.connect(builder(fake.path()).wire(WireMode::Auto)));
                let server = fake.accept();
                assert_eq!(server.recv_packet(), PROBE);
                play(server);
                let error = connecting.join().unwrap().err().unwrap();
                let prefix = format!("can't connect to {}: ", fake.path().display());
                assert!(error.to_string().starts_with(&prefix), "{error}");
                assert!(error.to_string().contains(said), "{error}");
            });
        }
    });
}

#[test]
fn a_server_that_does_not_answer_the_probe_is_given_up() {
    // W8, C8.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let probing = builder(fake.path()).wire(WireMode::Auto).connect_timeout(SOON);
        let error = kind.connect(probing).err().unwrap();
        assert!(error.to_string().contains("the server did not take the connection within 40ms"), "{error}");
        // It has hung up.
        let server = fake.accept();
        assert_eq!(server.recv_packet(), PROBE);
        server.assert_closed();
    });
}

#[test]
fn a_chunked_client_names_a_plain_server() {
    // W8: "never as garbage". The call is one that a plain server can't read.
    with_every_server(|driver| {
        with_every_client(|kind| {
            let server = driver.start(Server::builder().wire(Wire::Plain).module(interop()));
            let client = kind.connect_to(server.path());
            let error = client.call(7, 700, b"body").unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Disconnected);
            assert!(error.to_string().contains("peer speaks the plain wire of DAOS 2.6"), "{error}");
        });
    });
}

#[test]
fn a_chunked_server_names_a_plain_client() {
    // W8: it can only hang up, as DAOS 2.8 does, and say so in its log.
    with_every_server(|driver| {
        with_every_client(|kind| {
            let (logs, _guard) = Logs::of_this_thread();
            let server = driver.start(Server::builder().wire(Wire::Chunked).module(interop()));
            let client = kind.connect(builder(server.path()).wire(Wire::Plain)).unwrap();
            let error = client.call(7, 700, b"body").unwrap_err();
            assert_eq!(
                error.to_string(),
                "the server closed the connection and did not answer; the call may have been executed; the server's log says why, if it lives"
            );
            logs.wait_for("session closed: peer speaks the plain wire of DAOS 2.6");
        });
    });
}

#[test]
fn a_plain_server_names_a_chunked_client() {
    // W8.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(Server::builder().wire(Wire::Plain).module(interop()));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 700, 1, b"body");
        assert_eq!(Response::decode(peer.recv_packet().into()).unwrap(), Response::unreadable_call());
        logs.wait_for("peer speaks the chunked wire of DAOS 2.8");
        // D1: as in Go.
        peer.assert_served(Wire::Plain);
    });
}

#[test]
fn a_call_too_long_for_the_plain_wire_is_a_typed_error_and_the_connection_lives_on() {
    // W7.
    with_every_server(|driver| {
        with_every_client(|kind| {
            let server = driver.start(Server::builder().module(interop()));
            let client = kind.connect(builder(server.path()).wire(Wire::Plain)).unwrap();
            client.assert_served();
            for len in [1 << 20, 2 << 20] {
                let error = client.call(7, 700, &vec![7; len]).unwrap_err();
                assert_eq!(error.kind(), CallErrorKind::TooLong);
                let text = format!(
                    "can't send the call: message of {} bytes does not fit the plain wire's one packet, which has ",
                    len + if len < 2 << 20 { 11 } else { 12 }
                );
                assert!(error.to_string().starts_with(&text), "{error}");
            }
            // What sockets of a host take that nobody has tuned, and DAOS 2.6 sends.
            for len in [131_061, 131_072, 131_073, 200_000] {
                assert!(client.call(7, 700, &vec![7; len]).unwrap().body == vec![7; len], "{len} bytes");
            }
            client.assert_served();
        });
    });
}

#[test]
fn a_first_call_longer_than_a_chunk_is_of_the_plain_wire() {
    // W7, W8: sessions are recognised by it.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(interop()));
        for _ in 0..3 {
            let peer = RawPeer::connect(server.path());
            peer.send_call(Wire::Plain, 7, 700, 1, &[7; 200_000]);
            assert_eq!(peer.recv_response(Wire::Plain).body.len(), 200_000);
            peer.assert_served(Wire::Plain);
        }
    });
}

#[test]
fn a_plain_call_that_is_too_long_is_answered_before_the_session_ends() {
    // W7: DAOS's C client takes end of file for an empty SUCCESS.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().message_limit(150_000).module(interop()));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Plain, 7, 700, 1, &[7; 200_000]);
        assert_eq!(peer.recv_packet(), b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x05");
        peer.assert_closed();
    });
}

#[test]
fn a_call_over_the_clients_limit_is_a_typed_error_and_the_connection_lives_on() {
    // W6.
    with_every_server(|driver| {
        with_every_client(|kind| {
            for wire in WIRES {
                let server = driver.start(Server::builder().module(interop()));
                let client = kind.connect(builder(server.path()).wire(wire).message_limit(1000)).unwrap();
                let error = client.call(7, 700, &[0; 1000]).unwrap_err();
                assert_eq!(error.kind(), CallErrorKind::TooLong);
                assert_eq!(
                    error.to_string(),
                    "can't send the call: message of 1010 bytes is over the limit of 1000 bytes"
                );
                client.assert_served();
            }
        });
    });
}

#[test]
fn a_reply_over_the_clients_limit_ends_the_connection_on_its_first_packet() {
    // W6: for the client as for the server.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect_to(fake.path());
        let server = fake.accept();
        let too_long = [header(8 << 30, 5, 0, 65_547), b"01234".to_vec()].concat();
        let error = answered(&client, &server, Wire::Chunked, |_| server.send(&too_long)).unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::Disconnected);
        assert!(error.to_string().contains("message of 8589934592 bytes is over"), "{error}");
    });
}
