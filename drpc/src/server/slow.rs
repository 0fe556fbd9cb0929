//! Which methods are slow: however many of their calls are asked for, quick ones are to come in between (S1).
//!
//! Timed are long calls, and those of methods that have given a long reply: they are few, and take long enough not to feel it.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};
use std::{array, fs};

use bytes::Bytes;
use nix::sys::resource::{UsageWho, getrusage};
use rustix::time::{ClockId, clock_gettime};

use crate::dispatch::processing::Processing;
use crate::dispatch::router::ModuleService;
use crate::wire::{Body, Call, Response};

/// From how many bytes on a call is long: to decode it may take a good part of a millisecond, if its sender wishes.
const LONG_CALL: usize = 16 << 10;

/// From how many bytes on a reply is long: to make it may take as much, or more.
pub(super) const LONG_REPLY: usize = 64 << 10;

/// How long a slow method takes until its handler waits.
const SLOW: Duration = Duration::from_micros(100);

/// How many long calls in a row are quick before their method is; and how many compute before one that has waited may be slow.
const QUICK_AGAIN: u8 = 16;

/// What is known of methods. It is changed without a lock, so that of two changes at once one may be lost.
#[derive(Debug)]
pub(super) struct SlowMethods {
    /// Some have given a long reply, or taken long where they may have waited.
    any_timed: AtomicBool,
    /// Some were slow to make one.
    any_slow: AtomicBool,
    /// Of the hundred methods of each module, in the order of their IDs.
    modules: Vec<(i32, Box<[Known; 100]>)>,
}

/// What is known of one method.
#[derive(Debug, Default)]
struct Known {
    /// It has given a long reply.
    is_long: AtomicBool,
    /// How many quick calls it is away from being quick where its reply is long; and where the call is.
    slow_replies: AtomicU8,
    slow_calls: AtomicU8,
    /// Where handlers may block: how many quick calls it is away from being one whose time need not be known better; and how many that compute
    /// from being one that does not wait.
    suspect: AtomicU8,
    waiting: AtomicU8,
}

/// Times a call, if that tells something.
pub(super) struct Stopwatch {
    begun: Option<Begun>,
    /// How long its message is, in bytes, where that is looked at.
    len: usize,
    /// Its handler may block its thread, and keeps nobody from a processor while it does.
    may_block: bool,
    /// It has a turn, so that others of its kind do not keep it.
    has_turn: bool,
}

/// What is known of the time before a call.
enum Begun {
    At(Instant),
    /// What its thread had done.
    After(Instant, Done),
}

/// What a thread has done.
struct Done {
    /// How long it had a processor.
    computed: Duration,
    /// How long it could have had one, but others did.
    delayed: Duration,
    /// How often it waited for something.
    waits: u32,
}

/// What a call came to that was timed.
struct Timed {
    took: Took,
    /// How long its message was, in bytes.
    len: usize,
    /// How long a reply its handler made, in bytes.
    made: usize,
    /// It did what its handler does.
    succeeded: bool,
}

/// How long a call took.
enum Took {
    Computed(Duration),
    /// It has computed, or waited.
    Perhaps(Duration),
    /// It has waited rather than computed.
    Waited,
}

impl Stopwatch {
    fn new(len: usize, may_block: bool, has_turn: bool) -> Self {
        let begun = (len >= LONG_CALL).then(|| Begun::At(Instant::now()));
        Stopwatch { begun, len, may_block, has_turn }
    }

    fn read(&self) -> Option<Took> {
        Some(match self.begun.as_ref()? {
            Begun::At(begun) if self.may_block => Took::Perhaps(begun.elapsed()),
            Begun::At(begun) => Took::Computed(begun.elapsed()),
            Begun::After(begun, before) => {
                let now = Done::now();
                let computed = now.computed.saturating_sub(before.computed);
                let delayed = now.delayed.saturating_sub(before.delayed);
                let waits = now.waits.wrapping_sub(before.waits);
                let elapsed = begun.elapsed();
                // Where many compute at once, each waits for the others' locks, in the kernel's memory management if nowhere else: how long tells
                // something only of one that has a turn.
                let has_waited = match self.has_turn {
                    true => elapsed.saturating_sub(computed + delayed) > 4 * computed,
                    false => computed < SLOW * waits && computed < elapsed / 2,
                };
                if has_waited { Took::Waited } else { Took::Computed(computed) }
            }
        })
    }
}

