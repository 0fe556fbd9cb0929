//! The items that a caller sends: how far they may go, and who waits for that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

use crate::flow::Room;
use crate::wire::{Credit, Gathered};

/// A stream's way out, which who sends and who receives on the same call both hold. Its waker wakes both.
#[derive(Debug, Default)]
pub(super) struct Outgo {
    room: Mutex<Room>,
    /// The server takes several items in one message.
    takes_many: AtomicBool,
    /// Nothing more is taken.
    ended: AtomicBool,
    sender: AtomicWaker,
    receiver: AtomicWaker,
}

impl Outgo {
    /// The server has opened the stream.
    pub(super) fn open(&self, takes_many: bool) {
        self.takes_many.store(takes_many, Ordering::Relaxed);
    }

    pub(super) fn takes_many(&self) -> bool {
        self.takes_many.load(Ordering::Relaxed)
    }

    pub(super) fn add(&self, credit: Credit) {
        self.room().add(credit);
    }

    /// Nothing more is taken.
    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Waits until there is room for an item; false if nothing more is taken.
    pub(super) fn poll_room(&self, context: &Context<'_>) -> Poll<bool> {
        // First of all: whoever adds room from now on knows whom to wake.
        self.sender.register(context.waker());
        match self.has_ended() {
            true => Poll::Ready(false),
            false if self.room().is_open() => Poll::Ready(true),
            false => Poll::Pending,
        }
    }

    /// Waits until nothing more is taken.
    pub(super) fn poll_end(&self, context: &Context<'_>) -> Poll<()> {
        self.sender.register(context.waker());
        if self.has_ended() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Whether there is room for an item behind these.
    pub(super) fn is_open_behind(&self, gathered: &Gathered) -> bool {
        self.room().is_open_behind(gathered.len(), gathered.bytes())
    }

    /// So many items, of so many bytes, are sent.
    pub(super) fn take(&self, items: usize, bytes: usize) {
        self.room().take_all(items, bytes);
    }

    pub(super) fn receiver_waits(&self, context: &Context<'_>) {
        self.receiver.register(context.waker());
    }

    /// Wakes both. Not to be called while anything is locked.
    pub(super) fn waker(self: &Arc<Self>) -> Waker {
        self.clone().into()
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Outgo {
    fn wake(self: Arc<Self>) {
        self.sender.wake();
        self.receiver.wake();
    }
}
