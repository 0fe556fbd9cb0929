//! What a peer can have logged: however much it sends, few lines, and how many were left out.

use std::thread;

use drpc::wire::Call;
use drpc::{Allow, Bytes, Context, Server, Wire, drpc_module};

use crate::support::{
    Fake, Logs, RawPeer, WIRES, builder, frame, header, interop, isolated, with_every_client,
    with_every_server,
};

const FLOOD: usize = 10_000;
/// What is logged of a flood, even if it takes a minute.
const FEW: usize = 1_000;

#[test]
fn calls_that_fail_or_cant_be_read_are_logged_a_few_times_and_counted() {
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(Server::builder().module(interop()));
        let mut peer = RawPeer::connect(server.path());
        for _ in 0..FLOOD {
            if !(is_answered(&peer, &unknown()) && is_answered(&peer, b"\xff")) {
                peer = RawPeer::connect(server.path());
            }
        }
        // Whoever connects anew has no new allowance.
        for _ in 0..FLOOD / 10 {
            let peer = RawPeer::connect(server.path());
            peer.send(&header(8, 99, 0, 1));
            let _ = peer.recv_response(Wire::Chunked);
            peer.assert_closed();
        }
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
        server.stop();
        // Sessions that were closed for their bad calls count with those that a fault closed.
        for (kind, least) in [("call failed", 100), ("session closed", 50)] {
            let lines = logs.count(kind);
            assert!((least..FEW).contains(&lines), "{lines} lines of `{kind}`");
        }
        let lines = logs.count("");
        assert!(lines < 4 * FEW, "{lines} lines");
        logs.assert_contain("more left out: ");
    });
}

/// A call of a module that there is not.
fn unknown() -> Vec<u8> {
    call_of(9, 900)
}

fn call_of(module: i32, method: i32) -> Vec<u8> {
    let call = Call::<Bytes> { module, method, sequence: 1, body: Bytes::from_static(b"\xff"), added: None };
    call.encode().into()
}

/// Sends a message; false if the session has ended, before it or at it.
fn is_answered(peer: &RawPeer, message: &[u8]) -> bool {
    peer.send_unless_closed(&frame(message)) && peer.recv().is_some()
}

#[test]
fn a_session_of_bad_calls_without_end_is_closed_when_what_was_sent_is_answered() {
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let builder = Server::builder().module(interop()).module(Typed).rule("nobody", Allow::no_one());
        let server = driver.start(builder.allow_unlisted());
        let honest = RawPeer::connect(server.path());
        // Of no module, of no method, with a request that can't be read, not allowed, and no call at all.
        for bad in [unknown(), call_of(7, 799), call_of(8, 801), call_of(8, 802), b"\xff".to_vec()] {
            let peer = RawPeer::connect(server.path());
            let answered = (0..FLOOD * 10).take_while(|_| is_answered(&peer, &bad)).count();
            assert!((1_000..FLOOD).contains(&answered), "{answered} bad calls were answered");
            peer.assert_closed();
            // A few are no flood, and another session is another's.
            let peer = RawPeer::connect(server.path());
            assert!((0..900).all(|_| is_answered(&peer, &bad)));
            peer.assert_served(Wire::Chunked);
            honest.assert_served(Wire::Chunked);
        }
        logs.wait_for("closing the session: of its calls, more than 1000, and 100 in each second");
        // However many calls fail that are none of these.
        assert!((0..FLOOD / 2).all(|_| is_answered(&honest, &call_of(7, 701))));
    });
}

#[derive(Clone, PartialEq, prost::Message)]
struct Named {
    #[prost(string, tag = "1")]
    name: String,
}

struct Typed;

#[drpc_module(id = 8, unlisted)]
impl Typed {
    #[method(1)]
    fn read(&self, _: Named) {}

    #[method(2, allow = "nobody")]
    fn forbidden(&self) {}
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

struct Panicking;

/// What can't be dropped.
struct Kept;

impl Drop for Kept {
    fn drop(&mut self) {
        panic!("it stays");
    }
}

#[drpc_module(id = 8, unlisted)]
impl Panicking {
    #[method(1)]
    fn work(&self, context: &Context) {
        context.spawn(|_| async { panic!("as it is meant to") });
    }

    #[method(2)]
    fn keep(&self, context: &Context) {
        context.session().extensions().insert(Kept);
    }
}

#[test]
fn panics_behind_calls_and_sessions_are_logged_a_few_times_and_counted() {
    isolated("floods::panics_behind_calls_and_sessions_are_logged_a_few_times_and_counted", || {
        std::panic::set_hook(Box::new(|_| {}));
        with_every_server(|driver| {
            let (logs, _guard) = Logs::of_this_thread();
            let server = driver.start(Server::builder().module(Panicking).allow_unlisted());
            let peer = RawPeer::connect(server.path());
            assert!((0..FLOOD).all(|_| is_answered(&peer, &call_of(8, 801))));
            drop(peer);
            server.stop();
            let lines = logs.count("work in the background panicked");
            assert!((100..FEW).contains(&lines), "{lines} lines");
            logs.assert_contain("more left out: ");

            let (logs, _guard) = Logs::of_this_thread();
            let server = driver.start(Server::builder().module(Panicking).allow_unlisted());
            for _ in 0..FLOOD / 5 {
                assert!(is_answered(&RawPeer::connect(server.path()), &call_of(8, 802)));
            }
            server.stop();
            let lines = logs.count("what was kept with a session panicked");
            assert!((100..FEW).contains(&lines), "{lines} lines");
        });
    });
}

#[test]
fn a_server_that_is_connected_to_again_and_again_has_no_new_allowance() {
    // C5.
    with_every_client(|kind| {
        let (logs, _guard) = Logs::of_this_thread();
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).connection_per_call()).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..50 {
                    let server = fake.accept();
                    let call = server.recv_call(Wire::Chunked).unwrap();
                    for _ in 0..100 {
                        server.send_reply(Wire::Chunked, i64::MAX, 0, b"another's");
                    }
                    server.send_reply(Wire::Chunked, call.sequence, 0, b"mine");
                }
            });
            for _ in 0..50 {
                assert_eq!(&client.call(7, 700, b"").unwrap().body[..], b"mine");
            }
            client.close();
        });
        let lines = logs.count("a call that was never made");
        assert!((100..FEW).contains(&lines), "{lines} lines");
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