impl Done {
    /// What this thread has done up to now.
    #[cold]
    fn now() -> Self {
        let computed = clock_gettime(ClockId::ThreadCPUTime).try_into().unwrap_or_default();
        let delayed = fs::read_to_string("/proc/thread-self/schedstat").ok().and_then(|times| {
            // Its own is as old as the last tick.
            let nanos = times.split_whitespace().nth(1)?.parse().ok()?;
            Some(Duration::from_nanos(nanos))
        });
        let usage = getrusage(UsageWho::RUSAGE_THREAD);
        let waits = usage.map_or(0, |usage| usage.voluntary_context_switches() as u32);
        Done { computed, delayed: delayed.unwrap_or_default(), waits }
    }

    /// What this thread had done then, when it has not waited since.
    fn at(begun: Instant) -> Self {
        let now = Done::now();
        Done { computed: now.computed.saturating_sub(begun.elapsed()), ..now }
    }
}

impl SlowMethods {
    /// Of these nothing is known as yet.
    pub(super) fn among(service: &ModuleService) -> Self {
        let unknown = || Box::new(array::from_fn(|_| Known::default()));
        let mut modules: Vec<_> =
            service.entries().iter().map(|entry| (entry.module.id(), unknown())).collect();
        modules.sort_unstable_by_key(|(id, _)| *id);
        SlowMethods { any_timed: AtomicBool::new(false), any_slow: AtomicBool::new(false), modules }
    }

    /// Whether a call will take long.
    #[inline]
    pub(super) fn has(&self, message: &Bytes) -> bool {
        (message.len() >= LONG_CALL || self.any_slow.load(Ordering::Relaxed)) && self.has_called(message)
    }

    /// A stopwatch for a call of so many bytes, if it may tell something; it runs if the call is long.
    #[inline]
    #[cfg(any(feature = "server", feature = "progress"))]
    pub(super) fn stopwatch(&self, len: usize) -> Option<Stopwatch> {
        self.may_tell(len).then(|| Stopwatch::new(len, false, false))
    }

    /// As [`stopwatch`](Self::stopwatch), where a handler has a thread of its own, which it may block.
    #[inline]
    #[cfg(feature = "blocking-server")]
    pub(super) fn stopwatch_of_thread(&self, len: usize, has_turn: bool) -> Option<Stopwatch> {
        self.may_tell(len).then(|| Stopwatch::new(len, true, has_turn))
    }

    #[inline]
    fn may_tell(&self, len: usize) -> bool {
        len >= LONG_CALL || self.any_timed.load(Ordering::Relaxed)
    }

    /// Starts the stopwatch of a call whose method may give a long reply. If it took long and may block, it has to tell what for.
    #[inline]
    pub(super) fn start(&self, stopwatch: &mut Option<Stopwatch>, ids: (i32, i32)) {
        if let Some(stopwatch) = stopwatch {
            self.start_of(stopwatch, ids);
        }
    }

    #[cold]
    fn start_of(&self, stopwatch: &mut Stopwatch, ids: (i32, i32)) {
        let Some(method) = self.method(ids) else { return };
        if method.is_long.load(Ordering::Relaxed) {
            stopwatch.begun.get_or_insert_with(|| Begun::At(Instant::now()));
        }
        if stopwatch.may_block
            && method.suspect.load(Ordering::Relaxed) > 0
            && let Some(Begun::At(begun)) = stopwatch.begun
        {
            stopwatch.begun = Some(Begun::After(begun, Done::at(begun)));
        }
    }

    /// Notes what a call came to until its handler was done, or waits.
    #[inline]
    pub(super) fn stop(
        &self,
        stopwatch: &Option<Stopwatch>,
        processing: &Processing,
        polled: &Poll<Response<Body>>,
    ) {
        if let Some(stopwatch) = stopwatch {
            self.note_call(stopwatch, processing, polled);
        }
        self.note_reply(processing.ids(), processing.made());
    }

    /// A method has made so many bytes of reply.
    #[inline]
    pub(super) fn note_reply(&self, ids: (i32, i32), made: usize) {
        if made >= LONG_REPLY {
            self.note_long(ids);
        }
    }

