//! What a client says of its calls while they run: that it gives one up, how much of a stream it has room for, and the items of its own.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::task::Context;

use bytes::Bytes;
use futures_util::task::AtomicWaker;

use crate::budget::{Lease, Purpose};
use crate::flow::Room;
use crate::handler::cancellation::{Cancellation, Cancelled};
use crate::handler::failure::Failure;
use crate::handler::inbox::{Carried, Due, End, Inbox, Source};
use crate::handler::session::Session;
use crate::observe::metrics;
use crate::observe::side::{Side, Way};
use crate::observe::stream::Tally;
use crate::transport::SHORT_PACKET;
use crate::wire::{Call, Control, Credit, Gathered, Items};

/// The calls of a session whose client says such things. Another session has none, and pays nothing.
pub(crate) struct Controls {
    /// By sequence.
    calls: Mutex<HashMap<i64, Heard>>,
    /// Calls whose sequence was taken by another while they ran: nothing more is heard of them.
    unheard: Mutex<Vec<Weak<CallControl>>>,
    /// How many streams are open, and may be.
    open: AtomicUsize,
    limits: StreamLimits,
    /// Nothing more is heard of the client, so that no stream gets room any more.
    closed: AtomicBool,
    /// The session has something to send before its streams may go on.
    held: AtomicBool,
}

/// How much a session's streams may take up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StreamLimits {
    /// How many may be open.
    pub(crate) open: usize,
    /// How much a caller may send of each that was not taken.
    pub(crate) window: Credit,
    /// How long a message may be, in bytes.
    pub(crate) message: usize,
}

/// A call that was read.
enum Heard {
    /// It has not begun: what was said of it meanwhile. Its thread may be about to begin it.
    Due { credit: Credit, is_given_up: bool },
    /// It is found as long as it lives.
    Begun(Weak<CallControl>),
}

impl Controls {
    pub(crate) fn new(limits: StreamLimits) -> Self {
        Controls {
            calls: Mutex::default(),
            unheard: Mutex::default(),
            open: AtomicUsize::new(0),
            limits,
            closed: AtomicBool::new(false),
            held: AtomicBool::new(false),
        }
    }

    /// A call that is about to begin, whose caller has so much room for a stream, if it asks for one.
    pub(crate) fn begin(
        self: &Arc<Self>,
        sequence: i64,
        credit: Option<Credit>,
        takes_many: bool,
    ) -> Arc<CallControl> {
        let call = Arc::new(CallControl {
            controls: self.clone(),
            sequence,
            cancellation: Cancellation::default(),
            room: Mutex::new(Room::default()),
            takes_many,
            stream: AtomicWaker::new(),
            items: OnceLock::new(),
            carried: Mutex::default(),
        });
        call.add(credit.unwrap_or_default());
        let heard = self.calls().insert(sequence, Heard::Begun(Arc::downgrade(&call)));
        match heard {
            Some(Heard::Due { credit, is_given_up }) => {
                call.add(credit);
                if is_given_up {
                    call.heed(Control::Cancel, Bytes::new());
                }
            }
            Some(Heard::Begun(other)) => self.no_longer_hear(other),
            None => {}
        }
        call
    }

    /// Does what a message says about a call; false for one that is a call, of which something may be said from now on.
    #[cold]
    pub(crate) fn heeds(&self, message: &Bytes) -> bool {
        if let Some((sequence, item)) = Call::item_in(message) {
            metrics::received(message.len());
            self.heed(sequence, Control::Item, item_of(message, item));
            return true;
        }
        let Ok(Call { module, method, sequence, added, body }) = Call::decode(message.clone()) else {
            return false;
        };
        match added.and_then(|added| added.control).filter(|_| (module, method) == (0, 0)) {
            Some(control) => {
                metrics::received(message.len());
                self.heed(sequence, control, item_of(message, body));
                true
            }
            None => {
                let due = Heard::Due { credit: Credit::default(), is_given_up: false };
                self.calls().entry(sequence).or_insert(due);
                false
            }
        }
    }

