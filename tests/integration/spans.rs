//! The spans of sessions and calls, as a subscriber of `tracing` sees them.

use std::time::Duration;

use drpc::{Bytes, CallOptions, Failure, Method, Order, Server, Status, Wire};
use tracing_subscriber::filter::LevelFilter;

use crate::support::{
    AnyClient, AnyExchange, AnyUpload, Fields, Gate, Handlers, Items, ItemsMethod, Kind, RawPeer, SOON,
    Spans, TestServer, builder, call, in_order, interop, with_every_client, with_every_server,
    without_response,
};

/// Module 7: 700 echoes, 702 logs, waits at the gate, and logs again; 703 panics; 704 leaves work behind, which logs.
fn telling(gate: &Gate) -> Handlers {
    let gate = gate.clone();
    interop()
        .on(702, move |_, body| {
            let gate = gate.clone();
            async move {
                tracing::info!("has begun");
                gate.pass().await;
                tracing::info!("goes on");
                Ok(body)
            }
        })
        .on(703, |_, _| async { panic!("as it is meant to") })
        .on(704, |context, body| async move {
            context.spawn(|_| async { tracing::info!("works in the background") });
            Ok(body)
        })
}

fn server_calls(spans: &Spans) -> Vec<Fields> {
    let calls = spans.ended("call").into_iter().filter(|span| span.target == "drpc::server::call");
    calls
        .map(|span| {
            assert_eq!((&*span.level, span.parent), ("DEBUG", Some("session")), "{span:?}");
            span.fields
        })
        .collect()
}

#[test]
fn a_session_and_its_calls_have_spans() {
    with_every_server(|driver| {
        let (spans, _guard) = Spans::of_this_thread(LevelFilter::DEBUG);
        let server = driver.start(Server::builder().module(interop()));
        let path = server.path().display().to_string();
        let peer = RawPeer::connect(server.path());
        for (sequence, module, method, body) in
            [(1, 7, 700, "abc"), (2, 7, 701, ""), (3, 7, 799, "no"), (4, 8, 800, "")]
        {
            peer.send_call(Wire::Chunked, module, method, sequence, body.as_bytes());
            peer.recv_response(Wire::Chunked);
        }
        drop(peer);
        server.stop();

        let [session] = &spans.ended("session")[..] else { panic!("one session") };
        assert_eq!((session.target, &*session.level), ("drpc::server::session", "INFO"));
        let (pid, us) = (std::process::id().to_string(), drpc::PeerCredentials::this_process());
        let known =
            [("session", "1"), ("pid", &pid), ("uid", &us.uid().to_string()), ("gid", &us.gid().to_string())];
        for (field, value) in known.into_iter().chain([("address", &*path)]) {
            assert_eq!(session.fields[field], value, "{field}");
        }

        let calls = server_calls(&spans);
        let texts = |field: &str| -> Vec<_> {
            calls.iter().map(|call| call.get(field).map_or("-", |text| &**text)).collect()
        };
        assert_eq!(texts("module"), ["7", "7", "7", "8"]);
        assert_eq!(texts("module_name"), ["interop", "interop", "interop", "-"]);
        assert_eq!(texts("method"), ["700", "701", "799", "800"]);
        assert_eq!(texts("method_name"), ["scripted", "scripted", "-", "-"]);
        assert_eq!(texts("sequence"), ["1", "2", "3", "4"]);
        assert_eq!(texts("request_bytes"), ["3", "0", "2", "0"]);
        assert_eq!(texts("status"), ["SUCCESS", "FAILURE", "UNKNOWN_METHOD", "UNKNOWN_MODULE"]);
        assert_eq!(texts("reply_bytes"), ["3", "0", "0", "0"]);
        assert!(texts("elapsed_us").iter().all(|time| time.parse::<u64>().is_ok()), "{calls:?}");
    });
}

