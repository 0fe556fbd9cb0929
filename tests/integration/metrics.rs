//! What servers and clients count, as a recorder of the facade `metrics` sees it. A recorder is the whole process's, so each test has its own.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use drpc::wire::{Call, CallFields, Control};
use drpc::{
    Allow, Backoff, Bytes, CallOptions, Context, Method, ModuleService, Order, PeerCredentials, RetryPolicy,
    Server, ServerBuilder, Session, Status, Wire,
};
use futures_util::{StreamExt, stream};
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use tokio::runtime;

use crate::support::{
    AnyExchange, AnyUpload, Driver, Fake, Gate, Handlers, Items, ItemsMethod, Kind, RawPeer, TestServer,
    builder, echo, in_order, interop, isolated, with_every_client, with_every_server, without_response,
};

/// The figures of this process.
struct Figures(Snapshotter);

impl Figures {
    fn install() -> Figures {
        let recorder = DebuggingRecorder::new();
        let figures = Figures(recorder.snapshotter());
        recorder.install().expect("the first of this process");
        figures
    }

    /// What was counted since it was last asked for, with names and labels as Prometheus writes them; of a histogram, how many
    /// values.
    fn take(&self) -> BTreeMap<String, f64> {
        let counted = self.0.snapshot().into_vec().into_iter().map(|(key, _, _, value)| {
            let labels: Vec<_> =
                key.key().labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
            let value = match value {
                DebugValue::Counter(count) => count as f64,
                DebugValue::Gauge(value) => value.into_inner(),
                DebugValue::Histogram(values) => {
                    assert!(values.iter().all(|value| (0.0..60.0).contains(&value.into_inner())));
                    values.len() as f64
                }
            };
            (format!("{}{{{}}}", key.key().name(), labels.join(",")), value)
        });
        counted.filter(|(_, value)| *value != 0.0).collect()
    }
}

