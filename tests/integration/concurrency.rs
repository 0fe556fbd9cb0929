//! In which order the calls of a session are carried out (S5), and sessions side by side (S1).

use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread::{self, available_parallelism};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::wire::{Call, CallFields, Control, Credit};
use drpc::{
    CallErrorKind, CallOptions, Client, Context, Failure, Method, Order, Server, Stream, Wire, drpc_module,
};
use futures_util::{StreamExt, stream};
use tokio::sync::{Mutex, Notify, mpsc};

use crate::support::{
    Driver, Fake, Gate, Handlers, PATIENCE, RawPeer, TestServer, WIRES, builder, call, echo, gated, in_order,
    soon, with_every_client, with_every_handle, with_every_server,
};

#[test]
fn serial_calls_are_answered_one_at_a_time_in_their_order() {
    // S5: as DAOS's Go server. The second call would be ready at once, and waits for the first.
    with_every_server(|driver| {
        for wire in WIRES {
            let gate = Gate::new();
            let server = driver.start(Server::builder().order(Order::Serial).module(gated(&gate)));
            let peer = RawPeer::connect(server.path());
            peer.send_call(wire, 7, 705, 1, b"first");
            peer.send_call(wire, 7, 700, 2, b"second");
            peer.send_call(wire, 7, 705, 3, b"third");
            in_order(gate.arrived(1));
            // Other sessions are not held up.
            RawPeer::connect(server.path()).assert_served(wire);
            assert_eq!(gate.unnoticed(), 0, "the third call waits for the first");
            gate.open(2);
            for (sequence, body) in [(1, "first"), (2, "second"), (3, "third")] {
                let response = peer.recv_response(wire);
                assert_eq!((response.sequence, &response.body[..]), (sequence, body.as_bytes()));
            }
        }
    });
}

#[test]
fn concurrent_calls_are_answered_as_they_finish() {
    // S5: as DAOS's engine.
    with_every_server(|driver| {
        for wire in WIRES {
            let gate = Gate::new();
            let server = driver.start(Server::builder().order(Order::Concurrent(4)).module(gated(&gate)));
            let peer = RawPeer::connect(server.path());
            peer.send_call(wire, 7, 705, 1, b"slow");
            peer.send_call(wire, 7, 700, 2, b"fast");
            let response = peer.recv_response(wire);
            assert_eq!((response.sequence, &response.body[..]), (2, &b"fast"[..]));
            gate.open(1);
            let response = peer.recv_response(wire);
            assert_eq!((response.sequence, &response.body[..]), (1, &b"slow"[..]));
        }
    });
}

#[test]
fn no_more_calls_run_at_once_than_the_order_allows() {
    // S5: the bound, of each session by itself.
    with_every_server(|driver| {
        for (order, bound) in [(Order::Serial, 1), (Order::Concurrent(0), 1), (Order::Concurrent(3), 3)] {
            let gate = Gate::new();
            let server = driver.start(Server::builder().order(order).module(gated(&gate)));
            let peer = RawPeer::connect(server.path());
            for sequence in 1..=10 {
                peer.send_call(Wire::Chunked, 7, 705, sequence, b"");
            }
            in_order(gate.arrived(bound));
            // Another session has a bound of its own.
            RawPeer::connect(server.path()).assert_served(Wire::Chunked);
            // One is let through at a time: each makes room for exactly one.
            for _ in 0..(10 - bound) {
                assert_eq!(gate.unnoticed(), 0, "{order:?}");
                gate.open(1);
                in_order(gate.arrived(1));
            }
            gate.open(bound as usize);
            let mut sequences: Vec<_> = (0..10).map(|_| peer.recv_response(Wire::Chunked).sequence).collect();
            sequences.sort_unstable();
            assert_eq!(sequences, (1..=10).collect::<Vec<_>>());
            assert_eq!(gate.unnoticed(), 0, "{order:?}");
        }
    });
}

