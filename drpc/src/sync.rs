//! The locks and atomics of what is synchronised by hand: the standard library's and `parking_lot`'s.
//!
//! Built with `--cfg shuttle` they are those of a scheduler that tries the orders of its threads, for the models (`model.rs`) beside that
//! code: see CONTRIBUTING.md. No time-out passes there.

#![allow(unused_imports, reason = "the features say which are used")]

#[cfg(not(shuttle))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread,
};

#[cfg(shuttle)]
pub(crate) use shuttle::{
    sync::{Condvar, Mutex, MutexGuard, atomic},
    thread,
};

#[cfg(all(not(shuttle), feature = "blocking"))]
pub(crate) mod parking_lot {
    pub(crate) use ::parking_lot::{Condvar, Mutex, MutexGuard};
}

/// What is used of `parking_lot`, by the scheduler.
#[cfg(all(shuttle, feature = "blocking"))]
pub(crate) mod parking_lot {
    use std::ops::{Deref, DerefMut};
    use std::sync::PoisonError;
    use std::time::Instant;

    pub(crate) struct Mutex<T>(super::Mutex<T>);

    /// Without a lock only while it waits.
    pub(crate) struct MutexGuard<'a, T>(Option<super::MutexGuard<'a, T>>);

    #[derive(Default)]
    pub(crate) struct Condvar(super::Condvar);

    pub(crate) struct TimedOut;

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Mutex(super::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
        }

        pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
            self.0.try_lock().ok().map(|guard| MutexGuard(Some(guard)))
        }

        pub(crate) fn try_lock_until(&self, _: Instant) -> Option<MutexGuard<'_, T>> {
            Some(self.lock())
        }
    }

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self::default()
        }

        pub(crate) fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
            let waiting =
                guard.0.take().map(|guard| self.0.wait(guard).unwrap_or_else(PoisonError::into_inner));
            guard.0 = waiting;
        }

        pub(crate) fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: Instant) -> TimedOut {
            self.wait(guard);
            TimedOut
        }

        pub(crate) fn notify_one(&self) {
            self.0.notify_one();
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    impl TimedOut {
        pub(crate) fn timed_out(&self) -> bool {
            false
        }
    }

    impl<T> Deref for MutexGuard<'_, T> {
        type Target = T;

        fn deref(&self) -> &T {
            self.0.as_ref().expect("it does not wait")
        }
    }

    impl<T> DerefMut for MutexGuard<'_, T> {
        fn deref_mut(&mut self) -> &mut T {
            self.0.as_mut().expect("it does not wait")
        }
    }
}
