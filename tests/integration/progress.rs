//! The server in steps (S9): what is its own. What it has in common with the others is tested by the suites that run with
//! every server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::progress::{Progress, Server};
use drpc::wire::{Call, CallFields};
use drpc::{Context, Order, ServerBuilder, Status, Wire};
use tempfile::TempDir;
use tokio::sync::{Semaphore, mpsc};

use crate::support::{
    Gate, PATIENCE, RawPeer, SOON, WIRES, echo, gated, header, interop, is_readable, isolated,
    open_descriptors, packets_of,
};

/// A server that the test itself drives, step by step.
struct Stepped {
    server: Server,
    directory: TempDir,
}

impl Stepped {
    fn bind(builder: ServerBuilder) -> Stepped {
        let directory = tempfile::tempdir().unwrap();
        let server = builder.explicit_modules_only().bind_progress(directory.path().join("s")).unwrap();
        Stepped { server, directory }
    }

    /// A client whose connection has been accepted.
    fn connect(&mut self) -> RawPeer {
        let peer = RawPeer::connect(&self.directory.path().join("s"));
        self.until("a connection", |done| done.accepted() > 0);
        peer
    }

    /// A step that waits for nothing.
    fn step(&mut self) -> Progress {
        self.server.progress(Duration::ZERO).unwrap()
    }

    /// Steps that wait, until one has done what is asked for.
    fn until(&mut self, what: &str, mut is_done: impl FnMut(&Progress) -> bool) {
        loop {
            let done = self.server.progress(PATIENCE).unwrap();
            if is_done(&done) {
                return;
            }
            assert!(!done.is_idle(), "waited for {what} in vain");
        }
    }

    /// Steps until there is nothing to do; gives how many it took.
    fn until_idle(&mut self) -> usize {
        (0..).take_while(|_| !self.step().is_idle()).count()
    }
}

#[test]
fn a_step_does_what_there_is_to_do_and_says_so() {
    // S9: on a thread without a runtime, and with none of its own.
    for wire in WIRES {
        let mut server = Stepped::bind(Server::builder().module(interop()));
        assert!(server.step().is_idle(), "no activity is no error");
        let peer = server.connect();
        assert_eq!(server.server.sessions().len(), 1);
        peer.send_call(wire, 7, 700, 1, b"ping");
        let done = server.step();
        assert_eq!((done.accepted(), done.calls(), done.replies(), done.closed()), (0, 1, 1, 0));
        assert_eq!(peer.recv_response(wire).body, "ping");
        assert!(server.step().is_idle());
        drop(peer);
        assert_eq!(server.step().closed(), 1);
        assert_eq!(server.server.sessions().len(), 0);
        assert!(server.step().is_idle());
    }
}

#[test]
fn a_step_waits_no_longer_than_it_may() {
    // S9: "no activity" is a time-out that is no error.
    let mut server = Stepped::bind(Server::builder().module(interop()));
    let started = Instant::now();
    assert!(server.server.progress(SOON).unwrap().is_idle());
    assert!(started.elapsed() >= SOON);
}

#[test]
fn the_time_in_which_a_call_waits_for_room_is_its_callers() {
    // E5: a microsecond, which is over once the call before it has left its room.
    let (gate, begun) = (Gate::new(), Gate::new());
    let (held, telling) = (gate.clone(), begun.clone());
    let module = echo()
        .on(702, move |_, body| {
            let held = held.clone();
            async move {
                held.pass().await;
                Ok(body)
            }
        })
        .on(703, move |_, body| {
            telling.arrive();
            async { Ok(body) }
        });
    let mut server = Stepped::bind(Server::builder().call_limit(1).module(module));
    let (first, second) = (server.connect(), server.connect());
    first.send_call(Wire::Chunked, 7, 702, 1, b"");
    assert_eq!(server.step().calls(), 1);
    let fields = CallFields { time_left: Some(Duration::from_micros(1)), ..CallFields::default() };
    let call =
        Call::<Bytes> { module: 7, method: 703, sequence: 1, body: Bytes::new(), added: Some(fields.into()) };
    second.send_message(Wire::Chunked, &call.encode());
    assert_eq!(server.step().calls(), 1);
    gate.open(1);
    server.until_idle();
    assert_eq!(first.recv_response(Wire::Chunked).status, Status::SUCCESS);
    assert_eq!(second.recv_response(Wire::Chunked).status, Status::FAILURE);
    assert_eq!(begun.unnoticed(), 0);
}

