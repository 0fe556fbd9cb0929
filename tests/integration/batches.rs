//! Many calls at once: sent one behind the other on one connection, and answered in their order (C4 to C7).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use drpc::wire::Response;
use drpc::{AddedFields, CallError, CallErrorKind, CallOptions, Method, Server, Status, Wire, blocking};

use crate::support::{
    AnyClient, Fake, Hello, HelloResponse, SOON, TestServer, WIRES, builder, greeting, in_order, interop,
    with_every_client, without_response,
};

const ECHO: Method = Method::new(7, 700, "echo");

/// A batch that the test answers; gives the results.
fn answered(
    client: &AnyClient,
    bodies: &[&[u8]],
    options: &CallOptions,
    answer: impl FnOnce(),
) -> Vec<Result<Response, CallError>> {
    thread::scope(|scope| {
        let calling = scope.spawn(|| client.batch(ECHO, bodies, options));
        answer();
        calling.join().unwrap()
    })
}

fn kinds(results: &[Result<Response, CallError>]) -> Vec<Option<CallErrorKind>> {
    results.iter().map(|result| result.as_ref().err().map(CallError::kind)).collect()
}

#[test]
fn all_are_sent_before_any_is_answered_and_the_results_are_in_order() {
    // C1, C5: replies are matched by sequence, in whatever order they come.
    with_every_client(|kind| {
        for wire in WIRES {
            let fake = Fake::listen();
            let client = kind.connect(builder(fake.path()).wire(wire)).unwrap();
            let server = fake.accept();
            let results = answered(&client, &[b"a", b"b", b"c"], &CallOptions::new(), || {
                for (sequence, body) in [(1, "a"), (2, "b"), (3, "c")] {
                    let call = server.recv_call(wire).unwrap();
                    assert_eq!((call.sequence, &call.body[..]), (sequence, body.as_bytes()));
                }
                server.send_reply(wire, 99, 0, b"to nobody");
                for (sequence, status) in [(3, 0), (1, 0), (2, 2)] {
                    server.send_reply(wire, sequence, status, sequence.to_string().as_bytes());
                }
            });
            let responses: Vec<_> = results.into_iter().map(Result::unwrap).collect();
            let told: Vec<_> = responses.iter().map(|r| (r.sequence, r.status.code())).collect();
            assert_eq!(told, [(1, 0), (2, 2), (3, 0)]);
            assert_eq!(responses[2].body, "3");
            assert!(client.batch(ECHO, &[], &CallOptions::new()).is_empty());
        }
    });
}

#[test]
fn typed_requests_and_replies_are_their_calls_own() {
    let server = TestServer::start(Server::builder().module(greeting()).module(interop()));
    let calls = || ["Anna", "Ben"].map(|name| (Method::new(0, 0, "hello"), Hello { name: name.into() }));
    let check = |replies: Vec<Result<HelloResponse, CallError>>| {
        let said: Vec<_> = replies.into_iter().map(|reply| reply.unwrap().greeting).collect();
        assert_eq!(said, ["Hello Anna", "Hello Ben"]);
    };
    let options = CallOptions::new();
    let client = blocking::Client::connect(server.path()).unwrap();
    check(client.batch(calls(), &options));
    let unknown = client.batch::<_, ()>([(ECHO, ()), (Method::new(7, 799, "gone"), ())], &options);
    assert!(unknown[0].is_ok());
    assert_eq!(unknown[1].as_ref().unwrap_err().status(), Some(Status::UNKNOWN_METHOD));
    in_order(async {
        let client = builder(server.path()).connect().await.unwrap();
        check(client.batch(calls(), &options).await);
    });
}

