//! Servers that do wrong: whatever one does, a call has its own reply or an error that is true, and the next call is made.

use std::io::stdin;
use std::thread;

use drpc::wire::{Part, Response, ResponseFields};
use drpc::{Bytes, CallError, CallErrorKind, Wire};

use crate::support::{AnyClient, Fake, RawPeer, WIRES, answered, packets_of, pair, with_every_client};

/// A fault, the wires that it is possible on, and a server that commits it instead of answering a call.
struct Row {
    fault: &'static str,
    wires: &'static [Wire],
    /// Gives the connection, if it is kept.
    commit: fn(RawPeer, Wire) -> Option<RawPeer>,
    caller: Sees,
    /// Whether the next call goes out on the same connection.
    goes_on: bool,
}

/// What the caller sees.
#[derive(Clone, Copy)]
enum Sees {
    /// Its reply.
    Reply,
    /// An error that says that the call may have been executed.
    Broken,
}

use Sees::{Broken, Reply};

const CHUNKED: &[Wire] = &[Wire::Chunked];
const PLAIN: &[Wire] = &[Wire::Plain];

const ROWS: [Row; 20] = [
    Row {
        fault: "closes with the call unread, which the client sees as a reset",
        wires: &WIRES,
        commit: |server, _| {
            while !server.has_packet() {
                thread::yield_now();
            }
            None
        },
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "closes before it answers",
        wires: &WIRES,
        commit: |server, wire| {
            server.recv_call(wire);
            None
        },
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "half-closes before it answers",
        wires: &WIRES,
        commit: |server, wire| {
            server.recv_call(wire);
            server.half_close();
            Some(server)
        },
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "closes after the first packet of its reply",
        // On the plain wire it is the whole reply.
        wires: CHUNKED,
        commit: |server, wire| {
            send(&server, &reply(&server, wire)[..1]);
            None
        },
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "closes before the last packet of its reply",
        wires: CHUNKED,
        commit: |server, wire| {
            send(&server, &reply(&server, wire)[..2]);
            None
        },
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "half-closes in its reply",
        wires: CHUNKED,
        commit: |server, wire| {
            send(&server, &reply(&server, wire)[..2]);
            server.half_close();
            Some(server)
        },
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "closes after its reply",
        wires: &WIRES,
        commit: |server, wire| {
            send(&server, &reply(&server, wire));
            None
        },
        caller: Reply,
        goes_on: false,
    },
    Row {
        fault: "half-closes after its reply",
        wires: &WIRES,
        commit: |server, wire| {
            send(&server, &reply(&server, wire));
            server.half_close();
            Some(server)
        },
        caller: Reply,
        goes_on: false,
    },
    Row {
        fault: "answers with a byte",
        wires: &WIRES,
        commit: |server, wire| {
            server.recv_call(wire);
            server.send(b"\x08");
            Some(server)
        },
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "answers with an empty packet",
        wires: CHUNKED,
        commit: |server, wire| {
            server.recv_call(wire);
            server.send(b"");
            Some(server)
        },
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "answers with an empty packet, which is a reply of sequence 0 (W9), and then rightly",
        wires: PLAIN,
        commit: |server, wire| {
            let packets = reply(&server, wire);
            server.send(b"");
            send(&server, &packets);
            Some(server)
        },
        caller: Reply,
        goes_on: true,
    },
    Row {
        fault: "truncates its reply",
        wires: &WIRES,
        commit: |server, wire| {
            let packets = reply(&server, wire);
            server.send(&packets[0][..packets[0].len() / 2]);
            Some(server)
        },
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "sends a chunk twice",
        wires: CHUNKED,
        commit: |server, wire| out_of_order(server, wire, &[0, 1, 1]),
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "leaves a chunk out",
        wires: CHUNKED,
        commit: |server, wire| out_of_order(server, wire, &[0, 2]),
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "swaps two chunks, or interleaves two replies",
        wires: CHUNKED,
        commit: |server, wire| out_of_order(server, wire, &[0, 0, 1, 1]),
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "answers calls that were never made, and then rightly",
        wires: &WIRES,
        commit: |server, wire| {
            let packets = reply(&server, wire);
            for stranger in [0, -1, 1 << 40, i64::MIN] {
                server.send_reply(wire, stranger, 0, b"a stranger's");
            }
            send(&server, &packets);
            Some(server)
        },
        caller: Reply,
        goes_on: true,
    },
    Row {
        fault: "answers twice",
        wires: &WIRES,
        commit: |server, wire| {
            let sequence = server.recv_call(wire).expect("a call").sequence;
            send(&server, &reply_to(sequence, wire));
            server.send_reply(wire, sequence, 0, b"once more");
            Some(server)
        },
        caller: Reply,
        goes_on: true,
    },
    Row {
        fault: "sends items of calls that were never made, and then answers",
        wires: &WIRES,
        commit: |server, wire| {
            let packets = reply(&server, wire);
            for (stranger, part) in [(0, Part::Opened), (1 << 40, Part::Item), (-1, Part::Item)] {
                server.send_message(wire, &part_of(stranger, part));
            }
            send(&server, &packets);
            Some(server)
        },
        caller: Reply,
        goes_on: true,
    },
    Row {
        fault: "opens a stream that was not asked for",
        wires: &WIRES,
        commit: |server, wire| {
            let sequence = server.recv_call(wire).expect("a call").sequence;
            server.send_message(wire, &part_of(sequence, Part::Opened));
            Some(server)
        },
        caller: Broken,
        goes_on: false,
    },
    Row {
        fault: "passes a descriptor, and then answers",
        wires: &WIRES,
        commit: |server, wire| {
            let packets = reply(&server, wire);
            // The kernel refuses it (Linux 6.16 and later), or the client never asks for it.
            if server.pass(stdin(), &packets[0]).is_err() {
                server.send(&packets[0]);
            }
            send(&server, &packets[1..]);
            Some(server)
        },
        caller: Reply,
        goes_on: true,
    },
];

