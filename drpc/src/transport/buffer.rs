//! One receive buffer a thread, so that an idle connection holds none.
//!
//! The buffer is never zeroed. A short packet is copied out of it; a long one takes the buffer along, and the thread gets
//! another.

use std::cell::RefCell;

use bytes::Bytes;

use crate::buffer::{SMALL, freeze, take};
use crate::wire::MAX_PACKET;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends the thread's buffer, empty and of room for one packet, to `receive`, and returns what that left in it.
pub(super) fn with_buffer<E>(receive: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Bytes, E> {
    BUFFER.with_borrow_mut(|buffer| {
        buffer.clear();
        if buffer.capacity() < MAX_PACKET {
            *buffer = take(MAX_PACKET);
        }
        receive(buffer)?;
        Ok(match buffer.len() {
            0 => Bytes::new(),
            1..=SMALL => Bytes::copy_from_slice(buffer),
            _ => freeze(std::mem::take(buffer)),
        })
    })
}
