//! The fields that this project adds to DAOS's envelope (E5): what a server does about them, what a client sends and is told, and that
//! a peer that does not know them is not disturbed.

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use drpc::wire::{Call, CallFields, FailureCause, Response, ResponseFields};
use drpc::{
    AddedFields, Allow, CallErrorKind, CallOptions, Client, Failure, Method, Server, Status, TraceContext,
    Wire, WireMode, drpc_module,
};
use prost::Message;

use crate::support::{
    AnyClient, Fake, Gate, Handlers, Logs, PATIENCE, RawPeer, SOON, TestServer, WIRES, builder, echo,
    interop, with_every_client, with_every_server,
};

const HOUR: Duration = Duration::from_secs(3600);

fn trace() -> TraceContext {
    let trace: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
    trace.with_state("vendor=value").unwrap()
}

fn within(left: Duration) -> CallFields {
    CallFields { time_left: Some(left), ..CallFields::default() }
}

fn everything(left: Duration) -> CallFields {
    CallFields { wants_error: true, trace: Some(trace()), ..within(left) }
}

fn wanting_errors() -> CallFields {
    CallFields { wants_error: true, ..CallFields::default() }
}

fn send(peer: &RawPeer, wire: Wire, method: i32, body: &[u8], fields: CallFields) {
    let added = Some(fields.into());
    let call = Call { module: 7, method, sequence: 1, body: Bytes::copy_from_slice(body), added };
    peer.send_message(wire, &call.encode());
}

fn exchange(peer: &RawPeer, wire: Wire, method: i32, fields: CallFields) -> Response {
    send(peer, wire, method, b"body", fields);
    peer.recv_response(wire)
}

/// Method 710 tells what a handler knows: how many seconds it has, and its caller's place in a trace.
fn telling() -> Handlers {
    echo().on(710, |context, _| async move {
        let left = context.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let left = left.map_or("no limit".to_owned(), |left| left.as_secs().to_string());
        let trace = context.trace_context().map(|trace| format!("{trace} {}", trace.state()));
        Ok(format!("{left}|{}", trace.unwrap_or_default()).into())
    })
}

fn seconds_of(response: &Response) -> u64 {
    let text = std::str::from_utf8(&response.body).unwrap();
    text.split_once('|').unwrap().0.parse().unwrap()
}

#[test]
fn a_call_with_fields_is_a_call_whatever_its_size() {
    // E5, W3, W8: the fields cross the border of packets, or begin one.
    let fields = everything(HOUR);
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(echo()));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            for len in [0, 1, 5_000, 130_900, 130_930, 130_960, 130_990, 131_020, 131_048, 300_000] {
                if wire == Wire::Plain && len > 130_900 {
                    continue;
                }
                let body = vec![b'x'; len];
                send(&peer, wire, 700, &body, fields.clone());
                let response = peer.recv_response(wire);
                assert_eq!((response.status, response.added), (Status::SUCCESS, None));
                assert!(response.body == body, "{len} bytes");
            }
        }
    });
}

#[test]
fn the_callers_time_is_the_handlers_if_it_is_the_shorter() {
    // E5.
    with_every_server(|driver| {
        let unlimited = driver.start(Server::builder().module(telling()));
        let limited = driver.start(Server::builder().module(telling()).handler_timeout(HOUR));
        for wire in WIRES {
            let peer = RawPeer::connect(unlimited.path());
            assert_eq!(exchange(&peer, wire, 710, CallFields::default()).body, "no limit|");
            assert!((1800..3600).contains(&seconds_of(&exchange(&peer, wire, 710, within(HOUR)))));
            // Longer than any clock goes.
            let endless = within(Duration::from_micros(u64::MAX));
            assert_eq!(exchange(&peer, wire, 710, endless).status, Status::SUCCESS);

            let peer = RawPeer::connect(limited.path());
            assert!((1800..3600).contains(&seconds_of(&exchange(&peer, wire, 710, CallFields::default()))));
            assert!((1800..3600).contains(&seconds_of(&exchange(&peer, wire, 710, within(2 * HOUR)))));
            assert!((900..1800).contains(&seconds_of(&exchange(&peer, wire, 710, within(HOUR / 2)))));
        }
    });
}

