//! Calls that are made again (C3, C7, C8): which, how often, and within which time.

use std::thread;
use std::time::Duration;

use drpc::{Backoff, CallErrorKind, CallOptions, Der, Method, RetryPolicy, Server, Status, Wire, WireMode};
use prost::Message;

use crate::support::{
    AnyClient, Fake, PATIENCE, RawPeer, SOON, TestServer, builder, echo, in_order, interop, soon,
    with_every_client,
};

const ONCE: Method = Method::new(7, 700, "once");
const ANY_TIMES: Method = Method::new(7, 700, "any_times").idempotent();

/// A policy without long pauses.
fn policy(attempts: u32) -> RetryPolicy {
    RetryPolicy::new(attempts).backoff(Backoff::new(Duration::from_millis(1), Duration::from_millis(2)))
}

fn retrying(attempts: u32) -> CallOptions {
    CallOptions::new().retry(policy(attempts))
}

/// Receives a call, and goes without an answer.
fn lose(server: RawPeer) {
    assert_eq!(server.recv_call(Wire::Chunked).unwrap().body, "body");
}

/// Receives a call, and answers it.
fn answer(server: &RawPeer) {
    let call = server.recv_call(Wire::Chunked).unwrap();
    assert_eq!(call.body, "body");
    server.send_reply(Wire::Chunked, call.sequence, 0, b"");
}

/// The kind of the error of a call, of which the server loses so many; checks that there are no more.
fn lost(
    client: &AnyClient,
    fake: &Fake,
    method: Method,
    options: &CallOptions,
    times: usize,
) -> CallErrorKind {
    thread::scope(|scope| {
        let calling = scope.spawn(|| client.call_method(method, b"body", options).unwrap_err());
        for _ in 0..times {
            lose(fake.accept());
        }
        let kind = calling.join().unwrap().kind();
        assert!(fake.nobody_waits());
        kind
    })
}

#[test]
fn a_lost_call_is_made_again_only_if_its_method_is_idempotent_and_its_policy_says_so() {
    // C7.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).retry(policy(3))).unwrap();
        let disconnected = CallErrorKind::Disconnected;
        assert_eq!(lost(&client, &fake, ONCE, &CallOptions::new(), 1), disconnected);
        assert_eq!(lost(&client, &fake, ANY_TIMES, &CallOptions::new(), 3), disconnected);
        assert_eq!(lost(&client, &fake, ANY_TIMES, &retrying(1), 1), disconnected);
        assert_eq!(lost(&client, &fake, ANY_TIMES, &retrying(2), 2), disconnected);

        let without = kind.connect_to(fake.path());
        assert_eq!(lost(&without, &fake, ANY_TIMES, &CallOptions::new(), 1), disconnected);
        assert_eq!(lost(&without, &fake, ANY_TIMES, &retrying(2), 2), disconnected);
    });
}

#[test]
fn a_lost_call_is_answered_in_the_end() {
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).retry(policy(3))).unwrap();
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.call_method(ANY_TIMES, b"body", &CallOptions::new()));
            lose(fake.accept());
            lose(fake.accept());
            answer(&fake.accept());
            assert!(calling.join().unwrap().unwrap().status.is_success());
        });
    });
}

#[test]
fn a_call_that_was_not_sent_is_made_again_whatever_its_method() {
    // C8: nobody is there at first, and one attempt does not wait for long.
    with_every_client(|kind| {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let start = || {
            let server = Server::builder().explicit_modules_only().module(echo()).bind(&path).unwrap();
            (server.handle(), thread::spawn(|| in_order(server.serve()).unwrap()))
        };
        let (handle, serving) = start();
        let policy = policy(u32::MAX).budget(u32::MAX);
        let settings = builder(&path).connect_timeout(Duration::from_millis(1)).retry(policy);
        let client = kind.connect(settings.wait_until_ready(PATIENCE)).unwrap();
        handle.shutdown();
        serving.join().unwrap();
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.call_method(ONCE, b"body", &CallOptions::new()).unwrap());
            let (handle, serving) = start();
            assert_eq!(calling.join().unwrap().body, "body");
            handle.shutdown();
            serving.join().unwrap();
        });
    });
}

