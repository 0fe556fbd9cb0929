//! The client in steps: what is its own. What it has in common with the others is tested by the suites that run with every client.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::progress::{Client, PendingCall, Server};
use drpc::wire::Response;
use drpc::{Backoff, CallError, CallErrorKind, CallOptions, Caller, Method, Wire};
use futures_util::FutureExt;

use crate::support::{
    Fake, Handlers, Logs, PATIENCE, RawPeer, SOON, WIRES, builder, echo, interop, is_readable, isolated,
    open_descriptors, soon, with_every_server, without_response,
};

type Outcome = Result<Response, CallError>;

const ECHO: Method = Method::new(7, 700, "echo");

fn client_of(fake: &Fake) -> Client {
    builder(fake.path()).connect_progress().unwrap()
}

fn call(client: &Client, body: &str, options: &CallOptions) -> PendingCall<Outcome> {
    client.call_raw(ECHO, body.to_owned(), options)
}

/// Makes steps until the future is ready; with a client that waits without end, what does not wake it makes its test fail.
fn run<T>(client: &Client, future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = client.waker();
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return outcome;
        }
        client.progress(Duration::MAX).unwrap();
    }
}

/// Polls a call once, so that it is sent.
fn send<T>(call: &mut PendingCall<T>) {
    assert!(call.now_or_never().is_none(), "it is pending");
}

/// Makes steps that wait for nothing, for as long as there is something to do.
fn steps(client: &Client) {
    while is_readable(client) {
        client.progress(Duration::ZERO).unwrap();
    }
}

/// A client with a connection, and its server's end.
fn connected(set: impl FnOnce(drpc::ClientBuilder) -> drpc::ClientBuilder) -> (Client, RawPeer, Fake) {
    let fake = Fake::listen();
    let client = set(builder(fake.path())).connect_progress().unwrap();
    run(&client, client.connect()).unwrap();
    let server = fake.accept();
    (client, server, fake)
}

#[test]
fn many_calls_are_in_flight_and_each_is_called_back() {
    with_every_server(|driver| {
        for wire in WIRES {
            let server = driver.start(Server::builder().module(interop()));
            let client = builder(server.path()).wire(wire).connect_progress().unwrap();
            let (done, outcomes) = mpsc::channel::<(usize, Outcome)>();
            for number in 0..100 {
                let done = done.clone();
                let made = call(&client, &number.to_string(), &CallOptions::new());
                made.when_done(move |outcome| done.send((number, outcome)).unwrap());
            }
            for _ in 0..100 {
                let (number, outcome) = loop {
                    match outcomes.try_recv() {
                        Ok(outcome) => break outcome,
                        Err(_) => client.progress(Duration::MAX).unwrap(),
                    }
                };
                assert_eq!(outcome.unwrap().body, number.to_string());
            }
        }
    });
}

#[test]
fn a_call_is_a_future_for_whatever_polls_futures() {
    for wire in WIRES {
        let fake = Fake::listen();
        let client = builder(fake.path()).wire(wire).connect_progress().unwrap();
        let mut made = call(&client, "body", &CallOptions::new());
        send(&mut made);
        let server = fake.accept();
        let received = server.recv_call(wire).unwrap();
        assert_eq!((received.sequence, &received.body[..]), (1, &b"body"[..]));
        server.send_reply(wire, 1, 0, b"reply");
        assert_eq!(run(&client, made).unwrap().body, "reply");
    }
}