#[test]
fn a_handler_is_cut_off_when_the_callers_time_is_over() {
    // E5.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let held = gate.clone();
        let module = echo().on(702, move |_, body| {
            let held = held.clone();
            async move {
                held.pass().await;
                Ok(body)
            }
        });
        let server = driver.start(Server::builder().module(module).handler_timeout(PATIENCE));
        let peer = RawPeer::connect(server.path());
        let response = exchange(&peer, Wire::Chunked, 702, within(SOON));
        assert_eq!(response, Response::failure(1, Status::FAILURE));
        logs.assert_contain("the handler took too long, for its server or its caller");
        assert_eq!(gate.unnoticed(), 1);
        peer.assert_served(Wire::Chunked);
    });
}

#[test]
fn a_call_whose_time_is_over_is_not_begun() {
    // E5.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let begun = gate.clone();
        let module = echo().on(702, move |_, body| {
            begun.arrive();
            async { Ok(body) }
        });
        let server = driver.start(Server::builder().module(module));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            let response = exchange(&peer, wire, 702, within(Duration::ZERO));
            assert_eq!(response, Response::failure(1, Status::FAILURE));
            peer.assert_served(wire);
        }
        assert_eq!(gate.unnoticed(), 0);
        logs.assert_contain("the caller's time was over before its call began");
    });
}

#[test]
fn the_place_in_a_trace_reaches_the_handler() {
    // E5.
    let fields = CallFields { trace: Some(trace()), ..CallFields::default() };
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(telling()));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            let told = format!("no limit|{} vendor=value", trace());
            assert_eq!(exchange(&peer, wire, 710, fields.clone()).body, told);
        }
    });
}

#[derive(Clone, PartialEq, prost::Message)]
struct Quota {
    #[prost(uint64, tag = "1")]
    limit: u64,
}

/// 711 fails with details, 712 by an error with a source, 713 by a panic, 714 with more than may be sent.
fn failing() -> Handlers {
    interop()
        .on(711, |_, _| async { Err(Failure::from("over quota").with_details(Quota { limit: 12 })) })
        .on(712, |_, _| async {
            let secret = Failure::from_error(std::io::Error::other("the password is swordfish"));
            Err(Failure::unmarshal_payload(secret))
        })
        .on(713, |_, _| async { panic!("the password is swordfish") })
        .on(714, |_, _| async {
            Err(Failure::from("ü".repeat(4000)).with_details(Bytes::from(vec![1; 70_000])))
        })
        .on(716, |_, _| async {
            let long = Bytes::from(vec![0xff; 60_000]);
            Err(Failure::with_message(Status::from(42), "details").with_details(long))
        })
}

fn told(response: Response) -> (Status, String, Bytes) {
    assert!(response.body.is_empty());
    let ResponseFields { error, details, .. } = *response.added.expect("a text, at least");
    (response.status, error, details)
}

#[test]
fn who_asks_is_told_what_the_failure_says_of_itself_and_nothing_else() {
    // E5, D2, D4, S10.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(Server::builder().module(failing()));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            let ask = |method| told(exchange(&peer, wire, method, wanting_errors()));
            let nothing = Bytes::new();
            assert_eq!(ask(701), (Status::FAILURE, "as it is meant to".into(), nothing.clone()));
            assert_eq!(ask(711), (Status::FAILURE, "over quota".into(), Bytes::from_static(&[8, 12])));
            let (_, error, _) = ask(712);
            assert_eq!(error, Status::FAILED_UNMARSHAL_PAYLOAD.description());
            assert_eq!(ask(713), (Status::FAILURE, "the handler panicked".into(), nothing.clone()));
            assert_eq!(ask(714), (Status::FAILURE, "ü".repeat(2048), nothing.clone()));
            assert_eq!(ask(716).2.len(), 60_000);
            assert_eq!(ask(799), (Status::UNKNOWN_METHOD, "unrecognized method ID".into(), nothing));
            let response = exchange(&peer, wire, 700, wanting_errors());
            assert_eq!((response.status, response.added), (Status::SUCCESS, None));
        }
        logs.assert_contain("the password is swordfish");
    });
}

