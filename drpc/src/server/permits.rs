//! How many calls may run at once, of all sessions of a server together and of one user's, whoever drives them; and who waits for that.

#[cfg(all(test, shuttle))]
mod model;

use std::collections::{BTreeMap, HashMap};
use std::mem;
use std::sync::{Arc, PoisonError};
#[cfg(any(feature = "server", feature = "blocking-server"))]
use std::task::ready;
use std::task::{Context, Poll, Waker};

use super::config::Limits;
use crate::sync::{Mutex, MutexGuard};

/// How many calls may run at once; of no limit, it counts nothing.
#[derive(Clone, Debug)]
pub(super) struct CallPermits(Option<Arc<Semaphore>>);

#[derive(Debug)]
struct Semaphore(Mutex<State>);

#[derive(Debug)]
struct State {
    free: usize,
    /// How many may be one user's.
    per_uid: usize,
    users: HashMap<u32, User>,
    last: u64,
    /// Of each user who waits and is not at its limit, the first place.
    first_of_users: BTreeMap<u64, u32>,
}

/// What one user's calls have, and wait for.
#[derive(Debug, Default)]
struct User {
    running: usize,
    /// Those that wait, in the order of their coming.
    waiting: BTreeMap<u64, Waker>,
    /// The place that stands for the user among those of others.
    first: Option<u64>,
}

/// That one call may run; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit(Option<(Arc<Semaphore>, u32)>);

/// The place of a call that waits for its permit; given up when dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    semaphore: Arc<Semaphore>,
    uid: u32,
    number: u64,
}

/// Takes permits for the calls of one user, one after the other.
///
/// Nobody starves: who waits is served in the order of coming, and who can't use their turn now gives it up.
#[derive(Debug)]
pub(super) struct Turn {
    permits: CallPermits,
    uid: u32,
    /// Kept only while somebody polls it.
    waiting: Option<Waiting>,
}

/// Takes a permit of each of two kinds at once, for one call of a user.
///
/// Neither is held while the other is waited for, so that nobody waits for who waits. The call has its place among those that wait for either as
/// it came, and stands in one of them at a time: so the one that came first gets both.
#[cfg(any(feature = "server", feature = "blocking-server"))]
#[derive(Debug)]
pub(super) struct Both {
    turns: [Turn; 2],
    /// In which of them it stands.
    stands_in: usize,
}

impl CallPermits {
    pub(super) fn new(limits: &Limits) -> Self {
        let is_limited = limits.calls.is_some() || limits.calls_per_uid.is_some();
        let state = || State {
            free: limits.calls.unwrap_or(usize::MAX),
            per_uid: limits.calls_per_uid.unwrap_or(usize::MAX),
            users: HashMap::new(),
            last: 0,
            first_of_users: BTreeMap::new(),
        };
        CallPermits(is_limited.then(|| Arc::new(Semaphore(Mutex::new(state())))))
    }

    /// A permit for a call of the user, if there is one now and nobody who came before can take it.
    #[inline]
    pub(super) fn try_acquire(&self, uid: u32) -> Option<Permit> {
        match &self.0 {
            None => Some(Permit(None)),
            Some(semaphore) => semaphore.try_acquire(uid),
        }
    }

    /// Wakes the one who waits and is next, though there may be nothing for it.
    #[cfg(feature = "blocking-server")]
    pub(super) fn wake_next(&self) {
        if let Some(semaphore) = &self.0 {
            let state = semaphore.state();
            state.wake(state.next());
        }
    }

    /// As [`try_acquire`](Self::try_acquire), or else a place to wait in.
    #[inline]
    pub(super) fn acquire(&self, uid: u32) -> Result<Permit, Waiting> {
        match &self.0 {
            None => Ok(Permit(None)),
            Some(semaphore) => semaphore.try_acquire(uid).ok_or_else(|| semaphore.wait(uid)),
        }
    }
}

impl Turn {
    pub(super) fn new(permits: &CallPermits, uid: u32) -> Self {
        Turn { permits: permits.clone(), uid, waiting: None }
    }