#[test]
fn a_handler_calls_another_server_in_the_loop_of_its_own() {
    for wire in WIRES {
        let control = Fake::listen();
        let client = builder(control.path()).wire(wire).connect_progress().unwrap();
        let calling = client.clone();
        let asking = Handlers::new(8, "asking").on(800, move |_, body| {
            let client = calling.clone();
            async move {
                client.call_raw(ECHO, "notice", &without_response()).detach();
                Ok(client.call_raw(ECHO, body, &CallOptions::new()).await?.body)
            }
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let builder = Server::builder().explicit_modules_only();
        let mut server = builder.module(asking).module(echo()).bind_progress(&path).unwrap();
        server.drive(&client).unwrap();
        assert!(server.drive(&client).is_err(), "it is driven already");
        drop(client);

        let peer = RawPeer::connect(&path);
        peer.send_call(wire, 8, 800, 1, b"question");
        while server.progress(PATIENCE).unwrap().calls() == 0 {}
        let upstream = control.accept();
        let bodies = [1, 2].map(|sequence| {
            let call = upstream.recv_call(wire).unwrap();
            assert_eq!(call.sequence, sequence);
            call.body
        });
        assert_eq!(bodies, ["notice", "question"]);

        // The loop goes on meanwhile.
        let other = RawPeer::connect(&path);
        other.send_call(wire, 7, 700, 1, b"");
        while server.progress(PATIENCE).unwrap().replies() == 0 {}
        assert_eq!(other.recv_response(wire).sequence, 1);

        assert!(server.next_deadline().is_some(), "the call's");
        upstream.send_reply(wire, 1, 0, b"");
        upstream.send_reply(wire, 2, 0, b"answer");
        while server.progress(PATIENCE).unwrap().replies() == 0 {}
        assert_eq!(peer.recv_response(wire).body, "answer");
        drop(server);
        upstream.assert_closed();
    }
}

#[test]
fn the_steps_of_a_server_see_to_the_deadlines_of_the_client_that_it_drives() {
    let control = Fake::listen();
    let client = client_of(&control);
    let directory = tempfile::tempdir().unwrap();
    let builder = Server::builder().explicit_modules_only();
    let mut server = builder.module(echo()).bind_progress(directory.path().join("s")).unwrap();
    server.drive(&client).unwrap();
    let (done, outcome) = mpsc::channel();
    call(&client, "", &soon()).when_done(move |outcome| done.send(outcome).unwrap());
    let outcome = loop {
        match outcome.try_recv() {
            Ok(outcome) => break outcome,
            // It waits for no longer than until then.
            Err(_) => drop(server.progress(Duration::MAX).unwrap()),
        }
    };
    assert!(outcome.unwrap_err().is_timeout());
    assert_eq!(server.next_deadline(), None);
}

#[test]
fn a_call_without_a_reply_is_over_in_its_time() {
    // C4.
    for wire in WIRES {
        let (client, server, fake) = connected(|builder| builder.wire(wire));
        assert_eq!(client.next_deadline(), None);
        let mut made = call(&client, "slow", &soon());
        send(&mut made);
        assert!(client.next_deadline().unwrap() <= Instant::now() + SOON);
        let error = run(&client, made).unwrap_err();
        assert!(error.is_timeout() && !error.is_retryable(), "{error}");
        assert_eq!(client.next_deadline(), None);
        assert_eq!(server.recv_call(wire).unwrap().sequence, 1);

        // The next one does not wait behind it.
        let mut next = call(&client, "next", &CallOptions::new());
        send(&mut next);
        let server = fake.accept();
        assert_eq!(server.recv_call(wire).unwrap().body, "next");
        server.send_reply(wire, 1, 0, b"");
        run(&client, next).unwrap();
    }
}

#[test]
fn a_full_backlog_holds_up_the_call_and_not_the_loop() {
    let fake = Fake::with_backlog(0);
    let fills = RawPeer::connect(fake.path());
    let client = client_of(&fake);
    let (done, outcome) = mpsc::channel();
    call(&client, "body", &CallOptions::new()).when_done(move |outcome| done.send(outcome).unwrap());
    client.progress(Duration::ZERO).unwrap();
    let error = run(&client, call(&client, "too late", &soon())).unwrap_err();
    assert!(error.is_timeout() && error.is_retryable(), "{error}");
    drop((fake.accept(), fills));
    while !fake.somebody_waits() {
        client.progress(Duration::MAX).unwrap();
    }
    let server = fake.accept();
    assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, "body");
    server.send_reply(Wire::Chunked, 1, 0, b"");
    let outcome = loop {
        match outcome.try_recv() {
            Ok(outcome) => break outcome,
            Err(_) => client.progress(Duration::MAX).unwrap(),
        }
    };
    outcome.unwrap();
}

#[test]
fn a_server_that_is_away_is_tried_again_with_pauses() {
    // C8.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let client = builder(&path)
        .reconnect_backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(2)))
        .connect_progress()
        .unwrap();
    let error = run(&client, call(&client, "", &soon())).unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::Connect);
    let mut made = call(&client, "body", &CallOptions::new());
    send(&mut made);
    assert!(client.next_deadline().is_some());
    let builder = Server::builder().explicit_modules_only().module(echo());
    let mut server = builder.bind_progress(&path).unwrap();
    server.drive(&client).unwrap();
    let waker = server.waker();
    while made.poll_unpin(&mut Context::from_waker(&waker)).is_pending() {
        server.progress(Duration::MAX).unwrap();
    }
}

