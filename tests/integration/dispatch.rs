//! Dispatch: which module, which method, and what becomes of a failure (D1 to D8, S10).

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use drpc::wire::Response;
use drpc::{
    Client, Context, Failure, Method, Module, ModuleService, PeerCredentials, Reply, Server, Status, Wire,
};

use crate::support::{
    Handlers, Logs, RawPeer, WIRES, call, echo, greeting, header, in_order, interop, packets_of,
    with_every_server,
};

/// One call of a module by a client without a socket.
fn status_of(module: impl Module, method: Method, body: &'static [u8]) -> Status {
    in_order(async {
        let client =
            drpc::testing::client_of(Server::builder().explicit_modules_only().module(module)).unwrap();
        let response = client.call_raw(method, body, &Default::default()).await.unwrap();
        if !response.status.is_success() {
            // D3.
            assert!(response.body.is_empty());
        }
        response.status
    })
}

#[test]
fn an_unreadable_call_is_answered_and_the_session_goes_on() {
    // D1.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(interop()));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            peer.assert_served(wire);
            // No protobuf; a wrong wire type; cut in the body; field 0.
            for bad in [&b"\xff\xff"[..], b"\x0a\x01x", b"\x22\x05abc", b"\x00\x00\x00"] {
                peer.send_message(wire, bad);
                assert_eq!(peer.recv_response(wire), Response::unreadable_call());
            }
            peer.assert_served(wire);
        }
    });
}

#[test]
fn unknown_modules_and_methods_keep_the_sequence() {
    // D2, D3: any i32 is an ID, and any i64 a sequence.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(interop()));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            for sequence in [1, 0, -1, -7, i64::MAX, i64::MIN] {
                for (module, method, status) in [
                    (8, 700, Status::UNKNOWN_MODULE),
                    (-7, 700, Status::UNKNOWN_MODULE),
                    (i32::MIN, i32::MAX, Status::UNKNOWN_MODULE),
                    (7, 702, Status::UNKNOWN_METHOD),
                    (7, -700, Status::UNKNOWN_METHOD),
                ] {
                    peer.send_call(wire, module, method, sequence, b"body");
                    assert_eq!(peer.recv_response(wire), Response::failure(sequence, status));
                }
            }
        }
    });
}

#[test]
fn any_number_is_a_module() {
    // D6.
    for id in [0, -1, -3, 99, i32::MIN, i32::MAX] {
        let module = Handlers::new(id, "any").on(id, |_, body| async { Ok(body) });
        assert_eq!(status_of(module, Method::new(id, id, "any"), b"body"), Status::SUCCESS);
    }
}

#[test]
fn a_module_may_serve_a_part_of_its_contract_or_nothing() {
    // D7: daos_server registers module 2 with no method at all.
    let nothing = Handlers::new(2, "mgmt");
    assert_eq!(status_of(nothing, Method::new(2, 206, "get_attach_info"), b""), Status::UNKNOWN_METHOD);
    let a_part = Handlers::new(2, "mgmt").on(206, |_, _| async { Ok(Bytes::new()) });
    assert_eq!(status_of(a_part, Method::new(2, 206, "get_attach_info"), b""), Status::SUCCESS);
}

#[test]
fn two_modules_of_one_id_are_both_named() {
    // D6.
    let error = Server::builder()
        .explicit_modules_only()
        .module(Handlers::new(7, "echo"))
        .module(greeting())
        .module(Handlers::new(7, "parrot"))
        .bind("/nowhere/at/all.sock")
        .unwrap_err();
    assert!(error.is_module_error());
    let handlers = std::any::type_name::<Handlers>();
    assert_eq!(
        error.to_string(),
        format!(
            "two modules have ID 7: module echo (`{handlers}`) and module parrot (`{handlers}`); a server takes one of \
             each ID"
        )
    );
}

#[test]
fn a_module_given_twice_is_told_apart_from_two_of_one_id() {
    // D6.
    let builder = Server::builder().explicit_modules_only().module(echo()).module(echo());
    let error = builder.bind("/nowhere/at/all.sock").unwrap_err().to_string();
    assert!(error.contains("with ID 7 is there twice"), "{error}");
}

/// A module of a test's own, which no registry lists.
struct Fixture;

#[drpc::drpc_module(id = 900, unlisted)]
impl Fixture {
    #[method(0)]
    fn ping(&self) {}
}

