use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use shuttle::future::{block_on, spawn, yield_now};
use shuttle::rand::{Rng, thread_rng};
use shuttle::sync::atomic::{AtomicUsize, Ordering};

use super::{Both, CallPermits, Limits, Permit, Turn};

const SESSIONS: u32 = 4;
const CALLS: usize = 2;

/// Of calls that want a permit and a turn, two may have the one, and one the other.
struct Server {
    permits: CallPermits,
    turns: CallPermits,
    calls: AtomicUsize,
}

/// How a call waits for both.
trait Wait: Send + 'static {
    fn new(server: &Server, uid: u32) -> Self;

    fn poll(&mut self, context: &Context<'_>) -> Poll<[Permit; 2]>;

    fn step_aside(&mut self);

    fn step_in(&self, context: &Context<'_>);
}

impl Wait for Both {
    fn new(server: &Server, uid: u32) -> Self {
        Both::new([&server.permits, &server.turns], uid)
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<[Permit; 2]> {
        Both::poll(self, context)
    }

    fn step_aside(&mut self) {
        Both::step_aside(self);
    }

    fn step_in(&self, context: &Context<'_>) {
        Both::step_in(self, context);
    }
}

/// Holds its permit while it waits for its turn.
struct Holding {
    permits: Turn,
    permit: Option<Permit>,
    turns: Turn,
}

impl Wait for Holding {
    fn new(server: &Server, uid: u32) -> Self {
        Holding {
            permits: Turn::new(&server.permits, uid),
            permit: None,
            turns: Turn::new(&server.turns, uid),
        }
    }

    fn poll(&mut self, context: &Context<'_>) -> Poll<[Permit; 2]> {
        if self.permit.is_none() {
            self.permit = Some(ready!(self.permits.poll(context)));
        }
        let turn = ready!(self.turns.poll(context));
        self.permit.take().map_or(Poll::Pending, |permit| Poll::Ready([permit, turn]))
    }

    fn step_aside(&mut self) {
        self.permit = None;
        [&self.permits, &self.turns].map(Turn::step_aside);
    }

    fn step_in(&self, context: &Context<'_>) {
        [&self.permits, &self.turns].map(|turn| turn.step_in(context));
    }
}

/// Sessions of two users, some of which give up, or step aside for a while; and calls that want a permit alone.
fn model<W: Wait>() {
    block_on(async {
        let permits = |calls| CallPermits::new(&Limits { calls: Some(calls), ..Limits::default() });
        let server = Arc::new(Server { permits: permits(2), turns: permits(1), calls: AtomicUsize::new(0) });
        let sessions: Vec<_> = (0..SESSIONS)
            .map(|session| {
                let server = server.clone();
                spawn(async move {
                    for _ in 0..CALLS {
                        server.call::<W>(session).await;
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

impl Server {
    async fn call<W: Wait>(&self, session: u32) {
        let uid = session % 2;
        if session == 0 {
            let mut permits = Turn::new(&self.permits, uid);
            drop(poll_fn(|context| permits.poll(context)).await);
            return;
        }
        let (mut polls, mut wait) = (0, W::new(self, uid));
        let both = poll_fn(|context| {
            polls += 1;
            let polled = wait.poll(context);
            if polled.is_pending() && thread_rng().gen_bool(0.3) {
                wait.step_aside();
                wait.step_in(context);
            }
            match polled {
                Poll::Pending if polls > 1 && thread_rng().gen_bool(0.1) => Poll::Ready(None),
                polled => polled.map(Some),
            }
        });
        if let Some(both) = both.await {
            assert_eq!(self.calls.fetch_add(1, Ordering::SeqCst), 0);
            yield_now().await;
            self.calls.fetch_sub(1, Ordering::SeqCst);
            drop(both);
        }
    }
}

#[test]
fn every_call_has_its_permit_and_its_turn() {
    shuttle::check_random(model::<Both>, 3_000);
}

#[test]
#[should_panic(expected = "deadlock")]
fn calls_would_wait_for_each_other_if_a_permit_were_held_meanwhile() {
    shuttle::check_random(model::<Holding>, 3_000);
}