fn named<const N: usize>(figures: [(&str, f64); N]) -> BTreeMap<String, f64> {
    figures.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// As named, without the figures of bytes.
fn but_bytes(mut figures: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    figures.retain(|name, _| !name.contains("bytes"));
    figures
}

#[test]
fn calls_are_counted_by_what_became_of_them() {
    isolated("metrics::calls_are_counted_by_what_became_of_them", || {
        let figures = Figures::install();
        with_every_server(|driver| {
            let module = interop().on(702, |_, _| async { panic!("as it is meant to") });
            let server = driver.start(Server::builder().module(module));
            let peer = RawPeer::connect(server.path());
            let calls = [(7, 700), (7, 700), (7, 701), (7, 702), (7, 798), (7, 799), (8, 800), (9, -1)];
            for (sequence, (module, method)) in (1..).zip(calls) {
                peer.send_call(Wire::Chunked, module, method, sequence, b"");
                peer.recv_response(Wire::Chunked);
            }
            peer.send_message(Wire::Chunked, b"no call");
            assert_eq!(peer.recv_response(Wire::Chunked).status, Status::FAILED_UNMARSHAL_CALL);
            drop(peer);
            server.stop();

            let of = |method: &str, status: &str| {
                format!("drpc_server_calls_total{{module=interop,method={method},status={status}}}")
            };
            let expected = named([
                (&of("scripted", "SUCCESS"), 2.0),
                (&of("scripted", "FAILURE"), 2.0),
                // What a peer makes up gets no name of its own.
                (&of("unknown", "UNKNOWN_METHOD"), 2.0),
                ("drpc_server_calls_total{module=unknown,method=unknown,status=UNKNOWN_MODULE}", 2.0),
                ("drpc_server_calls_total{module=unknown,method=unknown,status=FAILED_UNMARSHAL_CALL}", 1.0),
                ("drpc_server_call_seconds{module=interop,method=scripted}", 4.0),
                ("drpc_server_call_seconds{module=interop,method=unknown}", 2.0),
                ("drpc_server_call_seconds{module=unknown,method=unknown}", 2.0),
                ("drpc_server_sessions_opened_total{}", 1.0),
            ]);
            assert_eq!(but_bytes(figures.take()), expected);
        });
    });
}

#[test]
fn messages_are_counted_in_bytes() {
    isolated("metrics::messages_are_counted_in_bytes", || {
        let figures = Figures::install();
        with_every_server(|driver| {
            let server = driver.start(Server::builder().module(echo()));
            let peer = RawPeer::connect(server.path());
            peer.send_call(Wire::Plain, 7, 700, 1, &[7; 1000]);
            let reply = peer.recv_message(Wire::Plain).expect("a reply");
            drop(peer);
            server.stop();

            let figures = figures.take();
            assert_eq!(figures["drpc_server_sent_bytes_total{}"], reply.len() as f64);
            // Module, method and sequence, and the body's length.
            assert_eq!(figures["drpc_server_received_bytes_total{}"], 1000.0 + 2.0 + 3.0 + 2.0 + 3.0);
        });
    });
}

#[test]
fn what_is_said_of_calls_is_counted_in_bytes_too() {
    // E5: items, their end, credit.
    isolated("metrics::what_is_said_of_calls_is_counted_in_bytes_too", || {
        let figures = Figures::install();
        with_every_server(|driver| {
            let server = driver.start(Server::builder().module(Items));
            let peer = RawPeer::connect(server.path());
            let mut sent = 0;
            let mut say = |module, method, body: Bytes, added: CallFields| {
                let message =
                    Call::<Bytes> { module, method, sequence: 1, body, added: Some(added.into()) }.encode();
                sent += message.len();
                peer.send_message(Wire::Chunked, &message);
            };
            let sends = CallFields { sends_items: true, ..CallFields::default() };
            say(9, ItemsMethod::Count.id(), Bytes::new(), sends);
            assert!(peer.recv_response(Wire::Chunked).part().is_some(), "it is open");
            let control = |control| CallFields { control: Some(control), ..CallFields::default() };
            say(0, 0, vec![7; 1000].into(), control(Control::Item));
            say(0, 0, vec![7; 100_000].into(), control(Control::Item));
            say(0, 0, Bytes::new(), control(Control::End));
            assert_eq!(peer.recv_response(Wire::Chunked).body, "101000");
            drop(peer);
            server.stop();
            assert_eq!(figures.take()["drpc_server_received_bytes_total{}"], sent as f64);
        });
    });
}

#[test]
fn a_reply_that_is_too_long_is_counted() {
    // D4.
    isolated("metrics::a_reply_that_is_too_long_is_counted", || {
        let figures = Figures::install();
        with_every_server(|driver| {
            let module = echo().on(705, |_, _| async { Ok(vec![0; 2 << 20].into()) });
            let server = driver.start(Server::builder().module(module));
            let peer = RawPeer::connect(server.path());
            peer.send_call(Wire::Plain, 7, 705, 1, b"");
            assert_eq!(peer.recv_response(Wire::Plain).status, Status::FAILED_MARSHAL);
            drop(peer);
            server.stop();

            assert_eq!(figures.take()["drpc_server_replies_too_long_total{}"], 1.0);
        });
    });
}

/// Module 7: 700 echoes, 702 waits at the gate.
fn waiting(gate: &Gate) -> Handlers {
    let gate = gate.clone();
    echo().on(702, move |_, body| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            Ok(body)
        }
    })
}