#[test]
fn what_the_server_answered_is_not_asked_again() {
    // D4: one FAILURE, and nothing more is called.
    with_every_client(|kind| {
        let server = TestServer::start(Server::builder().module(interop()));
        let client = kind.connect(builder(server.path()).retry(policy(3))).unwrap();
        let failing = Method::new(7, 701, "fail").idempotent();
        let response = client.call_method(failing, b"", &CallOptions::new()).unwrap();
        assert_eq!((response.status, response.sequence), (Status::FAILURE, 1));
        assert_eq!(client.call(7, 700, b"").unwrap().sequence, 2);
    });
}

#[test]
fn a_budget_ends_the_repetitions_of_all_calls_together() {
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).retry(policy(3).budget(3))).unwrap();
        for attempts in [3, 2, 1, 1] {
            lost(&client, &fake, ANY_TIMES, &CallOptions::new(), attempts);
        }
        // Ten answers are worth one repetition.
        thread::scope(|scope| {
            let calling = scope.spawn(|| {
                for _ in 0..10 {
                    client.call_method(ONCE, b"body", &CallOptions::new()).unwrap();
                }
            });
            let server = fake.accept();
            (0..10).for_each(|_| answer(&server));
            calling.join().unwrap();
        });
        for attempts in [2, 1] {
            lost(&client, &fake, ANY_TIMES, &CallOptions::new(), attempts);
        }
    });
}

#[test]
fn the_time_of_a_call_is_that_of_all_its_attempts() {
    // C4. An attempt that would begin too late is not made, nor waited for.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path())).unwrap();
        let long_pauses = RetryPolicy::new(3).backoff(Backoff::new(4 * PATIENCE, 4 * PATIENCE));
        let options = CallOptions::new().retry(long_pauses);
        assert_eq!(lost(&client, &fake, ANY_TIMES, &options, 1), CallErrorKind::Disconnected);

        thread::scope(|scope| {
            let options = retrying(3).timeout(SOON);
            let calling = scope.spawn(move || client.call_method(ANY_TIMES, b"body", &options));
            let server = fake.accept();
            assert!(calling.join().unwrap().unwrap_err().is_timeout());
            drop(server);
            assert!(fake.nobody_waits());
        });
    });
}

#[test]
fn that_a_call_may_have_been_executed_is_not_forgotten() {
    // C7, then C8: the call was lost, and nobody is there to make it to again.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).connect_timeout(SOON).retry(policy(3))).unwrap();
        let server = fake.accept();
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.call_method(ANY_TIMES, b"body", &CallOptions::new()));
            server.recv_call(Wire::Chunked).unwrap();
            drop(fake);
            drop(server);
            let error = calling.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Disconnected);
            assert!(!error.is_retryable());
        });
    });
}

#[test]
fn that_a_call_may_have_been_executed_is_not_forgotten_for_a_reason_that_stays() {
    // C7, then C8: the call was lost, and then something else than a socket stands at the path.
    with_every_client(|kind| {
        for in_batch in [false, true] {
            let fake = Fake::listen();
            let client = kind.connect(builder(fake.path()).retry(policy(3))).unwrap();
            let server = fake.accept();
            thread::scope(|scope| {
                let calling = scope.spawn(|| match in_batch {
                    true => client.batch(ANY_TIMES, &[b"body"], &CallOptions::new()).remove(0),
                    false => client.call_method(ANY_TIMES, b"body", &CallOptions::new()),
                });
                server.recv_call(Wire::Chunked).unwrap();
                std::fs::remove_file(fake.path()).unwrap();
                std::fs::write(fake.path(), "").unwrap();
                drop(server);
                let error = calling.join().unwrap().unwrap_err();
                assert_eq!(error.kind(), CallErrorKind::Disconnected, "{error}");
            });
        }
    });
}