#[test]
fn a_module_for_tests_is_served_where_it_is_allowed() {
    let server = || Server::builder().explicit_modules_only().module(Fixture).module(echo());
    let error = server().bind("/nowhere/at/all.sock").unwrap_err();
    assert!(error.is_module_error());
    let (text, origin) = (error.to_string(), "is for tests, as it is `unlisted` in ");
    assert!(text.starts_with(&format!("module 900 (fixture) {origin}")), "{text}");
    assert!(text.ends_with("add `.allow_unlisted()` to the server") && text.lines().count() == 1, "{text}");

    let error = server().allow_unlisted().bind("/nowhere/at/all.sock").unwrap_err();
    assert!(!error.is_module_error(), "only the path is wrong: {error}");
}

#[tokio::test]
async fn a_server_in_memory_serves_modules_for_tests() {
    let client = drpc::testing::client_of(Server::builder().explicit_modules_only().module(Fixture)).unwrap();
    FixtureClient::new(client).ping().await.unwrap();
}

#[test]
fn a_module_can_be_taken_away_and_an_absent_one_too() {
    // D6.
    let mut service = ModuleService::new();
    service.register(echo()).unwrap();
    assert_eq!(service.register(echo()).unwrap_err().id(), 7);
    assert_eq!(service.unregister(7).unwrap().name(), "interop");
    assert!(service.unregister(7).is_none());
    assert!(service.get(7).is_none());
    service.register(echo()).unwrap();
    assert_eq!(service.modules().len(), 1);
}

#[test]
fn expected_modules_that_are_missing_are_all_named() {
    // D7: a contract of the registry that this server was to implement.
    let error = Server::builder()
        .explicit_modules_only()
        .module(greeting())
        .expect_modules(&[(0, "test"), (9002, "mgmt"), (9003, "srv")])
        .bind("/nowhere/at/all.sock")
        .unwrap_err();
    assert!(error.is_module_error());
    assert_eq!(
        error.to_string(),
        "module 9002 (mgmt) is expected and not served: nothing linked into this program declares it; name its crate \
         (`use the_crate as _;`), or `.module(…)`\n\
         module 9003 (srv) is expected and not served: nothing linked into this program declares it; name its crate \
         (`use the_crate as _;`), or `.module(…)`"
    );
}

#[test]
fn a_shared_module_is_served_and_kept() {
    let module = Arc::new(echo());
    assert_eq!(status_of(module.clone(), Method::new(7, 700, "echo"), b"body"), Status::SUCCESS);
    assert_eq!(module.name(), "interop");
}

/// An error that holds a failure.
#[derive(Debug)]
struct Wrapped(Failure);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("could not do it")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn a_handlers_failure_is_the_status_of_its_response() {
    // D4: its own status, also when wrapped in another error; any other error is FAILURE.
    fn failing(failure: fn() -> Failure) -> Handlers {
        Handlers::new(7, "failing").on(700, move |_, _| async move { Err(failure()) })
    }
    let cases: [(fn() -> Failure, Status); 9] = [
        (|| Failure::new(Status::FAILURE), Status::FAILURE),
        (|| Failure::unmarshal_payload("bad"), Status::FAILED_UNMARSHAL_PAYLOAD),
        (|| Failure::marshal("bad"), Status::FAILED_MARSHAL),
        (|| Failure::with_message(Status::UNKNOWN_METHOD, "no"), Status::UNKNOWN_METHOD),
        (|| Failure::new(Status::from(4711)), Status::from(4711)),
        (|| Failure::from_error(Wrapped(Failure::unknown_module())), Status::UNKNOWN_MODULE),
        (
            || Failure::from_error(std::io::Error::other(Wrapped(Failure::unknown_module()))),
            Status::UNKNOWN_MODULE,
        ),
        (|| Failure::from_error("any other"), Status::FAILURE),
        // D3: a failure is never taken for a success.
        (|| Failure::new(Status::SUCCESS), Status::FAILURE),
    ];
    for (failure, status) in cases {
        assert_eq!(status_of(failing(failure), Method::new(7, 700, "fail"), b"body"), status);
    }
}

#[test]
fn a_failed_call_is_logged_with_its_cause_since_the_wire_has_no_room_for_it() {
    // E4.
    let (logs, _guard) = Logs::of_this_thread();
    let module = Handlers::new(7, "pool").on(700, |_, _| async {
        Err(Failure::from_error(Wrapped(Failure::with_message(Status::FAILURE, "no pool tank"))))
    });
    assert_eq!(status_of(module, Method::new(7, 700, "destroy"), b""), Status::FAILURE);
    logs.assert_contain("call failed: could not do it");
    logs.assert_contain("cause=no pool tank");
}

/// A module by hand that panics wherever it can.
struct Panicking;

impl Module for Panicking {
    fn id(&self) -> i32 {
        7
    }

    fn name(&self) -> &str {
        "panicking"
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        assert_ne!(id, 703, "in get_method");
        Some(Method::new(7, id, "any"))
    }