    /// A permit, or else a place to wait in, until it is [polled](Self::poll).
    #[cfg(any(feature = "server", feature = "progress"))]
    #[inline(always)]
    pub(super) fn take(&mut self) -> Option<Permit> {
        match self.permits.acquire(self.uid) {
            Ok(permit) => Some(permit),
            Err(waiting) => {
                self.waiting = Some(waiting);
                None
            }
        }
    }

    /// Waits for a permit.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<Permit> {
        let waiting = match self.waiting.take().map_or_else(|| self.permits.acquire(self.uid), Err) {
            Ok(permit) => return Poll::Ready(permit),
            Err(waiting) => waiting,
        };
        let polled = waiting.poll(context);
        if polled.is_pending() {
            self.waiting = Some(waiting);
        }
        polled
    }

    /// Has its place from now on, and steps aside.
    #[cfg(any(feature = "server", feature = "blocking-server"))]
    fn reserve(&mut self) {
        self.waiting = self.permits.0.as_ref().map(|semaphore| semaphore.reserve(self.uid));
    }

    /// As [`poll`](Self::poll), but it keeps its place, and steps aside once it has the permit.
    #[cfg(any(feature = "server", feature = "blocking-server"))]
    fn poll_in_place(&mut self, context: &Context<'_>) -> Poll<Permit> {
        let Some(waiting) = &self.waiting else { return self.poll(context) };
        let polled = waiting.poll(context);
        if polled.is_ready() {
            waiting.step_aside();
        }
        polled
    }

    /// Lets others go first, until it [steps in](Self::step_in) or is [polled](Self::poll).
    #[cold]
    pub(super) fn step_aside(&self) {
        if let Some(waiting) = &self.waiting {
            waiting.step_aside();
        }
    }

    /// Waits on in its old place.
    #[cfg(feature = "server")]
    pub(super) fn step_in(&self, context: &Context<'_>) {
        if let Some(waiting) = &self.waiting {
            waiting.step_in(context);
        }
    }

    /// Gives its place up: when it is [polled](Self::poll), it has another.
    #[cfg(any(feature = "server", feature = "blocking-server"))]
    pub(super) fn step_back(&mut self) {
        self.waiting = None;
    }
}

#[cfg(any(feature = "server", feature = "blocking-server"))]
impl Both {
    pub(super) fn new(permits: [&CallPermits; 2], uid: u32) -> Self {
        let mut turns = permits.map(|permits| Turn::new(permits, uid));
        turns.iter_mut().for_each(Turn::reserve);
        Both { turns, stands_in: 0 }
    }

    /// Waits until there is a permit of each.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<[Permit; 2]> {
        let first = ready!(self.turns[self.stands_in].poll_in_place(context));
        let other = 1 - self.stands_in;
        match self.turns[other].poll_in_place(context) {
            Poll::Ready(second) => {
                self.step_back();
                Poll::Ready(if other == 1 { [first, second] } else { [second, first] })
            }
            // The first is given back.
            Poll::Pending => {
                self.stands_in = other;
                Poll::Pending
            }
        }
    }

    /// Lets others go first, until it [steps in](Self::step_in) or is [polled](Self::poll).
    #[cfg(feature = "server")]
    pub(super) fn step_aside(&self) {
        self.turns[self.stands_in].step_aside();
    }

    /// Waits on in its old place.
    #[cfg(feature = "server")]
    pub(super) fn step_in(&self, context: &Context<'_>) {
        self.turns[self.stands_in].step_in(context);
    }

    /// Gives its places up: when it is [polled](Self::poll), it has others.
    pub(super) fn step_back(&mut self) {
        self.turns.iter_mut().for_each(Turn::step_back);
    }
}