#[test]
fn a_session_that_is_stuck_in_its_reply_does_not_stop_its_other_calls() {
    // S1, H "never reads": one call of the bad client holds a lock of the module while it waits; the client reads none of
    // the replies to its others. The lock must come free all the same, or every other client would wait for ever.
    with_every_server(|driver| {
        let lock = Arc::new(Mutex::new(()));
        let (held, proceed) = (Gate::new(), Arc::new(Notify::new()));
        let module = echo().on(705, {
            let (lock, held, proceed) = (lock.clone(), held.clone(), proceed.clone());
            move |_, body| {
                let (lock, held, proceed) = (lock.clone(), held.clone(), proceed.clone());
                async move {
                    let _locked = lock.lock().await;
                    held.arrive();
                    proceed.notified().await;
                    Ok(body)
                }
            }
        });
        let module = module.on(706, move |_, body| {
            let lock = lock.clone();
            async move {
                let _locked = lock.lock().await;
                Ok(body)
            }
        });
        let server = driver.start(Server::builder().order(Order::Concurrent(64)).module(module));
        let bad = RawPeer::connect(server.path());
        bad.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(held.arrived(1));
        // Replies that nobody reads, until the server is stuck sending one.
        let good = RawPeer::connect(server.path());
        let unread = bad.fill(Wire::Chunked, 700, 2, &good);
        proceed.notify_one();
        good.send_call(Wire::Chunked, 7, 706, 1, b"mine");
        assert_eq!(good.recv_response(Wire::Chunked).body, "mine");

        // And the bad one loses nothing by it.
        let mut sequences: Vec<_> =
            (1..unread.end).map(|_| bad.recv_response(Wire::Chunked).sequence).collect();
        sequences.sort_unstable();
        assert_eq!(sequences, (1..unread.end).collect::<Vec<_>>());
    });
}

#[test]
fn replies_held_back_by_a_client_that_does_not_read_stay_within_the_bound() {
    // S5, H "never reads": calls that finish while a reply is stuck still count, or a client could fill the memory.
    with_every_server(|driver| {
        let started = Arc::new(AtomicUsize::new(0));
        let module = echo().on(705, {
            let started = started.clone();
            move |_, body: Bytes| {
                started.fetch_add(1, Ordering::SeqCst);
                async move {
                    tokio::task::yield_now().await;
                    Ok(body)
                }
            }
        });
        let server = driver.start(Server::builder().order(Order::Concurrent(8)).module(module));
        let (peer, other) = (RawPeer::connect(server.path()), RawPeer::connect(server.path()));
        peer.fill(Wire::Chunked, 705, 1, &other);
        // What the socket has taken of replies (it may have room for 2 MiB), and those that may run.
        let started = started.load(Ordering::SeqCst);
        assert!(started < 24 + 8, "{started} calls were begun");
    });
}

#[test]
fn a_handler_that_blocks_its_thread_holds_up_its_session_alone() {
    with_every_handle(|driver| {
        // S1: with a second thread in the runtime, or with one for each session, others are served.
        let (entered, mut entrances) = mpsc::unbounded_channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = std::sync::Mutex::new(released);
        let module = echo().on(705, move |_, body| {
            entered.send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
            async { Ok(body) }
        });
        let server = driver.start(Server::builder().module(module));
        let stuck = RawPeer::connect(server.path());
        stuck.send_call(Wire::Chunked, 7, 705, 1, b"stuck");
        in_order(entrances.recv()).unwrap();
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
        release.send(()).unwrap();
        assert_eq!(stuck.recv_response(Wire::Chunked).body, "stuck");
    });
}

#[test]
fn a_handler_that_blocks_its_thread_keeps_no_permit_that_is_free_from_others() {
    with_every_handle(|driver| {
        // S1: of two calls of one session, one blocks its thread, and the other waits for a permit.
        let [gate, other_gate] = [Gate::new(), Gate::new()];
        let (entered, mut entrances) = mpsc::unbounded_channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Arc::new(std::sync::Mutex::new(released));
        let module = gated(&gate).on(706, {
            let other_gate = other_gate.clone();
            move |_, body| {
                let (gate, entered, released) = (other_gate.clone(), entered.clone(), released.clone());
                async move {
                    gate.pass().await;
                    entered.send(()).unwrap();
                    released.lock().unwrap().recv_timeout(2 * PATIENCE).unwrap();
                    Ok(body)
                }
            }
        });
        let builder = Server::builder().order(Order::Concurrent(2)).call_limit(2);
        let server = driver.start(builder.module(module));
        let [stuck, first, other] = [0; 3].map(|_| RawPeer::connect(server.path()));
        stuck.send_call(Wire::Chunked, 7, 706, 1, b"stuck");
        in_order(other_gate.arrived(1));
        first.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(gate.arrived(1));
        stuck.send_call(Wire::Chunked, 7, 700, 2, b"waits");
        // That it waits has no event: others come and go meanwhile.
        for _ in 0..20 {
            let passing = RawPeer::connect(server.path());
            passing.half_close();
            passing.assert_closed();
        }
        other_gate.open(1);
        in_order(entrances.recv()).unwrap();
        gate.open(1);
        assert_eq!(first.recv_response(Wire::Chunked).sequence, 1);
        other.assert_served(Wire::Chunked);
        release.send(()).unwrap();
        let mut answered = [0; 2].map(|_| stuck.recv_response(Wire::Chunked).sequence);
        answered.sort_unstable();
        assert_eq!(answered, [1, 2]);
    });
}

