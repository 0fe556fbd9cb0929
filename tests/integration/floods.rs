//! What a peer can have logged: however much it sends, few lines, and how many were left out.

use std::thread;

use drpc::{Allow, Server, Wire};

use crate::support::{
    Fake, Logs, RawPeer, WIRES, builder, header, interop, with_every_client, with_every_server,
};

const FLOOD: usize = 10_000;
/// What is logged of a flood, even if it takes a minute.
const FEW: usize = 1_000;

#[test]
fn calls_that_fail_or_cant_be_read_are_logged_a_few_times_and_counted() {
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(Server::builder().module(interop()));
        let peer = RawPeer::connect(server.path());
        for sequence in 0..FLOOD {
            peer.send_call(Wire::Chunked, 9, 900, sequence as i64, b"");
            let _ = peer.recv_response(Wire::Chunked);
            peer.send_message(Wire::Chunked, b"\xff");
            let _ = peer.recv_response(Wire::Chunked);
        }
        // Whoever connects anew has no new allowance.
        for _ in 0..FLOOD / 10 {
            let peer = RawPeer::connect(server.path());
            peer.send(&header(8, 99, 0, 1));
            let _ = peer.recv_response(Wire::Chunked);
            peer.assert_closed();
        }
        peer.assert_served(Wire::Chunked);
        server.stop();
        for kind in ["call failed", "session closed"] {
            let lines = logs.count(kind);
            assert!((100..FEW).contains(&lines), "{lines} lines of `{kind}`");
        }
        let lines = logs.count("");
        assert!(lines < 4 * FEW, "{lines} lines");
        logs.assert_contain("more left out: ");
    });
}

#[test]
fn refused_connections_are_logged_a_few_times_and_counted() {
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(Server::builder().allow(Allow::no_one()).module(interop()));
        for _ in 0..FLOOD {
            RawPeer::connect(server.path()).assert_closed();
        }
        server.stop();
        let lines = logs.count("connection refused");
        assert!((100..FEW).contains(&lines), "{lines} lines");
        logs.assert_contain("more left out: ");
    });
}

#[test]
fn responses_that_nobody_asked_for_are_logged_a_few_times_and_counted() {
    // C5.
    with_every_client(|kind| {
        for wire in WIRES {
            let fake = Fake::listen();
            let client = kind.connect(builder(fake.path()).wire(wire)).unwrap();
            let server = fake.accept();
            thread::scope(|scope| {
                let calling = scope.spawn(|| {
                    let (logs, _guard) = Logs::of_this_thread();
                    let response = client.call(7, 700, b"mine");
                    client.close();
                    let lines = logs.count("a call that was never made");
                    assert!((100..FEW).contains(&lines), "{lines} lines");
                    response
                });
                let call = server.recv_call(wire).unwrap();
                for _ in 0..FLOOD {
                    server.send_reply(wire, i64::MAX, 0, b"another's");
                }
                server.send_reply(wire, call.sequence, 0, b"mine");
                assert_eq!(&calling.join().unwrap().unwrap().body[..], b"mine");
            });
        }
    });
}
