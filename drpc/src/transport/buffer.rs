//! One receive buffer a thread, so that an idle connection holds none.
//!
//! The buffer is never zeroed. A short packet is copied out of it; a long one takes the buffer along, and the thread gets a
//! new one.

use std::cell::RefCell;

use bytes::Bytes;

use crate::wire::MAX_PACKET;

/// Up to here a packet is copied out of the thread's buffer, in bytes.
const COPY_LIMIT: usize = 16 << 10;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the thread's buffer, empty and of room for one packet, to `receive`, and returns what that left in it.
pub(super) fn with_buffer<E>(receive: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Bytes, E> {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        buffer.reserve_exact(MAX_PACKET);
        receive(buffer)?;
        Ok(if buffer.len() <= COPY_LIMIT {
            Bytes::copy_from_slice(buffer)
        } else {
            Bytes::from(std::mem::take(buffer))
        })
    })
}
