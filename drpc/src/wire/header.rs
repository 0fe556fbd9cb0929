use super::error::FrameError;

/// The header before the data of every packet on the chunked wire ([W2](crate::guide::rules#wire)).
///
/// ```text
///  0               8               16      20      24
///  +---------------+---------------+-------+-------+------- - -
///  | total data    | chunk data    | chunk | total | the chunk's
///  | size, u64     | size, u64     | index | chunks| data
///  +---------------+---------------+-------+-------+------- - -
/// ```
///
/// The numbers are in the machine's own byte order, little-endian wherever DAOS runs.
///
/// # Example
///
/// ```
/// use drpc::wire::ChunkHeader;
///
/// let header = ChunkHeader { total_data_size: 11, chunk_data_size: 11, chunk_idx: 0, total_chunks: 1 };
/// assert_eq!(ChunkHeader::parse(&header.to_bytes())?, header);
/// # Ok::<(), drpc::wire::FrameError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// The bytes of the whole message, headers not counted.
    pub total_data_size: u64,
    /// The bytes that follow this header in its packet; at most [`MAX_DATA`](Self::MAX_DATA).
    pub chunk_data_size: u64,
    /// The chunk's place in its message, from 0.
    pub chunk_idx: u32,
    /// How many chunks the message has; never 0.
    pub total_chunks: u32,
}

impl ChunkHeader {
    /// The header's length in bytes.
    pub const LEN: usize = 24;

    /// The most data that one packet holds, in bytes ([W2](crate::guide::rules#wire)).
    pub const MAX_DATA: usize = super::MAX_PACKET - Self::LEN;

    /// Reads the header at the start of a packet. What the numbers mean is not judged here.
    ///
    /// # Errors
    ///
    /// [`FrameError::ShortPacket`] if the packet has fewer than [`LEN`](Self::LEN) bytes.
    pub fn parse(packet: &[u8]) -> Result<ChunkHeader, FrameError> {
        let Some(header) = packet.first_chunk::<{ Self::LEN }>() else {
            return Err(FrameError::ShortPacket { len: packet.len() });
        };
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t, u, v, w, x] = *header;
        Ok(ChunkHeader {
            total_data_size: u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
            chunk_data_size: u64::from_ne_bytes([i, j, k, l, m, n, o, p]),
            chunk_idx: u32::from_ne_bytes([q, r, s, t]),
            total_chunks: u32::from_ne_bytes([u, v, w, x]),
        })
    }

    /// The header as it travels.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        bytes[0..8].copy_from_slice(&self.total_data_size.to_ne_bytes());
        bytes[8..16].copy_from_slice(&self.chunk_data_size.to_ne_bytes());
        bytes[16..20].copy_from_slice(&self.chunk_idx.to_ne_bytes());
        bytes[20..24].copy_from_slice(&self.total_chunks.to_ne_bytes());
        bytes
    }

    /// Reads a packet's header and checks all that can be checked without the packets before it (W5).
    pub(super) fn parse_checked(packet: &[u8]) -> Result<ChunkHeader, FrameError> {
        let header = Self::parse(packet)?;
        let data_len = (packet.len() - Self::LEN) as u64;
        if header.total_chunks == 0 {
            return Err(FrameError::NoChunks);
        }
        if header.chunk_data_size > Self::MAX_DATA as u64 {
            return Err(FrameError::ChunkTooLong { claimed: header.chunk_data_size });
        }
        if header.chunk_data_size != data_len {
            return Err(FrameError::ChunkSize { claimed: header.chunk_data_size, actual: data_len });
        }
        if u64::from(header.total_chunks) > header.total_data_size.max(1) {
            return Err(FrameError::TooManyChunks {
                chunks: header.total_chunks,
                total: header.total_data_size,
            });
        }
        Ok(header)
    }
}
