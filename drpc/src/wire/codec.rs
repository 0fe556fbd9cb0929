use std::sync::Arc;

use bytes::Bytes;

use super::assemble::Assembler;
use super::body::Segments;
use super::chunk::{Packets, check_len};
use super::envelope::Envelope;
use super::error::{FrameError, MessageTooLong};
use super::generation::{Wire, WireMode};
use super::header::ChunkHeader;
use super::items::Items;
use super::recognise::{is_plain_envelope, recognise};
use super::{MAX_PACKET, MAX_PLAIN_MESSAGE};
use crate::budget::Account;

/// How a call begins that has a module, and a response that has a sequence.
const FIRST_NUMBER: u8 = 1 << 3;

/// The wire format of one connection: turns packets into messages, and back.
///
/// The two formats are two thin framings over this one type. A server that does not know yet which one its peer speaks starts with [`WireMode::Auto`],
/// and learns it from the first packet ([W8](crate::guide::rules#wire)).
///
/// After an error, close the connection: it is of no more use.
///
/// ```
/// use drpc::wire::{Codec, Wire, WireMode};
///
/// let sender = Codec::new(Wire::Plain, 1 << 20);
/// let mut receiver = Codec::new(WireMode::Auto, 1 << 20);
/// for packet in sender.packets(b"\x08\x05", b"")? {
///     assert!(receiver.receive(packet.to_vec().into())?.is_some());
/// }
/// assert_eq!(receiver.wire(), Some(Wire::Plain));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Codec {
    /// `None` until the first packet has told.
    wire: Option<Wire>,
    limit: usize,
    /// The longest packet that is sent, on the plain wire.
    longest_sent: usize,
    assembler: Assembler,
    takes_packs: bool,
    /// What is left of the pack that came last.
    packed: Items,
}

impl Codec {
    /// A connection's wire, with the longest message that is taken or sent, in bytes ([W6](crate::guide::rules#wire)).
    #[must_use]
    pub fn new(wire: impl Into<WireMode>, limit: usize) -> Self {
        let wire = match wire.into() {
            WireMode::Auto => None,
            WireMode::Fixed(wire) => Some(wire),
        };
        Codec {
            wire,
            limit,
            longest_sent: MAX_PLAIN_MESSAGE,
            assembler: Assembler::new(limit),
            takes_packs: true,
            packed: Items::default(),
        }
    }

    /// The same, whose messages are counted as their sender's.
    pub(crate) fn charged_to(mut self, account: Option<&Arc<Account>>) -> Self {
        if let Some(account) = account {
            self.assembler.charge_to(account.clone());
        }
        self
    }

    /// The same, on a connection that takes packets of so many bytes.
    pub(crate) fn sending_at_most(self, bytes: usize) -> Self {
        Codec { longest_sent: bytes, ..self }
    }

    /// The same, to which a pack is a message like others, if it takes none.
    pub(crate) fn taking_packs(self, takes_packs: bool) -> Self {
        Codec { takes_packs, ..self }
    }

    pub(crate) fn takes_packs(&self) -> bool {
        self.takes_packs
    }

    /// Another one, to send on the same connection.
    pub(crate) fn for_sending(&self) -> Self {
        let wire = self.wire.map_or(WireMode::Auto, WireMode::Fixed);
        Codec::new(wire, self.limit).sending_at_most(self.longest_sent)
    }

    /// What the peer speaks; `None` before its first packet under [`WireMode::Auto`].
    #[must_use]
    pub fn wire(&self) -> Option<Wire> {
        self.wire
    }

