use arbitrary::{Arbitrary, Unstructured};
use drpc::wire::{Codec, Response};
use drpc::{Order, Wire};

use crate::packets::{AnyCall, Piece, packets};
use crate::server::{LIMIT, MODES, ORDERS, servers};
use crate::socket::Peer;

#[derive(Arbitrary, Debug)]
struct Input {
    mode: u8,
    order: u8,
    plain: bool,
    pieces: Vec<Piece<AnyCall>>,
}

/// Any packets into a session of each server: what comes out are whole responses, alone or in packs, the session ends, and all three servers answer the
/// same.
pub fn session(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else { return };
    let (mode, order) = (usize::from(input.mode) % MODES.len(), usize::from(input.order) % ORDERS.len());
    let mut sent = packets(&input.pieces, if input.plain { Wire::Plain } else { Wire::Chunked });
    // Whether the last one is a packet or end of file is a matter of who is first.
    while sent.last().is_some_and(Vec::is_empty) {
        sent.pop();
    }
    let [first, others @ ..] = servers(mode, order);
    let exchange = |(_, name)| {
        let peer = Peer::connect(name);
        let _ = sent.iter().all(|packet| peer.send(packet));
        peer.half_close();
        let mut replies = responses(&peer.recv_all());
        if ORDERS[order] != Order::Serial {
            replies.sort_unstable();
        }
        replies
    };
    let (of_first, expected) = (first.0, exchange((first.0, &first.1)));
    for (of_other, name) in others {
        let replies = exchange((of_other, name));
        assert_eq!(replies, expected, "{of_other} beside {of_first}, of {input:02x?}");
    }
}

/// The messages in the packets that a server sent, each of which is a response.
fn responses(packets: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let read = |wire| {
        // A body of the limit is longer as a response.
        let mut codec = Codec::new(wire, 2 * LIMIT);
        let mut messages = Vec::new();
        for packet in packets {
            if let Some(message) = codec.receive(packet.clone().into()).ok()? {
                messages.extend(Response::unpack(&message).map_or(vec![message], Iterator::collect));
            }
        }
        let are_responses = messages.iter().all(|message| Response::decode(message.clone()).is_ok());
        (!codec.is_mid_message() && are_responses)
            .then(|| messages.iter().map(|message| message.to_vec()).collect())
    };
    read(Wire::Chunked)
        .or_else(|| read(Wire::Plain))
        .unwrap_or_else(|| panic!("a server sent what no client can read: {packets:02x?}"))
}
