//! What falls due when. There is no thread and no runtime to keep the time: each step looks at it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Things that are to happen, by their time.
pub(crate) struct Timers<T> {
    due: BTreeMap<Key, T>,
    last: u64,
}

/// A timer: when it is due, and a number to tell it from others of that time.
pub(crate) type Key = (Instant, u64);

impl<T> Timers<T> {
    pub(crate) fn new() -> Self {
        Timers { due: BTreeMap::new(), last: 0 }
    }

    /// Sets a timer that is due after so long. One that lies beyond what a clock can tell is none.
    pub(crate) fn set_after(&mut self, wait: Duration, what: T) -> Option<Key> {
        Instant::now().checked_add(wait).map(|at| self.set(at, what))
    }

    pub(crate) fn set(&mut self, at: Instant, what: T) -> Key {
        self.last += 1;
        let key = (at, self.last);
        self.due.insert(key, what);
        key
    }

    /// Takes a timer back; nothing happens if it is over.
    pub(crate) fn cancel(&mut self, key: Option<Key>) {
        if let Some(key) = key {
            self.due.remove(&key);
        }
    }

    /// When the next timer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.keys().next().map(|(at, _)| *at)
    }

    /// Takes the next timer that is due by now.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<T> {
        let first = self.due.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_the_order_of_its_time() {
        let now = Instant::now();
        let later = |millis| now + Duration::from_millis(millis);
        let mut timers = Timers::new();
        timers.set(later(3), "third");
        timers.set(later(1), "first");
        let cancelled = timers.set(later(1), "never");
        timers.set(later(1), "second");
        timers.cancel(Some(cancelled));
        timers.cancel(Some(cancelled));
        assert_eq!(timers.next(), Some(later(1)));
        assert_eq!(timers.pop(now), None);
        assert_eq!(
            [timers.pop(later(2)), timers.pop(later(2)), timers.pop(later(2))],
            [Some("first"), Some("second"), None]
        );
        assert_eq!((timers.pop(later(3)), timers.next()), (Some("third"), None));
        assert_eq!(timers.set_after(Duration::MAX, "none"), None);
    }
}
