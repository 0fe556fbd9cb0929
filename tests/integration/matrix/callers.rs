//! Callers that do wrong: whatever one does, it harms nobody else, and leaves nothing.

use std::iter;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;

use drpc::wire::{Call, CallFields, Control, Credit, Part};
use drpc::{Bytes, Failure, Incoming, Order, Server, Status, Stream, Wire, drpc_module};
use futures_util::{TryStreamExt, stream};

use crate::support::{
    AnyClient, Gate, Kind, PATIENCE, RawPeer, TestServer, WIRES, frame, gated, in_order, packets_of,
    with_every_server,
};

/// A fault, the wires that it is possible on, and a caller that commits it, which looks at what it sees itself.
struct Row {
    fault: &'static str,
    wires: &'static [Wire],
    commit: fn(&Cell<'_>),
}

struct Cell<'a> {
    server: &'a TestServer,
    gate: &'a Gate,
    wire: Wire,
}

const CHUNKED: &[Wire] = &[Wire::Chunked];

const ROWS: [Row; 23] = [
    Row { fault: "leaves before it sends anything", wires: &WIRES, commit: |cell| drop(cell.peer()) },
    Row {
        fault: "leaves in mid message, after each packet",
        // On the plain wire there is no such thing: a packet is a message.
        wires: CHUNKED,
        commit: |cell| {
            let packets = cell.long_call(1);
            for sent in 1..packets.len() {
                let peer = cell.peer();
                packets[..sent].iter().for_each(|packet| peer.send(packet));
            }
        },
    },
    Row {
        fault: "leaves without its replies",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            for sequence in 1..=3 {
                peer.send_call(cell.wire, 7, 700, sequence, b"nobody waits");
            }
        },
    },
    Row {
        fault: "half-closes before it sends anything",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            peer.half_close();
            peer.assert_closed();
        },
    },
    Row {
        fault: "half-closes in mid message, after each packet",
        wires: CHUNKED,
        commit: |cell| {
            let packets = cell.long_call(1);
            for sent in 1..packets.len() {
                let peer = cell.peer();
                packets[..sent].iter().for_each(|packet| peer.send(packet));
                peer.half_close();
                peer.assert_closed();
            }
        },
    },
    Row {
        fault: "half-closes after its calls",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            for sequence in 1..=3 {
                peer.send_call(cell.wire, 7, 700, sequence, b"the last ones");
            }
            peer.half_close();
            let mut sequences: Vec<_> = (0..3).map(|_| peer.recv_response(cell.wire).sequence).collect();
            sequences.sort_unstable();
            assert_eq!(sequences, [1, 2, 3]);
            peer.assert_closed();
        },
    },
    Row {
        fault: "closes with a reply unread, which the server sees as a reset",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            peer.send_call(cell.wire, 7, 700, 1, b"");
            while !peer.has_packet() {
                thread::yield_now();
            }
        },
    },
    Row {
        fault: "never reads, and leaves",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            peer.fill(cell.wire, 700, 1, &cell.peer());
        },
    },
    Row {
        fault: "reads a packet at a time",
        wires: &WIRES,
        commit: |cell| {
            let (slow, other) = (cell.peer(), cell.peer());
            let packets = cell.long_call(1);
            packets.iter().for_each(|packet| slow.send(packet));
            for _ in &packets {
                other.assert_served(cell.wire);
                assert!(slow.recv().is_some());
            }
            slow.assert_served(cell.wire);
        },
    },
    Row {
        fault: "sends the beginning of a packet, of every length from none to all but one byte",
        wires: &WIRES,
        commit: |cell| {
            let whole = &cell.call(1, b"whole")[0];
            let peer = cell.peer();
            peer.send(whole);
            let answer = peer.recv_packet();
            for len in 0..whole.len() {
                let peer = cell.peer();
                peer.send(&whole[..len]);
                peer.half_close();
                // It may be a call of the plain wire, which is less than was meant.
                while let Some(reply) = peer.recv() {
                    assert_ne!(reply, answer, "{len} bytes were taken for all of them");
                }
            }
        },
    },
    Row {
        fault: "sends a chunk twice, leaves one out, or swaps two",
        wires: CHUNKED,
        commit: |cell| {
            for order in [&[0, 0][..], &[0, 1, 1], &[0, 2], &[1], &[0, 2, 1]] {
                let (peer, packets) = (cell.peer(), cell.long_call(1));
                let _ = order.iter().all(|chunk| peer.send_unless_closed(&packets[*chunk]));
                assert_refused(&peer);
            }
        },
    },
    Row {
        fault: "interleaves two messages",
        wires: CHUNKED,
        commit: |cell| {
            for second in [cell.long_call(2), cell.call(2, b"short")] {
                let peer = cell.peer();
                peer.send(&cell.long_call(1)[0]);
                peer.send(&second[0]);
                assert_refused(&peer);
            }
        },
    },
    Row {
        fault: "connects as fast as it can",
        wires: &WIRES,
        commit: |cell| {
            let other = cell.peer();
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| (0..250).for_each(|_| drop(cell.peer())));
                }
                (0..50).for_each(|_| other.assert_served(cell.wire));
            });
        },
    },
    Row {
        fault: "keeps many sessions, each in the middle of something",
        wires: &WIRES,
        commit: |cell| {
            let peers: Vec<_> = (0..100).map(|_| cell.peer()).collect();
            for (place, peer) in peers.iter().enumerate() {
                match place % 2 {
                    0 => peer.send_call(cell.wire, 7, 700, 1, b""),
                    _ => peer.send(&cell.long_call(1)[0]),
                }
            }
            cell.peer().assert_served(cell.wire);
        },
    },
    Row {
        fault: "calls what hangs, and leaves",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            peer.send_call(cell.wire, 7, 705, 1, b"");
            in_order(cell.gate.arrived(1));
            drop(peer);
            cell.peer().assert_served(cell.wire);
            cell.gate.open(1);
        },
    },
    Row {
        fault: "leaves its descriptor to a child",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            peer.send_call(cell.wire, 7, 700, 1, b"");
            let kept = rustix::io::dup(&peer).expect("a descriptor");
            // It holds the descriptor, and does nothing with it.
            let mut child =
                Command::new("sleep").arg("1000").stdin(Stdio::from(kept)).spawn().expect("starts");
            drop(peer);
            cell.peer().assert_served(cell.wire);
            child.kill().expect("is there");
            child.wait().expect("has ended");
        },
    },
    Row {
        fault: "opens streams, and leaves before the first item or in the midst of them",
        wires: &WIRES,
        commit: |cell| {
            for read in 0..4 {
                let peer = cell.peer();
                (1..=3).for_each(|sequence| cell.open(&peer, 901, sequence, asking(u32::MAX)));
                (0..read).for_each(|_| drop(peer.recv_response(cell.wire)));
            }
        },
    },
    Row {
        fault: "asks for a stream without end, has room for all of it, and never reads",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            cell.open(&peer, 901, 1, asking(u32::MAX));
            for _ in 0..3 {
                cell.say(&peer, Control::Credit(Credit { items: u32::MAX, bytes: u64::MAX }));
            }
            while !peer.has_packet() {
                thread::yield_now();
            }
            cell.peer().assert_served(cell.wire);
        },
    },
    Row {
        fault: "sends items that there is no room for",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            cell.open(&peer, 902, 1, CallFields { sends_items: true, ..CallFields::default() });
            for _ in 0..2000 {
                cell.say(&peer, Control::Item);
            }
            cell.say(&peer, Control::End);
            while peer.recv_response(cell.wire).part().is_some() {}
            peer.assert_served(cell.wire);
        },
    },
    Row {
        fault: "leaves in the middle of a stream of its own",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            cell.open(&peer, 902, 1, CallFields { sends_items: true, ..CallFields::default() });
            assert_eq!(peer.recv_response(cell.wire).part(), Some(Part::Opened));
            cell.say(&peer, Control::Item);
        },
    },
    Row {
        fault: "says things of calls that never were, or have ended",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            cell.open(&peer, 902, 1, CallFields { sends_items: true, ..CallFields::default() });
            cell.say(&peer, Control::End);
            while peer.recv_response(cell.wire).part().is_some() {}
            for sequence in [1, 77, -1, i64::MIN] {
                let credit = Control::Credit(Credit { items: 1, bytes: 1 });
                for control in [credit, Control::Item, Control::End, Control::Abort, Control::Cancel] {
                    cell.say_of(&peer, sequence, control);
                }
            }
            peer.assert_served(cell.wire);
        },
    },
    Row {
        fault: "asks for a stream where there is none, and for a reply where there is a stream",
        wires: &WIRES,
        commit: |cell| {
            let peer = cell.peer();
            cell.open(&peer, 700, 1, asking(1));
            assert_eq!(peer.recv_response(cell.wire).status, Status::FAILURE);
            peer.send_call(cell.wire, 9, 901, 2, b"");
            assert_eq!(peer.recv_response(cell.wire).status, Status::FAILURE);
            peer.assert_served(cell.wire);
        },
    },
    Row {
        fault: "speaks another protocol",
        wires: &WIRES,
        commit: |cell| {
            for noise in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[0xff; 4096]]
            {
                let peer = cell.peer();
                peer.send(noise);
                peer.half_close();
                while peer.recv().is_some() {}
            }
        },
    },
];

