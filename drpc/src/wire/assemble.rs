//! Framing in: the chunks of one message, put together.

use std::sync::Arc;

use bytes::{Buf, Bytes};

use super::MAX_PACKET;
use super::error::FrameError;
use super::header::ChunkHeader;
use crate::budget::{Account, Lease, OverBudget, Purpose};
use crate::buffer::{Buffer, SMALL};

/// Puts chunked messages together, one after the other (W5, W6).
#[derive(Debug)]
pub(super) struct Assembler {
    /// The longest message that is taken, in bytes.
    limit: usize,
    /// Where the memory of messages is counted; `None` where it isn't.
    account: Option<Arc<Account>>,
    /// The message of which some chunks have come, but not all.
    partial: Option<Partial>,
}

/// A message in the making.
///
/// ```text
/// data: [ chunk 0 | chunk 1 | … ]     <- grows with what has arrived, never past `total`
///       0                   received                total
/// ```
///
/// While the buffer is lent, the last bytes of what has arrived are set aside, and the next packet's header comes to lie in
/// their place, so that its data lies where it belongs:
///
/// ```text
/// data: [ chunk 0 | chun ][ header | chunk 2 ]
///       0                received - 24       data.len()
/// ```
#[derive(Debug)]
struct Partial {
    /// The whole message's size by its first header; at most the limit.
    total: usize,
    total_chunks: u32,
    /// The index of the chunk that is due; below `total_chunks`.
    due: u32,
    /// How much of the message has arrived; at most `total`.
    received: usize,
    data: Buffer,
    /// That the buffer is counted.
    lease: Lease,
    /// What the next packet's header will overwrite, while the buffer is lent.
    aside: Option<[u8; ChunkHeader::LEN]>,
}

/// How many times what has arrived may be set apart for what is still to come (W6).
const GROWTH: usize = 16;

impl Assembler {
    pub(super) fn new(limit: usize) -> Self {
        Assembler { limit, account: None, partial: None }
    }

    pub(super) fn charge_to(&mut self, account: Arc<Account>) {
        self.account = Some(account);
    }

    /// Takes a packet; gives the message that it completes. A message of one chunk is a slice of its packet.
    ///
    /// The packet is empty if it was received into the buffer that [`rest`](Self::rest) lent.
    #[inline(always)]
    pub(super) fn push(&mut self, packet: Bytes) -> Result<Option<Bytes>, FrameError> {
        match self.partial {
            None => self.first(packet),
            Some(_) => self.next(&packet),
        }
    }

    #[inline(never)]
    fn next(&mut self, packet: &[u8]) -> Result<Option<Bytes>, FrameError> {
        let Some(mut partial) = self.partial.take() else { return Ok(None) };
        partial.next(packet)?;
        if partial.due < partial.total_chunks {
            self.partial = Some(partial);
            return Ok(None);
        }
        check_sum(partial.total as u64, partial.received as u64)?;
        Ok(Some(partial.lease.around(partial.data.freeze())))
    }

    /// In mid message, the buffer to receive the next packet into, with room for as much as is missing.
    pub(super) fn rest(&mut self) -> Option<&mut Vec<u8>> {
        self.partial.as_mut().and_then(Partial::lend)
    }

    pub(super) fn is_mid_message(&self) -> bool {
        self.partial.is_some()
    }

    /// A message that came in one packet, whose memory is counted from now on.
    #[inline]
    pub(super) fn hold(&self, message: Bytes) -> Result<Option<Bytes>, FrameError> {
        match message.len() {
            0..=SMALL => Ok(Some(message)),
            _ => self.hold_large(message),
        }
    }

    #[cold]
    fn hold_large(&self, message: Bytes) -> Result<Option<Bytes>, FrameError> {
        let mut lease = self.lease();
        // It keeps the buffer that it was received into.
        lease.resize(message.len().max(MAX_PACKET))?;
        Ok(Some(lease.around(message)))
    }

    fn lease(&self) -> Lease {
        self.account.as_ref().map(|account| account.lease(Purpose::Request)).unwrap_or_default()
    }

    #[inline(always)]
    fn first(&mut self, mut packet: Bytes) -> Result<Option<Bytes>, FrameError> {
        let header = ChunkHeader::parse_checked(&packet)?;
        packet.advance(ChunkHeader::LEN);
        if header.chunk_idx != 0 {
            return Err(FrameError::ChunkIndex { expected: 0, found: header.chunk_idx });
        }
        let total = match usize::try_from(header.total_data_size) {
            Ok(total) if total <= self.limit => total,
            _ => return Err(FrameError::OverLimit { total: header.total_data_size, limit: self.limit }),
        };
        if header.total_chunks == 1 {
            check_sum(total as u64, packet.len() as u64)?;
            return self.hold(packet);
        }
        self.begin(total, header.total_chunks, &packet)
    }