    fn handle_call<'async_trait>(
        self: Arc<Self>,
        _: Context,
        method: Method,
        body: Bytes,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + 'async_trait>>
    where
        Self: 'async_trait,
    {
        assert_ne!(method.id(), 704, "before there is a future");
        Box::pin(async move {
            assert_ne!(method.id(), 705, "in the future's first poll");
            tokio::task::yield_now().await;
            assert_ne!(method.id(), 706, "after it has waited");
            if method.id() == 707 {
                std::panic::panic_any(42);
            }
            Ok(body.into())
        })
    }
}

#[test]
fn a_panic_answers_failure_and_session_and_server_go_on() {
    // S10.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(Server::builder().module(Panicking));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            for method in 703..=707 {
                peer.send_call(wire, 7, method, i64::from(method), b"body");
                let response = peer.recv_response(wire);
                assert_eq!(response, Response::failure(method.into(), Status::FAILURE));
                peer.assert_served(wire);
            }
            RawPeer::connect(server.path()).assert_served(wire);
        }
        for place in
            ["in get_method", "before there is a future", "in the future's first poll", "after it has waited"]
        {
            logs.assert_contain(place);
        }
        logs.assert_contain("call failed: the handler panicked");
        logs.assert_contain("cause=no message");
    });
}

#[test]
fn a_reply_too_long_is_failed_marshal_and_the_session_goes_on() {
    // D4, W7: on the plain wire one packet is all there is, of what the socket takes; on both, the server's own limit.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let module = echo().on(705, |_, body: Bytes| async move {
            let len = u32::from_le_bytes(body[..4].try_into().unwrap());
            Ok(vec![b'r'; len as usize].into())
        });
        let server = driver.start(Server::builder().message_limit(300_000).module(module));
        for wire in WIRES {
            let limit = 300_000;
            let peer = RawPeer::connect(server.path());
            // The envelope around the body: sequence 2, a key, and a length of three bytes.
            let most = limit - 2 - 4;
            for (len, status) in [
                (most, Status::SUCCESS),
                (most + 1, Status::FAILED_MARSHAL),
                (50_000_000, Status::FAILED_MARSHAL),
            ] {
                peer.send_call(wire, 7, 705, 2, &u32::to_le_bytes(len));
                let response = peer.recv_response(wire);
                assert_eq!((response.sequence, response.status), (2, status), "{len} bytes on {wire}");
                let expected = if status.is_success() { len } else { 0 };
                assert_eq!(response.body.len(), expected as usize);
            }
            peer.assert_served(wire);
        }
        let server = driver
            .start(Server::builder().module(echo().on(705, |_, _| async { Ok(vec![7; 2 << 20].into()) })));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Plain, 7, 705, 2, b"");
        assert_eq!(peer.recv_response(Wire::Plain).status, Status::FAILED_MARSHAL);
        peer.assert_served(Wire::Plain);
        logs.assert_contain(
            "can't send the reply: message of 2097159 bytes does not fit the plain wire's one packet",
        );
    });
}

#[test]
fn a_call_over_the_limit_ends_its_session_alone() {
    // W6.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().message_limit(1000).module(interop()));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            peer.send_call(wire, 7, 700, 1, &[b'x'; 980]);
            assert_eq!(peer.recv_response(wire).body.len(), 980);
            peer.send_call(wire, 7, 700, 1, &[b'x'; 1001]);
            assert_eq!(peer.recv_response(wire), Response::unreadable_call());
            peer.assert_closed();
            RawPeer::connect(server.path()).assert_served(wire);
        }
    });
}

#[test]
fn a_packet_longer_than_the_wire_allows_is_never_shortened() {
    // W1, W10.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(Server::builder().module(interop()));
        let peer = RawPeer::connect(server.path());
        peer.assert_served(Wire::Chunked);
        peer.send(&[header(131_049, 131_049, 0, 1), vec![0; 131_049]].concat());
        assert_eq!(peer.recv_response(Wire::Chunked), Response::unreadable_call());
        peer.assert_closed();
        logs.wait_for("packet of 131073 bytes is longer than a chunk, or than the rest of its message");
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
    });
}

#[test]
fn a_packet_longer_than_the_rest_of_its_message_is_always_answered_the_same_way() {
    // W5: however much room there is in the buffer that it is received into, which may have been another message's.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(interop()));
        for first in [5, 30, 1000, 20_000, 100_000] {
            for longer in [1, 100, 20_000, 131_048 - 10] {
                let peer = RawPeer::connect(server.path());
                let total = first + 10;
                peer.send(&[header(total as u64, first as u64, 0, 2), vec![1; first]].concat());
                let rest = 10 + longer;
                peer.send(&[header(total as u64, rest as u64, 1, 2), vec![1; rest]].concat());
                assert_eq!(peer.recv_response(Wire::Chunked), Response::unreadable_call());
                peer.assert_closed();
            }
        }
    });
}

