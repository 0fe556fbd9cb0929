//! How many calls may run at once, of all sessions of a server together and of one user's, whoever drives them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
#[cfg(any(feature = "server", feature = "blocking-server"))]
use std::task::{Context, Poll};

use super::config::Limits;

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
    /// How many are whose.
    of_uid: HashMap<u32, usize>,
    last: u64,
    /// The users of those that wait, in the order of their coming.
    waiting: BTreeMap<u64, (u32, Waker)>,
}

/// That one call may run; given back when dropped.
#[derive(Debug)]
pub(super) struct Permit(Option<(Arc<Semaphore>, u32)>);

/// The place of a call that waits for its permit; given up when dropped.
#[cfg(any(feature = "server", feature = "blocking-server"))]
#[derive(Debug)]
pub(super) struct Waiting {
    semaphore: Arc<Semaphore>,
    uid: u32,
    number: u64,
}

impl CallPermits {
    pub(super) fn new(limits: &Limits) -> Self {
        let is_limited = limits.calls.is_some() || limits.calls_per_uid.is_some();
        let state = || State {
            free: limits.calls.unwrap_or(usize::MAX),
            per_uid: limits.calls_per_uid.unwrap_or(usize::MAX),
            of_uid: HashMap::new(),
            last: 0,
            waiting: BTreeMap::new(),
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

    /// As [`try_acquire`](Self::try_acquire), or else a place to wait in.
    #[cfg(any(feature = "server", feature = "blocking-server"))]
    #[inline]
    pub(super) fn acquire(&self, uid: u32) -> Result<Permit, Waiting> {
        match &self.0 {
            None => Ok(Permit(None)),
            Some(semaphore) => semaphore.try_acquire(uid).ok_or_else(|| semaphore.wait(uid)),
        }
    }
}

#[cfg(any(feature = "server", feature = "blocking-server"))]
impl Waiting {
    /// Waits for its turn.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Permit> {
        let mut state = self.semaphore.state();
        if state.first().is_some_and(|(number, _)| number == self.number) {
            return Poll::Ready(state.take(&self.semaphore, self.uid));
        }
        state.waiting.insert(self.number, (self.uid, context.waker().clone()));
        Poll::Pending
    }
}

#[cfg(any(feature = "server", feature = "blocking-server"))]
impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.semaphore.state();
        state.waiting.remove(&self.number);
        state.wake_first();
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

    #[cfg(any(feature = "server", feature = "blocking-server"))]
    fn wait(self: &Arc<Self>, uid: u32) -> Waiting {
        let mut state = self.state();
        state.last += 1;
        let number = state.last;
        state.waiting.insert(number, (uid, Waker::noop().clone()));
        Waiting { semaphore: self.clone(), uid, number }
    }

    fn give_back(&self, uid: u32) {
        let mut state = self.state();
        state.free += 1;
        if let Some(of_user) = state.of_uid.get_mut(&uid) {
            *of_user -= 1;
            if *of_user == 0 {
                state.of_uid.remove(&uid);
            }
        }
        state.wake_first();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room_for(&self, uid: u32) -> bool {
        self.free > 0 && self.of_uid.get(&uid).is_none_or(|of_user| *of_user < self.per_uid)
    }

    fn take(&mut self, semaphore: &Arc<Semaphore>, uid: u32) -> Permit {
        self.free -= 1;
        *self.of_uid.entry(uid).or_default() += 1;
        Permit(Some((semaphore.clone(), uid)))
    }

    /// Whose turn it is, if there is anything for them: the first whose user is not at its limit.
    fn first(&self) -> Option<(u64, &Waker)> {
        let waiting = self.waiting.iter().filter(|_| self.free > 0);
        let mut able = waiting.filter(|(_, (uid, _))| self.has_room_for(*uid));
        able.next().map(|(number, (_, waker))| (*number, waker))
    }

    fn wake_first(&self) {
        if let Some((_, first)) = self.first() {
            first.wake_by_ref();
        }
    }
}

#[cfg(all(test, any(feature = "server", feature = "blocking-server")))]
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
    fn without_a_limit_nobody_waits() {
        let permits = CallPermits::new(&Limits::default());
        let many: Vec<_> = (0..100).map(|_| permits.acquire(1).is_ok()).collect();
        assert!(many.iter().all(|got| *got));
    }
}