    /// Does what the client says of a call; an item is what it says with it. A call that has ended is not there any more.
    pub(crate) fn heed(&self, sequence: i64, control: Control, item: Bytes) {
        let mut calls = self.calls();
        let begun = match (calls.get_mut(&sequence), control) {
            (Some(Heard::Begun(call)), _) => call.upgrade(),
            (Some(Heard::Due { credit, .. }), Control::Credit(more)) => {
                credit.items = credit.items.saturating_add(more.items);
                credit.bytes = credit.bytes.saturating_add(more.bytes);
                None
            }
            // Items come once the stream was opened, and no sooner.
            (Some(Heard::Due { is_given_up, .. }), _) => {
                *is_given_up = true;
                None
            }
            (None, _) => None,
        };
        drop(calls);
        if let Some(call) = begun {
            call.heed(control, item);
        }
    }

    /// How many streams are open.
    pub(crate) fn open_streams(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Nothing more is heard of the client.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for call in self.begun() {
            call.stream.wake();
            call.end_items(End::Unheard);
        }
    }

    /// Has the streams wait, or go on.
    pub(crate) fn hold(&self, held: bool) {
        if self.held.swap(held, Ordering::AcqRel) && !held {
            self.wake();
        }
    }

    /// Has every stream look again.
    pub(crate) fn wake(&self) {
        self.begun().iter().for_each(|call| call.stream.wake());
    }

    #[cold]
    fn no_longer_hear(&self, call: Weak<CallControl>) {
        let mut unheard = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
        unheard.retain(|call| call.strong_count() > 0);
        unheard.push(call);
    }