    /// The longest message that is taken or sent, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// Takes the next packet; returns the message that it completes, if it does.
    ///
    /// If the packet was received into [`rest`](Self::rest), pass an empty one here.
    ///
    /// # Errors
    ///
    /// [`FrameError`] if the packet breaks a rule of the wire format ([W5](crate::guide::rules#wire)), announces a message over the limit ([W6](crate::guide::rules#wire)), or is of the other generation
    /// ([W8](crate::guide::rules#wire)).
    #[inline(always)]
    pub fn receive(&mut self, packet: Bytes) -> Result<Option<Bytes>, FrameError> {
        let wire = *self.wire.get_or_insert_with(|| recognise(&packet));
        match wire {
            Wire::Chunked if !self.is_mid_message() && self.is_of_plain_wire(&packet) => {
                Err(FrameError::OtherWire { peer: Wire::Plain })
            }
            Wire::Chunked => self.assembler.push(packet),
            Wire::Plain if packet.len() > self.limit => {
                Err(FrameError::OverLimit { total: packet.len() as u64, limit: self.limit })
            }
            Wire::Plain => self.assembler.hold(packet),
        }
    }

    /// How long the next packet may be, in bytes: any, while the wire is not known yet.
    #[must_use]
    pub fn longest_packet(&self) -> usize {
        match self.wire {
            Some(Wire::Chunked) => MAX_PACKET,
            Some(Wire::Plain) | None => MAX_PLAIN_MESSAGE,
        }
    }

    /// What a packet is that was longer than [`longest_packet`](Self::longest_packet), or than the rest of its message, and so could not be received.
    pub(crate) fn refuse_packet(&mut self, len: usize) -> FrameError {
        // No chunk is so long.
        match *self.wire.get_or_insert(Wire::Plain) {
            Wire::Plain => {
                FrameError::OverLimit { total: len as u64, limit: MAX_PLAIN_MESSAGE.min(self.limit) }
            }
            Wire::Chunked => FrameError::LongPacket { len },
        }
    }

    /// In mid message, the buffer to append the next packet to, so that its data needs no copy. Whoever has no use for it
    /// may give the packet to [`receive`](Self::receive) instead, as long as this was not asked since the last packet.
    pub fn rest(&mut self) -> Option<&mut Vec<u8>> {
        self.assembler.rest()
    }

    /// Takes a message that has come, or those that it has if it is a pack; gives the first.
    #[inline(always)]
    pub(crate) fn unpack(&mut self, message: Bytes, packed: Option<Items>) -> Bytes {
        match packed {
            None => message,
            Some(packed) => self.keep_packed(packed),
        }
    }

    #[inline(never)]
    fn keep_packed(&mut self, packed: Items) -> Bytes {
        self.packed = packed;
        self.next_packed().unwrap_or_default()
    }

    /// The next message of a pack: to be taken before another packet is.
    ///
    /// It is a slice of the pack. What is said of a call is a copy, since it may be kept for long, and the whole pack with it.
    #[inline]
    pub(crate) fn next_packed(&mut self) -> Option<Bytes> {
        if self.packed.len() == 0 {
            return None;
        }
        let message = self.packed.next()?;
        if message.first() == Some(&FIRST_NUMBER) {
            Some(message)
        } else {
            Some(Bytes::copy_from_slice(&message))
        }
    }

    /// What is left of a pack.
    pub(crate) fn packed(&self) -> &Items {
        &self.packed
    }

