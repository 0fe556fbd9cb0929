//! Large buffers, used again and again.
//!
//! A large allocation is a fresh mapping to most allocators: the kernel zeroes its pages at first touch and takes them away
//! when it is freed, and for a message of 1 MiB that costs more than the message's own way. So buffers over
//! [`SMALL`] are kept, a few a thread, and handed out as [`Bytes`] that bring them back.
//!
//! Where in a page a large buffer begins matters as much. AMD's processors copy (`rep movsb`, which the kernel and glibc use)
//! seven times slower where the destination lies less than 32 bytes further into its page than the source. The kernel's
//! buffers begin with a page, and a block that malloc maps 16 bytes into one: the worst case. So large buffers begin in the
//! middle of a page, far from both: to receive 128 KiB then takes 8 µs in place of 65 (EPYC, Linux 6.18).

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::{Buf, Bytes};

/// Up to here a buffer is left to the allocator, in bytes.
pub(crate) const SMALL: usize = 16 << 10;

/// The largest buffer that is kept, in bytes.
const LARGEST: usize = 4 << 20;

/// How many bytes a thread keeps at most.
const KEPT_BYTES: usize = 8 << 20;

/// How many bytes all threads keep at most: there may be a thread for each session.
const KEPT_BY_ALL: usize = 64 << 20;

/// The sum of what the threads keep.
static KEPT_IN_ALL: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept { buffers: Vec::new(), bytes: 0 }) };
}

/// How far into its page a large buffer begins, in bytes. Each chunk of a message lies 24 bytes less far into it than the one
/// before, so that the slow distance is met once in 11 MiB.
const START: usize = PAGE / 2;

const PAGE: usize = 4 << 10;

/// Bytes that are appended to, as to a `Vec`; large ones lie where they are copied fast.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    /// Before `start` lies nothing.
    bytes: Vec<u8>,
    start: usize,
}

/// The buffers that a thread has for the next who needs one.
struct Kept {
    buffers: Vec<Buffer>,
    /// The sum of their capacities.
    bytes: usize,
}

impl Buffer {
    pub(crate) const fn new() -> Buffer {
        Buffer { bytes: Vec::new(), start: 0 }
    }

    /// An empty buffer with room for at least `capacity` bytes: one that was given back, or a new one.
    pub(crate) fn with_capacity(capacity: usize) -> Buffer {
        if capacity <= SMALL {
            return Buffer { bytes: Vec::with_capacity(capacity), start: 0 };
        }
        let kept = KEPT.try_with(|kept| kept.borrow_mut().take(capacity));
        kept.ok().flatten().unwrap_or_else(|| Buffer::placed(capacity))
    }

    fn placed(capacity: usize) -> Buffer {
        let mut bytes: Vec<u8> = Vec::with_capacity(capacity.saturating_add(PAGE));
        let start = START.wrapping_sub(bytes.as_ptr().addr()) % PAGE;
        bytes.resize(start, 0);
        Buffer { bytes, start }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity() - self.start
    }

    /// How many bytes may be appended before it is full.
    pub(crate) fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    pub(crate) fn clear(&mut self) {
        self.truncate(0);
    }

    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.start + len);
    }

    pub(crate) fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Moves what is there to a buffer of this capacity.
    pub(crate) fn grow(&mut self, capacity: usize) {
        self.move_to(Buffer::with_capacity(capacity));
    }

    /// Moves what is there to an empty buffer, which takes its place.
    pub(crate) fn move_to(&mut self, mut other: Buffer) {
        other.extend_from_slice(self);
        std::mem::replace(self, other).give_back();
    }

    /// The vector to append to. Before what is there already, it may have bytes that are nobody's.
    pub(crate) fn as_mut_vec(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The contents, shared without a copy. A large buffer is given back once nobody holds them any more.
    pub(crate) fn freeze(self) -> Bytes {
        if self.is_placed() {
            return Bytes::from_owner(Pooled(self));
        }
        let mut bytes = Bytes::from(self.bytes);
        bytes.advance(self.start);
        bytes
    }

    /// Whether it is a large one that lies as it should: a vector that has grown by itself may not.
    fn is_placed(&self) -> bool {
        self.capacity() > SMALL && self.as_ptr().addr() % PAGE == START
    }

    /// Gives the buffer back for others to use.
    pub(crate) fn give_back(mut self) {
        if self.is_placed() && self.capacity() <= LARGEST {
            self.clear();
            // A thread that is ending keeps nothing.
            let _ = KEPT.try_with(|kept| kept.borrow_mut().keep(self));
        }
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.start..]
    }
}

/// Whether this thread keeps buffers that nobody uses.
pub(crate) fn is_keeping() -> bool {
    KEPT.with_borrow(|kept| !kept.buffers.is_empty())
}

/// Gives the buffers that this thread keeps back to the allocator.
pub(crate) fn release() {
    KEPT.with_borrow_mut(|kept| *kept = Kept { buffers: Vec::new(), bytes: 0 });
}

struct Pooled(Buffer);

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        std::mem::take(&mut self.0).give_back();
    }
}

impl Kept {
    /// The smallest that is large enough, unless it is much too large.
    fn take(&mut self, capacity: usize) -> Option<Buffer> {
        let fits = |buffer: &&Buffer| (capacity..=capacity.saturating_mul(4)).contains(&buffer.capacity());
        let best = self.buffers.iter().filter(fits).map(Buffer::capacity).min()?;
        let place = self.buffers.iter().position(|buffer| buffer.capacity() == best)?;
        self.bytes -= best;
        KEPT_IN_ALL.fetch_sub(best, Ordering::Relaxed);
        Some(self.buffers.swap_remove(place))
    }

    fn keep(&mut self, buffer: Buffer) {
        let bytes = buffer.capacity();
        if self.bytes + bytes > KEPT_BYTES {
            return;
        }
        if KEPT_IN_ALL.fetch_add(bytes, Ordering::Relaxed) + bytes > KEPT_BY_ALL {
            KEPT_IN_ALL.fetch_sub(bytes, Ordering::Relaxed);
            return;
        }
        self.bytes += bytes;
        self.buffers.push(buffer);
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        KEPT_IN_ALL.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_comes_back() {
        let mut buffer = Buffer::with_capacity(1 << 20);
        buffer.extend_from_slice(b"contents");
        let place = buffer.as_ptr();
        let bytes = buffer.freeze();
        let slice = bytes.slice(2..);
        drop(bytes);
        assert_eq!(slice, "ntents");
        drop(slice);
        let again = Buffer::with_capacity(1 << 20);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn a_large_buffer_begins_in_the_middle_of_a_page() {
        for capacity in [SMALL + 1, 128 << 10, 1 << 20, 5 << 20] {
            let mut buffer = Buffer::with_capacity(capacity);
            assert_eq!((buffer.as_ptr().addr() % PAGE, buffer.len()), (START, 0));
            assert!(buffer.room() >= capacity);
            buffer.extend_from_slice(b"contents");
            buffer.grow(2 * capacity);
            assert_eq!((buffer.as_ptr().addr() % PAGE, &buffer[..]), (START, &b"contents"[..]));
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many: Vec<_> = (0..100).map(|_| Buffer::with_capacity(1 << 20).freeze()).collect();
        drop(many);
        drop(Buffer::with_capacity(64 << 20).freeze());
        KEPT.with_borrow(|kept| assert!(kept.bytes <= KEPT_BYTES && kept.buffers.len() <= 8));
    }
}