#[test]
fn calls_that_take_long_leave_others_a_thread_of_the_runtime() {
    // S1: which has two.
    const LONG: usize = 64 << 10;
    let (entered, mut entrances) = mpsc::unbounded_channel();
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Arc::new(std::sync::Mutex::new(released));
    let slow = move |reply: usize| {
        let (entered, released) = (entered.clone(), released.clone());
        move |_, body: Bytes| {
            let (entered, released) = (entered.clone(), released.clone());
            async move {
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_millis(1) {}
                if body[0] == 1 {
                    entered.send(()).unwrap();
                    released.lock().unwrap().recv_timeout(2 * PATIENCE).unwrap();
                }
                Ok(vec![7; reply].into())
            }
        }
    };
    let module = echo().on(705, slow(LONG)).on(706, slow(1));
    let server = Driver::Tokio.start(Server::builder().module(module));
    let [first, second, other] = [0; 3].map(|_| RawPeer::connect(server.path()));
    for (method, request, reply) in [(705, 1, LONG), (706, LONG, 1)] {
        // How long its reply is, and how long that takes, is known once it has.
        for sequence in 1..=2 {
            first.send_call(Wire::Chunked, 7, method, sequence, &vec![0; request]);
            assert_eq!(first.recv_response(Wire::Chunked).body.len(), reply);
        }
        for peer in [&first, &second] {
            peer.send_call(Wire::Chunked, 7, method, 3, &vec![1; request]);
        }
        in_order(entrances.recv()).unwrap();
        (0..100).for_each(|_| other.assert_served(Wire::Chunked));
        assert!(entrances.is_empty(), "both block");
        (0..2).for_each(|_| release.send(()).unwrap());
        for peer in [&first, &second] {
            assert_eq!(peer.recv_response(Wire::Chunked).body.len(), reply);
        }
        in_order(entrances.recv()).unwrap();
    }
}

/// A server in threads whose method 705 keeps a processor busy and gives a long reply, which it is known for; a call that has a body then does
/// what the test wants.
fn with_a_slow_method(then: impl Fn() + Send + Sync + 'static) -> TestServer {
    let then = Arc::new(then);
    let slow = echo().on(705, move |_, body: Bytes| {
        let then = then.clone();
        async move {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(1) {}
            if !body.is_empty() {
                then();
            }
            Ok(vec![7; 64 << 10].into())
        }
    });
    let server = Driver::Threads.start(Server::builder().module(slow));
    let peer = RawPeer::connect(server.path());
    // How long its reply is, how long that takes, and what took so long, is known once it has.
    for sequence in 1..=8 {
        peer.send_call(Wire::Chunked, 7, 705, sequence, b"");
        assert_eq!(peer.recv_response(Wire::Chunked).body.len(), 64 << 10);
    }
    server
}

/// How many of its calls may run at once.
fn turns() -> usize {
    available_parallelism().map_or(1, NonZeroUsize::get).saturating_sub(1).max(1)
}

#[test]
fn calls_that_take_long_leave_others_a_processor_of_a_server_in_threads() {
    // S1.
    let (entered, mut entrances) = mpsc::unbounded_channel();
    let ended = Arc::new(AtomicBool::new(false));
    let end = ended.clone();
    let server = with_a_slow_method(move || {
        entered.send(()).unwrap();
        while !ended.load(Ordering::Relaxed) {}
    });
    let peers: Vec<_> = (0..turns() + 8).map(|_| RawPeer::connect(server.path())).collect();
    let begun = Instant::now();
    peers.iter().for_each(|peer| peer.send_call(Wire::Chunked, 7, 705, 1, b"spin"));
    (0..turns()).for_each(|_| in_order(entrances.recv()).unwrap());
    let other = RawPeer::connect(server.path());
    (0..100).for_each(|_| other.assert_served(Wire::Chunked));
    // Every 100 ms, others have a turn.
    let more = entrances.len();
    let further = turns() * (begun.elapsed().as_millis() / 100) as usize;
    assert!(more <= further, "{more} more run, and {further} may");
    end.store(true, Ordering::Relaxed);
    peers.iter().for_each(|peer| assert_eq!(peer.recv_response(Wire::Chunked).body.len(), 64 << 10));
}