#[test]
fn a_handler_that_another_thread_makes_ready_ends_the_wait() {
    // S9: the waker of a handler wakes the loop.
    let (wanted, wants) = std::sync::mpsc::channel();
    let module = echo().on(705, move |_, body: Bytes| {
        let (answer, answered) = tokio::sync::oneshot::channel();
        wanted.send((body, answer)).unwrap();
        async move { Ok(answered.await.unwrap()) }
    });
    let mut server = Stepped::bind(Server::builder().module(module));
    let peer = server.connect();
    let worker = thread::spawn(move || {
        for (body, answer) in wants {
            let answer: tokio::sync::oneshot::Sender<Bytes> = answer;
            answer.send([&body[..], b"!"].concat().into()).unwrap();
        }
    });
    for round in 0..100 {
        peer.send_call(Wire::Chunked, 7, 705, round, b"work");
        server.until("the reply", |done| done.replies() > 0);
        assert_eq!(peer.recv_response(Wire::Chunked).body, "work!");
    }
    drop(server);
    worker.join().unwrap();
}

#[test]
fn a_handler_that_wakes_itself_is_polled_in_every_step_and_holds_up_nobody() {
    // S1.
    let polls = Arc::new(AtomicUsize::new(0));
    let module = echo().on(705, {
        let polls = polls.clone();
        move |_, _| {
            let polls = polls.clone();
            std::future::poll_fn(move |context| {
                polls.fetch_add(1, Ordering::SeqCst);
                context.waker().wake_by_ref();
                Poll::Pending
            })
        }
    });
    let mut server = Stepped::bind(Server::builder().module(module));
    let (busy, other) = (server.connect(), server.connect());
    busy.send_call(Wire::Chunked, 7, 705, 1, b"");
    server.until("the call", |done| done.calls() > 0);
    for sequence in 1..10 {
        let before = polls.load(Ordering::SeqCst);
        other.send_call(Wire::Chunked, 7, 700, sequence, b"");
        let done = server.step();
        assert_eq!((done.calls(), done.replies()), (1, 1));
        assert_eq!(other.recv_response(Wire::Chunked).sequence, sequence);
        let polled = polls.load(Ordering::SeqCst) - before;
        assert!((1..10).contains(&polled), "it was polled {polled} times in one step");
    }
}

#[test]
fn the_waker_ends_a_wait_from_any_thread_and_is_forgotten_then() {
    let mut server = Stepped::bind(Server::builder().module(interop()));
    let waker = server.server.waker();
    thread::spawn(move || (0..3).for_each(|_| waker.wake_by_ref())).join().unwrap();
    assert!(!server.server.progress(PATIENCE).unwrap().is_idle());
    assert!(server.step().is_idle());
    server.server.waker().wake();
    assert!(!server.step().is_idle());
    // However long the wait would have been.
    for timeout in [Duration::from_secs(u64::from(u32::MAX)), Duration::from_secs(u64::MAX), Duration::MAX] {
        server.server.waker().wake();
        assert!(!server.server.progress(timeout).unwrap().is_idle());
    }
}

#[test]
fn a_flood_has_its_share_of_a_step_and_others_theirs() {
    // S1, S9.
    let mut server = Stepped::bind(Server::builder().module(interop()));
    let (flood, other) = (server.connect(), server.connect());
    let small = &packets_of(Wire::Chunked, b"\x08\x07\x10\xbc\x05\x18\x01")[0];
    let mut sent = 0;
    while flood.try_send(small) {
        sent += 1;
    }
    assert!(sent > 100, "{sent} calls wait");
    for sequence in 1..=3 {
        other.send_call(Wire::Chunked, 7, 700, sequence, b"mine");
        let done = server.step();
        // Of the 32 packets in a share, half are replies.
        assert_eq!((done.calls(), done.replies()), (16 + 1, 16 + 1));
        assert_eq!(other.recv_response(Wire::Chunked).sequence, sequence);
    }
    // And it is served to the end.
    let mut replies = 3 * 16;
    while replies < sent {
        replies += server.step().replies();
    }
    assert!(server.step().is_idle());
}

