//! Framing out: one message as the packets of its wire.

use std::io::IoSlice;
use std::os::fd::OwnedFd;

use smallvec::{SmallVec, smallvec};

use super::MAX_PLAIN_MESSAGE;
use super::body::Segments;
use super::envelope::Envelope;
use super::error::MessageTooLong;
use super::generation::Wire;
use super::header::ChunkHeader;

/// One packet of a message, borrowed from it: to be sent by one vectored send.
///
/// ```text
/// [ header: 24 bytes, or none on the plain wire | slice of the head | slice of the body | slice of the tail ]
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    header: [u8; ChunkHeader::LEN],
    /// 0 on the plain wire.
    header_len: usize,
    head: &'a [u8],
    body: Segments<'a>,
    /// The part of the body that goes with this packet.
    start: usize,
    end: usize,
    /// What stands behind the body: the added fields (E5).
    tail: &'a [u8],
    /// A message's go with its first packet.
    descriptors: &'a [OwnedFd],
}

/// The parts of a packet, for a vectored write.
///
/// ```
/// use std::io::{self, Write};
///
/// use drpc::wire::{Codec, Wire};
///
/// fn send(to: &mut impl Write, body: &[u8]) -> io::Result<()> {
///     let codec = Codec::new(Wire::Chunked, 1 << 20);
///     for packet in codec.packets(b"head", body).map_err(io::Error::other)? {
///         let _len = to.write_vectored(&packet.slices())?;
///     }
///     Ok(())
/// }
/// ```
pub type Slices<'a> = SmallVec<[IoSlice<'a>; 5]>;

impl<'a> Packet<'a> {
    /// A packet that is made already.
    pub(crate) fn raw(packet: &'a [u8], descriptors: &'a [OwnedFd]) -> Self {
        Packet {
            header: [0; ChunkHeader::LEN],
            header_len: 0,
            head: packet,
            body: Segments::from(&[]),
            start: 0,
            end: 0,
            tail: &[],
            descriptors,
        }
    }

    /// The packet's parts, in order; some may be empty.
    #[must_use]
    pub fn slices(&self) -> Slices<'_> {
        let mut slices: Slices<'_> =
            smallvec![IoSlice::new(&self.header[..self.header_len]), IoSlice::new(self.head)];
        slices.extend(self.body.range(self.start, self.end).map(IoSlice::new));
        if !self.tail.is_empty() {
            slices.push(IoSlice::new(self.tail));
        }
        slices
    }

    /// The descriptors to pass with the packet: a message's go with its first one.
    #[must_use]
    pub fn descriptors(&self) -> &[OwnedFd] {
        self.descriptors
    }

    /// How many bytes it has.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.header_len + self.head.len() + (self.end - self.start) + self.tail.len()
    }

    /// Its bytes, if they lie in one piece.
    pub(crate) fn as_one(&self) -> Option<&'a [u8]> {
        (self.len() == self.head.len()).then_some(self.head)
    }

    /// The packet in one piece, put together in `room`, if it is short enough for that and its body is in one.
    #[inline]
    pub(crate) fn join<'b>(&self, room: &'b mut [u8]) -> Option<&'b [u8]> {
        let body = &self.body.as_one()?[self.start..self.end];
        let mut len = self.header_len;
        if len > 0 {
            *room.first_chunk_mut()? = self.header;
        }
        for part in [self.head, body, self.tail] {
            if !part.is_empty() {
                room.get_mut(len..len + part.len())?.copy_from_slice(part);
                len += part.len();
            }
        }
        Some(&room[..len])
    }

    /// Appends the packet in one piece.
    pub(crate) fn append_to(&self, room: &mut Vec<u8>) {
        room.extend_from_slice(&self.header[..self.header_len]);
        room.extend_from_slice(self.head);
        self.body.range(self.start, self.end).for_each(|part| room.extend_from_slice(part));
        room.extend_from_slice(self.tail);
    }

    /// The packet in one piece.
    #[must_use]
    pub fn to_vec(&self) -> Vec<u8> {
        self.slices().iter().flat_map(|slice| &**slice).copied().collect()
    }
}

/// The packets of one message, made as they are asked for ([W3](crate::guide::rules#wire), [W7](crate::guide::rules#wire)).
///
/// ```
/// use drpc::wire::{Codec, Wire};
///
/// let body = vec![0; 300_000];
/// let codec = Codec::new(Wire::Chunked, 1 << 20);
/// assert_eq!(codec.packets(b"head", &body)?.len(), 3);
/// # Ok::<(), drpc::wire::MessageTooLong>(())
/// ```
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    wire: Wire,
    envelope: Envelope<'a>,
    body: Segments<'a>,
    body_len: usize,
    next: u32,
    total: u32,
}

impl<'a> Packets<'a> {
    /// The packets of a message, given as its head (see [`Call::head`](super::Call::head)) and its body.
    ///
    /// # Errors
    ///
    /// [`MessageTooLong`] if the message is over the limit, or does not fit the plain wire's one packet ([W7](crate::guide::rules#wire)).
    pub fn new(
        wire: Wire,
        head: impl Into<Envelope<'a>>,
        body: impl Into<Segments<'a>>,
        limit: usize,
    ) -> Result<Self, MessageTooLong> {
        Packets::fitting(wire, head, body, limit, MAX_PLAIN_MESSAGE)
    }