#[test]
fn more_than_both_sockets_hold_goes_through_both_ways() {
    // C6: the server is stuck in its replies before all calls are sent, so that they have to be received meanwhile.
    with_every_client(|kind| {
        let server = TestServer::start(Server::builder().module(interop()));
        let client = kind.connect_to(server.path());
        let bodies: Vec<_> = (0..24).map(|byte| vec![byte; 1 << 20]).collect();
        let bodies: Vec<_> = bodies.iter().map(Vec::as_slice).collect();
        let results = client.batch(ECHO, &bodies, &CallOptions::new());
        for (result, body) in results.into_iter().zip(bodies) {
            assert_eq!(result.unwrap().body, body);
        }
        let small = vec![&b"x"[..]; 5000];
        let results = client.batch(ECHO, &small, &CallOptions::new());
        assert!(results.len() == 5000 && results.into_iter().all(|result| result.unwrap().body == "x"));
    });
}

#[test]
fn one_that_is_too_long_fails_alone() {
    // W7.
    with_every_client(|kind| {
        let server = TestServer::start(Server::builder().module(interop()));
        let client = kind.connect(builder(server.path()).wire(Wire::Plain)).unwrap();
        let long = vec![0; 1 << 20];
        let results = client.batch(ECHO, &[b"a", &long, b"c"], &CallOptions::new());
        assert_eq!(kinds(&results), [None, Some(CallErrorKind::TooLong), None]);
        assert_eq!(results[2].as_ref().unwrap().body, "c");
    });
}

#[test]
fn an_unreadable_call_is_the_oldest_of_the_batch() {
    // C5.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect_to(fake.path());
        let server = fake.accept();
        let results = answered(&client, &[b"a", b"b", b"c"], &CallOptions::new(), || {
            for _ in 0..3 {
                server.recv_call(Wire::Chunked).unwrap();
            }
            server.send_reply(Wire::Chunked, 2, 0, b"");
            let unreadable: Response = Response::unreadable_call();
            for _ in 0..2 {
                server.send_message(Wire::Chunked, &unreadable.encode());
            }
        });
        let statuses: Vec<_> = results.into_iter().map(|result| result.unwrap().status.code()).collect();
        assert_eq!(statuses, [5, 0, 5]);
    });
}

#[test]
fn what_the_server_answered_before_it_went_counts() {
    // C7.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect_to(fake.path());
        let server = fake.accept();
        let results = answered(&client, &[b"a", b"b", b"c"], &CallOptions::new(), || {
            for _ in 0..3 {
                server.recv_call(Wire::Chunked).unwrap();
            }
            server.send_reply(Wire::Chunked, 2, 0, b"");
            drop(server);
        });
        let broken = Some(CallErrorKind::Disconnected);
        assert_eq!(kinds(&results), [broken, None, broken]);
    });
}

#[test]
fn what_was_not_sent_when_the_server_went_says_so() {
    // C7: the first was received in part, the last was never begun.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path())).unwrap();
        let server = fake.accept();
        let long = vec![0; 16 << 20];
        let results = answered(&client, &[b"a", &long, b"c"], &CallOptions::new(), || {
            server.recv_call(Wire::Chunked).unwrap();
            server.recv_packet();
            drop(server);
        });
        let (broken, unsent) = (Some(CallErrorKind::Disconnected), Some(CallErrorKind::NotConnected));
        assert_eq!(kinds(&results), [broken, broken, unsent]);
    });
}

#[test]
fn the_time_is_that_of_the_whole_batch() {
    // C4: what came in time is kept, and the next call goes out on a new connection.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect_to(fake.path());
        let held_up = fake.accept();
        // Long enough for an answer.
        let options = CallOptions::new().timeout(10 * SOON);
        let results = answered(&client, &[b"a", b"b", b"c"], &options, || {
            for _ in 0..3 {
                held_up.recv_call(Wire::Chunked).unwrap();
            }
            held_up.send_reply(Wire::Chunked, 2, 0, b"in time");
        });
        let late = Some(CallErrorKind::Timeout);
        assert_eq!(kinds(&results), [late, None, late]);
        assert!(!results[0].as_ref().unwrap_err().is_retryable());
        thread::scope(|scope| {
            let next = scope.spawn(|| client.call(7, 700, b"next").unwrap());
            let server = fake.accept();
            assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, "next");
            server.send_reply(Wire::Chunked, 1, 0, b"");
            next.join().unwrap();
        });
    });
}