#[test]
fn a_broken_connection_tells_which_calls_may_have_been_executed() {
    // C7.
    for wire in WIRES {
        let (client, server, _fake) =
            connected(|builder| builder.wire(wire).auto_reconnect(false).server_answers_in_order(false));
        let mut sent = call(&client, "sent", &CallOptions::new());
        send(&mut sent);
        // Longer than the socket has room for, and the next ones stand behind.
        let filling: Vec<_> = (0..64)
            .map(|_| {
                let body = vec![0; 100_000];
                let mut made = client.call_raw(ECHO, body, &CallOptions::new());
                send(&mut made);
                made
            })
            .collect();
        assert_eq!(server.recv_call(wire).unwrap().body, "sent");
        drop(server);
        let error = run(&client, sent).unwrap_err();
        assert!(error.kind() == CallErrorKind::Disconnected && !error.is_retryable(), "{error}");
        let errors: Vec<_> = filling.into_iter().map(|made| run(&client, made).unwrap_err()).collect();
        assert!(errors[63].kind() == CallErrorKind::NotConnected && errors[63].is_retryable());
    }
}

#[test]
fn what_the_socket_has_no_room_for_is_sent_in_the_steps() {
    // W10.
    for wire in WIRES {
        let (client, server, _fake) = connected(|builder| builder.wire(wire));
        for _ in 0..64 {
            client.call_raw(ECHO, vec![7; 100_000], &without_response()).detach();
        }
        for sequence in 1..=64 {
            while !server.has_packet() {
                client.progress(PATIENCE).unwrap();
            }
            let call = server.recv_call(wire).unwrap();
            assert_eq!((call.sequence, call.body.len()), (sequence, 100_000));
        }
    }
}

#[test]
fn a_client_that_is_dropped_in_mid_call_leaves_nothing() {
    isolated("looped::a_client_that_is_dropped_in_mid_call_leaves_nothing", || {
        for wire in WIRES {
            let fake = Fake::listen();
            let before = open_descriptors();
            let client = builder(fake.path()).wire(wire).connect_progress().unwrap();
            let kept = Arc::new(());
            let callback = kept.clone();
            call(&client, "callback", &CallOptions::new()).when_done(move |_| drop(callback));
            let mut future = call(&client, "future", &CallOptions::new());
            send(&mut future);
            let server = fake.accept();
            assert_eq!(server.recv_call(wire).unwrap().body, "callback");
            assert_eq!(server.recv_call(wire).unwrap().body, "future");
            steps(&client);
            // A future of its call keeps a client alive.
            drop(client);
            assert_eq!(Arc::strong_count(&kept), 2);
            drop(future);
            assert_eq!(Arc::strong_count(&kept), 1, "nothing holds the callback any more");
            server.assert_closed();
            drop(server);
            assert_eq!(open_descriptors(), before);
        }
    });
}

#[test]
fn a_call_that_is_dropped_leaves_no_deadline_and_its_reply_is_dropped() {
    // C4.
    let (client, server, _fake) = connected(|builder| builder.server_answers_in_order(false));
    let mut given_up = call(&client, "given up", &CallOptions::new());
    send(&mut given_up);
    drop(given_up);
    assert_eq!(client.next_deadline(), None);
    let mut next = call(&client, "next", &CallOptions::new());
    send(&mut next);
    server.send_reply(Wire::Chunked, 1, 0, b"late");
    server.send_reply(Wire::Chunked, 2, 0, b"reply");
    assert_eq!(run(&client, next).unwrap().body, "reply");
    assert!(call(&client, "never polled", &CallOptions::new()).now_or_never().is_none());
}

#[test]
fn a_callback_is_called_in_a_step_alone() {
    let (client, server, _fake) = connected(|builder| builder);
    let held = Arc::new(Mutex::new(0));
    let called = held.clone();
    {
        // It would deadlock.
        let _guard = held.lock().unwrap_or_else(PoisonError::into_inner);
        call(&client, "notice", &without_response()).when_done(move |_| *called.lock().unwrap() += 1);
    }
    assert!(is_readable(&client));
    client.progress(Duration::MAX).unwrap();
    assert_eq!(*held.lock().unwrap(), 1);
    assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, "notice");
}