/// A stream both ways, an upload, one that its server refuses, and one that its caller gives up.
/// Each with a longer request.
fn make_streams(client: &AnyClient) {
    let options = CallOptions::new();
    let exchange = |request: &'static str| -> AnyExchange<Bytes, Bytes> {
        client.exchange(ItemsMethod::Echo.method(), Bytes::from(request), &options).unwrap()
    };
    let upload = |method: ItemsMethod, request: &'static str| -> AnyUpload<Bytes, Bytes> {
        client.upload(method.method(), Bytes::from(request), &options).unwrap()
    };
    let mut echo = exchange("");
    for item in ["one", "three"] {
        echo.send(item.into()).unwrap();
        assert_eq!(echo.next().unwrap().unwrap(), item);
    }
    echo.finish();
    assert!(echo.next().is_none());
    drop(echo);
    assert_eq!(upload(ItemsMethod::Count, "1").finish_with([Bytes::from("four")]).unwrap(), "4");
    upload(ItemsMethod::Refuse, "22").finish().unwrap_err();
    let mut echo = exchange("333");
    echo.send("four".into()).unwrap();
    assert_eq!(echo.next().unwrap().unwrap(), "four");
}

#[test]
fn the_span_of_a_stream_lasts_to_its_end_and_tells_of_its_items() {
    with_every_server(|driver| {
        with_every_client(|kind| {
            let (spans, _guard) = Spans::of_this_thread(LevelFilter::DEBUG);
            let server = driver.start(Server::builder().module(Items));
            let client = kind.connect_to(server.path());
            make_streams(&client);
            drop(client);
            server.stop();

            let texts = |calls: &[Fields], field: &str| -> Vec<_> {
                calls.iter().map(|call| call.get(field).map_or("-", |text| &**text).to_owned()).collect()
            };
            let made = client_calls(&spans);
            // Each may end at the server once the next has begun.
            let mut served = server_calls(&spans);
            served.sort_by_key(|call| call["request_bytes"].clone());
            assert_eq!(texts(&made, "status"), ["SUCCESS", "SUCCESS", "FAILURE", "-"]);
            assert_eq!(texts(&made, "reply_bytes"), ["-", "1", "0", "-"]);
            for (calls, [there, back]) in [(&made, ["sent", "received"]), (&served, ["received", "sent"])] {
                let of = |way: &str, what: &str| texts(calls, &format!("{way}_{what}"));
                assert_eq!(of(there, "items"), ["2", "1", "-", "1"]);
                assert_eq!(of(there, "item_bytes"), ["8", "4", "-", "4"]);
                assert_eq!(of(back, "items"), ["2", "-", "-", "1"]);
                assert_eq!(of(back, "item_bytes"), ["8", "-", "-", "4"]);
            }
            assert_eq!(texts(&served, "method_name"), ["echo", "count", "refuse", "echo"]);
            assert_eq!(texts(&served, "status")[..3], ["SUCCESS", "SUCCESS", "FAILURE"]);
        });
    });
}

#[test]
fn what_a_handler_logs_is_in_its_call() {
    // Where the call is read, and where it is polled later.
    with_every_server(|driver| {
        let (spans, _guard) = Spans::of_this_thread(LevelFilter::DEBUG);
        let gate = Gate::new();
        let server = driver.start(Server::builder().module(telling(&gate)));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 702, 1, b"");
        in_order(gate.arrived(1));
        gate.open(1);
        assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
        peer.send_call(Wire::Chunked, 7, 703, 2, b"");
        assert_eq!(peer.recv_response(Wire::Chunked).status, Status::FAILURE);
        peer.send_call(Wire::Chunked, 7, 704, 3, b"");
        assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
        drop(peer);
        server.stop();

        let failed = "call failed: the handler panicked";
        for message in ["has begun", "goes on", failed, "works in the background"] {
            assert_eq!(spans.event(message).scope, ["session", "call"], "{message}");
        }
        for message in ["session opened", "session closed"] {
            assert_eq!(spans.event(message).scope, ["session"], "{message}");
        }
    });
}

