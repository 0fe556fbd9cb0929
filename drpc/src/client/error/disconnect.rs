use std::error::Error;
use std::{fmt, io};

use rustix::io::Errno;

use crate::transport::is_peer_gone;
use crate::wire::{EnvelopeError, FrameError};

/// Why a connection is no more: told to every call that waited on it (C7).
#[derive(Debug)]
pub(crate) enum Disconnect {
    /// This side closed it.
    Closed,
    /// The server closed it.
    ByPeer,
    /// What the server sent is not of this wire.
    Frame(FrameError),
    /// What the server sent is no response.
    Undecodable(EnvelopeError),
    Io(io::Error),
    /// The server sent parts of a stream that nobody asked for, or more of one than there was room for.
    Overrun,
    /// The runtime that the connection lived on is gone.
    Runtime,
}

impl Disconnect {
    /// Whether it may be otherwise on another connection.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Disconnect::Closed | Disconnect::Runtime => false,
            Disconnect::Io(error) => !is_too_small(error),
            _ => true,
        }
    }
}

/// Whether the host's buffers are too small for a packet.
fn is_too_small(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::MSGSIZE)
}

impl fmt::Display for Disconnect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Disconnect::Closed => f.write_str("the connection was closed by this client"),
            Disconnect::ByPeer => f.write_str("the server closed the connection"),
            Disconnect::Frame(error) => write!(f, "the server broke the wire's rules: {error}"),
            Disconnect::Undecodable(error) => {
                write!(f, "the server sent something else than a response: {error}")
            }
            Disconnect::Io(error) if is_too_small(error) => write!(
                f,
                "the connection failed: {error}: this host lets no socket send so long a packet; raise the sysctl net.core.wmem_max"
            ),
            Disconnect::Io(error) => write!(f, "the connection failed: {error}"),
            Disconnect::Overrun => f.write_str(
                "the server sent more of a stream than it was asked for, and the connection was closed",
            ),
            Disconnect::Runtime => f.write_str("the runtime that the connection was made on has stopped"),
        }
    }
}

impl Error for Disconnect {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Disconnect::Frame(error) => Some(error),
            Disconnect::Undecodable(error) => Some(error),
            Disconnect::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl From<FrameError> for Disconnect {
    fn from(error: FrameError) -> Self {
        Disconnect::Frame(error)
    }
}

impl From<EnvelopeError> for Disconnect {
    fn from(error: EnvelopeError) -> Self {
        Disconnect::Undecodable(error)
    }
}

impl From<io::Error> for Disconnect {
    fn from(error: io::Error) -> Self {
        if is_peer_gone(&error) { Disconnect::ByPeer } else { Disconnect::Io(error) }
    }
}