#[test]
fn long_calls_of_all_sessions_have_a_share_of_a_step() {
    // S9: however many send what may take long to decode, others wait for 64 KiB of it at most, and the last.
    let mut server = Stepped::bind(Server::builder().module(interop()));
    let long: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let other = server.connect();
    long.iter().for_each(|peer| peer.send_call(Wire::Chunked, 7, 700, 1, &[7; 32 << 10]));
    let mut replies = 0;
    while replies < long.len() {
        other.send_call(Wire::Chunked, 7, 700, 1, b"mine");
        let done = server.step();
        assert_eq!(other.recv_response(Wire::Chunked).body, b"mine"[..]);
        replies += done.replies() - 1;
        // Two calls are a little more than 64 KiB.
        assert_eq!(done.replies() - 1, 2);
    }
    long.iter().for_each(|peer| assert_eq!(peer.recv_response(Wire::Chunked).body.len(), 32 << 10));
    assert!(server.step().is_idle());
}

#[test]
fn handlers_that_take_long_for_long_replies_begin_one_a_step() {
    // S9: however many ask for what takes long to make, others wait for one such handler at most.
    let long = echo().on(705, |_, _| async {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(1) {}
        Ok(vec![7; 64 << 10].into())
    });
    let mut server = Stepped::bind(Server::builder().module(long));
    let asking: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let other = server.connect();
    // How long its reply is, and how long that takes, is known once it has.
    for sequence in 0..2 {
        asking[0].send_call(Wire::Chunked, 7, 705, sequence, b"");
        assert_eq!(server.step().replies(), 1);
        assert_eq!(asking[0].recv_response(Wire::Chunked).body.len(), 64 << 10);
    }
    asking.iter().for_each(|peer| peer.send_call(Wire::Chunked, 7, 705, 2, b""));
    for _ in &asking {
        other.send_call(Wire::Chunked, 7, 700, 1, b"mine");
        assert_eq!(server.step().replies(), 2);
        assert_eq!(other.recv_response(Wire::Chunked).body, b"mine"[..]);
    }
    asking.iter().for_each(|peer| assert_eq!(peer.recv_response(Wire::Chunked).body.len(), 64 << 10));
    assert!(server.step().is_idle());
}

#[test]
fn what_clients_that_have_left_sent_before_has_a_share_of_a_step() {
    // S6, S9.
    let gate = Gate::new();
    let mut server = Stepped::bind(Server::builder().module(gated(&gate)));
    let leaving: Vec<_> = (0..20).map(|_| server.connect()).collect();
    let other = server.connect();
    let added = CallFields { is_pack: true, ..CallFields::default() };
    let body = Bytes::from(b"\x07\x08\x07\x10\xbc\x05\x18\x01".repeat(128));
    let pack = Call::<Bytes> { module: 0, method: 0, sequence: 0, body, added: Some(added.into()) };
    for peer in &leaving {
        peer.send_call(Wire::Chunked, 7, 705, 1, b"");
        (0..2).for_each(|_| peer.send_message(Wire::Chunked, &pack.encode()));
    }
    server.until_idle();
    drop(leaving);
    let mut calls = 0;
    while calls < 20 * 2 * 128 {
        other.send_call(Wire::Chunked, 7, 700, 1, b"mine");
        let done = server.step();
        assert_eq!(other.recv_response(Wire::Chunked).body, b"mine"[..]);
        assert!(done.calls() <= 8 * 2 * 128 + 1, "{} calls were read in a step", done.calls());
        calls += done.calls() - 1;
    }
    gate.open(20);
    server.until_idle();
}

#[test]
fn a_long_call_that_waits_for_a_step_is_not_overtaken_by_others() {
    // S9: each of these takes all that a step has for long calls.
    let mut server = Stepped::bind(Server::builder().module(interop()));
    let (waits, hurries) = (server.connect(), server.connect());
    let body = vec![7; 64 << 10];
    hurries.send_call(Wire::Chunked, 7, 700, 1, &body);
    waits.send_call(Wire::Chunked, 7, 700, 1, &body);
    server.step();
    for _ in 0..2 {
        if hurries.has_packet() {
            assert_eq!(hurries.recv_response(Wire::Chunked).body.len(), body.len());
            hurries.send_call(Wire::Chunked, 7, 700, 1, &body);
        }
        server.step();
    }
    assert!(waits.has_packet(), "it is overtaken");
    server.until_idle();
    assert!(hurries.has_packet());
}