#[test]
fn what_goes_on_is_counted_while_it_does() {
    isolated("metrics::what_goes_on_is_counted_while_it_does", || {
        let figures = Figures::install();
        with_every_server(|driver| {
            let gate = Gate::new();
            let builder = Server::builder().module(waiting(&gate)).order(Order::Concurrent(4));
            let server = driver.start(builder.drain_timeout(Duration::ZERO));
            let peers = [RawPeer::connect(server.path()), RawPeer::connect(server.path())];
            peers[1].assert_served(Wire::Chunked);
            (1..=4).for_each(|sequence| peers[0].send_call(Wire::Chunked, 7, 702, sequence, b""));
            in_order(gate.arrived(4));
            let during = figures.take();
            assert_eq!(during["drpc_server_calls_in_flight{}"], 4.0);
            assert_eq!(during["drpc_server_sessions{}"], 2.0);

            // One is answered; the others are dropped where they wait.
            gate.open(1);
            assert_eq!(peers[0].recv_response(Wire::Chunked).status, Status::SUCCESS);
            server.stop();
            let dropped = "drpc_server_calls_total{module=interop,method=scripted,status=dropped}";
            let after = figures.take();
            // Taken, they began again at nothing.
            assert_eq!(after["drpc_server_calls_in_flight{}"], -4.0);
            assert_eq!(after["drpc_server_sessions{}"], -2.0);
            assert_eq!(after[dropped], 3.0);
            assert_eq!(after["drpc_server_call_seconds{module=interop,method=scripted}"], 1.0);
        });
    });
}

#[test]
fn who_is_refused_is_counted() {
    isolated("metrics::who_is_refused_is_counted", || {
        let figures = Figures::install();
        let refused = |builder: fn() -> ServerBuilder, sessions: usize| {
            with_every_server(|driver| {
                let server = driver.start(builder().module(echo()));
                let kept: Vec<_> = (1..=sessions).map(|_| Kind::Blocking.connect_to(server.path())).collect();
                kept.iter().for_each(|client| client.assert_served());
                RawPeer::connect(server.path()).assert_closed();
                drop(kept);
                server.stop();
            });
            let figures = figures.take().into_iter().filter(|(name, _)| name.contains("refused"));
            figures.collect::<BTreeMap<_, _>>()
        };
        // Once by each server.
        let name = |reason| format!("drpc_server_sessions_refused_total{{reason={reason}}}");
        assert_eq!(refused(|| Server::builder().allow(Allow::no_one()), 0), named([(&name("access"), 3.0)]));
        assert_eq!(refused(|| Server::builder().session_limit(1), 1), named([(&name("session_limit"), 3.0)]));
        let per_uid = named([(&*name("session_limit_per_uid"), 3.0)]);
        assert_eq!(refused(|| Server::builder().session_limit_per_uid(2), 2), per_uid);
        assert_eq!(
            refused(|| Server::builder().on_open(|_| Err("no".into())), 0),
            named([(&name("hook"), 3.0)])
        );
    });
}

#[test]
fn what_is_unknown_is_counted_only_once_there_is_some() {
    // Ours: an alert on it would never be quiet.
    isolated("metrics::what_is_unknown_is_counted_only_once_there_is_some", || {
        let figures = Figures::install();
        with_every_server(|driver| {
            let server = driver.start(Server::builder().module(echo()));
            let client = Kind::Blocking.connect_to(server.path());
            client.call(7, 700, b"").expect("is answered");
            let is_unknown = |figures: &BTreeMap<String, f64>| {
                figures
                    .keys()
                    .any(|name| name.starts_with("drpc_server_call") && name.contains("module=unknown"))
            };
            if driver == Driver::Tokio {
                assert!(!is_unknown(&figures.take()));
            }
            client.call(9, 901, b"").expect("is answered");
            drop(client);
            server.stop();
            assert!(is_unknown(&figures.take()));
        });
    });
}

#[test]
fn a_call_that_a_rule_refuses_is_counted() {
    struct Guarded;

    #[drpc::drpc_module(id = 9)]
    impl Guarded {
        #[method(1, allow = "nobody")]
        fn secret(&self, _: &Context) {}
    }

    isolated("metrics::a_call_that_a_rule_refuses_is_counted", || {
        let figures = Figures::install();
        with_every_server(|driver| {
            let server = driver.start(Server::builder().module(Guarded).rule("nobody", Allow::no_one()));
            let client = Kind::Blocking.connect_to(server.path());
            assert_eq!(client.call(9, 901, b"").expect("is answered").status, Status::FAILURE);
            drop(client);
            server.stop();

            let figures = figures.take();
            assert_eq!(figures["drpc_server_calls_refused_total{module=guarded}"], 1.0);
            let failed = "drpc_server_calls_total{module=guarded,method=secret,status=FAILURE}";
            assert_eq!(figures[failed], 1.0);
        });
    });
}