/// What answers by streams, and takes them.
struct Streams;

#[drpc_module(id = 9)]
impl Streams {
    /// It has no end.
    #[method(1, stream)]
    fn zeros(&self) -> impl Stream<Item = Result<Bytes, Failure>> + use<> {
        stream::repeat_with(|| Ok(Bytes::from_static(&[0; 1000])))
    }

    #[method(2, stream)]
    async fn take(&self, items: Incoming<Bytes>) -> Result<(), Failure> {
        items.try_for_each(|_| async { Ok(()) }).await
    }
}

/// What asks for a stream, of which there is room for so many items.
fn asking(items: u32) -> CallFields {
    CallFields { credit: Some(Credit { items, bytes: u64::MAX }), ..CallFields::default() }
}

impl Cell<'_> {
    /// Asks for a stream, or sends one.
    fn open(&self, peer: &RawPeer, method: i32, sequence: i64, added: CallFields) {
        let (body, added) = (Bytes::new(), Some(added.into()));
        let call: Call = Call { module: method / 100, method, sequence, body, added };
        peer.send_message(self.wire, &call.encode());
    }

    fn say(&self, peer: &RawPeer, control: Control) {
        self.say_of(peer, 1, control);
    }

    fn say_of(&self, peer: &RawPeer, sequence: i64, control: Control) {
        let added = CallFields { control: Some(control), ..CallFields::default() };
        let call: Call = Call { sequence, added: Some(added.into()), ..Call::default() };
        peer.send_message(self.wire, &call.encode());
    }

    fn peer(&self) -> RawPeer {
        RawPeer::connect(self.server.path())
    }

    /// The packets of a call to the echo.
    fn call(&self, sequence: i64, body: &[u8]) -> Vec<Vec<u8>> {
        let body = body.to_vec().into();
        let call = Call::<bytes::Bytes> { module: 7, method: 700, sequence, body, added: None };
        packets_of(self.wire, &call.encode())
    }

    /// Those of a long one: three, on the chunked wire.
    fn long_call(&self, sequence: i64) -> Vec<Vec<u8>> {
        let len = if self.wire == Wire::Plain { 100_000 } else { 300_000 };
        self.call(sequence, &vec![b'x'; len])
    }
}