impl Waiting {
    /// Waits for its turn.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Permit> {
        let mut state = self.semaphore.state();
        // It may have stepped aside.
        state.change(self.uid, |user| user.waiting.insert(self.number, context.waker().clone()));
        match state.first() == Some((self.number, self.uid)) {
            true => Poll::Ready(state.take(&self.semaphore, self.uid)),
            false => Poll::Pending,
        }
    }

    /// Lets others go first, until it [steps in](Self::step_in) or is [polled](Self::poll): then it has its old place.
    pub(super) fn step_aside(&self) {
        let mut state = self.semaphore.state();
        state.change(self.uid, |user| user.waiting.remove(&self.number));
        state.wake_first();
    }

    /// Waits on in its old place. If it is its turn, it is woken.
    #[cfg(feature = "server")]
    pub(super) fn step_in(&self, context: &Context<'_>) {
        let mut state = self.semaphore.state();
        state.change(self.uid, |user| user.waiting.insert(self.number, context.waker().clone()));
        state.wake_first();
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.step_aside();
    }
}

impl Drop for Permit {
    #[inline]
    fn drop(&mut self) {
        if let Some((semaphore, uid)) = &self.0 {
            semaphore.give_back(*uid);
        }
    }
}

impl Semaphore {
    fn try_acquire(self: &Arc<Self>, uid: u32) -> Option<Permit> {
        let mut state = self.state();
        let is_free = state.has_room_for(uid) && state.first().is_none();
        is_free.then(|| state.take(self, uid))
    }

    fn wait(self: &Arc<Self>, uid: u32) -> Waiting {
        let waiting = self.reserve(uid);
        self.state().change(uid, |user| user.waiting.insert(waiting.number, Waker::noop().clone()));
        waiting
    }

    /// A place that is stood aside from.
    fn reserve(self: &Arc<Self>, uid: u32) -> Waiting {
        let mut state = self.state();
        state.last += 1;
        Waiting { semaphore: self.clone(), uid, number: state.last }
    }

