//! Which methods are slow: however many of their calls are asked for, quick ones are to come in between.
//!
//! Those are timed that have given a long reply, which are few, and take long enough not to feel it.

use std::array;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::dispatch::router::ModuleService;
use crate::wire::Call;

/// From how many bytes on a reply is long: to make it may take a good part of a millisecond, or more.
pub(super) const LONG_REPLY: usize = 64 << 10;

/// How long a slow method takes until its handler waits.
const SLOW: Duration = Duration::from_micros(100);

/// How many long calls in a row are quick before their method is.
const QUICK_AGAIN: u8 = 16;

/// Of what is known of a method, that it has given a long reply; the rest counts how many quick calls it is away from being quick.
const LONG: u8 = 1 << 7;

/// What is known of methods. It is changed without a lock, so that of two at once one may be lost.
#[derive(Debug)]
pub(super) struct SlowMethods {
    /// Some have given a long reply.
    any_long: AtomicBool,
    /// Some were slow.
    any_slow: AtomicBool,
    /// Of the hundred methods of each module, in the order of their IDs.
    modules: Vec<(i32, Box<[AtomicU8; 100]>)>,
}

impl SlowMethods {
    /// Of these nothing is known as yet.
    pub(super) fn among(service: &ModuleService) -> Self {
        let unknown = || Box::new(array::from_fn(|_| AtomicU8::new(0)));
        let mut modules: Vec<_> =
            service.entries().iter().map(|entry| (entry.module.id(), unknown())).collect();
        modules.sort_unstable_by_key(|(id, _)| *id);
        SlowMethods { any_long: AtomicBool::new(false), any_slow: AtomicBool::new(false), modules }
    }

    /// Whether a call's method is slow.
    #[inline]
    pub(super) fn has(&self, message: &Bytes) -> bool {
        self.any_slow.load(Ordering::Relaxed) && self.has_called(message)
    }

    /// Whether a method is to be timed.
    #[inline]
    pub(super) fn times(&self, ids: (i32, i32)) -> bool {
        self.any_long.load(Ordering::Relaxed) && self.is_long(ids)
    }

    /// A method has made so many bytes of reply.
    #[inline]
    pub(super) fn note_reply(&self, ids: (i32, i32), made: usize) {
        if made >= LONG_REPLY {
            self.note_long(ids);
        }
    }

    /// A method took so long. That it was quick tells nothing if the call was not `long`.
    #[cold]
    pub(super) fn note_time(&self, ids: (i32, i32), took: Duration, long: bool) {
        let Some(method) = self.method(ids) else { return };
        let before = method.load(Ordering::Relaxed);
        let after = match before & !LONG {
            _ if took >= SLOW => before & LONG | QUICK_AGAIN,
            1.. if long => before - 1,
            _ => return,
        };
        method.store(after, Ordering::Relaxed);
        self.any_slow.store(true, Ordering::Relaxed);
    }

    #[cold]
    fn note_long(&self, ids: (i32, i32)) {
        if let Some(method) = self.method(ids) {
            method.fetch_or(LONG, Ordering::Relaxed);
            self.any_long.store(true, Ordering::Relaxed);
        }
    }

    #[cold]
    fn has_called(&self, message: &Bytes) -> bool {
        // Whoever sends the fields in another order is known as well.
        let method =
            Call::decode(message.clone()).ok().and_then(|call| self.method((call.module, call.method)));
        method.is_some_and(|method| method.load(Ordering::Relaxed) & !LONG > 0)
    }

    #[cold]
    fn is_long(&self, ids: (i32, i32)) -> bool {
        self.method(ids).is_some_and(|method| method.load(Ordering::Relaxed) & LONG > 0)
    }

    /// What is known of a method.
    fn method(&self, (module, method): (i32, i32)) -> Option<&AtomicU8> {
        let place = self.modules.binary_search_by_key(&module, |(id, _)| *id).ok()?;
        self.modules[place].1.get(method.rem_euclid(100) as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    use crate::handler::context::Context;
    use crate::handler::failure::Failure;
    use crate::handler::method::Method;
    use crate::handler::module::Module;
    use crate::handler::reply::Reply;

    struct Seven;

    #[crate::async_trait]
    impl Module for Seven {
        fn id(&self) -> i32 {
            7
        }

        fn name(&self) -> &'static str {
            "seven"
        }

        fn get_method(&self, _: i32) -> Option<Method> {
            None
        }

        async fn handle_call(self: Arc<Self>, _: Context, _: Method, _: Bytes) -> Result<Reply, Failure> {
            Err(Failure::unknown_method())
        }
    }

    #[test]
    fn a_method_is_slow_until_it_was_quick_for_long_calls() {
        let mut service = ModuleService::new();
        service.register(Seven).unwrap();
        let methods = SlowMethods::among(&service);
        let call = |method| {
            Call::<Bytes> { module: 7, method, sequence: 1, body: Bytes::new(), added: None }.encode()
        };
        let (one, other) = ((7, 700), (7, 701));
        methods.note_reply(one, LONG_REPLY - 1);
        assert!(!methods.times(one));
        methods.note_reply(one, LONG_REPLY);
        assert!(methods.times(one) && !methods.times(other) && !methods.has(&call(700)));
        methods.note_time(one, SLOW, true);
        methods.note_time(other, Duration::ZERO, true);
        assert!(methods.has(&call(700)) && !methods.has(&call(701)));
        // In another order, and for another module first.
        assert!(methods.has(&Bytes::from_static(b"\x18\x01\x10\xbc\x05\x08\x05\x08\x07")));
        (0..20).for_each(|_| methods.note_time(one, Duration::ZERO, false));
        (1..QUICK_AGAIN).for_each(|_| methods.note_time(one, Duration::ZERO, true));
        assert!(methods.has(&call(700)));
        methods.note_time(one, Duration::ZERO, true);
        assert!(!methods.has(&call(700)) && methods.times(one));
        // Of what there is not, nothing is known.
        methods.note_time((8, 800), SLOW, true);
        assert!(!methods.times((8, 800)));
    }
}