    fn begun(&self) -> Vec<Arc<CallControl>> {
        let begun = |heard: &Heard| match heard {
            Heard::Begun(call) => call.upgrade(),
            Heard::Due { .. } => None,
        };
        let mut calls: Vec<_> = self.calls().values().filter_map(begun).collect();
        let unheard = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
        calls.extend(unheard.iter().filter_map(Weak::upgrade));
        calls
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<i64, Heard>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a message brings to a stream. As a slice it would keep all of the message, whatever else is in there.
fn item_of(message: &Bytes, item: Bytes) -> Bytes {
    // An item waits as no more than its own bytes and its entry. A packet that is short lies in more room than it takes.
    let is_nearly_all = item.len() > SHORT_PACKET && item.len() >= message.len() / 8 * 7;
    if is_nearly_all { item } else { Bytes::copy_from_slice(&item) }
}

/// A call of which its caller may say something. It is found as long as this lives.
pub(crate) struct CallControl {
    controls: Arc<Controls>,
    sequence: i64,
    /// Its caller has given it up.
    cancellation: Cancellation,
    room: Mutex<Room>,
    /// Its caller takes several items in one message.
    takes_many: bool,
    /// The stream that it opened.
    stream: AtomicWaker,
    /// The items that its caller sends, and the bytes that they may come to; nothing if it sends none.
    items: OnceLock<(Arc<Inbox>, Lease)>,
    /// The same where something else than a session carries them.
    carried: Mutex<CarriedItems>,
}

/// A caller's items that something else than a session carries.
#[derive(Default)]
struct CarriedItems {
    /// Until the handler asks for them.
    items: Option<Carried>,
    /// What the handler took of them.
    taken: Option<Tally>,
}

/// Why a stream can't go on now.
pub(crate) enum Halt {
    /// Its caller has no room.
    ForNow,
    /// There will never be room again.
    ForGood,
}

impl CallControl {
    /// Of a call whose stream always has room: who carries it asks for an item only if there is some, and carries its caller's, if that sends any.
    pub(crate) fn of_polled(sequence: i64, items: Option<Carried>) -> Arc<Self> {
        let limits = StreamLimits { open: 1, window: Credit::default(), message: usize::MAX };
        let call = Arc::new(Controls::new(limits)).begin(sequence, None, false);
        *call.room() = Room::ENDLESS;
        call.carried().items = items;
        call
    }

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
        let may_open = |open: usize| (open < controls.limits.open).then_some(open + 1);
        match controls.open.fetch_update(Ordering::AcqRel, Ordering::Acquire, may_open) {
            Ok(_) => Ok(OpenStream(self.clone())),
            Err(open) => {
                Err(format!("{open} streams are open in this session, as many as may be: end one first")
                    .into())
            }
        }
    }

    /// Takes the items that its caller sends, from now on.
    ///
    /// # Errors
    ///
    /// If the server has no memory left for them.
    pub(crate) fn take_items(&self, session: &Session) -> Result<Source, Failure> {
        if let Some(carried) = self.carried().items.take() {
            return Ok(Source::Carrier(carried));
        }
        let window = self.controls.limits.window;
        let mut lease =
            session.account().map_or_else(Lease::default, |account| account.lease(Purpose::Request));
        let bytes = usize::try_from(window.bytes).unwrap_or(usize::MAX);
        let entries = (window.items as usize).saturating_mul(size_of::<Bytes>());
        lease.resize(bytes.saturating_add(entries)).map_err(Failure::from_error)?;
        let (inbox, _) = self.items.get_or_init(|| (Arc::new(Inbox::new(window)), lease));
        if self.controls.closed.load(Ordering::Acquire) {
            inbox.end(End::Unheard);
        }
        if self.cancellation.is_cancelled() {
            inbox.end(End::GivenUp);
        }
        Ok(Source::Session(inbox.clone()))
    }

    /// How much its caller may send at once of the items that are taken.
    pub(crate) fn window(&self) -> Option<Credit> {
        self.items.get().map(|(inbox, _)| inbox.window())
    }

    /// What its caller is to be told of its items. Whoever asks is woken once there is something.
    pub(crate) fn due(&self, context: &Context<'_>) -> Option<Due> {
        self.items.get()?.0.take_due(context)
    }

    /// Those of its caller's items that its handler took, if it takes any.
    pub(crate) fn taken(&self) -> Option<Tally> {
        self.items.get().map(|(inbox, _)| inbox.taken()).or_else(|| self.carried().taken)
    }

    /// The handler has taken an item of so many bytes that something else than a session carried.
    pub(crate) fn took_carried(&self, bytes: usize) {
        let taken = &mut self.carried().taken;
        taken.get_or_insert_with(|| Tally::of(Side::Server, Way::Received)).count(1, bytes);
    }

    /// No more of these items come.
    pub(crate) fn end_items(&self, end: End) {
        if let Some((inbox, _)) = self.items.get() {
            inbox.end(end);
        }
    }

    /// Whether the session has something else to send first. Whoever asks is woken once it has not, its caller has given the call up, or there
    /// is room for more of the stream.
    pub(crate) fn is_held(&self, context: &Context<'_>) -> bool {
        self.stream.register(context.waker());
        self.controls.held.load(Ordering::Acquire)
    }

    /// Whether the stream may send an item behind these.
    pub(crate) fn may_send(&self, gathered: &Gathered) -> Result<(), Halt> {
        // Looked at first: what came before the end counts.
        let closed = self.controls.closed.load(Ordering::Acquire);
        let room = self.room();
        match room.is_open_behind(gathered.len(), gathered.bytes()) {
            true => Ok(()),
            false if closed => Err(Halt::ForGood),
            false => Err(Halt::ForNow),
        }
    }

    /// Whether its caller's items may come several in one message: such a message is not too long here.
    pub(crate) fn may_come_as_many(&self) -> bool {
        self.controls.limits.message >= Gathered::LONGEST
    }

    /// Whether several items may go in one message.
    pub(crate) fn takes_many(&self) -> bool {
        self.takes_many && self.may_come_as_many()
    }

    /// How long a message may be, in bytes.
    pub(crate) fn message_limit(&self) -> usize {
        self.controls.limits.message
    }

    /// These are sent.
    pub(crate) fn sent(&self, gathered: &Gathered) {
        self.room().take_all(gathered.len(), gathered.bytes());
    }

    fn heed(&self, control: Control, item: Bytes) {
        match control {
            Control::Item => {
                if let Some((inbox, _)) = self.items.get() {
                    inbox.put([item]);
                }
            }
            Control::Items => {
                if let Some((inbox, _)) = self.items.get() {
                    match Items::read(item) {
                        Ok(items) => inbox.put(items),
                        Err(_) => inbox.end(End::Unreadable),
                    }
                }
            }
            Control::End => self.end_items(End::Complete),
            Control::Abort => self.end_items(End::Aborted),
            Control::Credit(credit) => {
                self.add(credit);
                self.stream.wake();
            }
            Control::Cancel => {
                self.cancellation.cancel(Cancelled::CallerGaveUp);
                self.end_items(End::GivenUp);
                self.stream.wake();
            }
        }
    }

    fn add(&self, credit: Credit) {
        self.room().add(credit);
    }

    fn carried(&self) -> MutexGuard<'_, CarriedItems> {
        self.carried.lock().unwrap_or_else(PoisonError::into_inner)
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
        if let Some(Heard::Begun(call)) = calls.get(&self.sequence)
            && call.strong_count() == 0
        {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transport::PeerCredentials;
    use crate::wire::CallFields;

    fn read(controls: &Controls, sequence: i64, control: Option<Control>) -> bool {
        let added =
            control.map(|control| Box::new(CallFields { control: Some(control), ..CallFields::default() }));
        // What is said of a call is of no module.
        let (module, method) = if control.is_some() { (0, 0) } else { (7, 700) };
        let call: Call = Call { module, method, sequence, body: Bytes::new(), added };
        controls.heeds(&call.encode())
    }

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl std::task::Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn a_call_whose_sequence_is_used_again_learns_of_the_end() {
        let window = Credit { items: 1, bytes: 1 };
        let controls = Arc::new(Controls::new(StreamLimits { open: 1, window, message: usize::MAX }));
        let calls = [controls.begin(5, None, false), controls.begin(5, None, false)];
        let woken = Arc::new(Woken::default());
        let waker = woken.clone().into();
        for call in &calls {
            assert!(!call.is_held(&Context::from_waker(&waker)));
        }
        controls.close();
        assert_eq!(woken.0.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_stream_that_is_opened_when_nothing_more_is_heard_learns_of_it() {
        // On a server in threads, the end of file may be read while another thread carries out the first call.
        let session = Session::new(1, PeerCredentials::new(0, 0));
        session.is_read();
        let window = Credit { items: 1, bytes: 1 };
        let controls = session.controlled(StreamLimits { open: 1, window, message: usize::MAX });
        let call = controls.begin(5, Some(Credit { items: 1, bytes: 1 }), false);
        assert!(call.may_send(&Gathered::default()).is_ok());
        let mut one = Gathered::default();
        one.put("1".into()).unwrap();
        call.sent(&one);
        assert!(matches!(call.may_send(&Gathered::default()), Err(Halt::ForGood)));
    }

    #[test]
    fn what_is_said_of_a_call_before_it_begins_is_kept_for_it() {
        // On a server in threads, the next message may be read before the thread of a call begins it.
        let window = Credit { items: 1, bytes: 1 };
        let controls = Arc::new(Controls::new(StreamLimits { open: 1, window, message: usize::MAX }));
        assert!(!read(&controls, 5, None));
        assert!(read(&controls, 5, Some(Control::Credit(Credit { items: 3, bytes: 10 }))));
        assert!(read(&controls, 5, Some(Control::Cancel)));
        let call = controls.begin(5, Some(Credit { items: 1, bytes: 1 }), false);
        assert_eq!(call.cancellation().reason(), Some(Cancelled::CallerGaveUp));
        assert_eq!(*call.room(), Credit { items: 4, bytes: 11 }.into());
        drop(call);

        // Of one that has ended, or was never read, nothing is kept.
        assert!(read(&controls, 5, Some(Control::Cancel)));
        assert!(read(&controls, 6, Some(Control::Cancel)));
        assert!(controls.calls().is_empty());
        assert_eq!(controls.begin(6, None, false).cancellation().reason(), None);
    }
}
