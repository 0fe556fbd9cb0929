//! What is held for clients that have left while their calls run (S6).

use std::thread;
use std::time::Instant;

use drpc::wire::Call;
use drpc::{Bytes, Order, PeerCredentials, Server, Wire};
use tokio::sync::mpsc;

use crate::support::{
    Driver, Gate, Logs, PATIENCE, RawPeer, call, frame, gated, in_order, isolated, open_descriptors,
    patiently, with_every_server,
};

/// How many clients leave.
const MANY: usize = 200;

#[test]
fn the_descriptor_goes_with_the_client_though_its_calls_go_on() {
    isolated("absent::the_descriptor_goes_with_the_client_though_its_calls_go_on", || {
        // In threads, the socket stays until the calls are done.
        for driver in [Driver::Tokio, Driver::Progress] {
            println!("with the {driver:?} server");
            for order in [Order::Serial, Order::Concurrent(4)] {
                let gate = Gate::new();
                let server = driver.start(Server::builder().order(order).module(gated(&gate)));
                let other = RawPeer::connect(server.path());
                other.assert_served(Wire::Chunked);
                let before = open_descriptors();
                for _ in 0..MANY {
                    let peer = RawPeer::connect(server.path());
                    // Those that wait behind the first are carried out, too.
                    (0..6).for_each(|sequence| peer.send_call(Wire::Chunked, 7, 705, sequence, b"bye"));
                }
                let first = if order == Order::Serial { 1 } else { 4 };
                in_order(gate.arrived((first * MANY) as u32));
                wait_for_descriptors(before);
                other.assert_served(Wire::Chunked);
                gate.open(6 * MANY);
                in_order(gate.arrived(((6 - first) * MANY) as u32));
                other.assert_served(Wire::Chunked);
                assert!(server.stop().is_drained());
            }
        }
    });
}

/// Waits until no more are open than so many, which has no event of its own.
fn wait_for_descriptors(most: usize) {
    let begun = Instant::now();
    while open_descriptors() > most {
        assert!(
            begun.elapsed() < PATIENCE,
            "{} descriptors are open, and {most} are right",
            open_descriptors()
        );
        thread::yield_now();
    }
}

#[test]
fn a_call_that_waits_for_room_gives_back_the_descriptor_of_a_client_that_has_left() {
    isolated(
        "absent::a_call_that_waits_for_room_gives_back_the_descriptor_of_a_client_that_has_left",
        || {
            for driver in [Driver::Tokio, Driver::Progress] {
                println!("with the {driver:?} server");
                let gate = Gate::new();
                let server = driver.start(Server::builder().call_limit(1).module(gated(&gate)));
                let first = RawPeer::connect(server.path());
                first.send_call(Wire::Chunked, 7, 705, 1, b"");
                in_order(gate.arrived(1));
                let before = open_descriptors();
                for _ in 0..20 {
                    let peer = RawPeer::connect(server.path());
                    (0..3).for_each(|sequence| peer.send_call(Wire::Chunked, 7, 705, sequence, b"bye"));
                }
                wait_for_descriptors(before);
                gate.open(61);
                in_order(gate.arrived(60));
                first.recv_response(Wire::Chunked);
                assert!(server.stop().is_drained());
            }
        },
    );
}

#[test]
fn who_leaves_too_many_calls_behind_is_refused_until_they_are_done() {
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let (ended, mut ends) = mpsc::unbounded_channel();
        let builder = Server::builder().absent_session_limit(3).module(gated(&gate));
        let server = driver.start(builder.on_close(move |session| ended.send(session.id()).unwrap()));
        let stays = RawPeer::connect(server.path());
        for _ in 0..3 {
            RawPeer::connect(server.path()).send_call(Wire::Chunked, 7, 705, 1, b"bye");
            in_order(gate.arrived(1));
        }
        // Until the server has seen that they have left, one more is let in.
        while is_served(&RawPeer::connect(server.path())) {
            in_order(ends.recv()).unwrap();
        }
        logs.wait_for("3 sessions of this user go on though their clients have left");
        stays.assert_served(Wire::Chunked);
        gate.open(3);
        for _ in 0..3 {
            in_order(ends.recv()).unwrap();
        }
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
    });
}

fn is_served(peer: &RawPeer) -> bool {
    let call = Call::<Bytes> { module: 7, method: 700, sequence: 1, body: Bytes::new(), added: None };
    peer.send_unless_closed(&frame(&call.encode())) && peer.recv().is_some()
}

#[tokio::test]
async fn what_one_user_leaves_behind_is_no_matter_of_another() {
    let gate = Gate::new();
    let builder = Server::builder().absent_session_limit(1).module(gated(&gate));
    let server = drpc::testing::server_of(builder).unwrap();
    let client = |uid| server.clone().peer(PeerCredentials::new(uid, uid)).client();
    let left = client(1000);
    let calling = tokio::spawn(call(&left, 705, ""));
    gate.arrived(1).await;
    calling.abort();
    drop(left);
    patiently("a refusal", async { while call(&client(1000), 700, "").await.is_ok() {} }).await;
    assert_eq!(call(&client(1001), 700, "mine").await.unwrap().body, "mine");
    gate.open(1);
}
