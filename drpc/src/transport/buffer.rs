//! One receive buffer a thread, so that an idle connection holds none.
//!
//! The buffer is never zeroed. A short packet is copied out of it; a long one takes the buffer along, and the thread gets
//! another.

use std::cell::{Cell, RefCell};

use bytes::Bytes;

use crate::buffer::{Buffer, SMALL, is_keeping, release};
use crate::wire::MAX_PACKET;

thread_local! {
    static BUFFER: RefCell<Buffer> = const { RefCell::new(Buffer::new()) };
    /// A long packet has been received, so that the buffer may have been used before for more than short ones.
    static WAS_LONG: Cell<bool> = const { Cell::new(false) };
}

/// Lends a buffer, empty and of room for a packet of the longest kind that may come, to `receive`, and returns what that left in it. It is
/// the thread's, unless the packet may be longer than a chunk.
pub(super) fn with_buffer<E>(
    longest: usize,
    receive: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<Bytes, E> {
    if longest > MAX_PACKET {
        let mut buffer = Vec::with_capacity(longest);
        receive(&mut buffer)?;
        return Ok(short(&buffer).unwrap_or_else(|| {
            let mut packet = Buffer::with_capacity(buffer.len());
            packet.extend_from_slice(&buffer);
            WAS_LONG.set(true);
            packet.freeze()
        }));
    }
    BUFFER.with_borrow_mut(|buffer| {
        receive(emptied(buffer).as_mut_vec())?;
        Ok(short(buffer).unwrap_or_else(|| {
            WAS_LONG.set(true);
            std::mem::take(buffer).freeze()
        }))
    })
}

/// A buffer with room for a packet.
#[inline]
fn emptied(buffer: &mut Buffer) -> &mut Buffer {
    buffer.clear();
    if buffer.room() < MAX_PACKET {
        *buffer = Buffer::with_capacity(MAX_PACKET);
    }
    buffer
}

/// Lends the thread's buffer, empty, to `send` from.
pub(super) fn with_room<R>(send: impl FnOnce(&mut Buffer) -> R) -> R {
    BUFFER.with_borrow_mut(|buffer| send(emptied(buffer)))
}

/// Up to how many bytes a packet lies in one of two sizes of allocations.
pub(crate) const SHORT_PACKET: usize = 512;

/// A copy of a packet that is short.
#[inline(always)]
fn short(packet: &[u8]) -> Option<Bytes> {
    Some(match packet.len() {
        0 => Bytes::new(),
        1..=128 => Short::<128>::of(packet),
        129..=SHORT_PACKET => Short::<SHORT_PACKET>::of(packet),
        513..=SMALL => Bytes::copy_from_slice(packet),
        _ => return None,
    })
}

/// Whether this thread has memory for large packets and messages that none is in now.
pub(crate) fn keeps_buffers() -> bool {
    WAS_LONG.get() || is_keeping()
}

/// Gives the thread's buffer, and all that it keeps, back to the allocator, until it receives again.
pub(crate) fn release_buffers() {
    BUFFER.take();
    WAS_LONG.set(false);
    release();
}

/// A short packet in one allocation with its count of references. (`Bytes::copy_from_slice` makes a second one when it is first
/// sliced, which is what becomes of every packet.)
struct Short<const N: usize> {
    len: usize,
    bytes: [u8; N],
}

impl<const N: usize> Short<N> {
    /// A packet of at most `N` bytes.
    fn of(packet: &[u8]) -> Bytes {
        let mut bytes = [0; N];
        bytes[..packet.len()].copy_from_slice(packet);
        Bytes::from_owner(Short { len: packet.len(), bytes })
    }
}

impl<const N: usize> AsRef<[u8]> for Short<N> {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
