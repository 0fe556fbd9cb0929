use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::handler::failure::Escaped;
use crate::handler::failure::guard::guarded;
use crate::observe::peer_log::{Line, PeerLog};

/// A typed map of values that handlers and hooks keep with a session: at most one of each type.
///
/// Values are shared, so a handler may go on with one that another call has replaced meanwhile. All of them are dropped with
/// the session. Nothing is allocated or locked before the first use.
///
/// # Example
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use drpc::{Bytes, Context, drpc_module};
///
/// #[derive(Default)]
/// struct Received(AtomicU64);
///
/// struct Meter;
///
/// #[drpc_module(id = 9)]
/// impl Meter {
///     /// Says how many bytes came in this session.
///     #[method(1)]
///     fn meter(&self, context: &Context, body: Bytes) -> Bytes {
///         let received = context.session().extensions().get_or_insert_with(Received::default);
///         let before = received.0.fetch_add(body.len() as u64, Ordering::Relaxed);
///         (before + body.len() as u64).to_string().into()
///     }
/// }
/// ```
#[derive(Default)]
pub struct Extensions {
    values: Mutex<BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>>,
    /// What the session's user may have logged; `None` outside of any session.
    log: Option<Arc<PeerLog>>,
}

impl Extensions {
    /// Of a session whose user may have that logged.
    pub(crate) fn logged_in(log: Arc<PeerLog>) -> Self {
        Extensions { values: Mutex::default(), log: Some(log) }
    }

    /// Inserts a value; returns the previous one of its type.
    pub fn insert<T: Any + Send + Sync>(&self, value: T) -> Option<Arc<T>> {
        self.values().insert(TypeId::of::<T>(), Arc::new(value)).map(downcast)
    }

    /// The value of a type.
    #[must_use]
    pub fn get<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.values().get(&TypeId::of::<T>()).cloned().map(downcast)
    }

    /// The value of a type, created if absent.
    ///
    /// Two handlers at once may both create one; one is kept, and both get that.
    pub fn get_or_insert_with<T: Any + Send + Sync>(&self, make: impl FnOnce() -> T) -> Arc<T> {
        if let Some(value) = self.get() {
            return value;
        }
        // Made while nothing is locked: the maker is a stranger, and may ask for extensions itself.
        let made: Arc<dyn Any + Send + Sync> = Arc::new(make());
        // One that is not needed is dropped while nothing is locked, too.
        let kept = self.values().entry(TypeId::of::<T>()).or_insert_with(|| made.clone()).clone();
        downcast(kept)
    }

    /// Removes the value of a type.
    pub fn remove<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        self.values().remove(&TypeId::of::<T>()).map(downcast)
    }

    fn values(&self) -> MutexGuard<'_, BTreeMap<TypeId, Arc<dyn Any + Send + Sync>>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Values are a stranger's: the panic of one, as it is dropped, ends nothing (S10), and the others are dropped too.
impl Drop for Extensions {
    fn drop(&mut self) {
        let values = std::mem::take(self.values.get_mut().unwrap_or_else(PoisonError::into_inner));
        for value in values.into_values() {
            if let Err(panic) = guarded(|| drop(value))
                && self.log.as_ref().is_none_or(|log| log.admits(Line::Panicked))
            {
                tracing::error!(
                    "what was kept with a session panicked as it was dropped: {}",
                    Escaped(&panic)
                );
            }
        }
    }
}

fn downcast<T: Any + Send + Sync>(value: Arc<dyn Any + Send + Sync>) -> Arc<T> {
    value.downcast().expect("a value stands under its own type")
}

impl fmt::Debug for Extensions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Extensions").field("len", &self.values().len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_value_of_each_type() {
        let extensions = Extensions::default();
        assert_eq!(extensions.get::<u32>(), None);
        assert_eq!(extensions.insert(1_u32), None);
        assert_eq!(extensions.insert("one"), None);
        assert_eq!(extensions.insert(2_u32).as_deref(), Some(&1));
        assert_eq!(*extensions.get_or_insert_with(|| 3_u32), 2);
        assert_eq!(*extensions.get_or_insert_with(|| 3_u64), 3);
        assert_eq!(extensions.remove::<u32>().as_deref(), Some(&2));
        assert_eq!(extensions.remove::<u32>(), None);
        assert_eq!(extensions.get::<&str>().as_deref(), Some(&"one"));
    }

    #[test]
    fn a_maker_may_ask_for_extensions_itself() {
        let extensions = Extensions::default();
        extensions.insert(2_u32);
        let value = extensions.get_or_insert_with(|| u64::from(*extensions.get::<u32>().unwrap()));
        assert_eq!(*value, 2);
    }

    #[test]
    fn a_value_that_is_not_needed_is_dropped_when_nothing_is_locked() {
        struct LooksUp(std::sync::Weak<Extensions>);

        impl Drop for LooksUp {
            fn drop(&mut self) {
                let extensions = self.0.upgrade();
                assert!(extensions.is_none_or(|extensions| extensions.values.try_lock().is_ok()));
            }
        }

        let extensions = Arc::new(Extensions::default());
        let new = || LooksUp(Arc::downgrade(&extensions));
        // Another one comes first.
        extensions.get_or_insert_with(|| {
            extensions.insert(new());
            new()
        });
        extensions.insert(new());
    }
}