#[test]
fn who_asks_can_tell_an_error_a_panic_a_refusal_and_the_end_of_its_time_apart() {
    // E5, D8, S10: to DAOS, all of them are FAILURE.
    with_every_server(|driver| {
        let module = failing().on(715, |_, _| std::future::pending());
        let server = driver.start(
            Server::builder()
                .handler_timeout(SOON)
                .module(module)
                .module(Shut)
                .rule("nobody", Allow::no_one()),
        );
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            let cause = |module, method| {
                let call = Call {
                    module,
                    method,
                    sequence: 1,
                    body: Bytes::new(),
                    added: Some(wanting_errors().into()),
                };
                peer.send_message(wire, &call.encode());
                let response = peer.recv_response(wire);
                (response.status, response.added.expect("a text, at least").cause)
            };
            assert_eq!(cause(7, 701), (Status::FAILURE, Some(FailureCause::Handler)));
            assert_eq!(cause(7, 713), (Status::FAILURE, Some(FailureCause::Panicked)));
            assert_eq!(cause(9, 901), (Status::FAILURE, Some(FailureCause::Denied)));
            assert_eq!(cause(7, 715), (Status::FAILURE, Some(FailureCause::TimedOut)));
            // The status tells.
            assert_eq!(cause(7, 799), (Status::UNKNOWN_METHOD, None));
            assert_eq!(cause(8, 801), (Status::UNKNOWN_MODULE, None));
        }
    });
}

struct Shut;

#[drpc_module(id = 9, allow = "nobody")]
impl Shut {
    #[method(1)]
    fn open(&self) {}
}

#[test]
fn the_debug_form_of_a_calls_error_has_what_a_log_wants() {
    // Ours.
    with_every_client(|kind| {
        let server = TestServer::start(Server::builder().module(failing()));
        let client = kind.connect(builder(server.path()).added_fields(AddedFields::ERROR)).unwrap();
        let error = client.call_typed::<(), ()>(7, 701, (), &CallOptions::new()).unwrap_err();
        assert_eq!(error.failure_cause(), Some(FailureCause::Handler));
        assert_eq!(
            format!("{error:?}"),
            "CallError { kind: Status, status: FAILURE, cause: Handler, \
             text: \"the server answered FAILURE: as it is meant to\" }"
        );
    });
}

#[test]
fn who_does_not_ask_gets_the_bytes_of_daos() {
    // E5, D3: byte for byte.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(failing()));
        let silent = driver.start(Server::builder().module(failing()).added_fields(false));
        let all = everything(HOUR);
        for wire in WIRES {
            for (server, fields) in
                [(&server, within(HOUR)), (&server, CallFields::default()), (&silent, all.clone())]
            {
                let peer = RawPeer::connect(server.path());
                for method in [701, 711, 712, 713, 714, 716] {
                    send(&peer, wire, method, b"", fields.clone());
                    let message = peer.recv_message(wire).unwrap();
                    let status = Response::decode(message.clone().into()).unwrap().status;
                    assert_eq!(message, Response::<Bytes>::failure(1, status).encode());
                }
            }
        }
    });
}

#[test]
fn a_server_that_was_told_so_ignores_them() {
    // E5.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(telling()).added_fields(false));
        let peer = RawPeer::connect(server.path());
        let all = everything(Duration::ZERO);
        assert_eq!(exchange(&peer, Wire::Chunked, 710, all).body, "no limit|");
    });
}

