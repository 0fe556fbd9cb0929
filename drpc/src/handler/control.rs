//! What a client says of its calls while they run: that it gives one up, and how much of a stream it has room for.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Context;

use bytes::Bytes;
use futures_util::task::AtomicWaker;

use crate::handler::cancellation::{Cancellation, Cancelled};
use crate::handler::failure::Failure;
use crate::wire::{Call, Control, Credit};

/// The calls of a session whose client says such things. Another session has none, and pays nothing.
pub(crate) struct Controls {
    /// By sequence; those that live.
    calls: Mutex<HashMap<i64, Weak<CallControl>>>,
    /// How many streams are open, and may be.
    open: AtomicUsize,
    limit: usize,
    /// Nothing more is heard of the client, so that no stream gets room any more.
    closed: AtomicBool,
    /// The session has something to send before its streams may go on.
    held: AtomicBool,
}

impl Controls {
    pub(crate) fn new(streams: usize) -> Self {
        Controls {
            calls: Mutex::default(),
            open: AtomicUsize::new(0),
            limit: streams,
            closed: AtomicBool::new(false),
            held: AtomicBool::new(false),
        }
    }

    /// A call that is about to begin, whose caller has so much room for a stream, if it asks for one.
    pub(crate) fn begin(self: &Arc<Self>, sequence: i64, credit: Option<Credit>) -> Arc<CallControl> {
        let call = Arc::new(CallControl {
            controls: self.clone(),
            sequence,
            cancellation: Cancellation::default(),
            room: Mutex::new(Room::default()),
            stream: AtomicWaker::new(),
        });
        call.add(credit.unwrap_or_default());
        self.calls().insert(sequence, Arc::downgrade(&call));
        call
    }

    /// Does what a message says about a call that runs; false for one that is a call.
    #[cold]
    pub(crate) fn heeds(&self, message: &Bytes) -> bool {
        let Ok(Call { sequence, added: Some(added), .. }) = Call::decode(message.clone()) else {
            return false;
        };
        added.control.inspect(|control| self.heed(sequence, *control)).is_some()
    }

    /// Does what the client says of a call. One that has ended is not there any more.
    pub(crate) fn heed(&self, sequence: i64, control: Control) {
        let call = self.calls().get(&sequence).and_then(Weak::upgrade);
        match (call, control) {
            (Some(call), Control::Credit(credit)) => {
                call.add(credit);
                call.stream.wake();
            }
            (Some(call), Control::Cancel) => {
                call.cancellation.cancel(Cancelled::CallerGaveUp);
                call.stream.wake();
            }
            (None, _) => {}
        }
    }

    /// How many streams are open.
    pub(crate) fn open_streams(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Nothing more is heard of the client.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.wake();
    }

    /// Has the streams wait, or go on.
    pub(crate) fn hold(&self, held: bool) {
        if self.held.swap(held, Ordering::AcqRel) && !held {
            self.wake();
        }
    }

    /// Has every stream look again.
    pub(crate) fn wake(&self) {
        let calls: Vec<_> = self.calls().values().filter_map(Weak::upgrade).collect();
        calls.iter().for_each(|call| call.stream.wake());
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<i64, Weak<CallControl>>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of which its caller may say something. It is found as long as this lives.
pub(crate) struct CallControl {
    controls: Arc<Controls>,
    sequence: i64,
    /// Its caller has given it up.
    cancellation: Cancellation,
    room: Mutex<Room>,
    /// The stream that it opened.
    stream: AtomicWaker,
}

/// How much its caller has room for.
#[derive(Default)]
struct Room {
    items: u64,
    /// Less than nothing once an item was longer than what was left.
    bytes: i64,
}

/// Why a stream can't go on now.
pub(crate) enum Halt {
    /// Its caller has no room, or something else is to be sent first.
    ForNow,
    /// There will never be room again.
    ForGood,
}

impl CallControl {
    pub(crate) fn cancellation(&self) -> &Cancellation {
        &self.cancellation
    }

    /// One more stream of the session.
    ///
    /// # Errors
    ///
    /// If as many are open as may be.
    pub(crate) fn open(self: &Arc<Self>) -> Result<OpenStream, Failure> {
        let controls = &self.controls;
        let may_open = |open: usize| (open < controls.limit).then_some(open + 1);
        match controls.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, may_open) {
            Ok(_) => Ok(OpenStream(self.clone())),
            Err(open) => {
                Err(format!("{open} streams are open in this session, as many as may be: end one first")
                    .into())
            }
        }
    }

    /// Whether the stream may send an item. Whoever asks is woken once it may, or its caller has given it up.
    pub(crate) fn may_send(&self, context: &Context<'_>) -> Result<(), Halt> {
        self.stream.register(context.waker());
        if self.controls.held.load(Ordering::Acquire) {
            return Err(Halt::ForNow);
        }
        // Looked at first: what came before the end counts.
        let closed = self.controls.closed.load(Ordering::Acquire);
        let room = self.room();
        match room.items > 0 && room.bytes > 0 {
            true => Ok(()),
            false if closed => Err(Halt::ForGood),
            false => Err(Halt::ForNow),
        }
    }

    /// An item of so many bytes is sent.
    pub(crate) fn sent(&self, bytes: usize) {
        let mut room = self.room();
        room.items = room.items.saturating_sub(1);
        room.bytes = room.bytes.saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    fn add(&self, credit: Credit) {
        let mut room = self.room();
        room.items = room.items.saturating_add(credit.items.into());
        room.bytes = room.bytes.saturating_add(i64::try_from(credit.bytes).unwrap_or(i64::MAX));
    }

    fn room(&self) -> MutexGuard<'_, Room> {
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CallControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallControl").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

impl Drop for CallControl {
    fn drop(&mut self) {
        let mut calls = self.controls.calls();
        // A client may have begun another call by the same sequence.
        if calls.get(&self.sequence).is_some_and(|call| call.strong_count() == 0) {
            calls.remove(&self.sequence);
        }
    }
}

/// A stream that is open.
pub(crate) struct OpenStream(Arc<CallControl>);

impl OpenStream {
    pub(crate) fn call(&self) -> &CallControl {
        &self.0
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.controls.open.fetch_sub(1, Ordering::AcqRel);
    }
}