/// The server closes; of a packet that there is still room for, it says before that it could not read the call (D1, W5).
#[track_caller]
fn assert_refused(peer: &RawPeer) {
    let said: Vec<_> = iter::from_fn(|| peer.recv()).collect();
    let refusal = frame(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x10\x05");
    assert!(said.is_empty() || said == [refusal], "{said:02x?}");
}

#[test]
fn whatever_a_caller_does_the_others_are_served_and_nothing_is_left_of_it() {
    // H, S1, S6, W5, W9, W10.
    with_every_server(|driver| {
        for order in [Order::Serial, Order::Concurrent(4)] {
            let gate = Gate::new();
            let opened = Arc::new(AtomicUsize::new(0));
            let (closed, closings) = channel();
            let closed = Mutex::new(closed);
            let builder = Server::builder()
                .order(order)
                .on_open({
                    let opened = opened.clone();
                    move |_| {
                        opened.fetch_add(1, Ordering::SeqCst);
                        Ok(())
                    }
                })
                .on_close(move |_| closed.lock().unwrap().send(()).unwrap())
                .module(gated(&gate))
                .module(Streams);
            let server = driver.start(builder);
            // They were there before, and stay.
            let honest =
                [Kind::Async, Kind::Blocking, Kind::Progress].map(|kind| kind.connect_to(server.path()));
            for Row { fault, wires, commit } in &ROWS {
                for wire in *wires {
                    println!("{order:?}, {wire}: {fault}");
                    commit(&Cell { server: &server, gate: &gate, wire: *wire });
                    honest.iter().for_each(AnyClient::assert_served);
                    RawPeer::connect(server.path()).assert_served(*wire);
                }
            }
            drop(honest);
            let shutdown = server.stop();
            assert!(shutdown.is_drained(), "{shutdown}");
            for _ in 0..opened.load(Ordering::SeqCst) {
                closings.recv_timeout(PATIENCE).expect("each session ends");
            }
        }
    });
}
