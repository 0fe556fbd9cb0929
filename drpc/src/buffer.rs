//! Large buffers, used again and again.
//!
//! A large allocation is a fresh mapping to most allocators: the kernel zeroes its pages at first touch and takes them away
//! when it is freed, and for a message of 1 MiB that costs more than the message's own way. So buffers over
//! [`SMALL`] are kept, a few a thread, and handed out as [`Bytes`] that bring them back.

use std::cell::RefCell;

use bytes::Bytes;

/// Up to here a buffer is left to the allocator, in bytes.
pub(crate) const SMALL: usize = 16 << 10;

/// The largest buffer that is kept, in bytes.
const LARGEST: usize = 4 << 20;

/// How many bytes a thread keeps at most.
const KEPT_BYTES: usize = 8 << 20;

thread_local! {
    static KEPT: RefCell<Kept> = const { RefCell::new(Kept { buffers: Vec::new(), bytes: 0 }) };
}

/// The buffers that a thread has for the next who needs one.
struct Kept {
    buffers: Vec<Vec<u8>>,
    /// The sum of their capacities.
    bytes: usize,
}

/// An empty buffer with room for at least `capacity` bytes.
pub(crate) fn take(capacity: usize) -> Vec<u8> {
    if capacity <= SMALL {
        return Vec::with_capacity(capacity);
    }
    KEPT.try_with(|kept| kept.borrow_mut().take(capacity))
        .ok()
        .flatten()
        .unwrap_or_else(|| Vec::with_capacity(capacity))
}

/// Gives a buffer back for others to use.
pub(crate) fn give_back(mut buffer: Vec<u8>) {
    if (SMALL + 1..=LARGEST).contains(&buffer.capacity()) {
        buffer.clear();
        // A thread that is ending keeps nothing.
        let _ = KEPT.try_with(|kept| kept.borrow_mut().keep(buffer));
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

/// The buffer's contents, shared without a copy. A large buffer is given back once nobody holds them any more.
pub(crate) fn freeze(buffer: Vec<u8>) -> Bytes {
    if buffer.capacity() <= SMALL { buffer.into() } else { Bytes::from_owner(Pooled(buffer)) }
}

struct Pooled(Vec<u8>);

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        give_back(std::mem::take(&mut self.0));
    }
}

impl Kept {
    /// The smallest that is large enough, unless it is much too large.
    fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let fits = |buffer: &&Vec<u8>| (capacity..=capacity.saturating_mul(4)).contains(&buffer.capacity());
        let best = self.buffers.iter().filter(fits).map(Vec::capacity).min()?;
        let place = self.buffers.iter().position(|buffer| buffer.capacity() == best)?;
        self.bytes -= best;
        Some(self.buffers.swap_remove(place))
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        if self.bytes + buffer.capacity() <= KEPT_BYTES {
            self.bytes += buffer.capacity();
            self.buffers.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_buffer_comes_back() {
        let mut buffer = take(1 << 20);
        buffer.extend_from_slice(b"contents");
        let place = buffer.as_ptr();
        let bytes = freeze(buffer);
        let slice = bytes.slice(2..);
        drop(bytes);
        assert_eq!(slice, "ntents");
        drop(slice);
        let again = take(1 << 20);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let many: Vec<_> = (0..100).map(|_| freeze(take(1 << 20))).collect();
        drop(many);
        drop(freeze(take(64 << 20)));
        KEPT.with_borrow(|kept| assert!(kept.bytes <= KEPT_BYTES && kept.buffers.len() <= 8));
    }
}