/// Takes a call; gives the packets of its reply, of which there are three on the chunked wire.
fn reply(server: &RawPeer, wire: Wire) -> Vec<Vec<u8>> {
    reply_to(server.recv_call(wire).expect("a call").sequence, wire)
}

fn reply_to(sequence: i64, wire: Wire) -> Vec<Vec<u8>> {
    let response = Response::<bytes::Bytes> { sequence, body: body(wire).into(), ..Response::default() };
    packets_of(wire, &response.encode())
}

/// A response of a stream that goes on.
fn part_of(sequence: i64, part: Part) -> Bytes {
    let added = Some(ResponseFields { part: Some(part), ..ResponseFields::default() }.into());
    Response::<Bytes> { sequence, added, ..Response::default() }.encode()
}

fn body(wire: Wire) -> Vec<u8> {
    vec![b'r'; if wire == Wire::Plain { 1000 } else { 300_000 }]
}

fn send(server: &RawPeer, packets: &[Vec<u8>]) {
    packets.iter().for_each(|packet| server.send(packet));
}

fn out_of_order(server: RawPeer, wire: Wire, chunks: &[usize]) -> Option<RawPeer> {
    let packets = reply(&server, wire);
    let _ = chunks.iter().all(|chunk| server.send_unless_closed(&packets[*chunk]));
    Some(server)
}

#[test]
fn whatever_a_server_does_the_caller_is_told_the_truth_and_the_next_call_is_made() {
    // C3 to C5, C7, W5, W9, W10.
    with_every_client(|kind| {
        for Row { fault, wires, commit, caller, goes_on } in &ROWS {
            for wire in *wires {
                println!("{wire}: {fault}");
                let fake = Fake::listen();
                let (client, server) = pair(kind, &fake, |builder| builder.wire(*wire));
                let (outcome, kept) = thread::scope(|scope| {
                    let calling = scope.spawn(|| client.call(7, 700, b"mine"));
                    // What is kept is closed only when the caller has seen what there is to see.
                    let kept = commit(server, *wire);
                    (calling.join().expect("does not panic"), kept)
                });
                check(outcome, *caller, *wire);
                match kept.filter(|_| *goes_on) {
                    Some(server) => assert_answered(&client, &server, *wire),
                    None => assert_answered_anew(&client, &fake, *wire),
                }
            }
        }
    });
}

#[track_caller]
fn check(outcome: Result<Response, CallError>, caller: Sees, wire: Wire) {
    match (caller, outcome) {
        (Reply, Ok(response)) => assert_eq!(response.body, body(wire)),
        (Broken, Err(error)) => {
            let kind = error.kind();
            assert!(matches!(kind, CallErrorKind::Disconnected | CallErrorKind::Reply), "{error:?}");
            assert!(!error.is_retryable(), "it may have been executed: {error:?}");
        }
        (_, outcome) => panic!("{outcome:?}"),
    }
}

#[track_caller]
fn assert_answered(client: &AnyClient, server: &RawPeer, wire: Wire) {
    let response = answered(client, server, wire, |sequence| server.send_reply(wire, sequence, 0, b"next"));
    assert_eq!(response.expect("is answered").body, "next");
}

/// The next call finds that the connection is gone, and makes another.
#[track_caller]
fn assert_answered_anew(client: &AnyClient, fake: &Fake, wire: Wire) {
    let response = thread::scope(|scope| {
        let calling = scope.spawn(|| client.call(7, 700, b"again"));
        let server = fake.accept();
        let sequence = server.recv_call(wire).expect("a call").sequence;
        server.send_reply(wire, sequence, 0, b"next");
        calling.join().expect("does not panic")
    });
    assert_eq!(response.expect("is answered").body, "next");
}