#[test]
fn a_call_whose_handler_is_dropped_ends_without_a_status() {
    with_every_server(|driver| {
        let (spans, _guard) = Spans::of_this_thread(LevelFilter::DEBUG);
        let gate = Gate::new();
        let builder = Server::builder().module(telling(&gate));
        let server = driver.start(builder.drain_timeout(Duration::ZERO));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 702, 1, b"");
        in_order(gate.arrived(1));
        server.stop();

        let [call] = &server_calls(&spans)[..] else { panic!("one call") };
        assert_eq!(call["method"], "702");
        assert!(!call.contains_key("status") && !call.contains_key("elapsed_us"), "{call:?}");
    });
}

#[test]
fn a_call_that_takes_too_long_ends_with_its_failure() {
    with_every_server(|driver| {
        let (spans, _guard) = Spans::of_this_thread(LevelFilter::DEBUG);
        let builder = Server::builder().module(telling(&Gate::new()));
        let server = driver.start(builder.handler_timeout(SOON));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 702, 1, b"");
        assert_eq!(peer.recv_response(Wire::Chunked).status, Status::FAILURE);
        drop(peer);
        server.stop();

        let [call] = &server_calls(&spans)[..] else { panic!("one call") };
        assert_eq!(call["status"], "FAILURE");
        assert_eq!(spans.event("the handler took too long").scope, ["session", "call"]);
    });
}

#[test]
fn calls_at_once_have_spans_of_their_own() {
    with_every_server(|driver| {
        let (spans, _guard) = Spans::of_this_thread(LevelFilter::DEBUG);
        let gate = Gate::new();
        let server = driver.start(Server::builder().module(telling(&gate)).order(Order::Concurrent(4)));
        let peer = RawPeer::connect(server.path());
        (1..=3).for_each(|sequence| peer.send_call(Wire::Chunked, 7, 702, sequence, b""));
        in_order(gate.arrived(3));
        peer.send_call(Wire::Chunked, 7, 700, 4, b"");
        assert_eq!(peer.recv_response(Wire::Chunked).sequence, 4);
        gate.open(3);
        (1..=3).for_each(|_| assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS));
        drop(peer);
        server.stop();

        let mut sequences: Vec<_> =
            server_calls(&spans).iter().map(|call| call["sequence"].clone()).collect();
        sequences.sort();
        assert_eq!(sequences, ["1", "2", "3", "4"]);
    });
}

#[test]
fn without_debug_no_call_has_a_span_and_a_failure_is_told_in_full() {
    with_every_server(|driver| {
        let (spans, _guard) = Spans::of_this_thread(LevelFilter::INFO);
        let server = driver.start(Server::builder().module(interop()));
        Kind::Blocking.connect_to(server.path()).call(7, 701, b"").expect("is answered");
        server.stop();

        assert_eq!(spans.ended("session").len(), 1);
        assert!(spans.ended("call").is_empty());
        let failure = spans.event("call failed: as it is meant to");
        assert_eq!(failure.scope, ["session"]);
        let told =
            [("module", "7"), ("module_name", "interop"), ("method", "701"), ("method_name", "scripted")];
        for (field, value) in told.into_iter().chain([("sequence", "1"), ("status", "FAILURE")]) {
            assert_eq!(failure.fields[field], value, "{field}");
        }
        // The session's span says it.
        assert!(!failure.fields.contains_key("session") && !failure.fields.contains_key("uid"));
    });
}

#[test]
fn without_a_span_a_failure_says_whose_it_was() {
    with_every_server(|driver| {
        let (spans, _guard) = Spans::of_this_thread(LevelFilter::WARN);
        let server = driver.start(Server::builder().module(interop()));
        Kind::Blocking.connect_to(server.path()).call(7, 701, b"").expect("is answered");
        server.stop();

        assert!(spans.ended("session").is_empty());
        let failure = spans.event("call failed: as it is meant to");
        assert_eq!((&*failure.fields["session"], &*failure.fields["module"]), ("1", "7"));
        assert_eq!(failure.fields["pid"], std::process::id().to_string());
    });
}

