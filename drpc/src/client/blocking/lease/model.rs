use std::mem;
use std::sync::Arc;
use std::time::Instant;

use shuttle::sync::atomic::{AtomicUsize, Ordering};
use shuttle::thread;

use super::{CallState, Client, Lease};
use crate::client::caller::CallOptions;
use crate::transport::{Mode, Socket};

const CALLERS: usize = 4;
const CALLS: usize = 3;

/// Callers that share a client of so many connections; each call has one to itself for a while, and gives it back by `give_back`.
fn model(connections: usize, give_back: fn(Lease<'_>)) -> impl Fn() + Send + Sync + 'static {
    move || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        // Nobody accepts: to be connected is enough.
        let socket = Socket::new(Mode::NonBlocking).unwrap();
        socket.bind(&path).unwrap();
        socket.listen().unwrap();
        let client = Client::builder(&path).connections(connections).connect_blocking().unwrap();
        let lent = Arc::new(AtomicUsize::new(0));
        let callers = (0..CALLERS).map(|_| {
            let (client, lent) = (client.clone(), lent.clone());
            thread::spawn(move || {
                for _ in 0..CALLS {
                    let mut state = CallState::of_call(&CallOptions::new(), &client.0.config, Instant::now);
                    state.begin_attempt();
                    let mut lease = client.connection(&mut state).unwrap();
                    assert!(lent.fetch_add(1, Ordering::SeqCst) < connections);
                    lease.run(|_| thread::yield_now());
                    lent.fetch_sub(1, Ordering::SeqCst);
                    give_back(lease);
                }
            })
        });
        callers.collect::<Vec<_>>().into_iter().for_each(|caller| caller.join().unwrap());
        assert!(!client.0.pool.lock().is_out());
    }
}

#[test]
fn every_caller_has_its_turn_and_no_connection_two() {
    for connections in [1, 2, 3] {
        shuttle::check_random(model(connections, |lease| drop(lease)), 500);
    }
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_caller_would_wait_for_ever_if_a_connection_came_back_without_a_word() {
    let silently = |mut lease: Lease<'_>| {
        let mut pool = lease.client.0.pool.lock();
        pool.give_back(lease.epoch, lease.connection.take());
        drop(pool);
        mem::forget(lease);
    };
    shuttle::check_random(model(2, silently), 500);
}
