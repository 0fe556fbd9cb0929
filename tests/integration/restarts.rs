//! Restarts under load: a call is carried out once and answered, or it was not sent and its caller knows (S7).

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use drpc::{CallError, Server};

use crate::support::{
    AnyClient, Driver, Fake, Handlers, Kind, PATIENCE, builder, with_every_client, with_every_server,
};

const CALLERS: usize = 8;
const RESTARTS: usize = 100;

/// How often each call was carried out, by its number.
type Executions = Arc<Mutex<HashMap<u64, usize>>>;

#[test]
fn a_server_that_is_started_anew_loses_no_call_and_executes_none_twice() {
    with_every_server(|driver| {
        with_every_client(|kind| {
            let directory = tempfile::tempdir().unwrap();
            restart_under_load(driver, kind, &directory.path().join("s"), || None);
        });
    });
}

#[test]
fn nor_does_one_on_a_socket_that_its_supervisor_keeps() {
    with_every_server(|driver| {
        with_every_client(|kind| {
            let kept = Fake::listen();
            restart_under_load(driver, kind, kept.path(), || Some(kept.listener()));
        });
    });
}

#[test]
fn a_session_that_is_closed_or_idle_for_too_long_loses_no_call() {
    with_every_server(|driver| {
        with_every_client(|kind| {
            let executions = Executions::default();
            let idle = Duration::from_micros(300);
            let server = driver.start(Server::builder().idle_timeout(idle).module(counting(&executions)));
            let client = kind.connect(builder(server.path())).unwrap();
            // The session ends now and then just as a call begins.
            let pauses = (0..400).map(|call| Duration::from_micros(250 + call % 100));
            let numbers = AtomicU64::new(0);
            for pause in pauses {
                thread::sleep(pause);
                call_once(&client, &numbers).unwrap();
            }
            assert_were_executed_once(&executions, &numbers);
        });
    });
}

/// Starts a server again and again, while callers call it.
fn restart_under_load(driver: Driver, kind: Kind, path: &Path, listener: impl Fn() -> Option<OwnedFd>) {
    let executions = Executions::default();
    let start = || {
        let builder = Server::builder().drain_timeout(PATIENCE).module(counting(&executions));
        driver.start_on(builder, path, listener())
    };
    let mut server = Some(start());
    let (ended, numbers) = (AtomicBool::new(false), AtomicU64::new(0));
    let lost = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let client = kind.connect(builder(path).wait_until_ready(PATIENCE)).unwrap();
                while !ended.load(Ordering::Relaxed) {
                    if let Err(error) = call_once(&client, &numbers) {
                        lost.lock().unwrap().push(error);
                    }
                }
            });
        }
        for _ in 0..RESTARTS {
            let before = numbers.load(Ordering::Relaxed);
            while numbers.load(Ordering::Relaxed) < before + CALLERS as u64 {
                thread::yield_now();
            }
            let shutdown = server.take().expect("started").stop();
            assert!(shutdown.is_drained(), "{shutdown}");
            server = Some(start());
        }
        ended.store(true, Ordering::Relaxed);
    });
    let lost = lost.into_inner().unwrap();
    assert!(lost.is_empty(), "{} of {numbers:?} calls: {:?}", lost.len(), lost[0]);
    assert_were_executed_once(&executions, &numbers);
}

/// Module 7: 700 notes the number that it is called with.
fn counting(executions: &Executions) -> Handlers {
    let executions = executions.clone();
    Handlers::new(7, "counting").on(700, move |_, body: Bytes| {
        let number = u64::from_le_bytes(body[..].try_into().unwrap());
        *executions.lock().unwrap().entry(number).or_default() += 1;
        async move { Ok(body) }
    })
}

/// Calls with a number of its own, again as long as it is known that the call was not executed.
fn call_once(client: &AnyClient, numbers: &AtomicU64) -> Result<(), CallError> {
    let number = numbers.fetch_add(1, Ordering::Relaxed).to_le_bytes();
    loop {
        match client.call(7, 700, &number) {
            Ok(response) => {
                assert_eq!(response.body, &number[..]);
                return Ok(());
            }
            Err(error) if error.is_retryable() => {}
            Err(error) => return Err(error),
        }
    }
}

fn assert_were_executed_once(executions: &Executions, numbers: &AtomicU64) {
    let executions = executions.lock().unwrap();
    assert_eq!(executions.len() as u64, numbers.load(Ordering::Relaxed));
    let twice: Vec<_> = executions.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}