#[test]
fn of_a_batch_only_what_was_lost_is_made_again() {
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect_to(fake.path());
        let results = thread::scope(|scope| {
            let calling = scope.spawn(|| client.batch(ANY_TIMES, &[b"a", b"b", b"c"], &retrying(2)));
            let server = fake.accept();
            for _ in 0..3 {
                server.recv_call(Wire::Chunked).unwrap();
            }
            server.send_reply(Wire::Chunked, 2, 0, b"at once");
            drop(server);
            let server = fake.accept();
            for (sequence, body) in [(1, "a"), (2, "c")] {
                let call = server.recv_call(Wire::Chunked).unwrap();
                assert_eq!((call.sequence, &call.body[..]), (sequence, body.as_bytes()));
                server.send_reply(Wire::Chunked, sequence, 0, b"again");
            }
            calling.join().unwrap()
        });
        let bodies: Vec<_> = results.into_iter().map(|result| result.unwrap().body).collect();
        assert_eq!(bodies, ["again", "at once", "again"]);
    });
}

#[test]
fn a_batch_that_was_sent_in_the_end_may_have_been_executed() {
    // C4, after C8: the first attempt finds no server, the next is sent and not answered.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let settings = builder(fake.path())
            .wire(WireMode::Auto)
            .connect_timeout(SOON)
            .reconnect_backoff(Backoff::new(PATIENCE, PATIENCE))
            .retry(policy(u32::MAX).budget(u32::MAX));
        thread::scope(|scope| {
            let connecting = scope.spawn(|| kind.connect(settings.wait_until_ready(PATIENCE)).unwrap());
            drop(probed(&fake));
            let client = connecting.join().unwrap();
            let options = CallOptions::new().timeout(25 * SOON);
            let calling = scope.spawn(move || client.batch(ONCE, &[b"a", b"b"], &options));
            // One attempt connects twice at most, as it is to pause for longer than it has.
            for _ in 0..2 {
                drop(fake.accept());
            }
            let server = loop {
                let server = probed(&fake);
                if server.recv_call(Wire::Chunked).is_some() {
                    break server;
                }
            };
            for result in calling.join().unwrap() {
                let error = result.unwrap_err();
                assert!(error.is_timeout() && !error.is_retryable(), "{error}");
            }
            drop(server);
        });
    });
}

/// Accepts a connection, and answers its probe as a server of the chunked wire does.
fn probed(fake: &Fake) -> RawPeer {
    let server = fake.accept();
    if let Some(call) = server.recv_call(Wire::Chunked) {
        server.send_reply(Wire::Chunked, call.sequence, 3, b"");
    }
    server
}

#[test]
fn a_repetition_that_is_not_made_costs_nothing() {
    with_every_client(|kind| {
        let fake = Fake::with_backlog(0);
        let settings = builder(fake.path()).connect_timeout(PATIENCE).retry(policy(2).budget(1));
        let client = kind.connect(settings).unwrap();
        drop(fake.accept());
        let waiting = RawPeer::connect(fake.path());
        let unsent = client.call_method(ONCE, b"", &soon()).unwrap_err();
        assert!(unsent.is_timeout() && unsent.is_retryable(), "{unsent}");
        drop((waiting, fake.accept()));
        lost(&client, &fake, ANY_TIMES, &CallOptions::new(), 2);
    });
}

