//! What has come of the items that a caller sends, between the session that receives them and the handler that takes them.

use std::collections::VecDeque;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures_util::stream::Stream;
use futures_util::task::AtomicWaker;

use crate::flow::{Renewal, Room};
use crate::handler::failure::Failure;
use crate::observe::side::{Side, Way};
use crate::observe::stream::Tally;
use crate::wire::Credit;

/// Where a caller's items come from.
pub(crate) enum Source {
    Session(Arc<Inbox>),
    Carrier(Carried),
}

/// The items that something else than a session carries. The lock is never waited for: it has an `Incoming` shared between threads.
pub(crate) struct Carried(Mutex<Items>);

type Items = Pin<Box<dyn Stream<Item = Result<Bytes, Failure>> + Send>>;

/// The items of one call: no more than its caller was given credit for.
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// Who tells the caller of its credit.
    teller: AtomicWaker,
}

struct State {
    came: VecDeque<Bytes>,
    /// What the caller may still send.
    room: Room,
    renewal: Renewal,
    end: Option<End>,
    taker: Option<Waker>,
    /// What the handler took.
    taken: Tally,
    /// What the caller is to be told.
    due: Option<Due>,
    /// The handler takes no more.
    is_let_go: bool,
}

/// What is said of items that their caller stopped sending in the middle.
pub(crate) const STOPPED: &str = "the caller stopped sending before it had sent all of its items";

/// Why no more items come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// These were all.
    Complete,
    /// The caller stopped in the middle.
    Aborted,
    /// The caller has given up the call.
    GivenUp,
    /// The caller sent what there was no room for.
    Overrun,
    /// The caller sent something else than items.
    Unreadable,
    /// Nothing more is heard of the caller.
    Unheard,
    /// The call was answered.
    Answered,
}

/// What a caller is to be told of its items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// There is room for more.
    Credit(Credit),
    /// No more are taken.
    Enough,
}

impl Inbox {
    pub(crate) fn new(window: Credit) -> Self {
        let state = State {
            came: VecDeque::new(),
            room: window.into(),
            renewal: Renewal::of(window),
            end: None,
            taker: None,
            taken: Tally::of(Side::Server, Way::Received),
            due: None,
            is_let_go: false,
        };
        Inbox { state: Mutex::new(state), teller: AtomicWaker::new() }
    }

    /// How much may come at once.
    pub(crate) fn window(&self) -> Credit {
        self.state().renewal.window()
    }

    /// What the handler took of them.
    pub(crate) fn taken(&self) -> Tally {
        self.state().taken
    }

    /// Items have come.
    pub(crate) fn put(&self, items: impl IntoIterator<Item = Bytes>) {
        let mut state = self.state();
        for item in items {
            if !state.room.is_open() {
                state.end.get_or_insert(End::Overrun);
                break;
            }
            state.room.take(item.len());
            if state.end.is_none() && !state.is_let_go {
                state.came.push_back(item);
            }
        }
        wake(state);
    }

    /// No more items come; the first reason counts.
    pub(crate) fn end(&self, end: End) {
        let mut state = self.state();
        state.end.get_or_insert(end);
        wake(state);
    }

    /// Waits for the next item.
    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Result<Bytes, End>> {
        let mut state = self.state();
        let Some(item) = state.came.pop_front() else {
            if let Some(end) = state.end {
                return Poll::Ready(Err(end));
            }
            state.taker = Some(context.waker().clone());
            return Poll::Pending;
        };
        state.taken.count(1, item.len());
        if let Some(credit) = state.renewal.took(1, item.len())
            && state.end.is_none()
        {
            state.room.add(credit);
            let mut due = match state.due {
                Some(Due::Credit(due)) => due,
                _ => Credit::default(),
            };
            due.items = due.items.saturating_add(credit.items);
            due.bytes = due.bytes.saturating_add(credit.bytes);
            state.due = Some(Due::Credit(due));
            drop(state);
            self.teller.wake();
        }
        Poll::Ready(Ok(item))
    }

    /// The handler takes no more.
    pub(crate) fn let_go(&self) {
        let mut state = self.state();
        state.is_let_go = true;
        state.due = state.end.is_none().then_some(Due::Enough);
        let unwanted = mem::take(&mut state.came);
        drop(state);
        drop(unwanted);
        self.teller.wake();
    }

    /// What the caller is to be told now. Whoever asks is woken once there is something.
    pub(crate) fn take_due(&self, context: &Context<'_>) -> Option<Due> {
        self.teller.register(context.waker());
        self.state().due.take()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Carried {
    pub(crate) fn new(items: impl Stream<Item = Result<Bytes, Failure>> + Send + 'static) -> Self {
        Carried(Mutex::new(Box::pin(items)))
    }

    /// Waits for the next item; a failure says why no more come.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll_next(context)
    }
}

/// Wakes the handler, once nothing is locked.
fn wake(mut state: MutexGuard<'_, State>) {
    let taker = state.taker.take();
    drop(state);
    taker.into_iter().for_each(Waker::wake);
}