    #[inline(never)]
    fn begin(&mut self, total: usize, total_chunks: u32, data: &[u8]) -> Result<Option<Bytes>, FrameError> {
        let mut partial = Partial {
            total,
            total_chunks,
            due: 0,
            received: 0,
            data: Buffer::default(),
            lease: self.lease(),
            aside: None,
        };
        partial.append(data)?;
        self.partial = Some(partial);
        Ok(None)
    }
}

impl Partial {
    /// Takes the packet of the chunk that is due, from the lent buffer or as it is given.
    fn next(&mut self, packet: &[u8]) -> Result<(), FrameError> {
        let Some(aside) = self.aside.take() else {
            self.check_due(&ChunkHeader::parse_checked(packet)?)?;
            return self.append(&packet[ChunkHeader::LEN..]);
        };
        let start = self.received - ChunkHeader::LEN;
        self.check_due(&ChunkHeader::parse_checked(&self.data[start..])?)?;
        self.data[start..self.received].copy_from_slice(&aside);
        self.count(self.data.len() - self.received)
    }

    fn check_due(&self, header: &ChunkHeader) -> Result<(), FrameError> {
        if header.total_chunks != self.total_chunks {
            return Err(FrameError::ChunkCountChanged { first: self.total_chunks, now: header.total_chunks });
        }
        if header.total_data_size != self.total as u64 {
            return Err(FrameError::TotalChanged { first: self.total as u64, now: header.total_data_size });
        }
        if header.chunk_idx != self.due {
            return Err(FrameError::ChunkIndex { expected: self.due, found: header.chunk_idx });
        }
        Ok(())
    }

    fn append(&mut self, data: &[u8]) -> Result<(), FrameError> {
        self.count(data.len())?;
        self.make_room(data.len())?;
        self.data.extend_from_slice(data);
        Ok(())
    }

    /// One more chunk has arrived.
    fn count(&mut self, len: usize) -> Result<(), FrameError> {
        self.received += len;
        self.due += 1;
        if self.received > self.total {
            return Err(FrameError::PastTotal { total: self.total as u64, received: self.received as u64 });
        }
        Ok(())
    }

    fn lend(&mut self) -> Option<&mut Vec<u8>> {
        if self.aside.is_none() {
            // A message may have begun with less than a header's length.
            let aside = *self.data.last_chunk::<{ ChunkHeader::LEN }>()?;
            // Where there is no memory for it, that is told of when the packet is there.
            self.make_room((self.total - self.received).min(ChunkHeader::MAX_DATA)).ok()?;
            self.data.truncate(self.received - ChunkHeader::LEN);
            self.aside = Some(aside);
        }
        Some(self.data.as_mut_vec())
    }

    /// W6: memory follows the data, a fixed multiple of what has arrived, and never past the total.
    fn make_room(&mut self, len: usize) -> Result<(), FrameError> {
        if self.data.room() < len {
            let grown = Buffer::with_capacity(self.total.min((self.data.len() + len) * GROWTH));
            self.lease.resize(grown.capacity())?;
            self.data.move_to(grown);
        }
        Ok(())
    }
}

impl From<OverBudget> for FrameError {
    fn from(OverBudget { wanted, held }: OverBudget) -> Self {
        FrameError::OverBudget { wanted, held }
    }
}

