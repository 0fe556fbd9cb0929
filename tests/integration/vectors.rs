//! What real DAOS peers sent each other, against the codec, the server and the clients (V).

use std::thread;

use drpc::wire::{Call, Codec, Response};
use drpc::{CallOptions, Server, Wire, WireMode};

use crate::support::{
    Afterwards, Direction, Fake, RawPeer, TestServer, Vector, WIRES, builder, frame, greeting, header,
    interop, with_every_client, with_every_server,
};

/// Puts packets together as one end of the connection would.
fn messages<'a>(wire: Wire, packets: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut codec = Codec::new(wire, 1 << 20);
    packets.filter_map(|packet| codec.receive(packet.to_vec().into()).unwrap()).map(Into::into).collect()
}

/// A message as our packets.
fn packets(wire: Wire, head: &[u8], body: &[u8]) -> Vec<Vec<u8>> {
    Codec::new(wire, 1 << 20).packets(head, body).unwrap().map(|packet| packet.to_vec()).collect()
}

#[test]
fn real_calls_are_read_as_they_were_meant_and_written_alike() {
    // V, E1, W2, W3, W7.
    for vector in Vector::of_real_clients() {
        let meant = vector.meant();
        let sent: Vec<_> = vector.of(Direction::Call).collect();
        let messages = messages(vector.wire, sent.iter().copied());
        assert_eq!(messages.len(), vector.printed().len(), "{}", vector.name);

        let mut ours = Vec::new();
        for (sequence, message) in messages.into_iter().enumerate() {
            let call = Call {
                module: meant.module,
                method: meant.method,
                // C1: a C client starts at 0.
                sequence: sequence as i64,
                body: meant.body.clone().into(),
                added: None,
            };
            assert_eq!(Call::decode(message.into()).unwrap(), call, "{}", vector.name);
            ours.extend(packets(vector.wire, &call.head(), &call.body));
        }
        assert_eq!(ours, sent, "{}", vector.name);
    }
}

#[test]
fn real_replies_are_read_as_the_client_printed_them_and_written_alike() {
    // V, E2, E3, W2, W3, W7.
    for vector in Vector::of_real_clients() {
        let sent: Vec<_> = vector.of(Direction::Reply).collect();
        let messages = messages(vector.wire, sent.iter().copied());

        let mut ours = Vec::new();
        for (printed, message) in vector.printed().into_iter().zip(messages) {
            let response = Response {
                sequence: printed.sequence,
                status: printed.status.into(),
                body: printed.body.into(),
                added: None,
            };
            assert_eq!(Response::decode(message.into()).unwrap(), response, "{}", vector.name);
            ours.extend(packets(vector.wire, &response.head(), &response.body));
        }
        assert_eq!(ours, sent, "{}", vector.name);
    }
}

/// Where our server does something else than the real one did, and why. Everything else is byte by byte the same.
struct Exception {
    vector: &'static str,
    modes: &'static [WireMode],
    /// `None` for the replies of the vector.
    replies: Option<Replies>,
    then: Afterwards,
    /// On which wire the session goes on.
    speaks: Wire,
    rule: &'static str,
}

/// The replies of a session that speaks this wire.
type Replies = fn(Wire) -> Vec<Vec<u8>>;

const AUTO: WireMode = WireMode::Auto;
const CHUNKED: WireMode = WireMode::Fixed(Wire::Chunked);
const PLAIN: WireMode = WireMode::Fixed(Wire::Plain);