#[test]
fn calls_without_response_are_submitted() {
    // C6.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect_to(fake.path());
        let server = fake.accept();
        let results = client.batch(ECHO, &[b"a", b"b"], &without_response());
        assert!(results.into_iter().all(|result| result.unwrap().status == Status::SUBMITTED));
        for sequence in 1..=2 {
            assert_eq!(server.recv_call(Wire::Chunked).unwrap().sequence, sequence);
        }
    });
}

#[test]
fn a_batch_takes_another_connection_where_the_last_is_gone() {
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect_to(fake.path());
        drop(fake.accept());
        let results = thread::scope(|scope| {
            let calling = scope.spawn(|| client.batch(ECHO, &[b"a", b"b"], &CallOptions::new()));
            let server = fake.accept();
            for sequence in 1..=2 {
                assert_eq!(server.recv_call(Wire::Chunked).unwrap().sequence, sequence);
                server.send_reply(Wire::Chunked, sequence, 0, b"");
            }
            calling.join().unwrap()
        });
        assert_eq!(kinds(&results), [None, None]);
    });
}

#[test]
fn a_hook_that_panics_amid_a_batch_leaves_no_reply_to_the_next_call() {
    // C4, C5.
    with_every_client(|kind| {
        let server = TestServer::start(Server::builder().module(interop()));
        let asked = AtomicUsize::new(0);
        let hook = move || {
            assert_ne!(asked.fetch_add(1, Ordering::Relaxed), 2, "as it is meant to");
            None
        };
        let settings = builder(server.path()).added_fields(AddedFields::TRACE).trace_context(hook);
        let client = kind.connect(settings).unwrap();
        let panicked = thread::scope(|scope| {
            scope.spawn(|| client.batch(ECHO, &[&b"of the batch"[..]; 5], &CallOptions::new())).join()
        });
        assert!(panicked.is_err());
        for body in [b"a", b"b"] {
            assert_eq!(client.call(7, 700, body).unwrap().body, &body[..]);
        }
    });
}

#[test]
fn a_call_that_was_answered_before_it_was_sent_is_the_last_on_its_connection() {
    // W10: what follows would go out in the midst of it.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect_to(fake.path());
        let long = vec![0; 16 << 20];
        let server = fake.accept();
        let results = answered(&client, &[&long, b"b"], &CallOptions::new(), || {
            server.recv_packet();
            server.send_reply(Wire::Chunked, 1, 0, b"too much");
            server.half_close();
        });
        assert_eq!(kinds(&results), [None, Some(CallErrorKind::NotConnected)]);

        client.close();
        client.reconnect().unwrap();
        let server = fake.accept();
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.call(7, 700, &long));
            server.recv_packet();
            server.send_reply(Wire::Chunked, 1, 0, b"too much");
            server.half_close();
            assert_eq!(calling.join().unwrap().unwrap().body, "too much");
            let next = scope.spawn(|| client.call(7, 700, b"next").unwrap());
            let server = fake.accept();
            assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, "next");
            server.send_reply(Wire::Chunked, 1, 0, b"");
            next.join().unwrap();
        });
    });
}

#[test]
fn what_was_refused_is_not_sent_when_the_others_are_made_anew() {
    // C4: the server closed the connection while it was idle.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).message_limit(1000)).unwrap();
        drop(fake.accept());
        let bodies = [&[7; 2000][..], b"x"];
        let results = answered(&client, &bodies, &CallOptions::new(), || {
            let server = fake.accept();
            let call = server.recv_call(Wire::Chunked).unwrap();
            assert_eq!(call.body, "x");
            server.send_reply(Wire::Chunked, call.sequence, 0, b"y");
        });
        assert_eq!(kinds(&results), [Some(CallErrorKind::TooLong), None]);
    });
}