#[test]
fn slow_handlers_that_wait_hold_up_no_others_in_threads() {
    // S1: each waits for all the others, which are more than may run.
    let barrier = Barrier::new(turns() + 3);
    let server = with_a_slow_method(move || {
        barrier.wait();
    });
    let peers: Vec<_> = (0..turns() + 3).map(|_| RawPeer::connect(server.path())).collect();
    peers.iter().for_each(|peer| peer.send_call(Wire::Chunked, 7, 705, 1, b"wait"));
    peers.iter().for_each(|peer| assert_eq!(peer.recv_response(Wire::Chunked).body.len(), 64 << 10));
}

/// A stream without an end.
struct Ticks;

#[drpc_module(id = 8, unlisted)]
impl Ticks {
    #[method(1, stream)]
    fn ticks(&self) -> impl Stream<Item = Result<Bytes, Failure>> + use<> {
        stream::repeat(()).map(|()| Ok(Bytes::from_static(b"tick")))
    }
}

#[test]
fn calls_that_wait_for_a_permit_and_for_a_turn_do_not_wait_for_each_other() {
    // S1: one of the sessions sends a stream meanwhile, and steps aside for that.
    with_every_handle(|driver| {
        let slow = echo().on(705, |_, _| async {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_micros(500) {}
            Ok(vec![7; 64 << 10].into())
        });
        let builder = Server::builder().order(Order::Concurrent(4)).call_limit(2).allow_unlisted();
        let server = driver.start(builder.module(slow).module(Ticks));
        let calls = |streams: bool| {
            let peer = RawPeer::connect(server.path());
            if streams {
                let credit = Some(Credit { items: u32::MAX, bytes: u64::MAX });
                let added = Some(CallFields { credit, ..CallFields::default() }.into());
                let ticks =
                    Call::<Bytes> { module: 8, method: 801, sequence: 1000, body: Bytes::new(), added };
                peer.send_message(Wire::Chunked, &ticks.encode());
            }
            for sequence in 0..50 {
                peer.send_call(Wire::Chunked, 7, 705, sequence, b"");
                let response = loop {
                    let response = peer.recv_response(Wire::Chunked);
                    if response.part().is_none() {
                        break response;
                    }
                };
                assert_eq!((response.sequence, response.body.len()), (sequence, 64 << 10));
            }
        };
        thread::scope(|scope| {
            for streams in [true, false, false] {
                let calls = &calls;
                scope.spawn(move || calls(streams));
            }
        });
    });
}

#[test]
fn both_wires_are_spoken_on_one_server_at_once() {
    // W8: recognised for each session by itself, and kept.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(echo()));
        thread::scope(|scope| {
            for peer in 0..8 {
                let server = &server;
                scope.spawn(move || {
                    let wire = WIRES[peer % 2];
                    let peer = RawPeer::connect(server.path());
                    for len in [0, 1, 26, 200, 5653, 100_000] {
                        let body = vec![len as u8; len];
                        peer.send_call(wire, 7, 700, 3, &body);
                        assert_eq!(peer.recv_response(wire).body, body);
                    }
                });
            }
        });
    });
}

#[test]
fn a_call_knows_its_own_context_among_others() {
    with_every_server(|driver| {
        let module = Handlers::new(7, "interop").on(700, |context: Context, _| async move {
            tokio::task::yield_now().await;
            Ok(context.sequence().to_string().into())
        });
        let server = driver.start(Server::builder().order(Order::Concurrent(16)).module(module));
        let peer = RawPeer::connect(server.path());
        for sequence in 100..200 {
            peer.send_call(Wire::Plain, 7, 700, sequence, b"");
        }
        for _ in 100..200 {
            let response = peer.recv_response(Wire::Plain);
            assert_eq!(response.body, response.sequence.to_string());
        }
    });
}