/// The field that DAOS's replies begin with.
#[derive(Clone, PartialEq, prost::Message)]
struct DaosResp {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Makes a call again for as long as its reply says that the server is busy.
fn if_busy(attempts: u32) -> RetryPolicy {
    policy(attempts).if_reply(|reply: &DaosResp| reply.status == Der::BUSY)
}

/// Answers so many calls, each with a code in a SUCCESS body.
fn answer_with(server: &RawPeer, codes: &[Der]) {
    for code in codes {
        let call = server.recv_call(Wire::Chunked).unwrap();
        let body = DaosResp { status: code.code() }.encode_to_vec();
        server.send_reply(Wire::Chunked, call.sequence, 0, &body);
    }
}

/// The code in the reply to a call, to which the server answers so, one attempt after the other.
fn code_of(client: &AnyClient, fake: &Fake, options: &CallOptions, codes: &[Der]) -> Der {
    thread::scope(|scope| {
        let calling = scope.spawn(|| client.call_typed::<_, DaosResp>(7, 700, (), options).unwrap());
        let server = fake.accept();
        answer_with(&server, codes);
        let code = calling.join().unwrap().status.into();
        client.close();
        server.assert_closed();
        client.reconnect().unwrap();
        code
    })
}

#[test]
fn a_reply_may_say_that_the_call_is_to_be_made_again() {
    // E4.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).retry(if_busy(3))).unwrap();
        let by_client = CallOptions::new();
        assert_eq!(code_of(&client, &fake, &by_client, &[Der::BUSY, Der::SUCCESS]), Der::SUCCESS);
        assert_eq!(code_of(&client, &fake, &by_client, &[Der::BUSY; 3]), Der::BUSY);
        assert_eq!(code_of(&client, &fake, &by_client, &[Der::BUSY, Der::NONEXIST]), Der::NONEXIST);
        assert_eq!(code_of(&client, &fake, &by_client, &[Der::AGAIN]), Der::AGAIN);
        assert_eq!(code_of(&client, &fake, &retrying(3), &[Der::BUSY]), Der::BUSY);
        let long_pauses = if_busy(3).backoff(Backoff::new(4 * PATIENCE, 4 * PATIENCE));
        let in_time = CallOptions::new().retry(long_pauses);
        assert_eq!(code_of(&client, &fake, &in_time, &[Der::BUSY]), Der::BUSY);
        let no_budget = CallOptions::new().retry(if_busy(3).budget(1));
        assert_eq!(code_of(&client, &fake, &no_budget, &[Der::BUSY; 2]), Der::BUSY);
        assert_eq!(code_of(&client, &fake, &no_budget, &[Der::BUSY]), Der::BUSY);
    });
}

#[test]
fn the_last_reply_stays_if_the_call_can_not_be_made_again() {
    // Neither in the time that it takes to connect, nor in its own.
    for (connect_timeout, timeout) in [(SOON, PATIENCE), (PATIENCE, 5 * SOON)] {
        with_every_client(|kind| {
            let fake = Fake::listen();
            let builder = builder(fake.path()).connect_timeout(connect_timeout).retry(if_busy(3));
            let client = kind.connect(builder).unwrap();
            let options = CallOptions::new().timeout(timeout);
            thread::scope(|scope| {
                let calling = scope.spawn(|| client.call_typed::<_, DaosResp>(7, 700, (), &options));
                let server = fake.accept();
                let call = server.recv_call(Wire::Chunked).unwrap();
                drop(fake);
                server.refuse_more();
                let busy = DaosResp { status: Der::BUSY.code() }.encode_to_vec();
                server.send_reply(Wire::Chunked, call.sequence, 0, &busy);
                assert!(calling.join().unwrap().unwrap().status == Der::BUSY);
            });
        });
    }
}

#[test]
fn a_reply_that_is_another_message_is_not_asked_for_again() {
    with_every_client(|kind| {
        let server = TestServer::start(Server::builder().module(interop()));
        let client = kind.connect(builder(server.path()).retry(if_busy(3))).unwrap();
        assert_eq!(client.call(7, 700, b"\xffno message").unwrap().sequence, 1);
        let failing = client.call(7, 701, b"").unwrap();
        assert_eq!((failing.status, failing.sequence), (Status::FAILURE, 2));
    });
}

#[test]
fn of_a_batch_the_calls_whose_replies_say_so_are_made_again() {
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).retry(if_busy(2))).unwrap();
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.batch(ONCE, &[b"a", b"b", b"c"], &CallOptions::new()));
            let server = fake.accept();
            answer_with(&server, &[Der::BUSY, Der::SUCCESS, Der::BUSY, Der::SUCCESS, Der::BUSY]);
            let codes = calling.join().unwrap().into_iter().map(|result| {
                let reply = DaosResp::decode(result.unwrap().body).unwrap();
                Der::from(reply.status)
            });
            assert_eq!(codes.collect::<Vec<_>>(), [Der::SUCCESS, Der::SUCCESS, Der::BUSY]);
        });
    });
}
