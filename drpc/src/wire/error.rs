use std::fmt;

use super::generation::Wire;
use super::header::ChunkHeader;
use crate::budget::OverBudget;

/// A packet that breaks the rules of the wire ([W5](crate::guide::rules#wire), [W6](crate::guide::rules#wire)). It ends the connection: nothing that the peer
/// sends after it can be trusted to begin where it should.
///
/// ```
/// use drpc::wire::{Codec, FrameError, Wire};
///
/// let mut codec = Codec::new(Wire::Chunked, 1 << 20);
/// assert_eq!(codec.receive("too short".into()), Err(FrameError::ShortPacket { len: 9 }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameError {
    /// The packet has no room for a header.
    ShortPacket {
        /// The packet's bytes.
        len: usize,
    },
    /// The packet is longer than any chunk, or than the rest of its message.
    LongPacket {
        /// The packet's bytes.
        len: usize,
    },
    /// The header says that the message has no chunk.
    NoChunks,
    /// A chunk is missing, or came twice.
    ChunkIndex {
        /// The index that was due.
        expected: u32,
        /// The index that came.
        found: u32,
    },
    /// The number of chunks changed in mid message.
    ChunkCountChanged {
        /// What the message's first header said.
        first: u32,
        /// What this header says.
        now: u32,
    },
    /// The message's size changed in mid message.
    TotalChanged {
        /// What the message's first header said.
        first: u64,
        /// What this header says.
        now: u64,
    },
    /// The header claims more data than a packet can hold.
    ChunkTooLong {
        /// What the header claims, in bytes.
        claimed: u64,
    },
    /// The header claims another size than that of the data behind it.
    ChunkSize {
        /// What the header claims, in bytes.
        claimed: u64,
        /// The bytes that follow the header.
        actual: u64,
    },
    /// The chunks hold more data than the message was to have.
    PastTotal {
        /// The message's size by its headers.
        total: u64,
        /// The bytes that came.
        received: u64,
    },
    /// The last chunk is there, and data is missing.
    Incomplete {
        /// The message's size by its headers.
        total: u64,
        /// The bytes that came.
        received: u64,
    },
    /// The message is to have more chunks than bytes.
    TooManyChunks {
        /// The number of chunks that the header claims.
        chunks: u32,
        /// The message's size that the header claims, in bytes.
        total: u64,
    },
    /// The message is longer than this receiver takes.
    OverLimit {
        /// The message's size by its header.
        total: u64,
        /// The receiver's limit, in bytes.
        limit: usize,
    },
    /// The receiver has no memory left for the message: it holds as much for the peer's user as it may.
    OverBudget {
        /// How many bytes more were needed.
        wanted: usize,
        /// How many are held for the user's calls.
        held: usize,
    },
    /// The peer speaks the other generation of the wire ([W8](crate::guide::rules#wire)).
    OtherWire {
        /// What the peer speaks.
        peer: Wire,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::ShortPacket { len } => {
                write!(
                    f,
                    "packet of {len} bytes is too short for a chunk header of {} bytes",
                    ChunkHeader::LEN
                )
            }
            FrameError::LongPacket { len } => {
                write!(f, "packet of {len} bytes is longer than a chunk, or than the rest of its message")
            }
            FrameError::NoChunks => {
                f.write_str("chunk header says total_chunks = 0; a message has at least one")
            }
            FrameError::ChunkIndex { expected, found } => {
                write!(f, "chunk {found} came where chunk {expected} was due: a chunk was lost or came twice")
            }
            FrameError::ChunkCountChanged { first, now } => {
                write!(f, "total_chunks changed in mid message, from {first} to {now}")
            }
            FrameError::TotalChanged { first, now } => {
                write!(f, "total_data_size changed in mid message, from {first} to {now}")
            }
            FrameError::ChunkTooLong { claimed } => write!(
                f,
                "chunk_data_size of {claimed} bytes is over the {} bytes that a packet holds",
                ChunkHeader::MAX_DATA
            ),
            FrameError::ChunkSize { claimed, actual } => {
                write!(f, "chunk_data_size says {claimed} bytes, and {actual} follow the header")
            }
            FrameError::PastTotal { total, received } => {
                write!(f, "{received} bytes of data came for a message of {total}")
            }
            FrameError::Incomplete { total, received } => {
                write!(f, "the last chunk is there, and only {received} of {total} bytes came")
            }
            FrameError::TooManyChunks { chunks, total } => {
                write!(f, "total_chunks of {chunks} is more than the message's {total} bytes can fill")
            }
            FrameError::OverLimit { total, limit } => {
                write!(f, "message of {total} bytes is over the receiver's limit of {limit} bytes")
            }
            FrameError::OverBudget { wanted, held } => OverBudget { wanted: *wanted, held: *held }.fmt(f),
            FrameError::OtherWire { peer } => {
                write!(
                    f,
                    "peer speaks {peer}, and this end was set to the other wire; set it with `.wire(…)`, or to WireMode::Auto"
                )
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// A message that can't be sent because it does not fit its wire format, or is over the sender's limit ([W7](crate::guide::rules#wire)). The connection
/// survives.
///
/// ```
/// use drpc::wire::{Codec, Wire};
///
/// let codec = Codec::new(Wire::Chunked, 10);
/// let error = codec.packets(b"head", b"and a body").unwrap_err();
/// assert_eq!(error.to_string(), "message of 14 bytes is over the limit of 10 bytes");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageTooLong {
    pub(super) len: usize,
    pub(super) limit: usize,
    /// The limit is that of the plain wire's one packet, or of what the socket takes as one.
    pub(super) for_packet: bool,
}

impl MessageTooLong {
    pub(crate) fn new(len: usize, limit: usize) -> Self {
        MessageTooLong { len, limit, for_packet: false }
    }
}

impl fmt::Display for MessageTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MessageTooLong { len, limit, for_packet } = self;
        if *for_packet {
            write!(
                f,
                "message of {len} bytes does not fit the plain wire's one packet, which has {limit} bytes at most on this host"
            )
        } else {
            write!(f, "message of {len} bytes is over the limit of {limit} bytes")
        }
    }
}

impl std::error::Error for MessageTooLong {}

/// Bytes that are not a `Call`, or not a `Response`.
///
/// ```
/// use drpc::wire::Call;
///
/// let error = Call::decode("\u{7f}".into()).unwrap_err();
/// assert_eq!(error.to_string(), "not a dRPC call");
/// ```
#[derive(Clone, Debug)]
pub struct EnvelopeError {
    what: &'static str,
    source: prost::DecodeError,
}

impl EnvelopeError {
    pub(super) fn new(what: &'static str, source: prost::DecodeError) -> Self {
        EnvelopeError { what, source }
    }
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a dRPC {}", self.what)
    }
}

impl std::error::Error for EnvelopeError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
