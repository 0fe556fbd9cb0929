//! The protocol without sockets: envelope, framing, and the framing state of one connection.
//!
//! This is the sans-IO core: it turns packets into messages, and messages into packets. It knows no socket, clock or runtime, and never
//! allocates on a peer's word.
//!
//! DAOS has two generations of the wire format ([`Wire`]); both carry the same envelope ([`Call`], [`Response`]):
//!
//! ```text
//! plain   (DAOS 2.6 and earlier)   one packet:    [ envelope ]
//! chunked (DAOS 2.8 and later)     each packet:   [ header, 24 bytes | a slice of the envelope ]
//! ```
//!
//! # Example
//!
//! A call becomes packets, and the packets become the same call:
//!
//! ```
//! use drpc::wire::{Call, Codec, Wire};
//!
//! let call = Call { module: 5, method: 501, sequence: 1, body: "World".into(), added: None };
//! let mut codec = Codec::new(Wire::Chunked, 1 << 20);
//! let mut received = None;
//! for packet in codec.packets(&call.head(), &call.body)? {
//!     received = codec.receive(packet.to_vec().into())?;
//! }
//! assert_eq!(Call::decode(received.unwrap())?, call);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod added;
mod assemble;
mod body;
mod cause;
mod chunk;
mod codec;
mod envelope;
mod error;
mod generation;
mod header;
mod items;
mod pack;
mod proto;
mod recognise;
mod status;
mod stream;
mod trace_context;

pub(crate) use added::beginning;
pub use added::{CallFields, ResponseFields};
pub use body::{Body, Segments};
pub use cause::FailureCause;
pub use chunk::{Packet, Packets, Slices};
pub use codec::Codec;
pub(crate) use envelope::UNREADABLE_CALL;
pub use envelope::{Call, Envelope, Head, Response};
pub use error::{EnvelopeError, FrameError, MessageTooLong};
pub use generation::{ParseWireModeError, Wire, WireMode};
pub use header::ChunkHeader;
pub(crate) use items::Gathered;
pub use items::Items;
pub(crate) use pack::Pack;
pub(crate) use recognise::is_first_chunk;
pub use status::Status;
pub use stream::{Control, Credit, Part};
pub use trace_context::{InvalidTraceContext, TraceContext};

pub use crate::descriptors::Descriptors;

/// The longest packet of the chunked wire, in bytes ([W1](crate::guide::rules#wire)).
pub const MAX_PACKET: usize = 1 << 17;

/// The longest message of the plain wire, which is one packet, in bytes. What can be sent depends on the sender's socket, and may be
/// less ([W7](crate::guide::rules#wire)).
pub const MAX_PLAIN_MESSAGE: usize = 1 << 20;

/// The longest message that a receiver takes unless told otherwise: 64 MiB ([W6](crate::guide::rules#wire)).
pub const DEFAULT_MESSAGE_LIMIT: usize = 64 << 20;