const EXCEPTIONS: &[Exception] = &[
    Exception {
        vector: "chunked-2.8/raw/seq0-empty-echo_c-server",
        modes: &[CHUNKED, AUTO],
        replies: Some(|_| vec![header(0, 0, 0, 1)]),
        then: Afterwards::Open,
        speaks: Wire::Chunked,
        rule: "W4, H: the empty message is a header alone; the C server dies of it",
    },
    Exception {
        vector: "chunked-2.8/raw/undecodable-payload-in-chunk_c-server",
        modes: &[CHUNKED, AUTO],
        replies: None,
        then: Afterwards::Open,
        speaks: Wire::Chunked,
        rule: "D1: the session goes on, as in Go; the C server closes",
    },
    Exception {
        vector: "chunked-2.8/raw/garbage10_c-server",
        modes: &[AUTO],
        replies: Some(|wire| vec![on(wire, Response::<drpc::Bytes>::unreadable_call().encode().into())]),
        then: Afterwards::Open,
        speaks: Wire::Plain,
        rule: "W8, D1: without a header it is no chunk, so it is an unreadable plain call",
    },
    Exception {
        vector: "chunked-2.8/raw/plain-hello-to-chunked_c-server",
        modes: &[AUTO],
        replies: Some(|wire| vec![on(wire, b"\x08\x05\x1a\x0d\x0a\x0bHello World".to_vec())]),
        then: Afterwards::Open,
        speaks: Wire::Plain,
        rule: "W8: a plain call is answered in kind",
    },
    Exception {
        vector: "plain-2.6/raw/garbage10_c-server",
        modes: &[PLAIN, AUTO],
        replies: None,
        then: Afterwards::Open,
        speaks: Wire::Plain,
        rule: "D1: the session goes on, as in Go; the C server closes",
    },
    Exception {
        vector: "plain-2.6/raw/chunkframed-call-seq1-to-plain_c-server",
        modes: &[PLAIN],
        replies: None,
        then: Afterwards::Open,
        speaks: Wire::Plain,
        rule: "D1: the session goes on, as in Go; the C server closes",
    },
    Exception {
        vector: "plain-2.6/raw/chunkframed-emptycall-to-plain_c-server",
        modes: &[PLAIN],
        replies: None,
        then: Afterwards::Open,
        speaks: Wire::Plain,
        rule: "D1: the session goes on, as in Go; the C server closes",
    },
    Exception {
        vector: "plain-2.6/raw/chunkframed-hello-to-plain_c-server",
        modes: &[PLAIN],
        replies: None,
        then: Afterwards::Open,
        speaks: Wire::Plain,
        rule: "D1: the session goes on, as in Go; the C server closes",
    },
    Exception {
        vector: "plain-2.6/raw/chunkframed-call-seq1-to-plain_c-server",
        modes: &[AUTO],
        replies: Some(|wire| vec![on(wire, b"\x08\x01\x1a\x08\x0a\x06Hello ".to_vec())]),
        then: Afterwards::Open,
        speaks: Wire::Chunked,
        rule: "W8: a framed call is answered in kind",
    },
    Exception {
        vector: "plain-2.6/raw/chunkframed-emptycall-to-plain_c-server",
        modes: &[AUTO],
        replies: Some(|wire| vec![on(wire, b"\x1a\x08\x0a\x06Hello ".to_vec())]),
        then: Afterwards::Open,
        speaks: Wire::Chunked,
        rule: "W8: a framed call is answered in kind",
    },
    Exception {
        vector: "plain-2.6/raw/chunkframed-hello-to-plain_c-server",
        modes: &[AUTO],
        replies: Some(|wire| vec![on(wire, b"\x08\x05\x1a\x0d\x0a\x0bHello World".to_vec())]),
        then: Afterwards::Open,
        speaks: Wire::Chunked,
        rule: "W8: a framed call is answered in kind",
    },
    Exception {
        vector: "plain-2.6/raw/chunkframed-5666-to-plain_c-server",
        modes: &[AUTO],
        replies: Some(|wire| vec![on(wire, [&b"\x08\x05\x1a\x98\x2c"[..], &[b'k'; 5656]].concat())]),
        then: Afterwards::Open,
        speaks: Wire::Chunked,
        rule: "W8: a framed call is answered in kind, though it also decodes as a plain one",
    },
    Exception {
        vector: "plain-2.6/raw/empty-packet_c-server",
        modes: &[AUTO],
        replies: Some(|_| Vec::new()),
        then: Afterwards::Closed,
        speaks: Wire::Plain,
        rule: "W9: an empty packet is end of file where nothing has told the wire yet",
    },
    Exception {
        vector: "plain-2.6/raw/empty-call_c-server",
        modes: &[AUTO],
        replies: Some(|_| Vec::new()),
        then: Afterwards::Closed,
        speaks: Wire::Plain,
        rule: "W9: an empty packet is end of file where nothing has told the wire yet",
    },
];