    /// As [`new`](Self::new), where a packet of the plain wire has so many bytes at most.
    #[inline(always)]
    pub(crate) fn fitting(
        wire: Wire,
        head: impl Into<Envelope<'a>>,
        body: impl Into<Segments<'a>>,
        limit: usize,
        packet: usize,
    ) -> Result<Self, MessageTooLong> {
        let (envelope, body) = (head.into(), body.into());
        let body_len = body.len();
        let len = envelope.len() + body_len;
        check_len(wire, len, limit, packet)?;
        let total = match wire {
            Wire::Chunked if len > ChunkHeader::MAX_DATA => len.div_ceil(ChunkHeader::MAX_DATA) as u32,
            // W3: the empty message is one packet, and there is never an empty trailing chunk.
            Wire::Chunked | Wire::Plain => 1,
        };
        Ok(Packets { wire, envelope, body, body_len, next: 0, total })
    }

    /// One chunk of several.
    // By value, so that who sends one packet alone needs none of this in memory.
    #[inline(never)]
    fn part(self, chunk_idx: u32) -> Packet<'a> {
        let Envelope { before, after } = self.envelope;
        let len = self.envelope.len() + self.body_len;
        let start = chunk_idx as usize * ChunkHeader::MAX_DATA;
        let end = len.min(start + ChunkHeader::MAX_DATA);
        let header = ChunkHeader {
            total_data_size: len as u64,
            chunk_data_size: (end - start) as u64,
            chunk_idx,
            total_chunks: self.total,
        };
        // The chunk [start, end) of head ++ body ++ tail, as a part of each.
        let body_at = before.len();
        let tail_at = body_at + self.body_len;
        Packet {
            header: header.to_bytes(),
            header_len: ChunkHeader::LEN,
            head: &before[start.min(body_at)..end.min(body_at)],
            body: self.body,
            start: start.clamp(body_at, tail_at) - body_at,
            end: end.clamp(body_at, tail_at) - body_at,
            tail: &after[start.max(tail_at) - tail_at..end.max(tail_at) - tail_at],
            descriptors: if chunk_idx == 0 { self.body.descriptors() } else { &[] },
        }
    }

    /// Goes on after the first `sent` packets.
    pub(crate) fn skip_sent(mut self, sent: u32) -> Self {
        self.next = sent.min(self.total);
        self
    }
}

/// Whether a message of so many bytes can be sent, in packets of at most so many bytes on the plain wire.
#[inline]
pub(super) fn check_len(wire: Wire, len: usize, limit: usize, packet: usize) -> Result<(), MessageTooLong> {
    let packet = packet.min(MAX_PLAIN_MESSAGE);
    match wire {
        Wire::Plain if len > packet && len <= limit => {
            Err(MessageTooLong { len, limit: packet, for_packet: true })
        }
        Wire::Chunked if len / ChunkHeader::MAX_DATA >= u32::MAX as usize => {
            Err(MessageTooLong { len, limit, for_packet: false })
        }
        _ if len > limit => Err(MessageTooLong { len, limit, for_packet: false }),
        _ => Ok(()),
    }
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    #[inline(always)]
    fn next(&mut self) -> Option<Packet<'a>> {
        if self.next == self.total {
            return None;
        }
        let chunk_idx = self.next;
        self.next += 1;
        if self.total > 1 {
            return Some(self.clone().part(chunk_idx));
        }
        let Envelope { before, after } = self.envelope;
        let len = (self.envelope.len() + self.body_len) as u64;
        let header =
            ChunkHeader { total_data_size: len, chunk_data_size: len, chunk_idx: 0, total_chunks: 1 };
        Some(Packet {
            header: header.to_bytes(),
            header_len: if self.wire == Wire::Chunked { ChunkHeader::LEN } else { 0 },
            head: before,
            body: self.body,
            start: 0,
            end: self.body_len,
            tail: after,
            descriptors: self.body.descriptors(),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.total - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Packets<'_> {}

#[cfg(test)]
mod tests {
    use super::super::MAX_PACKET;
    use super::*;

    fn chunks_of(len: usize) -> usize {
        Packets::new(Wire::Chunked, b"", &vec![0; len], usize::MAX).unwrap().count()
    }

    #[test]
    fn a_message_has_as_few_chunks_as_hold_it() {
        // W3: exactly full is one chunk, and the empty message is one.
        assert_eq!(chunks_of(0), 1);
        assert_eq!(chunks_of(131_048), 1);
        assert_eq!(chunks_of(131_049), 2);
        assert_eq!(chunks_of(2 * 131_048), 2);
        assert_eq!(chunks_of(2 * 131_048 + 1), 3);
    }

    #[test]
    fn no_packet_is_longer_than_the_wire_allows() {
        let body = vec![0; 500_000];
        for packet in Packets::new(Wire::Chunked, b"head", &body, usize::MAX).unwrap() {
            assert!(packet.to_vec().len() <= MAX_PACKET);
        }
    }

    #[test]
    fn plain_takes_one_packet_and_not_a_byte_more() {
        // W7.
        let body = vec![0; MAX_PLAIN_MESSAGE];
        assert_eq!(Packets::new(Wire::Plain, b"", &body, usize::MAX).unwrap().count(), 1);
        let error = Packets::new(Wire::Plain, b"h", &body, usize::MAX).unwrap_err();
        assert_eq!(
            error.to_string(),
            "message of 1048577 bytes does not fit the plain wire's one packet, which has 1048576 bytes at most on this host"
        );
    }

    #[test]
    fn resuming_gives_the_packets_that_are_left() {
        let body = vec![9; 300_000];
        let packets = Packets::new(Wire::Chunked, b"head", &body, usize::MAX).unwrap();
        let all: Vec<_> = packets.clone().map(|packet| packet.to_vec()).collect();
        let rest: Vec<_> = packets.skip_sent(1).map(|packet| packet.to_vec()).collect();
        assert_eq!(rest, all[1..]);
    }
}