#[test]
fn every_broken_frame_is_refused_by_name_and_ends_its_session_alone() {
    // W5.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(Server::builder().wire(Wire::Chunked).module(interop()));
        let chunk = |total, index, chunks| [header(total, 5, index, chunks), b"01234".to_vec()].concat();
        let cases = [
            (vec![chunk(5, 0, 0)], "chunk header says total_chunks = 0"),
            (vec![chunk(5, 1, 1)], "chunk 1 came where chunk 0 was due"),
            (vec![chunk(15, 0, 3), chunk(15, 2, 3)], "chunk 2 came where chunk 1 was due"),
            (vec![chunk(15, 0, 3), chunk(15, 0, 3)], "chunk 0 came where chunk 1 was due"),
            (vec![chunk(15, 0, 3), chunk(15, 1, 4)], "total_chunks changed in mid message, from 3 to 4"),
            (vec![chunk(15, 0, 3), chunk(16, 1, 3)], "total_data_size changed in mid message, from 15 to 16"),
            (vec![chunk(4, 0, 1)], "5 bytes of data came for a message of 4"),
            (vec![chunk(8, 0, 2), chunk(8, 1, 2)], "10 bytes of data came for a message of 8"),
            (vec![chunk(11, 0, 2), chunk(11, 1, 2)], "the last chunk is there, and only 10 of 11 bytes came"),
            (vec![chunk(5, 0, 6)], "total_chunks of 6 is more than the message's 5 bytes can fill"),
        ];
        for (packets, named) in cases {
            let peer = RawPeer::connect(server.path());
            for packet in packets {
                peer.send(&packet);
            }
            assert_eq!(peer.recv_response(Wire::Chunked), Response::unreadable_call(), "{named}");
            peer.assert_closed();
            logs.wait_for(named);
            RawPeer::connect(server.path()).assert_served(Wire::Chunked);
        }
        // A packet without room for a header is not answered (V).
        let peer = RawPeer::connect(server.path());
        peer.send(&header(5, 5, 0, 1)[..23]);
        peer.assert_closed();
        logs.wait_for("packet of 23 bytes is too short for a chunk header of 24 bytes");
    });
}

#[test]
fn small_chunks_and_a_chunk_at_a_time_are_legal() {
    // W5: chunks smaller than the maximum.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(interop()));
        let peer = RawPeer::connect(server.path());
        let body: Vec<u8> = (0..200).collect();
        let message = drpc::wire::Call::<bytes::Bytes> {
            module: 7,
            method: 700,
            sequence: 9,
            body: body.clone().into(),
            added: None,
        }
        .encode();
        for (index, byte) in message.iter().enumerate() {
            let head = header(message.len() as u64, 1, index as u32, message.len() as u32);
            peer.send(&[head, vec![*byte]].concat());
        }
        assert_eq!(peer.recv_response(Wire::Chunked).body, body);
    });
}

#[test]
fn unknown_fields_of_a_call_are_ignored() {
    // E5.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(interop()));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            let call = [&b"\x08\x07\x10\xbc\x05\x18\x05\x22\x02hi"[..], b"\x7a\x03new\x28\x01"].concat();
            peer.send(&packets_of(wire, &call)[0]);
            assert_eq!(peer.recv_packet(), packets_of(wire, b"\x08\x05\x1a\x02hi")[0]);
        }
    });
}

#[test]
fn a_module_learns_who_calls_it() {
    // D8.
    with_every_server(|driver| {
        let whoami = Handlers::new(9, "whoami").on(900, |context: Context, _| async move {
            let peer = context.peer();
            Ok(format!("{} {} {} {:?}", context.sequence(), peer.uid(), peer.gid(), peer.pid()).into())
        });
        let us = PeerCredentials::this_process();
        assert_eq!(us.pid(), Some(std::process::id() as i32));
        let expected = format!("5 {} {} {:?}", us.uid(), us.gid(), us.pid());

        let server = driver.start(Server::builder().module(whoami));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 9, 900, 5, b"");
        assert_eq!(peer.recv_response(Wire::Chunked).body, expected);
    });
}

#[test]
fn sessions_are_numbered_apart() {
    with_every_server(|driver| {
        let module = Handlers::new(7, "session")
            .on(700, |context: Context, _| async move { Ok(context.session().id().to_string().into()) });
        let server = driver.start(Server::builder().module(module));
        in_order(async {
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..5 {
                let client = Client::connect(server.path()).await.unwrap();
                let first = call(&client, 700, "").await.unwrap().body;
                assert_eq!(call(&client, 700, "").await.unwrap().body, first);
                assert!(seen.insert(first));
            }
        });
    });
}
