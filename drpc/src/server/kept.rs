//! Calls that were read before there was room for them, since their client may say something of those that run: it may stand behind them.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::buffer::SMALL;
use crate::descriptors::Arrived;

/// How many bytes of such calls a session reads, and some more.
const READ_AHEAD: usize = 64 << 10;

/// How many bytes a session reads of what a client has left behind in the socket, whose descriptor can then be given back; and some more.
#[cfg(any(feature = "server", feature = "progress"))]
const REST: usize = 1 << 20;

/// What a call takes up beside its message, in bytes.
const BESIDE: usize = 128;

/// A call that was read, and what came with it.
pub(super) struct Kept {
    pub(super) message: Bytes,
    pub(super) arrived: Option<Box<Arrived>>,
}

/// The calls of a session that were read before there was room for them, in the order of their coming.
#[derive(Default)]
pub(super) struct KeptCalls {
    calls: VecDeque<Kept>,
    bytes: usize,
}

impl KeptCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether no more are to be read.
    pub(super) fn is_full(&self) -> bool {
        self.bytes >= READ_AHEAD
    }

    /// As [`is_full`](Self::is_full), of a client that has left.
    #[cfg(any(feature = "server", feature = "progress"))]
    pub(super) fn is_full_of_rest(&self) -> bool {
        self.bytes >= REST
    }

    pub(super) fn put(&mut self, Kept { mut message, arrived }: Kept) {
        if message.len() <= SMALL {
            // It may be a part of a pack, which it would keep.
            message = Bytes::copy_from_slice(&message);
        }
        self.bytes += message.len() + BESIDE;
        self.calls.push_back(Kept { message, arrived });
    }

    pub(super) fn take(&mut self) -> Option<Kept> {
        let kept = self.calls.pop_front()?;
        self.bytes -= kept.message.len() + BESIDE;
        Some(kept)
    }
}