#[test]
fn a_failure_that_does_not_fit_keeps_its_status_and_loses_what_was_added() {
    // E5, W7.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(failing()).message_limit(1000));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            let response = exchange(&peer, wire, 716, wanting_errors());
            assert_eq!(response, Response::failure(1, Status::from(42)));
            peer.assert_served(wire);
        }
    });
}

#[test]
fn a_trace_that_breaks_w3cs_rules_is_ignored_and_the_call_is_served() {
    // E5.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(telling()));
        let peer = RawPeer::connect(server.path());
        let mut message =
            Call { module: 7, method: 710, sequence: 1, body: Bytes::new(), added: None }.encode().to_vec();
        // Field 1002, 3 bytes.
        message.extend_from_slice(&[0xd2, 0x3e, 3, b'0', b'0', b'-']);
        peer.send_message(Wire::Chunked, &message);
        assert_eq!(peer.recv_response(Wire::Chunked).body, "no limit|");
    });
}

/// DAOS's own messages: what a peer knows that was built from its `drpc.proto`.
mod daos {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Call {
        #[prost(int32, tag = "1")]
        pub(super) module: i32,
        #[prost(int32, tag = "2")]
        pub(super) method: i32,
        #[prost(int64, tag = "3")]
        pub(super) sequence: i64,
        #[prost(bytes = "vec", tag = "4")]
        pub(super) body: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Response {
        #[prost(int64, tag = "1")]
        pub(super) sequence: i64,
        #[prost(int32, tag = "2")]
        pub(super) status: i32,
        #[prost(bytes = "vec", tag = "3")]
        pub(super) body: Vec<u8>,
    }
}

/// What a client sends for one call, which is then answered.
fn sent_by(client: &AnyClient, server: &RawPeer, wire: Wire, options: &CallOptions) -> Bytes {
    thread::scope(|scope| {
        let calling = scope.spawn(|| client.call_with(7, 700, b"body", options).unwrap());
        let message = Bytes::from(server.recv_message(wire).unwrap());
        server.send_reply(wire, Call::decode(message.clone()).unwrap().sequence, 0, b"");
        calling.join().unwrap();
        message
    })
}

fn fields_sent_by(client: &AnyClient, server: &RawPeer, options: &CallOptions) -> CallFields {
    *Call::decode(sent_by(client, server, Wire::Chunked, options)).unwrap().added.expect("fields")
}

#[test]
fn a_client_that_was_not_told_to_sends_the_bytes_of_daos() {
    // E5: whatever its calls have to say.
    with_every_client(|kind| {
        for wire in WIRES {
            let fake = Fake::listen();
            let client =
                kind.connect(builder(fake.path()).wire(wire).trace_context(|| Some(trace()))).unwrap();
            let server = fake.accept();
            let options = CallOptions::new().timeout(PATIENCE).trace_context(trace());
            for sequence in 1..4 {
                let theirs = daos::Call { module: 7, method: 700, sequence, body: b"body".to_vec() };
                assert_eq!(sent_by(&client, &server, wire, &options), theirs.encode_to_vec());
            }
        }
    });
}

#[test]
fn a_client_sends_what_it_was_told_to_and_no_more() {
    // E5.
    let other: TraceContext = "00-00000000000000000000000000000001-0000000000000002-00".parse().unwrap();
    with_every_client(|kind| {
        let connect = |fields| {
            let fake = Fake::listen();
            let hook = || Some(trace());
            let client = kind.connect(builder(fake.path()).added_fields(fields).trace_context(hook)).unwrap();
            let server = fake.accept();
            (client, server, fake)
        };
        let none = CallOptions::new();

        let (client, server, _fake) = connect(AddedFields::ERROR);
        assert_eq!(fields_sent_by(&client, &server, &none), wanting_errors());

        let (client, server, _fake) = connect(AddedFields::TRACE);
        let with = |trace| CallFields { trace: Some(trace), ..CallFields::default() };
        assert_eq!(fields_sent_by(&client, &server, &none), with(trace()));
        let options = CallOptions::new().trace_context(other.clone());
        assert_eq!(fields_sent_by(&client, &server, &options), with(other.clone()));

        let (client, server, _fake) = connect(AddedFields::DEADLINE);
        let left = |options: &CallOptions| {
            let fields = fields_sent_by(&client, &server, options);
            assert_eq!(fields, within(fields.time_left.unwrap()));
            fields.time_left.unwrap()
        };
        assert!(left(&none) <= PATIENCE);
        let longer = CallOptions::new().timeout(HOUR);
        assert!((HOUR / 2..=HOUR).contains(&left(&longer)));
        let limited = longer.deadline(Instant::now() + HOUR / 4);
        assert!((HOUR / 8..=HOUR / 4).contains(&left(&limited)));
        assert!((HOUR / 8..=HOUR / 4).contains(&left(&limited.deadline(Instant::now() + HOUR))));

        let (client, server, _fake) = connect(AddedFields::ALL);
        let fields = fields_sent_by(&client, &server, &options);
        assert!(fields.time_left.is_some() && fields.wants_error && fields.trace == Some(other.clone()));
    });
}

#[test]
fn a_server_like_daoss_answers_a_call_with_fields() {
    // E5: it knows its own messages alone, and writes them anew.
    with_every_client(|kind| {
        for wire in WIRES {
            let fake = Fake::listen();
            let client =
                kind.connect(builder(fake.path()).wire(wire).added_fields(AddedFields::ALL)).unwrap();
            let server = fake.accept();
            for (status, body) in [(0, "body"), (2, "")] {
                thread::scope(|scope| {
                    let calling = scope.spawn(|| client.call(7, 700, b"body"));
                    let call = daos::Call::decode(&server.recv_message(wire).unwrap()[..]).unwrap();
                    assert_eq!((call.module, call.method, &call.body[..]), (7, 700, &b"body"[..]));
                    let body = body.as_bytes().to_vec();
                    let response = daos::Response { sequence: call.sequence, status, body };
                    server.send_message(wire, &response.encode_to_vec());
                    let response = calling.join().unwrap().unwrap();
                    assert_eq!((response.status.code(), response.added), (status, None));
                });
            }
        }
    });
}

#[test]
fn calls_with_fields_of_every_length_come_through() {
    // E5, W3, W10: in packets, of which the socket does not take all at once.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(echo()));
        with_every_client(|kind| {
            let settings =
                builder(server.path()).added_fields(AddedFields::ALL).trace_context(|| Some(trace()));
            let client = kind.connect(settings).unwrap();
            for len in [0, 130_900, 130_930, 130_960, 130_990, 131_020, 131_048, 300_000, 8 << 20] {
                let body = vec![b'x'; len];
                let response = client.call(7, 700, &body).unwrap();
                assert!(response.status.is_success() && response.body == body, "{len} bytes");
            }
        });
    });
}