#[test]
fn a_call_that_waits_for_room_is_not_overtaken_by_those_that_a_session_has_sent_ahead() {
    // S9: the room that a call leaves goes to who came first.
    let gate = Gate::new();
    let mut server = Stepped::bind(Server::builder().call_limit(1).module(gated(&gate)));
    let (greedy, modest) = (server.connect(), server.connect());
    let fields = CallFields { asks_control: true, ..CallFields::default() };
    let asks =
        Call::<Bytes> { module: 7, method: 700, sequence: 0, body: Bytes::new(), added: Some(fields.into()) };
    greedy.send_message(Wire::Chunked, &asks.encode());
    (1..=5).for_each(|sequence| greedy.send_call(Wire::Chunked, 7, 705, sequence, b""));
    server.until_idle();
    modest.send_call(Wire::Chunked, 7, 700, 1, b"my turn");
    server.until_idle();
    assert!(!modest.has_packet());
    gate.open(2);
    server.until_idle();
    assert!(modest.has_packet(), "it is overtaken");
    assert_eq!(modest.recv_response(Wire::Chunked).body, "my turn");
    gate.open(3);
    server.until_idle();
    for sequence in 0..=5 {
        assert_eq!(greedy.recv_response(Wire::Chunked).sequence, sequence);
    }
}

#[test]
fn a_large_message_is_received_and_answered_a_share_at_a_time() {
    // S9, W10: 8 MiB is 65 packets; two replies at once, each whole.
    let mut server = Stepped::bind(Server::builder().order(Order::Concurrent(4)).module(interop()));
    let (large, other) = (server.connect(), server.connect());
    let body: Bytes = vec![5; 8 << 20].into();
    let client = thread::spawn(move || {
        for sequence in [1, 2] {
            large.send_call(Wire::Chunked, 7, 700, sequence, &body);
            let response = large.recv_response(Wire::Chunked);
            assert_eq!((response.sequence, response.body.len()), (sequence, body.len()));
            assert!(response.body == body);
        }
    });
    let (mut replies, mut sequence) = (0, 0);
    while replies < 2 {
        // Nobody else notices.
        sequence += 1;
        other.send_call(Wire::Plain, 7, 700, sequence, b"");
        let done = server.step();
        assert_eq!(other.recv_response(Wire::Plain).sequence, sequence);
        replies += done.replies() - 1;
    }
    client.join().unwrap();
}

#[test]
fn replies_that_nobody_reads_cost_no_steps() {
    // H row 6, S9: level-triggered as it is, a session that waits for its client does not keep the loop awake.
    for method in [700, 705] {
        let module = echo().on(705, |_, body| async {
            tokio::task::yield_now().await;
            Ok(body)
        });
        let mut server = Stepped::bind(Server::builder().module(module));
        let peer = server.connect();
        let call =
            Call::<Bytes> { module: 7, method, sequence: 1, body: vec![1; 100_000].into(), added: None };
        let packet = packets_of(Wire::Chunked, &call.encode()).remove(0);
        let mut sent = 0;
        loop {
            while peer.try_send(&packet) {
                sent += 1;
            }
            server.until_idle();
            if !peer.try_send(&packet) {
                break;
            }
            sent += 1;
        }
        assert!(sent < 50, "{sent} calls were taken");
        assert!(server.step().is_idle());
        // Read at last, every reply is there.
        let mut received = 0;
        while received < sent {
            while is_readable(&peer) {
                assert_eq!(peer.recv_response(Wire::Chunked).body.len(), 100_000);
                received += 1;
            }
            server.until_idle();
        }
    }
}

#[test]
fn clients_that_left_or_wait_cost_no_steps_while_their_calls_run() {
    // S6, S9: end of file and hang-up stay; they are not looked at again and again.
    for (order, close) in [
        (Order::Serial, true),
        (Order::Serial, false),
        (Order::Concurrent(4), true),
        (Order::Concurrent(4), false),
    ] {
        let gate = Gate::new();
        let (told, mut tidings) = mpsc::unbounded_channel();
        let module = echo().on(705, {
            let gate = gate.clone();
            move |context: Context, body| {
                let (gate, told) = (gate.clone(), told.clone());
                async move {
                    gate.through().await;
                    told.send(context.is_cancelled()).unwrap();
                    Ok(body)
                }
            }
        });
        let mut server = Stepped::bind(Server::builder().order(order).module(module));
        let peer = server.connect();
        for sequence in 1..=3 {
            peer.send_call(Wire::Chunked, 7, 705, sequence, b"");
        }
        let peer = if close {
            drop(peer);
            None
        } else {
            peer.half_close();
            Some(peer)
        };
        assert!(server.until_idle() < 10, "{order:?}");
        gate.open(3);
        server.until("the end of the session", |done| done.closed() > 0);
        for _ in 0..3 {
            let told = tidings.try_recv().unwrap();
            assert_eq!(told, close, "{order:?}");
        }
        if let Some(peer) = peer {
            let mut sequences: Vec<_> = (0..3).map(|_| peer.recv_response(Wire::Chunked).sequence).collect();
            sequences.sort_unstable();
            assert_eq!(sequences, [1, 2, 3]);
            peer.assert_closed();
        }
    }
}

