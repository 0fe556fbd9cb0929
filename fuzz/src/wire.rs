//! The wire by itself.

use bytes::Bytes;
use drpc::wire::{Call, Codec, Packets, Response, Wire, WireMode};

/// The longest message taken here, in bytes.
const LIMIT: usize = 1 << 16;

/// Any packets: the codec gives messages within its limit, or an error. Each message framed again is the same message.
///
/// The bytes are packets, each behind a byte of its length.
pub fn codec(mut data: &[u8]) {
    let mut packets = Vec::new();
    while let Some((&len, rest)) = data.split_first() {
        let (packet, rest) = rest.split_at(rest.len().min(len.into()));
        packets.push(Bytes::copy_from_slice(packet));
        data = rest;
    }
    for mode in [WireMode::Auto, Wire::Chunked.into(), Wire::Plain.into()] {
        let mut codec = Codec::new(mode, LIMIT);
        for packet in &packets {
            match codec.receive(packet.clone()) {
                Ok(None) => assert!(codec.is_mid_message()),
                Ok(Some(message)) => {
                    assert!(message.len() <= LIMIT && !codec.is_mid_message());
                    reframe(codec.wire().expect("a packet has told the wire"), &message);
                }
                Err(_) => break,
            }
        }
    }
}

fn reframe(wire: Wire, message: &Bytes) {
    let (head, body) = message.split_at(message.len() / 2);
    let mut codec = Codec::new(wire, LIMIT);
    let mut again = None;
    for packet in Packets::new(wire, head, body, LIMIT).expect("it came in one piece before") {
        again = codec.receive(packet.to_vec().into()).expect("our own packets are sound");
    }
    assert_eq!(again.as_ref(), Some(message));
}

/// Any bytes: what decodes as an envelope means the same when it is encoded and decoded again.
pub fn envelope(data: &[u8]) {
    if let Ok(call) = Call::decode(Bytes::copy_from_slice(data)) {
        assert_eq!(Call::decode(call.encode()).expect("our own call"), call);
        let head = call.head();
        let packets = Packets::new(Wire::Chunked, &head, &call.body, usize::MAX).expect("there is no limit");
        let mut codec = Codec::new(WireMode::Auto, usize::MAX);
        let message =
            packets.fold(None, |_, packet| codec.receive(packet.to_vec().into()).expect("is sound"));
        assert_eq!(message, Some(call.encode()));
    }
    if let Ok(response) = Response::decode(Bytes::copy_from_slice(data)) {
        assert_eq!(Response::decode(response.encode()).expect("our own response"), response);
    }
}