/// A short message as the packet that carries it.
fn on(wire: Wire, message: Vec<u8>) -> Vec<u8> {
    match wire {
        Wire::Chunked => frame(&message),
        Wire::Plain => message,
    }
}

/// Replays every vector on a connection of its own.
fn replay(server: &TestServer, mode: WireMode, of: Wire) {
    for vector in Vector::all().iter().filter(|vector| vector.wire == of) {
        let applies =
            |exception: &&Exception| exception.vector == vector.name && exception.modes.contains(&mode);
        let exception = EXCEPTIONS.iter().find(applies);
        let wire = exception.map_or(vector.wire, |exception| exception.speaks);
        let replies = match exception.and_then(|exception| exception.replies) {
            Some(replies) => replies(wire),
            None => vector.of(Direction::Reply).map(<[u8]>::to_vec).collect(),
        };
        let then = exception.map_or(vector.afterwards(), |exception| exception.then);
        let rule = exception.map_or("as the real server", |exception| exception.rule);
        let case = format!("{} in mode {mode:?}: {rule}", vector.name);
        println!("{case}");

        let peer = RawPeer::connect(server.path());
        for call in vector.of(Direction::Call) {
            peer.send(call);
        }
        for reply in replies {
            assert_eq!(peer.recv_packet(), reply, "{case}");
        }
        match then {
            Afterwards::Open => peer.assert_served(wire),
            Afterwards::Closed => peer.assert_closed(),
        }
    }
}

#[test]
fn the_server_answers_like_the_real_one_in_its_fixed_mode() {
    // V, W2, W7, D1 to D4, H "SUCCESS, sequence 0, no body", H "invalid UTF-8".
    with_every_server(|driver| {
        for wire in WIRES {
            let builder = Server::builder().wire(wire).module(greeting()).module(interop());
            replay(&driver.start(builder), wire.into(), wire);
        }
    });
}

#[test]
fn the_server_answers_like_the_real_one_in_auto_mode() {
    // V, W8.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(greeting()).module(interop()));
        for wire in WIRES {
            replay(&server, WireMode::Auto, wire);
        }
    });
}

#[test]
fn every_exception_is_of_a_vector_that_exists() {
    let vectors = Vector::all();
    for exception in EXCEPTIONS {
        assert!(vectors.iter().any(|vector| vector.name == exception.vector), "{}", exception.vector);
    }
}

#[test]
fn clients_call_like_the_real_one_and_read_its_replies() {
    // V, C1: our sequence starts at 1, so the replies are the vector's but for the sequence.
    with_every_client(|kind| {
        for vector in Vector::of_real_clients() {
            let (meant, printed) = (vector.meant(), vector.printed());
            let calls = messages(vector.wire, vector.of(Direction::Call));
            let replies = messages(vector.wire, vector.of(Direction::Reply));
            let fake = Fake::listen();
            let client = kind.connect(builder(fake.path()).wire(vector.wire)).unwrap();
            let server = fake.accept();
            thread::scope(|scope| {
                let calling = scope.spawn(|| {
                    let call =
                        |_| client.call_with(meant.module, meant.method, &meant.body, &CallOptions::new());
                    printed.iter().map(call).collect::<Result<Vec<_>, _>>().unwrap()
                });
                for (place, (theirs, reply)) in calls.into_iter().zip(replies).enumerate() {
                    let ours = server.recv_call(vector.wire).unwrap();
                    assert_eq!(ours.sequence, place as i64 + 1);
                    let theirs = Call::decode(theirs.into()).unwrap();
                    assert_eq!(Call { sequence: theirs.sequence, ..ours.clone() }, theirs, "{}", vector.name);
                    let reply =
                        Response { sequence: ours.sequence, ..Response::decode(reply.into()).unwrap() };
                    server.send_message(vector.wire, &reply.encode());
                }
                for (response, printed) in calling.join().unwrap().into_iter().zip(&printed) {
                    assert_eq!(response.status.code(), printed.status, "{}", vector.name);
                    assert_eq!(response.body, printed.body, "{}", vector.name);
                }
            });
        }
    });
}