#[test]
fn its_descriptor_tells_another_loop_when_to_step() {
    // S9: whatever a step leaves undone is told too.
    let gate = Gate::new();
    let module = echo().on(705, {
        let gate = gate.clone();
        move |_, body| {
            let gate = gate.clone();
            async move {
                gate.through().await;
                Ok(body)
            }
        }
    });
    let mut server = Stepped::bind(Server::builder().order(Order::Concurrent(100)).module(module));
    assert!(!is_readable(&server.server));
    let peer = RawPeer::connect(&server.directory.path().join("s"));
    assert!(is_readable(&server.server));
    server.until_idle();
    assert!(!is_readable(&server.server));

    for sequence in 0..50 {
        peer.send_call(Wire::Chunked, 7, 705, sequence, b"");
    }
    let mut calls = 0;
    while is_readable(&server.server) {
        calls += server.step().calls();
    }
    assert_eq!(calls, 50);
    gate.open(50);
    let mut replies = 0;
    while is_readable(&server.server) {
        replies += server.step().replies();
    }
    assert_eq!(replies, 50);
    assert_eq!(server.server.next_deadline(), None);
}

#[test]
fn its_next_deadline_is_that_of_a_half_message_a_handler_or_the_end() {
    // S9: for one whose loop waits elsewhere.
    let module = echo().on(705, |_, _| std::future::pending());
    let builder = Server::builder()
        .message_timeout(Duration::from_secs(100))
        .handler_timeout(Duration::from_secs(10))
        .drain_timeout(Duration::from_secs(1));
    let mut server = Stepped::bind(builder.module(module));
    let (half, runs, other) = (server.connect(), server.connect(), server.connect());
    let deadline = |server: &Stepped| {
        server.server.next_deadline().map(|at| at.saturating_duration_since(Instant::now()).as_secs() + 1)
    };
    assert_eq!(deadline(&server), None);
    let parts = [
        [header(10, 5, 0, 2), b"01234".to_vec()].concat(),
        [header(10, 5, 1, 2), b"56789".to_vec()].concat(),
    ];
    half.send(&parts[0]);
    server.step();
    assert!((90..=100).contains(&deadline(&server).unwrap()));
    runs.send_call(Wire::Chunked, 7, 705, 1, b"");
    server.step();
    assert!((9..=10).contains(&deadline(&server).unwrap()));
    other.send_call(Wire::Chunked, 7, 700, 1, b"");
    server.step();
    // A timer that is of no more use is gone.
    half.send(&parts[1]);
    server.step();
    drop(half);
    server.step();
    server.server.begin_shutdown();
    assert!(deadline(&server).unwrap() <= 1);
}

#[test]
fn time_outs_are_kept_without_a_runtime() {
    // H row 2, and `handler_timeout`; the step returns for them, however long it may wait.
    let module = echo().on(705, |_, _| std::future::pending());
    let builder = Server::builder().message_timeout(SOON).handler_timeout(SOON);
    let mut server = Stepped::bind(builder.module(module));
    let (half, slow) = (server.connect(), server.connect());
    half.send(&[header(10, 5, 0, 2), b"01234".to_vec()].concat());
    slow.send_call(Wire::Chunked, 7, 705, 1, b"");
    let (mut closed, mut replies) = (0, 0);
    server.until("both time-outs", |done| {
        closed += done.closed();
        replies += done.replies();
        closed == 1 && replies == 1
    });
    half.assert_closed();
    assert_eq!(slow.recv_response(Wire::Chunked).status, Status::FAILURE);
}