/// As named, without the figures of servers.
fn of_clients(mut figures: BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    figures.retain(|name, _| name.starts_with("drpc_client"));
    figures
}

#[test]
fn clients_count_their_calls_and_connections() {
    isolated("metrics::clients_count_their_calls_and_connections", || {
        let figures = Figures::install();
        with_every_client(|kind| {
            let server = TestServer::start(Server::builder().module(interop()));
            let client = kind.connect_to(server.path());
            client.call(7, 700, b"").expect("is answered");
            client.call(7, 701, b"").expect("is answered");
            client.call_with(7, 700, b"", &without_response()).expect("is sent");
            client.batch(Method::new(7, 700, "test"), &[b"", b""], &CallOptions::new());
            client.batch(Method::new(7, 799, "test"), &[b""], &CallOptions::new());
            let during = figures.take();
            assert_eq!(during["drpc_client_connections{}"], 1.0);
            client.close();
            client.call(7, 700, b"").expect_err("is closed");
            client.reconnect().expect("connects");
            drop(client);
            server.stop();

            let of =
                |status: &str| format!("drpc_client_calls_total{{module_id=7,method=test,status={status}}}");
            let expected = named([
                (&of("SUCCESS"), 3.0),
                (&of("FAILURE"), 1.0),
                (&of("SUBMITTED"), 1.0),
                (&of("UNKNOWN_METHOD"), 1.0),
                ("drpc_client_call_seconds{module_id=7,method=test}", 3.0),
                ("drpc_client_connections{}", 1.0),
                ("drpc_client_connections_opened_total{}", 1.0),
            ]);
            assert_eq!(of_clients(during), expected);
            let expected = named([
                (&of("not_connected"), 1.0),
                ("drpc_client_call_seconds{module_id=7,method=test}", 1.0),
                // Taken, it began again at nothing.
                ("drpc_client_connections{}", -1.0),
                ("drpc_client_connections_opened_total{}", 1.0),
                ("drpc_client_reconnects_total{}", 1.0),
            ]);
            assert_eq!(of_clients(figures.take()), expected);
        });
    });
}

#[test]
fn streams_are_counted_at_both_ends() {
    isolated("metrics::streams_are_counted_at_both_ends", || {
        let figures = Figures::install();
        with_every_server(|driver| {
            with_every_client(|kind| {
                let server = driver.start(Server::builder().module(Items));
                let client = kind.connect_to(server.path());
                let options = CallOptions::new();
                let mut echo: AnyExchange<Bytes, Bytes> =
                    client.exchange(ItemsMethod::Echo.method(), Bytes::new(), &options).unwrap();
                for item in ["one", "three"] {
                    echo.send(item.into()).unwrap();
                    assert_eq!(echo.next().unwrap().unwrap(), item);
                }
                let of = |figures: &BTreeMap<String, f64>, side: &str, figure: &str| {
                    let name = format!("drpc_{side}_{figure}{{}}");
                    figures.get(&name).copied().unwrap_or_default()
                };
                let during = figures.take();
                for side in ["server", "client"] {
                    assert_eq!(of(&during, side, "streams"), 1.0);
                    for way in ["received", "sent"] {
                        assert_eq!(of(&during, side, &format!("{way}_items_total")), 2.0);
                        assert_eq!(of(&during, side, &format!("{way}_item_bytes_total")), 8.0);
                    }
                }
                assert!(!during.keys().any(|name| name.starts_with("drpc_client_calls_total")), "it goes on");
                echo.finish();
                assert!(echo.next().is_none());
                let count: AnyUpload<Bytes, Bytes> =
                    client.upload(ItemsMethod::Count.method(), Bytes::new(), &options).unwrap();
                assert_eq!(count.finish_with([Bytes::from("four")]).unwrap(), "4");
                // Given up.
                let count: AnyUpload<Bytes, Bytes> =
                    client.upload(ItemsMethod::Count.method(), Bytes::new(), &options).unwrap();
                drop((count, echo, client));
                server.stop();

                let after = figures.take();
                for (side, [there, back]) in
                    [("server", ["received", "sent"]), ("client", ["sent", "received"])]
                {
                    // Taken, it began again at nothing.
                    assert_eq!(of(&after, side, "streams"), -1.0);
                    assert_eq!(of(&after, side, &format!("{there}_items_total")), 1.0);
                    assert_eq!(of(&after, side, &format!("{back}_items_total")), 0.0);
                }
                for (method, status) in [("echo", "SUCCESS"), ("count", "SUCCESS"), ("count", "dropped")] {
                    let labels = format!("module_id=9,method={method},status={status}");
                    let name = format!("drpc_client_calls_total{{{labels}}}");
                    assert_eq!(after[&name], 1.0, "{name}");
                }
            });
        });
    });
}