    fn give_back(&self, uid: u32) {
        let mut state = self.state();
        state.free += 1;
        state.change(uid, |user| user.running -= 1);
        state.wake_first();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room_for(&self, uid: u32) -> bool {
        self.free > 0 && self.users.get(&uid).is_none_or(|user| user.running < self.per_uid)
    }

    fn take(&mut self, semaphore: &Arc<Semaphore>, uid: u32) -> Permit {
        self.free -= 1;
        self.change(uid, |user| user.running += 1);
        Permit(Some((semaphore.clone(), uid)))
    }

    /// Changes what there is of a user, and the place that stands for it. One of whom there is nothing is forgotten.
    fn change<R>(&mut self, uid: u32, change: impl FnOnce(&mut User) -> R) {
        let user = self.users.entry(uid).or_default();
        change(user);
        let is_able = user.running < self.per_uid;
        let first = user.waiting.keys().next().copied().filter(|_| is_able);
        if first != user.first {
            if let Some(before) = mem::replace(&mut user.first, first) {
                self.first_of_users.remove(&before);
            }
            self.first_of_users.extend(first.map(|first| (first, uid)));
        }
        if user.running == 0 && user.waiting.is_empty() {
            self.users.remove(&uid);
        }
    }

    /// Whose turn it is, if there is anything for them.
    fn first(&self) -> Option<(u64, u32)> {
        self.next().filter(|_| self.free > 0)
    }

    /// Whose turn is next: the first whose user is not at its limit.
    fn next(&self) -> Option<(u64, u32)> {
        self.first_of_users.first_key_value().map(|(number, uid)| (*number, *uid))
    }

    fn wake_first(&self) {
        self.wake(self.first());
    }

    fn wake(&self, place: Option<(u64, u32)>) {
        let waker = place.and_then(|(number, uid)| self.users.get(&uid)?.waiting.get(&number));
        if let Some(waker) = waker {
            waker.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_given_in_the_order_of_coming_and_a_place_that_is_given_up_holds_nobody_up() {
        let permits = CallPermits::new(&Limits { calls: Some(1), ..Limits::default() });
        let context = Context::from_waker(Waker::noop());
        let first = permits.acquire(1).ok().unwrap();
        let [second, third, fourth] = [0; 3].map(|_| permits.acquire(1).err().unwrap());
        assert!(third.poll(&context).is_pending());
        drop(first);
        assert!(third.poll(&context).is_pending());
        assert!(permits.acquire(1).is_err(), "nobody overtakes");
        drop(second);
        let Poll::Ready(permit) = third.poll(&context) else { panic!("it is the third's turn") };
        drop(third);
        assert!(fourth.poll(&context).is_pending());
        drop(permit);
        assert!(fourth.poll(&context).is_ready());
    }

    #[test]
    fn a_user_at_its_limit_waits_and_another_overtakes() {
        let limits = Limits { calls: Some(3), calls_per_uid: Some(2), ..Limits::default() };
        let permits = CallPermits::new(&limits);
        let context = Context::from_waker(Waker::noop());
        let [one, _two] = [0; 2].map(|_| permits.acquire(1).ok().unwrap());
        let waits = permits.acquire(1).err().unwrap();
        assert!(waits.poll(&context).is_pending());
        let other = permits.acquire(2).ok().unwrap();
        assert!(permits.acquire(3).is_err(), "three calls run");
        drop(other);
        assert!(waits.poll(&context).is_pending());
        drop(one);
        assert!(waits.poll(&context).is_ready());
    }

    #[test]
    fn who_steps_aside_is_overtaken_and_has_its_old_place_when_it_is_back() {
        let permits = CallPermits::new(&Limits { calls: Some(2), ..Limits::default() });
        let context = Context::from_waker(Waker::noop());
        let [one, other] = [0; 2].map(|_| permits.acquire(1).ok().unwrap());
        let [busy, second] = [0; 2].map(|_| permits.acquire(1).err().unwrap());
        assert!(busy.poll(&context).is_pending());
        assert!(second.poll(&context).is_pending());
        busy.step_aside();
        drop(one);
        let Poll::Ready(one) = second.poll(&context) else { panic!("the first is busy") };
        drop(second);
        let third = permits.acquire(1).err().unwrap();
        assert!(third.poll(&context).is_pending());
        assert!(busy.poll(&context).is_pending());
        drop(one);
        assert!(third.poll(&context).is_pending());
        assert!(busy.poll(&context).is_ready());
        drop(busy);
        let fourth = permits.acquire(1).err().unwrap();
        fourth.step_aside();
        drop((third, other));
        assert!(fourth.poll(&context).is_ready(), "it is alone");
    }

    #[test]
    fn those_of_a_user_at_its_limit_make_no_other_call_dearer() {
        let limits = Limits { calls_per_uid: Some(1), ..Limits::default() };
        let permits = CallPermits::new(&limits);
        let running = permits.acquire(1).ok().unwrap();
        let waiting: Vec<_> = (0..10_000).map(|_| permits.acquire(1).err().unwrap()).collect();
        let state = || permits.0.as_ref().unwrap().state();
        assert!(state().first_of_users.is_empty(), "none of them is looked at");
        drop(permits.acquire(2).ok().unwrap());
        drop(running);
        assert_eq!(state().first_of_users.len(), 1);
        drop(waiting);
        assert!(state().users.is_empty());
    }

    #[cfg(any(feature = "server", feature = "blocking-server"))]
    #[test]
    fn who_came_first_gets_both_and_holds_neither_for_the_other() {
        let [permits, turns] =
            [0; 2].map(|_| CallPermits::new(&Limits { calls: Some(1), ..Limits::default() }));
        let context = Context::from_waker(Waker::noop());
        let [mut first, mut second] = [1, 2].map(|uid| Both::new([&permits, &turns], uid));
        let running = permits.acquire(3).ok().unwrap();
        assert!(first.poll(&context).is_pending());
        // It has no turn meanwhile, nor a permit while somebody has its turn.
        let turn = turns.acquire(3).ok().unwrap();
        drop(running);
        assert!(first.poll(&context).is_pending());
        assert!(permits.acquire(3).is_ok());
        assert!(second.poll(&context).is_pending());
        drop(turn);
        assert!(second.poll(&context).is_pending(), "it overtakes");
        let Poll::Ready(both) = first.poll(&context) else { panic!("it is its turn") };
        assert!(second.poll(&context).is_pending());
        drop(both);
        assert!(second.poll(&context).is_ready());
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let permits = CallPermits::new(&Limits::default());
        let many: Vec<_> = (0..100).map(|_| permits.acquire(1).is_ok()).collect();
        assert!(many.iter().all(|got| *got));
    }
}