#[test]
fn a_shutdown_is_drained_by_further_steps() {
    // S7.
    let gate = Gate::new();
    let module = echo().on(705, {
        let gate = gate.clone();
        move |context: Context, body| {
            let gate = gate.clone();
            async move {
                context.cancelled().await;
                gate.through().await;
                Ok(body)
            }
        }
    });
    let mut server = Stepped::bind(Server::builder().module(module).drain_timeout(PATIENCE));
    let path = server.directory.path().join("s");
    let (idle, runs) = (server.connect(), server.connect());
    runs.send_call(Wire::Chunked, 7, 705, 1, b"last");
    server.step();
    server.server.begin_shutdown();
    server.server.begin_shutdown();
    assert!(!path.exists());
    assert!(RawPeer::try_connect(&path).is_err());
    idle.assert_closed();
    assert!(!server.server.is_drained());
    server.until_idle();
    assert!(!server.server.is_drained());
    gate.open(1);
    server.until("the last reply", |done| done.replies() > 0);
    // What it sent before, it may still read.
    server.until_idle();
    assert!(server.server.is_drained());
    assert!(server.server.outcome().is_some_and(|shutdown| shutdown.is_drained()));
    assert_eq!(runs.recv_response(Wire::Chunked).body, "last");
    runs.assert_closed();
}

#[test]
fn what_does_not_finish_in_time_is_cut() {
    // S7.
    let module = echo().on(705, |_, _| std::future::pending());
    let mut server = Stepped::bind(Server::builder().module(module).drain_timeout(SOON));
    let runs = server.connect();
    runs.send_call(Wire::Chunked, 7, 705, 1, b"");
    server.step();
    server.server.begin_shutdown();
    server.until("the end", |done| done.closed() > 0);
    assert!(server.server.is_drained());
    runs.assert_closed();
}

#[test]
fn dropped_it_closes_everything() {
    // S7: sessions, the socket's file, and handlers where they wait.
    isolated("progress::dropped_it_closes_everything", || {
        struct Waiting(Arc<Semaphore>);
        impl Drop for Waiting {
            fn drop(&mut self) {
                self.0.add_permits(1);
            }
        }
        let dropped = Arc::new(Semaphore::new(0));
        let module = echo().on(705, {
            let dropped = dropped.clone();
            move |_, _| {
                let waiting = Waiting(dropped.clone());
                async move {
                    let _waiting = waiting;
                    std::future::pending().await
                }
            }
        });
        let before = open_descriptors();
        let mut server = Stepped::bind(Server::builder().module(module));
        let path = server.directory.path().join("s");
        let (idle, runs) = (server.connect(), server.connect());
        runs.send_call(Wire::Chunked, 7, 705, 1, b"");
        server.step();
        let Stepped { server, directory } = server;
        drop(server);
        idle.assert_closed();
        runs.assert_closed();
        drop((idle, runs));
        assert_eq!(dropped.available_permits(), 1);
        assert!(!path.exists());
        assert_eq!(open_descriptors(), before);
        drop(directory);
    });
}

#[test]
fn a_thousand_sessions_are_served_in_a_few_steps_each_round() {
    // S9: no step looks at a session that has nothing to do, and none is left out.
    isolated("progress::a_thousand_sessions_are_served_in_a_few_steps_each_round", || {
        let mut server = Stepped::bind(Server::builder().module(interop()));
        let peers: Vec<_> = (0..1000).map(|_| server.connect()).collect();
        for round in 1..=3 {
            for peer in &peers {
                peer.send_call(Wire::Chunked, 7, 700, round, b"");
            }
            assert!(server.until_idle() <= 8);
            for peer in &peers {
                assert_eq!(peer.recv_response(Wire::Chunked).sequence, round);
            }
        }
        peers[500].send_call(Wire::Chunked, 7, 700, 9, b"");
        assert_eq!(server.step().replies(), 1);
    });
}

#[test]
fn it_can_be_taken_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&Stepped::bind(Server::builder().module(interop())).server);
}

