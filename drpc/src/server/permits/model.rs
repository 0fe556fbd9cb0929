use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicUsize, Ordering};

use super::{CallPermits, Limits, Permit, Turn, poll_both};

const SESSIONS: u32 = 4;
const CALLS: usize = 2;

/// Of calls that want a permit and a turn, two may have the one, and one the other.
struct Server {
    permits: CallPermits,
    turns: CallPermits,
    calls: AtomicUsize,
}

/// How a call waits for both.
type Wait = fn(&mut Turn, &mut Turn, &mut Option<Permit>, &Context<'_>) -> Poll<(Permit, Permit)>;

/// Sessions of two users, some of which give up, or step aside for a while; and calls that want a permit alone.
fn model(wait: Wait) -> impl Fn() + Send + Sync + 'static {
    move || {
        block_on(async move {
            let permits = |calls| CallPermits::new(&Limits { calls: Some(calls), ..Limits::default() });
            let server =
                Arc::new(Server { permits: permits(2), turns: permits(1), calls: AtomicUsize::new(0) });
            let sessions: Vec<_> = (0..SESSIONS)
                .map(|session| {
                    let server = server.clone();
                    spawn(async move {
                        for _ in 0..CALLS {
                            server.call(session, wait).await;
                        }
                    })
                })
                .collect();
            for session in sessions {
                session.await.unwrap();
            }
            assert!(server.permits.try_acquire(0).is_some() && server.turns.try_acquire(0).is_some());
        });
    }
}

impl Server {
    async fn call(&self, session: u32, wait: Wait) {
        let uid = session % 2;
        let (mut permits, mut turns) = (Turn::new(&self.permits, uid), Turn::new(&self.turns, uid));
        if session == 0 {
            drop(poll_fn(|context| permits.poll(context)).await);
            return;
        }
        let (mut polls, mut held) = (0, None);
        let both = poll_fn(|context| {
            polls += 1;
            let polled = wait(&mut permits, &mut turns, &mut held, context);
            if polled.is_pending() && thread_rng().gen_bool(0.3) {
                [&permits, &turns].map(Turn::step_aside);
                [&permits, &turns].map(|turn| turn.step_in(context));
            }
            match polled {
                Poll::Pending if polls > 1 && thread_rng().gen_bool(0.1) => Poll::Ready(None),
                polled => polled.map(Some),
            }
        });
        if let Some((permit, turn)) = both.await {
            assert_eq!(self.calls.fetch_add(1, Ordering::SeqCst), 0);
            yield_now().await;
            self.calls.fetch_sub(1, Ordering::SeqCst);
            drop((permit, turn));
        }
    }
}

#[test]
fn every_call_has_its_permit_and_its_turn() {
    shuttle::check_random(model(|permits, turns, _, context| poll_both(permits, turns, context)), 3_000);
}

#[test]
#[should_panic(expected = "deadlock")]
fn calls_would_wait_for_each_other_if_a_permit_were_held_meanwhile() {
    let hold: Wait = |permits, turns, held, context| {
        if thread_rng().gen_bool(0.3) {
            // It stepped aside, and has its place among the turns again, but no permit.
            *held = None;
        }
        if held.is_none() {
            *held = Some(ready!(permits.poll(context)));
        }
        let turn = ready!(turns.poll(context));
        held.take().map_or(Poll::Pending, |permit| Poll::Ready((permit, turn)))
    };
    shuttle::check_random(model(hold), 3_000);
}