#[test]
fn items_that_something_else_than_a_session_carries_are_counted_too() {
    isolated("metrics::items_that_something_else_than_a_session_carries_are_counted_too", || {
        let figures = Figures::install();
        let mut service = ModuleService::new();
        service.register(Items).unwrap();
        let session = Session::new(1, PeerCredentials::this_process());
        let carried = stream::iter(["one", "three"].map(|item| Ok(item.into())));
        let context = Context::new(session.into(), 1).with_polled_items(carried);
        let (module, method) = (9, ItemsMethod::Count.id());
        let sends = CallFields { sends_items: true, ..CallFields::default() };
        let call = Call { module, method, sequence: 1, body: Bytes::new(), added: Some(sends.into()) };
        let mut processing = service.process(context, call);
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        let last = runtime.block_on(async {
            assert!((&mut processing).await.part().is_some(), "it is open");
            processing.take_items().expect("it has opened one").next().await.expect("the answer")
        });
        assert_eq!((last.status, last.body.into_bytes()), (Status::SUCCESS, "8".into()));

        let figures = figures.take();
        assert_eq!(figures["drpc_server_received_items_total{}"], 2.0);
        assert_eq!(figures["drpc_server_received_item_bytes_total{}"], 8.0);
    });
}

#[test]
fn clients_count_what_they_lose_and_make_again() {
    isolated("metrics::clients_count_what_they_lose_and_make_again", || {
        let figures = Figures::install();
        with_every_client(|kind| {
            // The first connection is closed upon the call, which is made again on another.
            let fake = Fake::listen();
            let policy = RetryPolicy::new(2).backoff(Backoff::new(Duration::ZERO, Duration::ZERO));
            thread::scope(|scope| {
                scope.spawn(|| {
                    let first = fake.accept();
                    first.recv_call(Wire::Chunked).expect("a call");
                    drop(first);
                    let second = fake.accept();
                    let again = second.recv_call(Wire::Chunked).expect("a call");
                    second.send_reply(Wire::Chunked, again.sequence, 0, b"");
                    while second.recv().is_some() {}
                });
                let client = kind.connect(builder(fake.path()).retry(policy)).expect("connects");
                let method = Method::new(7, 700, "test").idempotent();
                client.call_method(method, b"", &CallOptions::new()).expect("is answered");
                drop(client);
            });

            let expected = named([
                ("drpc_client_calls_total{module_id=7,method=test,status=SUCCESS}", 1.0),
                ("drpc_client_call_seconds{module_id=7,method=test}", 1.0),
                ("drpc_client_retries_total{}", 1.0),
                ("drpc_client_connections_opened_total{}", 2.0),
                ("drpc_client_connections_lost_total{}", 1.0),
                ("drpc_client_reconnects_total{}", 1.0),
            ]);
            assert_eq!(of_clients(figures.take()), expected);
        });
    });
}