    /// Whether some chunks of a message have come, but not all.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        self.assembler.is_mid_message()
    }

    /// Whether a packet that is no chunk is a message of the plain wire.
    fn is_of_plain_wire(&self, packet: &[u8]) -> bool {
        ChunkHeader::parse_checked(packet).is_err() && is_plain_envelope(packet)
    }

    /// Whether a message can be sent, given as [`packets`](Self::packets) takes it.
    #[inline]
    pub(crate) fn check<'a>(
        &self,
        head: impl Into<Envelope<'a>>,
        body: impl Into<Segments<'a>>,
    ) -> Result<usize, MessageTooLong> {
        let len = head.into().len() + body.into().len();
        check_len(self.wire.unwrap_or(Wire::Chunked), len, self.limit, self.longest_sent).map(|()| len)
    }

    /// Whether a message of so many bytes can be sent.
    pub(crate) fn sends(&self, len: usize) -> bool {
        check_len(self.wire.unwrap_or(Wire::Chunked), len, self.limit, self.longest_sent).is_ok()
    }

    /// The packets of a message, given as its head (see [`Call::head`](super::Call::head)) and its body.
    ///
    /// While the wire is not known yet, it is taken to be chunked.
    ///
    /// # Errors
    ///
    /// [`MessageTooLong`] if the message is over the limit, or does not fit the plain wire's one packet ([W7](crate::guide::rules#wire)).
    #[inline(always)]
    pub fn packets<'a>(
        &self,
        head: impl Into<Envelope<'a>>,
        body: impl Into<Segments<'a>>,
    ) -> Result<Packets<'a>, MessageTooLong> {
        Packets::fitting(self.wire.unwrap_or(Wire::Chunked), head, body, self.limit, self.longest_sent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Call;
    use super::*;

    const LIMIT: usize = 1 << 20;

    fn round_trip(wire: Wire, head: &[u8], body: &[u8]) -> Bytes {
        let mut codec = Codec::new(wire, LIMIT);
        let packets: Vec<_> = codec.packets(head, body).unwrap().map(|packet| packet.to_vec()).collect();
        let mut message = None;
        for packet in packets {
            assert!(message.is_none(), "complete before its last packet");
            message = codec.receive(packet.into()).unwrap();
        }
        message.unwrap()
    }

    proptest! {
        #[test]
        fn any_message_comes_back_as_it_went(
            head in prop::collection::vec(any::<u8>(), 0..64),
            len in prop_oneof![0..300usize, 131_000..131_100usize, 262_000..262_200usize],
            fill in any::<u8>(),
        ) {
            let body = vec![fill; len];
            let whole = [&head[..], &body[..]].concat();
            prop_assert_eq!(&round_trip(Wire::Chunked, &head, &body)[..], &whole[..]);
            if whole.len() <= MAX_PLAIN_MESSAGE {
                prop_assert_eq!(&round_trip(Wire::Plain, &head, &body)[..], &whole[..]);
            }
        }

        #[test]
        fn any_chunk_size_gives_the_same_message(
            message in prop::collection::vec(any::<u8>(), 1..2000),
            size in 1..2000usize,
        ) {
            let mut codec = Codec::new(Wire::Chunked, LIMIT);
            let total_chunks = message.chunks(size).len() as u32;
            let mut received = None;
            for (idx, data) in message.chunks(size).enumerate() {
                let header = ChunkHeader {
                    total_data_size: message.len() as u64,
                    chunk_data_size: data.len() as u64,
                    chunk_idx: idx as u32,
                    total_chunks,
                };
                received = codec.receive([&header.to_bytes()[..], data].concat().into()).unwrap();
            }
            prop_assert_eq!(&received.unwrap()[..], &message[..]);
        }

        #[test]
        fn no_bytes_make_it_panic(packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..8)) {
            for mode in [WireMode::Auto, Wire::Chunked.into(), Wire::Plain.into()] {
                let mut codec = Codec::new(mode, LIMIT);
                for packet in &packets {
                    match codec.receive(packet.clone().into()) {
                        Ok(Some(message)) => drop(Call::decode(message)),
                        Ok(None) => {}
                        Err(_) => break,
                    }
                }
            }
        }

        #[test]
        fn no_header_makes_it_panic(
            headers in prop::collection::vec((0..40u64, 0..40u64, 0..5u32, 0..5u32, 0..40usize), 1..6),
        ) {
            let mut codec = Codec::new(Wire::Chunked, LIMIT);
            for (total_data_size, chunk_data_size, chunk_idx, total_chunks, len) in headers {
                let header = ChunkHeader { total_data_size, chunk_data_size, chunk_idx, total_chunks };
                if codec.receive([&header.to_bytes()[..], &vec![0; len]].concat().into()).is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_plain_peer_is_named_on_the_chunked_wire() {
        // W8.
        let mut codec = Codec::new(Wire::Chunked, LIMIT);
        let call =
            Call::<Bytes> { module: 7, method: 700, sequence: 5, body: vec![b'a'; 100].into(), added: None };
        let error = codec.receive(call.encode()).unwrap_err();
        assert_eq!(error, FrameError::OtherWire { peer: Wire::Plain });
        assert!(error.to_string().contains("peer speaks the plain wire of DAOS 2.6"));
    }
}