#[test]
fn what_needs_a_runtime_answers_failure_without_one_and_works_inside_of_one() {
    // S10.
    let module = || {
        echo().on(705, |_, body| async {
            tokio::time::sleep(Duration::ZERO).await;
            Ok(body)
        })
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for (inside, status) in [(false, Status::FAILURE), (true, Status::SUCCESS)] {
        let _guard = inside.then(|| runtime.enter());
        let mut server = Stepped::bind(Server::builder().module(module()));
        let peer = server.connect();
        peer.send_call(Wire::Chunked, 7, 705, 1, b"");
        server.until("the reply", |done| done.replies() > 0);
        assert_eq!(peer.recv_response(Wire::Chunked).status, status);
    }
}

#[test]
fn its_sessions_are_listed_and_one_that_another_thread_closes_ends_politely() {
    // D8, S7: `Session::close` ends the wait of a step.
    let gate = Gate::new();
    let module = echo().on(705, {
        let gate = gate.clone();
        move |context: Context, _| {
            gate.arrive();
            async move {
                context.cancelled().await;
                Ok(format!("{:?}", context.cancellation()).into())
            }
        }
    });
    let mut server = Stepped::bind(Server::builder().module(module));
    let (stays, goes) = (server.connect(), server.connect());
    goes.send_call(Wire::Chunked, 7, 705, 5, b"");
    server.until("a call", |done| done.calls() > 0);
    let sessions = server.server.sessions();
    assert_eq!(sessions.iter().map(|session| session.id()).collect::<Vec<_>>(), [1, 2]);
    assert!(sessions[0].running_calls().is_empty());
    let [call] = &sessions[1].running_calls()[..] else { panic!("one call") };
    assert_eq!((call.method().id(), call.sequence(), sessions[1].calls_done()), (705, 5, 0));
    server.until_idle();
    let closing = thread::spawn({
        let session = sessions[1].clone();
        move || session.close()
    });
    server.until("the end of a session", |done| done.closed() > 0);
    closing.join().unwrap();
    assert_eq!(goes.recv_response(Wire::Chunked).body, "Some(SessionClosed)");
    goes.assert_closed();
    assert!(sessions[1].running_calls().is_empty());
    assert_eq!(sessions[1].calls_done(), 1);
    stays.send_call(Wire::Chunked, 7, 700, 1, b"here");
    server.until("a reply", |done| done.replies() > 0);
    assert_eq!(stays.recv_response(Wire::Chunked).body, "here");
    assert_eq!(server.server.sessions().len(), 1);
}

#[test]
fn a_session_that_is_cut_leaves_its_room_to_the_call_that_waits() {
    // Its handler is dropped where it waits.
    struct Dropped(Arc<AtomicUsize>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let module = echo().on(705, {
        let dropped = dropped.clone();
        move |_, _| {
            let guard = Dropped(dropped.clone());
            async move {
                let _guard = guard;
                std::future::pending().await
            }
        }
    });
    let mut server = Stepped::bind(Server::builder().call_limit(1).module(module));
    let (stuck, waits) = (server.connect(), server.connect());
    stuck.send_call(Wire::Chunked, 7, 705, 1, b"");
    server.until("a call", |done| done.calls() > 0);
    waits.send_call(Wire::Chunked, 7, 700, 1, b"my turn");
    server.until("another call", |done| done.calls() > 0);
    assert_eq!(server.server.sessions()[1].calls_done(), 0);
    assert!(server.server.cut_session(1));
    assert!(!server.server.cut_session(1));
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    stuck.assert_closed();
    server.until("a reply", |done| done.replies() > 0);
    assert_eq!(waits.recv_response(Wire::Chunked).body, "my turn");
}

#[test]
fn a_server_that_is_drained_takes_no_more_work() {
    // S7: not even of a context that outlives it.
    for drain_timeout in [PATIENCE, Duration::ZERO] {
        let (give, mut contexts) = mpsc::unbounded_channel();
        let module = interop().on(705, move |context: Context, body| {
            let _ = give.send(context);
            async { Ok(body) }
        });
        let mut server = Stepped::bind(Server::builder().drain_timeout(drain_timeout).module(module));
        let peer = server.connect();
        peer.send_call(Wire::Chunked, 7, 705, 1, b"");
        server.until("the reply", |done| done.replies() > 0);
        let context = contexts.try_recv().unwrap();
        server.server.begin_shutdown();
        assert!(server.server.is_drained());
        server.step();
        context.spawn(|_| std::future::pending());
        assert!(server.server.is_drained(), "{drain_timeout:?}");
    }
}

#[test]
fn what_has_come_is_served_before_its_session_is_idle() {
    // As the server on tokio does: even if no idleness is allowed at all.
    let mut server = Stepped::bind(Server::builder().idle_timeout(Duration::ZERO).module(interop()));
    let peer = RawPeer::connect(&server.directory.path().join("s"));
    peer.send_call(Wire::Chunked, 7, 700, 1, b"ping");
    server.until("the end of the session", |done| done.closed() > 0);
    assert_eq!(peer.recv_response(Wire::Chunked).body, "ping");
    peer.assert_closed();
}