#[test]
fn a_call_that_waits_for_its_reply_alone_wakes_no_step() {
    let (client, server, _fake) = connected(|builder| builder);
    // A step was made on this thread.
    client.progress(Duration::ZERO).unwrap();
    let called = Arc::new(AtomicUsize::new(0));
    let counted = called.clone();
    call(&client, "x", &CallOptions::new()).when_done(move |outcome| {
        counted.fetch_add(usize::from(outcome.is_ok()), Ordering::Relaxed);
    });
    assert!(!is_readable(&client));
    let sequence = server.recv_call(Wire::Chunked).unwrap().sequence;
    server.send_reply(Wire::Chunked, sequence, 0, b"");
    client.progress(PATIENCE).unwrap();
    assert_eq!(called.load(Ordering::Relaxed), 1);
}

#[test]
fn a_callback_may_call_and_one_that_panics_ends_nothing_else() {
    let (logs, _guard) = Logs::of_this_thread();
    let (client, server, _fake) = connected(|builder| builder);
    let count = Arc::new(AtomicUsize::new(0));
    let (again, counted) = (client.clone(), count.clone());
    call(&client, "panics", &CallOptions::new()).when_done(|_| panic!("as it is meant to"));
    call(&client, "calls", &CallOptions::new()).when_done(move |_| {
        let made = call(&again, "called back", &CallOptions::new());
        made.when_done(move |outcome| {
            counted.fetch_add(usize::from(outcome.is_ok()), Ordering::Relaxed);
        });
    });
    for (sequence, body) in [(1, "panics"), (2, "calls"), (3, "called back")] {
        while !server.has_packet() {
            client.progress(PATIENCE).unwrap();
        }
        assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, body);
        server.send_reply(Wire::Chunked, sequence, 0, b"");
    }
    while count.load(Ordering::Relaxed) == 0 {
        client.progress(Duration::MAX).unwrap();
    }
    logs.assert_contain("a callback panicked: as it is meant to");
}

#[test]
fn a_detached_call_that_fails_is_logged() {
    let (logs, _guard) = Logs::of_this_thread();
    let directory = tempfile::tempdir().unwrap();
    let client = builder(&directory.path().join("nobody")).connect_progress().unwrap();
    call(&client, "", &soon()).detach();
    while client.next_deadline().is_some() {
        client.progress(Duration::MAX).unwrap();
    }
    steps(&client);
    logs.assert_contain("a call that nobody waits for failed");
}

#[test]
fn a_detached_call_without_response_has_not_failed_whatever_its_method_replies() {
    // C6
    let (logs, _guard) = Logs::of_this_thread();
    let (client, server, _fake) = connected(|builder| builder);
    let notice: PendingCall<Result<Bytes, CallError>> =
        client.call(ECHO, Bytes::from("notice"), &without_response());
    notice.detach();
    while !server.has_packet() {
        client.progress(PATIENCE).unwrap();
    }
    steps(&client);
    logs.assert_lack("a call that nobody waits for failed");
}

#[test]
fn a_server_that_answers_without_end_has_its_share_of_a_step() {
    let (client, server, _fake) = connected(|builder| builder.server_answers_in_order(false));
    let made: Vec<_> = (0..100)
        .map(|_| {
            let mut made = call(&client, "", &CallOptions::new());
            send(&mut made);
            made
        })
        .collect();
    steps(&client);
    (1..=100).for_each(|sequence| server.send_reply(Wire::Chunked, sequence, 0, b""));
    client.progress(Duration::ZERO).unwrap();
    let answered = made.into_iter().filter_map(FutureExt::now_or_never).count();
    assert!((1..=32).contains(&answered), "{answered} in one step");
}

#[test]
fn an_idle_client_whose_server_goes_is_quiet_and_connects_again() {
    let (client, server, fake) = connected(|builder| builder);
    // What nobody asked for, and then the end.
    server.send_reply(Wire::Chunked, 99, 0, b"");
    drop(server);
    steps(&client);
    assert!(!is_readable(&client), "there is nothing more to be told");
    let mut next = call(&client, "next", &CallOptions::new());
    send(&mut next);
    let server = fake.accept();
    assert_eq!(server.recv_call(Wire::Chunked).unwrap().sequence, 1, "C1");
    server.send_reply(Wire::Chunked, 1, 0, &Bytes::from_static(b"reply"));
    assert_eq!(run(&client, next).unwrap().body, "reply");
}