#[test]
fn an_errors_text_and_details_reach_the_caller() {
    // E5.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(failing()));
        with_every_client(|kind| {
            for wire in [Wire::Chunked.into(), Wire::Plain.into(), WireMode::Auto] {
                let connect =
                    |fields| kind.connect(builder(server.path()).wire(wire).added_fields(fields)).unwrap();
                let fail = |client: &AnyClient, method| {
                    client.call_typed::<(), ()>(7, method, (), &CallOptions::new()).unwrap_err()
                };
                let client = connect(AddedFields::ERROR);
                let error = fail(&client, 711);
                assert_eq!((error.kind(), error.status()), (CallErrorKind::Status, Some(Status::FAILURE)));
                assert_eq!(error.to_string(), "the server answered FAILURE: over quota");
                assert_eq!(error.peer_text(), Some("over quota"));
                assert_eq!(error.details(), Some(Quota { limit: 12 }));
                assert_eq!(error.details(), Some(Bytes::from_static(&[8, 12])));

                let error = fail(&client, 701);
                assert_eq!(error.peer_text(), Some("as it is meant to"));
                assert_eq!(error.details::<Quota>(), None);
                let error = fail(&client, 716);
                assert_eq!(error.to_string(), "the server answered unknown status 42: details");
                assert_eq!(error.details::<Quota>(), None);

                let error = fail(&connect(AddedFields::DEADLINE | AddedFields::TRACE), 711);
                assert_eq!(
                    error.to_string(),
                    "the server answered FAILURE: an unknown error occurred; its text is in the server's log, and comes to clients that ask by `AddedFields::ERROR`"
                );
                assert_eq!((error.peer_text(), error.details::<Quota>()), (None, None));
            }
            let client = kind.connect(builder(server.path()).added_fields(AddedFields::ERROR)).unwrap();
            let method = Method::new(7, 711, "fails");
            for response in client.batch(method, &[b"", b""], &CallOptions::new()) {
                assert_eq!(response.unwrap().added.unwrap().error, "over quota");
            }
        });
    });
}

