//! Which methods' replies are long: to make one takes a good part of a millisecond, or more, and however many are asked for, short calls are to
//! come in between.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// From how many bytes on a reply is long.
pub(super) const LONG_REPLY: usize = 64 << 10;

/// The IDs of the methods whose last reply was long: of module and method.
#[derive(Debug, Default)]
pub(super) struct LongMethods {
    /// There are some.
    any: AtomicBool,
    ids: Mutex<BTreeSet<(i32, i32)>>,
}

impl LongMethods {
    /// Whether there are any.
    #[inline]
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    /// Whether a call of this method is to wait for its turn.
    #[inline]
    pub(super) fn has(&self, ids: (i32, i32)) -> bool {
        self.any() && self.contains(ids)
    }

    /// A method has replied by so many bytes.
    #[inline]
    pub(super) fn note(&self, ids: (i32, i32), reply: usize) {
        if reply >= LONG_REPLY || self.any() {
            self.change(ids, reply >= LONG_REPLY);
        }
    }

    #[cold]
    fn contains(&self, ids: (i32, i32)) -> bool {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).contains(&ids)
    }

    #[cold]
    fn change(&self, ids: (i32, i32), is_long: bool) {
        let mut all = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        match is_long {
            true => all.insert(ids),
            false => all.remove(&ids),
        };
        self.any.store(!all.is_empty(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_is_long_as_long_as_its_replies_are() {
        let long = LongMethods::default();
        assert!(!long.has((7, 700)));
        long.note((7, 700), LONG_REPLY - 1);
        assert!(!long.has((7, 700)));
        long.note((7, 700), LONG_REPLY);
        assert!(long.has((7, 700)) && !long.has((7, 701)));
        long.note((7, 701), 0);
        assert!(long.has((7, 700)));
        long.note((7, 700), 0);
        assert!(!long.has((7, 700)));
    }
}