#[test]
fn a_refused_connection_is_told_in_its_span() {
    with_every_server(|driver| {
        let (spans, _guard) = Spans::of_this_thread(LevelFilter::INFO);
        let refusing = Server::builder().module(interop()).on_open(|_| Err(Failure::from("not today")));
        let server = driver.start(refusing);
        RawPeer::connect(server.path()).assert_closed();
        server.stop();

        assert_eq!(spans.event("connection refused: not today").scope, ["session"]);
    });
}

/// The spans of calls that clients made.
fn client_calls(spans: &Spans) -> Vec<Fields> {
    let calls = spans.ended("call").into_iter().filter(|span| span.target == "drpc::client::call");
    calls.map(|span| span.fields).collect()
}

#[test]
fn a_clients_call_has_a_span() {
    with_every_client(|kind| {
        let (spans, _guard) = Spans::of_this_thread(LevelFilter::DEBUG);
        let server = TestServer::start(Server::builder().module(interop()));
        let path = server.path().to_owned();
        let client = kind.connect_to(&path);
        client.call(7, 700, b"abc").expect("is answered");
        client.call(7, 701, b"").expect("is answered");
        client.call_with(7, 700, b"", &without_response()).expect("is sent");
        client.close();
        client.call(7, 700, b"").expect_err("is closed");
        drop(client);
        server.stop();

        let calls = client_calls(&spans);
        let texts = |field: &str| -> Vec<_> {
            calls.iter().map(|call| call.get(field).map_or("-", |text| &**text)).collect()
        };
        assert_eq!(texts("method"), ["700", "701", "700", "700"]);
        assert_eq!(texts("method_name"), ["test"; 4]);
        assert_eq!(texts("address"), [path.to_str().expect("text"); 4]);
        assert_eq!(texts("request_bytes"), ["3", "0", "0", "0"]);
        assert_eq!(texts("status"), ["SUCCESS", "FAILURE", "SUBMITTED", "not_connected"]);
        assert_eq!(texts("reply_bytes"), ["3", "0", "0", "-"]);
        assert!(texts("elapsed_us").iter().all(|time| time.parse::<u64>().is_ok()), "{calls:?}");
    });
}

#[test]
fn a_clients_batch_has_one_span() {
    with_every_client(|kind| {
        let (spans, _guard) = Spans::of_this_thread(LevelFilter::DEBUG);
        let server = TestServer::start(Server::builder().module(interop()));
        let client = kind.connect_to(server.path());
        client.batch(Method::new(7, 700, "test"), &[b"a", b"b", b"c"], &CallOptions::new());
        drop(client);
        server.stop();

        let [batch] = &spans.ended("batch")[..] else { panic!("one batch") };
        assert_eq!((&*batch.level, &*batch.fields["calls"]), ("DEBUG", "3"));
        assert!(client_calls(&spans).is_empty());
    });
}

#[test]
fn a_call_that_is_given_up_ends_without_a_status() {
    // C4.
    let (spans, _guard) = Spans::of_this_thread(LevelFilter::DEBUG);
    let gate = Gate::new();
    let server = TestServer::start(Server::builder().module(telling(&gate)));
    in_order(async {
        let client = builder(server.path()).connect().await.expect("connects");
        tokio::select! {
            biased;
            _ = call(&client, 702, "") => panic!("is not let through"),
            () = gate.arrived(1) => {}
        }
    });
    gate.open(1);
    server.stop();

    let [call] = &client_calls(&spans)[..] else { panic!("one call") };
    assert!(!call.contains_key("status") && !call.contains_key("elapsed_us"), "{call:?}");
}