    #[cold]
    fn note_call(&self, stopwatch: &Stopwatch, processing: &Processing, polled: &Poll<Response<Body>>) {
        let Some(took) = stopwatch.read() else { return };
        let succeeded = !matches!(polled, Poll::Ready(response) if response.status.is_failure());
        let timed = Timed { took, len: stopwatch.len, made: processing.made(), succeeded };
        self.note_time(processing.ids(), &timed);
    }

    /// A call was timed. If neither it nor its reply was long, that tells nothing.
    fn note_time(&self, ids: (i32, i32), call: &Timed) {
        let Some(method) = self.method(ids) else { return };
        let slow = match (call.len >= LONG_CALL, call.made >= LONG_REPLY) {
            (_, true) => &method.slow_replies,
            (true, false) => &method.slow_calls,
            (false, false) => return,
        };
        match call.took {
            Took::Perhaps(took) if took >= SLOW => {
                method.suspect.store(QUICK_AGAIN, Ordering::Relaxed);
                self.any_timed.store(true, Ordering::Relaxed);
            }
            Took::Perhaps(_) => {
                if call.succeeded {
                    count_down(slow);
                }
            }
            Took::Waited => {
                slow.store(0, Ordering::Relaxed);
                method.waiting.store(QUICK_AGAIN, Ordering::Relaxed);
            }
            Took::Computed(took) if took < SLOW => {
                if call.succeeded {
                    count_down(slow);
                    count_down(&method.suspect);
                }
            }
            Took::Computed(_) => {
                if !count_down(&method.waiting) {
                    slow.store(QUICK_AGAIN, Ordering::Relaxed);
                    self.any_slow.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    #[cold]
    fn note_long(&self, ids: (i32, i32)) {
        if let Some(method) = self.method(ids) {
            method.is_long.store(true, Ordering::Relaxed);
            self.any_timed.store(true, Ordering::Relaxed);
        }
    }

    #[cold]
    fn has_called(&self, message: &Bytes) -> bool {
        // Of so many fields that it has no IDs in the first of them, its very envelope takes long.
        let Some(ids) = Call::ids_among_few(message) else { return true };
        self.method(ids).is_some_and(|method| {
            let is_long = message.len() >= LONG_CALL;
            method.slow_replies.load(Ordering::Relaxed) > 0
                || (is_long && method.slow_calls.load(Ordering::Relaxed) > 0)
        })
    }

    fn method(&self, (module, method): (i32, i32)) -> Option<&Known> {
        let place = self.modules.binary_search_by_key(&module, |(id, _)| *id).ok()?;
        self.modules[place].1.get(method.rem_euclid(100) as usize)
    }
}

/// False if it was at its end.
fn count_down(count: &AtomicU8) -> bool {
    let now = count.load(Ordering::Relaxed);
    count.store(now.saturating_sub(1), Ordering::Relaxed);
    now > 0
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

    fn methods() -> SlowMethods {
        let mut service = ModuleService::new();
        service.register(Seven).unwrap();
        SlowMethods::among(&service)
    }

    fn call(method: i32, len: usize) -> Bytes {
        Call::<Bytes> { module: 7, method, sequence: 1, body: vec![0; len].into(), added: None }.encode()
    }

    fn timed(took: Duration, len: usize, made: usize) -> Timed {
        Timed { took: Took::Computed(took), len, made, succeeded: true }
    }

    fn times(methods: &SlowMethods, ids: (i32, i32)) -> bool {
        let mut stopwatch = methods.stopwatch(0);
        methods.start(&mut stopwatch, ids);
        stopwatch.is_some_and(|stopwatch| stopwatch.begun.is_some())
    }

    #[test]
    fn a_method_with_long_replies_is_slow_until_it_was_quick_for_such() {
        let methods = methods();
        let (one, other) = ((7, 700), (7, 701));
        methods.note_reply(one, LONG_REPLY - 1);
        assert!(!times(&methods, one));
        methods.note_reply(one, LONG_REPLY);
        assert!(times(&methods, one) && !times(&methods, other) && !methods.has(&call(700, 0)));
        methods.note_time((7, 700), &timed(SLOW, 0, LONG_REPLY));
        assert!(methods.has(&call(700, 0)) && !methods.has(&call(701, 0)));
        // Whatever tells nothing changes nothing.
        for _ in 0..20 {
            methods.note_time((7, 700), &timed(Duration::ZERO, 0, 0));
            methods.note_time((7, 700), &Timed { succeeded: false, ..timed(Duration::ZERO, 0, LONG_REPLY) });
        }
        (1..QUICK_AGAIN).for_each(|_| methods.note_time((7, 700), &timed(Duration::ZERO, 0, LONG_REPLY)));
        assert!(methods.has(&call(700, 0)));
        methods.note_time((7, 700), &timed(Duration::ZERO, 0, LONG_REPLY));
        assert!(!methods.has(&call(700, 0)) && times(&methods, one));
        // Of what there is not, nothing is known.
        methods.note_time((8, 800), &timed(SLOW, 0, LONG_REPLY));
        assert!(!times(&methods, (8, 800)));
    }

    #[test]
    fn a_method_that_is_slow_for_long_calls_is_quick_for_short_ones() {
        let methods = methods();
        assert!(!methods.has(&call(700, LONG_CALL)));
        methods.note_time((7, 700), &timed(SLOW, LONG_CALL, 0));
        assert!(methods.has(&call(700, LONG_CALL)) && !methods.has(&call(700, 0)));
        methods.note_time((7, 700), &timed(SLOW, 0, 0));
        assert!(!methods.has(&call(700, 0)));
    }

    #[test]
    fn a_method_that_waits_is_not_slow_until_it_has_not_waited_for_long() {
        let methods = methods();
        let note = |took| methods.note_time((7, 700), &Timed { took, ..timed(SLOW, 0, LONG_REPLY) });
        let is_slow = || methods.has(&call(700, 0));
        note(Took::Waited);
        for _ in 0..QUICK_AGAIN {
            note(Took::Computed(SLOW));
            assert!(!is_slow());
        }
        note(Took::Computed(SLOW));
        assert!(is_slow());
        note(Took::Waited);
        assert!(!is_slow());
    }

    #[test]
    fn that_a_thread_waited_long_tells_something_of_a_call_that_has_a_turn() {
        for has_turn in [true, false] {
            let stopwatch = Stopwatch {
                begun: Some(Begun::After(Instant::now(), Done::now())),
                ..Stopwatch::new(0, true, has_turn)
            };
            let before = Done::now().computed;
            while Done::now().computed < before + 5 * SLOW {}
            // It waits once.
            std::thread::sleep(50 * SLOW);
            assert_eq!(matches!(stopwatch.read(), Some(Took::Waited)), has_turn);
        }
    }

    #[test]
    fn where_handlers_may_block_it_is_asked_what_took_long() {
        let methods = methods();
        let begins = || {
            let mut stopwatch = methods.stopwatch_of_thread(LONG_CALL, false);
            methods.start(&mut stopwatch, (7, 700));
            stopwatch.and_then(|stopwatch| stopwatch.begun)
        };
        let note = |took| methods.note_time((7, 700), &Timed { took, ..timed(SLOW, LONG_CALL, 0) });
        note(Took::Perhaps(Duration::ZERO));
        assert!(matches!(begins(), Some(Begun::At(_))));
        note(Took::Perhaps(SLOW));
        for _ in 0..QUICK_AGAIN {
            assert!(matches!(begins(), Some(Begun::After(..))) && !methods.has(&call(700, LONG_CALL)));
            note(Took::Computed(Duration::ZERO));
        }
        assert!(matches!(begins(), Some(Begun::At(_))));
        note(Took::Computed(SLOW));
        assert!(methods.has(&call(700, LONG_CALL)));
    }

    #[test]
    fn whoever_writes_an_envelope_in_another_way_is_known_as_well() {
        let methods = methods();
        methods.note_time((7, 700), &timed(SLOW, 0, LONG_REPLY));
        // In another order, and another module and method first.
        let known = b"\x18\x01\x10\xbd\x05\x08\x05\x22\x01a\x10\xbc\x05\x08\x07";
        assert!(methods.has(&Bytes::from_static(known)));
        let another = [&known[..], b"\x10\xbd\x05"].concat();
        assert!(!methods.has(&another.into()));
        // Too many fields to look at.
        let many = [&call(701, 0)[..], &[0x78, 0].repeat(LONG_CALL)].concat();
        assert!(methods.has(&many.into()));
    }
}
