//! Packets between two ends: `SOCK_SEQPACKET` sockets, and a pair in memory for tests.
//!
//! A [`Socket`] is the one place that makes socket calls. [`Link`] is what a session and an async client hold: one end,
//! of either kind, that can be waited on. Nothing here knows what is in a packet.

mod address;
mod buffer;
mod fork;
mod link;
mod memory;
mod namespace;
mod options;
mod peer;
#[cfg_attr(not(any(feature = "server", feature = "client")), path = "no_readiness.rs")]
mod readiness;
mod remote;
mod seqpacket;
mod spin;
mod stepped;

pub use address::Address;
pub(crate) use address::{abstract_name, name_len};
pub(crate) use buffer::{SHORT_PACKET, keeps_buffers, release_buffers};
pub(crate) use fork::generation;
pub(crate) use link::Link;
pub(crate) use memory::{Connector, MemoryEnd};
pub(crate) use namespace::look_at_namespace;
pub use peer::PeerCredentials;
pub(crate) use readiness::AsyncSocket;
pub use remote::RemotePeer;
pub(crate) use seqpacket::{MAX_PATH, Mode, OverLong, Ready, Socket};
pub(crate) use spin::Spin;
pub(crate) use stepped::{Sockets, SteppedSocket};

/// Whether a send failed because nobody is at the other end any more (S6).
pub(crate) fn is_peer_gone(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::BrokenPipe | std::io::ErrorKind::ConnectionReset)
}