fn check_sum(total: u64, received: u64) -> Result<(), FrameError> {
    match received.cmp(&total) {
        std::cmp::Ordering::Less => Err(FrameError::Incomplete { total, received }),
        std::cmp::Ordering::Equal => Ok(()),
        std::cmp::Ordering::Greater => Err(FrameError::PastTotal { total, received }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 64 << 20;

    fn packet(total: u64, chunk: u64, idx: u32, chunks: u32, data: &[u8]) -> Bytes {
        let header = ChunkHeader {
            total_data_size: total,
            chunk_data_size: chunk,
            chunk_idx: idx,
            total_chunks: chunks,
        };
        [&header.to_bytes()[..], data].concat().into()
    }

    fn push_all(packets: impl IntoIterator<Item = Bytes>) -> Result<Option<Bytes>, FrameError> {
        let mut assembler = Assembler::new(LIMIT);
        packets.into_iter().try_fold(None, |_, packet| assembler.push(packet))
    }

    #[test]
    fn every_refusal_of_w5_is_named() {
        let five = b"01234";
        let cases: [(Vec<Bytes>, FrameError); 12] = [
            (vec![Bytes::from_static(b"short")], FrameError::ShortPacket { len: 5 }),
            (vec![packet(5, 5, 0, 0, five)], FrameError::NoChunks),
            (vec![packet(5, 5, 1, 1, five)], FrameError::ChunkIndex { expected: 0, found: 1 }),
            (
                vec![packet(15, 5, 0, 3, five), packet(15, 5, 2, 3, five)],
                FrameError::ChunkIndex { expected: 1, found: 2 },
            ),
            (
                vec![packet(15, 5, 0, 3, five), packet(15, 5, 1, 4, five)],
                FrameError::ChunkCountChanged { first: 3, now: 4 },
            ),
            (
                vec![packet(15, 5, 0, 3, five), packet(16, 5, 1, 3, five)],
                FrameError::TotalChanged { first: 15, now: 16 },
            ),
            (vec![packet(5, 131_049, 0, 1, five)], FrameError::ChunkTooLong { claimed: 131_049 }),
            (vec![packet(10, 10, 0, 1, five)], FrameError::ChunkSize { claimed: 10, actual: 5 }),
            (vec![packet(4, 5, 0, 1, five)], FrameError::PastTotal { total: 4, received: 5 }),
            (
                vec![packet(8, 5, 0, 2, five), packet(8, 5, 1, 2, five)],
                FrameError::PastTotal { total: 8, received: 10 },
            ),
            (
                vec![packet(11, 5, 0, 2, five), packet(11, 5, 1, 2, five)],
                FrameError::Incomplete { total: 11, received: 10 },
            ),
            (vec![packet(5, 5, 0, 6, five)], FrameError::TooManyChunks { chunks: 6, total: 5 }),
        ];
        for (packets, expected) in cases {
            assert_eq!(push_all(packets), Err(expected));
        }
    }

    #[test]
    fn a_total_over_the_limit_is_refused_on_the_first_packet() {
        // W6, H.
        for total in [LIMIT as u64 + 1, 8 << 30, 1 << 40, u64::MAX] {
            let result = push_all([packet(total, 5, 0, 3, b"01234")]);
            assert_eq!(result, Err(FrameError::OverLimit { total, limit: LIMIT }));
        }
    }

    #[test]
    fn memory_follows_the_data() {
        // W6: 64 MiB announced, 5 bytes sent.
        let mut assembler = Assembler::new(LIMIT);
        assembler.push(packet(LIMIT as u64, 5, 0, 600, b"01234")).unwrap();
        assert!(assembler.partial.unwrap().data.capacity() <= 5 * GROWTH);
    }

    #[test]
    fn a_packet_received_into_the_rest_is_the_same() {
        let chunks: Vec<Vec<u8>> = (0..5u8).map(|idx| vec![idx; 30 + usize::from(idx)]).collect();
        let whole = chunks.concat();
        let mut assembler = Assembler::new(LIMIT);
        let mut message = None;
        for (idx, chunk) in chunks.iter().enumerate() {
            let packet = packet(whole.len() as u64, chunk.len() as u64, idx as u32, 5, chunk);
            // Lent again, as after a cancelled receive, it is the same buffer.
            let _ = assembler.rest();
            message = match assembler.rest() {
                Some(rest) => {
                    assert!(rest.capacity() - rest.len() >= packet.len());
                    rest.extend_from_slice(&packet);
                    assembler.push(Bytes::new()).unwrap()
                }
                None => assembler.push(packet).unwrap(),
            };
        }
        assert_eq!(&message.unwrap()[..], &whole[..]);
    }

    #[test]
    fn small_chunks_are_legal() {
        // W5: both DAOS servers take a message of 11 bytes in three chunks.
        let message = push_all([
            packet(11, 5, 0, 3, b"01234"),
            packet(11, 5, 1, 3, b"56789"),
            packet(11, 1, 2, 3, b"a"),
        ]);
        assert_eq!(message.unwrap().unwrap(), "0123456789a");
    }

    #[test]
    fn the_empty_message_is_real() {
        // W4.
        assert_eq!(push_all([packet(0, 0, 0, 1, b"")]).unwrap().unwrap(), "");
    }
}
