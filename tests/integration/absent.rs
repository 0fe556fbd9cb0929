//! What is held for clients that have left while their calls run (S6).

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use drpc::wire::{Call, CallFields};
use drpc::{Bytes, Order, PeerCredentials, Server, ServerBuilder, Session, Wire};
use tokio::sync::mpsc;

use crate::support::{
    Driver, Gate, Logs, PATIENCE, RawPeer, TestServer, call, echo, frame, gated, in_order, isolated,
    open_descriptors, patiently, with_every_server,
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

#[test]
fn who_leaves_too_many_handlers_behind_that_block_is_refused_until_they_are_done() {
    let (logs, _guard) = Logs::of_this_thread();
    let (entered, mut entrances) = mpsc::unbounded_channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let module = echo().on(705, move |_, body| {
        entered.send(()).unwrap();
        let _ = released.lock().unwrap().recv();
        async { Ok(body) }
    });
    let (ended, mut ends) = mpsc::unbounded_channel();
    let builder = Server::builder().absent_session_limit(3).module(module);
    // A thread of its own is what such a handler may block.
    let server = Driver::Threads.start(builder.on_close(move |session| ended.send(session.id()).unwrap()));
    let stays = RawPeer::connect(server.path());
    stays.assert_served(Wire::Chunked);
    RawPeer::connect(server.path()).send_call(Wire::Chunked, 7, 705, 1, b"bye");
    in_order(entrances.recv()).unwrap();
    for _ in 0..2 {
        // These wait for the lock that the first has.
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 705, 1, b"bye");
        in_order(entrances.recv()).unwrap();
    }
    assert!(!is_served(&RawPeer::connect(server.path())));
    logs.wait_for("3 sessions of this user go on though their clients have left");
    stays.assert_served(Wire::Chunked);
    drop(release);
    for _ in 0..3 {
        in_order(ends.recv()).unwrap();
    }
    RawPeer::connect(server.path()).assert_served(Wire::Chunked);
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

/// A server that takes no more of who has left so many sessions behind, and what tells whether it takes another.
fn bounded(driver: Driver, most: usize, builder: ServerBuilder) -> (TestServer, Opened) {
    let (opens, opened) = mpsc::unbounded_channel();
    let (closes, closed) = mpsc::unbounded_channel();
    let builder = builder
        .absent_session_limit(most)
        .on_open(move |session| {
            opens.send(session.clone()).unwrap();
            Ok(())
        })
        .on_close(move |session| closes.send(session.id()).unwrap());
    (driver.start(builder), Opened { opened, closed })
}

/// What a test hears of sessions.
struct Opened {
    opened: mpsc::UnboundedReceiver<Arc<Session>>,
    closed: mpsc::UnboundedReceiver<u64>,
}

impl Opened {
    fn next(&mut self) -> Arc<Session> {
        in_order(self.opened.recv()).unwrap()
    }

    /// Waits until the server lets one user's next client in no more, whose sessions go on without their clients. That it has seen that they
    /// left has no event.
    fn wait_for_refusal(&mut self, server: &TestServer) {
        let begun = Instant::now();
        loop {
            let peer = RawPeer::connect(server.path());
            peer.half_close();
            peer.assert_closed();
            if self.opened.try_recv().is_err() {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "it is let in");
        }
    }

    fn wait_for_ends(&mut self, mut sessions: Vec<Arc<Session>>) {
        while !sessions.is_empty() {
            let ended = in_order(self.closed.recv()).unwrap();
            sessions.retain(|session| session.id() != ended);
        }
    }
}

#[test]
fn who_leaves_calls_that_wait_for_room_is_refused_too() {
    with_every_server(|driver| {
        let gate = Gate::new();
        let builder = Server::builder().call_limit(1).module(gated(&gate));
        let (server, mut heard) = bounded(driver, 3, builder);
        let stays = RawPeer::connect(server.path());
        stays.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(gate.arrived(1));
        heard.next();
        let left: Vec<_> = (0..3)
            .map(|_| {
                RawPeer::connect(server.path()).send_call(Wire::Chunked, 7, 705, 1, b"bye");
                heard.next()
            })
            .collect();
        heard.wait_for_refusal(&server);
        gate.open(4);
        heard.wait_for_ends(left);
        assert_eq!(stays.recv_response(Wire::Chunked).sequence, 1);
    });
}

#[test]
fn a_session_that_was_closed_still_sees_that_its_client_leaves() {
    with_every_server(|driver| {
        for order in [Order::Serial, Order::Concurrent(3)] {
            let gate = Gate::new();
            let builder = Server::builder().order(order).module(gated(&gate));
            let (server, mut heard) = bounded(driver, 1, builder);
            let peer = RawPeer::connect(server.path());
            peer.send_call(Wire::Chunked, 7, 705, 1, b"");
            in_order(gate.arrived(1));
            let session = heard.next();
            session.close();
            drop(peer);
            heard.wait_for_refusal(&server);
            gate.open(1);
            heard.wait_for_ends(vec![session]);
        }
    });
}

#[test]
fn more_calls_than_a_client_may_leave_in_memory_are_carried_out_all_the_same() {
    isolated("absent::more_calls_than_a_client_may_leave_in_memory_are_carried_out_all_the_same", || {
        for driver in [Driver::Tokio, Driver::Progress] {
            println!("with the {driver:?} server");
            let gate = Gate::new();
            let server = driver.start(Server::builder().module(gated(&gate)));
            let other = RawPeer::connect(server.path());
            other.assert_served(Wire::Chunked);
            let before = open_descriptors();
            let peer = RawPeer::connect(server.path());
            peer.send_call(Wire::Chunked, 7, 705, 1, b"");
            in_order(gate.arrived(1));
            // Each packet has as many calls as it may.
            let added = CallFields { is_pack: true, ..CallFields::default() };
            let body = Bytes::from(b"\x07\x08\x07\x10\xbc\x05\x18\x01".repeat(128));
            let pack = Call::<Bytes> { module: 0, method: 0, sequence: 0, body, added: Some(added.into()) };
            let packet = frame(&pack.encode());
            let mut packs = 0;
            while peer.try_send(&packet) {
                packs += 1;
            }
            assert!(packs * 128 * 128 > 1 << 20, "{packs} packs are no more than what is read");
            drop(peer);
            other.assert_served(Wire::Chunked);
            gate.open(1);
            wait_for_descriptors(before);
            assert!(server.stop().is_drained());
        }
    });
}
