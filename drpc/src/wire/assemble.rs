//! Framing in: the chunks of one message, put together.

use bytes::{Buf, Bytes};

use super::{ChunkHeader, FrameError};

/// Puts chunked messages together, one after the other (W5, W6).
#[derive(Debug)]
pub(super) struct Assembler {
    /// The longest message that is taken, in bytes.
    limit: usize,
    /// The message of which some chunks have come, but not all.
    partial: Option<Partial>,
}

/// A message in the making.
///
/// ```text
/// data: [ chunk 0 | chunk 1 | … ]     <- grows with what has arrived, never past `total`
///       0                   data.len()              total
/// ```
#[derive(Debug)]
struct Partial {
    /// The whole message's size by its first header; at most the limit.
    total: u64,
    total_chunks: u32,
    /// The index of the chunk that is due; below `total_chunks`.
    due: u32,
    data: Vec<u8>,
}

impl Assembler {
    pub(super) fn new(limit: usize) -> Self {
        Assembler { limit, partial: None }
    }

    /// Takes a packet and its header, checked; gives the message that the packet completes. A message of one chunk is a
    /// slice of its packet.
    pub(super) fn push(
        &mut self,
        header: ChunkHeader,
        mut packet: Bytes,
    ) -> Result<Option<Bytes>, FrameError> {
        packet.advance(ChunkHeader::LEN);
        match self.partial.take() {
            None => self.first(&header, packet),
            Some(partial) => self.next(partial, &header, &packet),
        }
    }

    pub(super) fn is_mid_message(&self) -> bool {
        self.partial.is_some()
    }

    fn first(&mut self, header: &ChunkHeader, data: Bytes) -> Result<Option<Bytes>, FrameError> {
        if header.chunk_idx != 0 {
            return Err(FrameError::ChunkIndex { expected: 0, found: header.chunk_idx });
        }
        let total = header.total_data_size;
        if total > self.limit as u64 {
            return Err(FrameError::OverLimit { total, limit: self.limit });
        }
        if header.total_chunks == 1 {
            check_sum(total, data.len() as u64)?;
            return Ok(Some(data));
        }
        let mut partial = Partial { total, total_chunks: header.total_chunks, due: 0, data: Vec::new() };
        partial.append(&data)?;
        self.partial = Some(partial);
        Ok(None)
    }

    fn next(
        &mut self,
        mut partial: Partial,
        header: &ChunkHeader,
        data: &[u8],
    ) -> Result<Option<Bytes>, FrameError> {
        if header.total_chunks != partial.total_chunks {
            return Err(FrameError::ChunkCountChanged {
                first: partial.total_chunks,
                now: header.total_chunks,
            });
        }
        if header.total_data_size != partial.total {
            return Err(FrameError::TotalChanged { first: partial.total, now: header.total_data_size });
        }
        if header.chunk_idx != partial.due {
            return Err(FrameError::ChunkIndex { expected: partial.due, found: header.chunk_idx });
        }
        partial.append(data)?;
        if partial.due < partial.total_chunks {
            self.partial = Some(partial);
            return Ok(None);
        }
        check_sum(partial.total, partial.data.len() as u64)?;
        Ok(Some(partial.data.into()))
    }
}

impl Partial {
    fn append(&mut self, data: &[u8]) -> Result<(), FrameError> {
        let received = (self.data.len() + data.len()) as u64;
        if received > self.total {
            return Err(FrameError::PastTotal { total: self.total, received });
        }
        // W6: memory follows the data. It at most doubles what has arrived, and stops at the total.
        let missing = (self.total - self.data.len() as u64) as usize;
        if self.data.capacity() - self.data.len() < data.len() {
            self.data.reserve_exact(missing.min(data.len().max(self.data.len())));
        }
        self.data.extend_from_slice(data);
        self.due += 1;
        Ok(())
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
        packets
            .into_iter()
            .try_fold(None, |_, packet| assembler.push(ChunkHeader::parse_checked(&packet)?, packet))
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
        let packet = packet(LIMIT as u64, 5, 0, 600, b"01234");
        assembler.push(ChunkHeader::parse(&packet).unwrap(), packet).unwrap();
        assert!(assembler.partial.unwrap().data.capacity() < 64);
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
