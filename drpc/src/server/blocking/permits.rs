use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::server::config::Limits;

/// How many calls may run at once, of all sessions of a server together.
#[derive(Clone)]
pub(super) struct CallPermits(Option<Arc<Semaphore>>);

struct Semaphore(Mutex<State>);

struct State {
    free: usize,
    last: u64,
    /// Those that wait, in the order of their coming.
    waiting: BTreeMap<u64, Waker>,
}

/// That one call may run; given back when dropped.
pub(super) struct Permit(Option<Arc<Semaphore>>);

/// The place of a call that waits for its permit; given up when dropped.
pub(super) struct Waiting {
    semaphore: Arc<Semaphore>,
    number: u64,
}

impl CallPermits {
    pub(super) fn new(limits: &Limits) -> Self {
        CallPermits(limits.calls.map(|calls| {
            Arc::new(Semaphore(Mutex::new(State { free: calls, last: 0, waiting: BTreeMap::new() })))
        }))
    }

    /// A permit, if there is one now and nobody came before.
    pub(super) fn acquire(&self) -> Result<Permit, Waiting> {
        let Some(semaphore) = &self.0 else { return Ok(Permit(None)) };
        let mut state = semaphore.state();
        if state.free > 0 && state.waiting.is_empty() {
            state.free -= 1;
            return Ok(Permit(Some(semaphore.clone())));
        }
        state.last += 1;
        let number = state.last;
        state.waiting.insert(number, Waker::noop().clone());
        Err(Waiting { semaphore: semaphore.clone(), number })
    }
}

impl Waiting {
    /// Waits for its turn.
    pub(super) fn poll(&self, context: &Context<'_>) -> Poll<Permit> {
        let mut state = self.semaphore.state();
        let is_first = state.waiting.keys().next() == Some(&self.number);
        if is_first && state.free > 0 {
            state.free -= 1;
            return Poll::Ready(Permit(Some(self.semaphore.clone())));
        }
        state.waiting.insert(self.number, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut state = self.semaphore.state();
        state.waiting.remove(&self.number);
        state.wake_first();
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(semaphore) = &self.0 {
            let mut state = semaphore.state();
            state.free += 1;
            state.wake_first();
        }
    }
}

impl Semaphore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Wakes whose turn it is, if there is anything for them.
    fn wake_first(&self) {
        if self.free > 0
            && let Some(first) = self.waiting.values().next()
        {
            first.wake_by_ref();
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
        let first = permits.acquire().ok().unwrap();
        let [second, third, fourth] = [0; 3].map(|_| permits.acquire().err().unwrap());
        assert!(third.poll(&context).is_pending());
        drop(first);
        assert!(third.poll(&context).is_pending());
        assert!(permits.acquire().is_err(), "nobody overtakes");
        drop(second);
        let Poll::Ready(permit) = third.poll(&context) else { panic!("it is the third's turn") };
        drop(third);
        assert!(fourth.poll(&context).is_pending());
        drop(permit);
        assert!(fourth.poll(&context).is_ready());
    }

    #[test]
    fn without_a_limit_nobody_waits() {
        let permits = CallPermits::new(&Limits::default());
        let many: Vec<_> = (0..100).map(|_| permits.acquire().is_ok()).collect();
        assert!(many.iter().all(|got| *got));
    }
}