#[test]
fn calls_wait_for_one_another_if_they_are_told_to() {
    // W10: a server that mixes up what it answers side by side never has two calls of one connection.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let builder = builder(fake.path()).server_answers_in_order(false).one_call_at_a_time(true);
        let client = kind.connect(builder).unwrap();
        let server = fake.accept();
        let answer = |calls: usize| {
            for _ in 0..calls {
                let call = server.recv_call(Wire::Chunked).unwrap();
                assert!(!server.has_packet(), "another call came before this one was answered");
                server.send_reply(Wire::Chunked, call.sequence, 0, &call.body);
            }
        };
        thread::scope(|scope| {
            scope.spawn(|| answer(4));
            let bodies: Vec<_> = (0..4).map(|call| vec![call; 300_000]).collect();
            let bodies: Vec<_> = bodies.iter().map(Vec::as_slice).collect();
            let results = client.batch(Method::new(7, 700, "echo"), &bodies, &CallOptions::new());
            for (result, body) in results.into_iter().zip(bodies) {
                assert!(result.unwrap().body == body);
            }
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_of_many_tasks_wait_for_one_another_if_they_are_told_to() {
    let fake = Fake::listen();
    let builder = Client::builder(fake.path()).server_answers_in_order(false).one_call_at_a_time(true);
    let client = builder.connect().await.unwrap();
    let server = fake.accept();
    let calls: Vec<_> = (0..8).map(|_| tokio::spawn(call(&client, 700, "x"))).collect();
    for _ in 0..8 {
        let call = server.recv_call(Wire::Chunked).unwrap();
        assert!(!server.has_packet(), "another call came before this one was answered");
        server.send_reply(Wire::Chunked, call.sequence, 0, &call.body);
    }
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap().body, "x");
    }
}

#[test]
fn calls_that_wait_for_one_another_have_their_turns_in_order() {
    in_order(async {
        let fake = Fake::listen();
        let builder = Client::builder(fake.path()).one_call_at_a_time(true);
        let client = builder.connect().await.unwrap();
        let server = fake.accept();
        let answering = tokio::task::spawn_blocking(move || {
            for _ in 0..101 {
                let call = server.recv_call(Wire::Chunked).unwrap();
                server.send_reply(Wire::Chunked, call.sequence, 0, &call.body);
            }
        });
        let made = Cell::new(0);
        let many = async {
            for _ in 0..100 {
                call(&client, 700, "many").await.unwrap();
                made.set(made.get() + 1);
            }
        };
        let one = async {
            call(&client, 700, "one").await.unwrap();
            assert!(made.get() <= 2, "{} calls have overtaken it", made.get());
        };
        tokio::join!(many, one);
        answering.await.unwrap();
    });
}

#[test]
fn a_call_does_not_follow_one_that_was_given_up_on_its_connection() {
    // C4, W10.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).one_call_at_a_time(true)).unwrap();
        let first = fake.accept();
        thread::scope(|scope| {
            let given_up = scope.spawn(|| client.call_with(7, 700, b"a", &soon()).unwrap_err());
            assert_eq!(first.recv_call(Wire::Chunked).unwrap().body, "a");
            let next = scope.spawn(|| client.call(7, 700, b"b").unwrap());
            let second = fake.accept();
            let call = second.recv_call(Wire::Chunked).unwrap();
            assert_eq!(call.body, "b");
            second.send_reply(Wire::Chunked, call.sequence, 0, b"");
            next.join().unwrap();
            assert_eq!(given_up.join().unwrap().kind(), CallErrorKind::Timeout);
            if first.has_packet() {
                first.assert_closed();
            }
        });
    });
}

#[test]
fn a_client_is_heard_while_its_call_waits_for_room() {
    with_every_server(|driver| {
        // C4, S5: what it says frees the room that the call waits for.
        let gate = Gate::new();
        let module = echo().on(705, {
            let gate = gate.clone();
            move |context: Context, body| {
                let gate = gate.clone();
                async move {
                    gate.arrive();
                    context.cancelled().await;
                    Ok(body)
                }
            }
        });
        let builder = Server::builder().order(Order::Concurrent(2)).call_limit(1).module(module);
        let server = driver.start(builder);
        let peer = RawPeer::connect(server.path());
        let say = |module, method, sequence, added: CallFields| {
            let call =
                Call::<Bytes> { module, method, sequence, body: Bytes::new(), added: Some(added.into()) };
            peer.send_message(Wire::Chunked, &call.encode());
        };
        say(7, 705, 1, CallFields { asks_control: true, ..CallFields::default() });
        in_order(gate.arrived(1));
        say(7, 700, 2, CallFields::default());
        say(0, 0, 1, CallFields { control: Some(Control::Cancel), ..CallFields::default() });
        let mut answered = [(); 2].map(|()| peer.recv_response(Wire::Chunked).sequence);
        answered.sort_unstable();
        assert_eq!(answered, [1, 2]);
    });
}