#[test]
fn a_peers_text_is_fit_for_a_terminal() {
    // E5.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect_to(fake.path());
        let server = fake.accept();
        let error = thread::scope(|scope| {
            let calling = scope.spawn(|| client.call_typed::<(), ()>(7, 700, (), &CallOptions::new()));
            let sequence = server.recv_call(Wire::Chunked).unwrap().sequence;
            let added = ResponseFields::new("line\n\u{1b}[31mred ü", Bytes::new());
            let response = Response::<Bytes>::failure(sequence, Status::FAILURE);
            let response = Response { added: Some(added.into()), ..response };
            server.send_message(Wire::Chunked, &response.encode());
            calling.join().unwrap().unwrap_err()
        });
        assert_eq!(error.to_string(), "the server answered FAILURE: line\\n\\u{1b}[31mred ü");
        assert_eq!(error.peer_text(), Some("line\n\u{1b}[31mred ü"));
    });
}

#[test]
fn a_call_whose_time_is_over_is_not_sent() {
    // E5, C4.
    with_every_client(|kind| {
        let server = TestServer::start(Server::builder().module(echo()));
        let client = kind.connect(builder(server.path()).added_fields(AddedFields::ALL)).unwrap();
        let late = CallOptions::new().deadline(Instant::now());
        let error = client.call_with(7, 700, b"", &late).unwrap_err();
        assert!(error.is_timeout() && !error.is_retryable());
        assert_eq!(error.to_string(), "the time was over before the call was made; it was not executed");
        let batch = client.batch(Method::new(7, 700, "echo"), &[b"", b""], &late);
        assert!(batch.into_iter().all(|result| result.unwrap_err().is_timeout()));
        assert_eq!(client.call(7, 700, b"").unwrap().sequence, 1);
    });
}

#[test]
fn a_handler_passes_on_what_it_has_of_its_caller() {
    // E5: time and trace, through two servers.
    with_every_server(|driver| {
        let last = driver.start(Server::builder().module(telling()));
        let path = last.path().to_owned();
        let between = Handlers::new(7, "between").on(710, move |context, body| {
            let settings = Client::builder(&path).added_fields(AddedFields::ALL);
            async move {
                let options = CallOptions::new().on_behalf_of(&context);
                let client = settings.connect().await?;
                Ok(client.call_raw(Method::new(7, 710, "telling"), body, &options).await?.body)
            }
        });
        let first = TestServer::start(Server::builder().module(between));
        with_every_client(|kind| {
            let client = kind.connect(builder(first.path()).added_fields(AddedFields::ALL)).unwrap();
            let options = CallOptions::new().timeout(HOUR).trace_context(trace());
            let response = client.call_with(7, 710, b"", &options).unwrap();
            assert!((1800..3600).contains(&seconds_of(&response)), "{response:?}");
            let told = std::str::from_utf8(&response.body).unwrap();
            assert!(told.ends_with(&format!("|{} vendor=value", trace())), "{told}");
        });
    });
}

