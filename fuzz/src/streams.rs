use std::collections::HashMap;

use arbitrary::{Arbitrary, Unstructured};
use bytes::Bytes;
use drpc::Wire;
use drpc::wire::{Call, CallFields, Codec, Control, Credit, Items, Part, Response};

use crate::packets::{self, AnyCall, Message as _, Piece, packets};
use crate::server::{LIMIT, MODES, ORDERS, servers};
use crate::socket::Peer;

#[derive(Arbitrary, Debug)]
struct Input {
    order: u8,
    plain: bool,
    pieces: Vec<Piece<Message>>,
}

/// A call of a stream, one of something else, or what is said of one.
#[derive(Arbitrary, Debug)]
enum Message {
    /// For so many items, of which there is room for so many.
    Open {
        sequence: i8,
        items: u8,
        room: Room,
    },
    Call {
        method: u8,
        sequence: i8,
        asks_control: bool,
    },
    Credit {
        sequence: i8,
        room: Room,
    },
    Cancel {
        sequence: i8,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
struct Room {
    items: u16,
    bytes: u16,
}

impl packets::Message for Message {
    fn encode(&self) -> Vec<u8> {
        let fields = CallFields::default;
        let (method, sequence, body, added) = match *self {
            Message::Open { sequence, items, room } => (
                705,
                sequence,
                vec![items; items.into()],
                // No field of its own, which would make something else of the seeds.
                CallFields { credit: Some(room.into()), takes_many: items % 2 == 0, ..fields() },
            ),
            Message::Call { method, sequence, asks_control } => {
                (700 + i32::from(method % 8), sequence, Vec::new(), CallFields { asks_control, ..fields() })
            }
            Message::Credit { sequence, room } => {
                let control = Some(Control::Credit(room.into()));
                (0, sequence, Vec::new(), CallFields { control, ..fields() })
            }
            Message::Cancel { sequence } => {
                (0, sequence, Vec::new(), CallFields { control: Some(Control::Cancel), ..fields() })
            }
        };
        let (sequence, added) = (sequence.into(), Some(added.into()));
        Call::<Bytes> { module: 7, method, sequence, body: body.into(), added }.encode().into()
    }

    fn pack(body: Bytes) -> Vec<u8> {
        AnyCall::pack(body)
    }
}

impl From<Room> for Credit {
    fn from(Room { items, bytes }: Room) -> Self {
        Credit { items: items.into(), bytes: bytes.into() }
    }
}

/// Any packets of streams into a session of each server: what comes out are whole responses, the session ends, every call of its own
/// sequence has one last response, and a stream no more items than its caller said that it has room for.
pub fn streams(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let wire = if input.plain { Wire::Plain } else { Wire::Chunked };
    let order = usize::from(input.order) % ORDERS.len();
    let mut sent = packets(&input.pieces, wire);
    while sent.last().is_some_and(Vec::is_empty) {
        sent.pop();
    }
    // Of what is sent whole, up to the first that is not.
    let whole = input.pieces.iter().map_while(|piece| match piece {
        Piece::Whole(message) => Some(message),
        _ => None,
    });
    let mut expected = HashMap::<i64, Expected>::new();
    for message in whole.take(sent.len()) {
        let (sequence, calls, controls, items) = match *message {
            Message::Open { sequence, room, .. } => (sequence, 1, 0, room.items),
            Message::Call { sequence, .. } => (sequence, 1, 0, 0),
            Message::Credit { sequence, room } => (sequence, 0, 1, room.items),
            Message::Cancel { sequence } => (sequence, 0, 1, 0),
        };
        let expected = expected.entry(sequence.into()).or_default();
        expected.calls += calls;
        expected.controls += controls;
        expected.items += usize::from(items);
    }
    let all_are_whole = input.pieces.iter().all(|piece| matches!(piece, Piece::Whole(_)));
    let mode = MODES.iter().position(|mode| *mode == wire.into()).expect("both wires are fuzzed");
    for (server, name) in servers(mode, order) {
        let peer = Peer::connect(name);
        let _ = sent.iter().all(|packet| peer.send(packet));
        peer.half_close();
        let responses = responses(wire, &peer.recv_all());
        let told = || format!("{server}: {responses:?}, of {input:02x?}");
        if !all_are_whole {
            continue;
        }
        assert!(responses.iter().all(|response| expected.contains_key(&response.sequence)), "{}", told());
        for (sequence, Expected { calls, controls, items }) in &expected {
            let of_this = || responses.iter().filter(|response| response.sequence == *sequence);
            let ends = of_this().filter(|response| response.part().is_none()).count();
            assert!((*calls..=calls + controls).contains(&ends), "{}", told());
            let came = of_this().map(|response| match response.part() {
                Some(Part::Item) => 1,
                Some(Part::Items) => Items::read(response.body.clone()).expect("whole items").len(),
                _ => 0,
            });
            let came = came.sum::<usize>();
            assert!(came <= *items, "{}", told());
        }
    }
}

/// What there may be of one sequence.
#[derive(Default)]
struct Expected {
    calls: usize,
    /// What is said of it, before it is known that such things are said, is a call.
    controls: usize,
    items: usize,
}

fn responses(wire: Wire, packets: &[Vec<u8>]) -> Vec<Response> {
    let mut codec = Codec::new(wire, 2 * LIMIT);
    let messages: Vec<_> = packets
        .iter()
        .filter_map(|packet| codec.receive(packet.clone().into()).expect("a sound packet"))
        .collect();
    assert!(!codec.is_mid_message(), "a server sent half a message");
    messages.into_iter().map(|message| Response::decode(message).expect("a response")).collect()
}