#[tokio::test(start_paused = true)]
async fn the_time_in_which_a_call_waits_for_room_is_its_callers() {
    // E5: the first call takes an hour, the second may wait for half of one.
    let begun = Gate::new();
    let telling = begun.clone();
    let module = echo()
        .on(702, |_, body| async {
            tokio::time::sleep(HOUR).await;
            Ok(body)
        })
        .on(703, move |_, body| {
            telling.arrive();
            async { Ok(body) }
        });
    let server = Server::builder().call_limit(1).module(module).explicit_modules_only();
    let server = drpc::testing::server_of(server).unwrap();
    let first = server.client();
    let second = server.client_builder().added_fields(AddedFields::DEADLINE).connect().await.unwrap();
    let none = CallOptions::new();
    let half = CallOptions::new().timeout(HOUR / 2);
    let (first, second) = tokio::join!(
        first.call_raw(Method::new(7, 702, "an_hour"), "", &none),
        second.call_raw(Method::new(7, 703, "told"), "", &half),
    );
    assert!(first.unwrap().status.is_success());
    assert!(second.unwrap_err().is_timeout());
    // Its session has come to it by now, as it answers another call.
    server.client().call_raw(Method::new(7, 700, "echo"), "", &none).await.unwrap();
    assert_eq!(begun.unnoticed(), 0);
}

#[test]
fn a_callers_time_out_is_one_whoever_tells_it_first() {
    // E5, C4: the server's FAILURE for a handler that it cuts off races the client's own clock.
    with_every_server(|driver| {
        let module = echo().on(702, |_, _| std::future::pending());
        let server = driver.start(Server::builder().module(module));
        with_every_client(|kind| {
            let deadline = |builder: drpc::ClientBuilder| builder.added_fields(AddedFields::DEADLINE);
            let client = kind.connect(deadline(builder(server.path()))).unwrap();
            let options = CallOptions::new().timeout(SOON);
            for _ in 0..5 {
                let error = client.call_with(7, 702, b"", &options).unwrap_err();
                assert_eq!(error.kind(), CallErrorKind::Timeout, "{error}");
                let batched = client.batch(Method::new(7, 702, "test"), &[b""], &options);
                let batched = batched.into_iter().next().unwrap().unwrap_err();
                assert_eq!(batched.kind(), CallErrorKind::Timeout, "{batched}");
            }
        });
    });
}

#[test]
fn a_text_that_can_not_be_read_costs_no_call() {
    // E5: a peer that is not of this crate may cut a text in mid character.
    with_every_server(|driver| {
        for heeded in [true, false] {
            let server = driver.start(Server::builder().added_fields(heeded).module(interop()));
            let peer = RawPeer::connect(server.path());
            // Method 700 of module 7 with sequence 5; field 1002 is the byte ff.
            let call = [0x08, 7, 0x10, 0xbc, 0x05, 0x18, 5, 0xd2, 0x3e, 1, 0xff];
            peer.send_message(Wire::Chunked, &call);
            assert_eq!(peer.recv_response(Wire::Chunked).sequence, 5);
        }
    });
    with_every_client(|kind| {
        let fake = Fake::listen();
        let client = kind.connect(builder(fake.path()).added_fields(AddedFields::ERROR)).unwrap();
        let peer = fake.accept();
        let error = thread::scope(|scope| {
            let called = scope.spawn(|| client.call_typed::<_, ()>(7, 700, (), &CallOptions::new()));
            peer.recv_call(Wire::Chunked).unwrap();
            // Sequence 1, FAILURE; field 1000 is "no", and the first byte of a letter of two.
            peer.send_message(Wire::Chunked, &[0x08, 1, 0x10, 2, 0xc2, 0x3e, 3, b'n', b'o', 0xc3]);
            called.join().unwrap().unwrap_err()
        });
        assert_eq!((error.status(), error.peer_text()), (Some(Status::FAILURE), Some("no\u{fffd}")));
    });
}
