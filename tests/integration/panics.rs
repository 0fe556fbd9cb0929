//! Code of others that panics where one would not look for it: it ends its own call, and nothing else (S1, S10).

use std::error::Error;
use std::fmt;
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use drpc::wire::{Call, CallFields};
use drpc::{Context, Failure, Incoming, Method, Module, Reply, Server, Status, Wire, drpc_module};
use tower::ServiceBuilder;
use tower::buffer::BufferLayer;

use crate::support::{
    Gate, Logs, PATIENCE, RawPeer, TestServer, WIRES, in_order, interop, runtime, with_every_handle,
    with_every_server,
};

/// A value whose drop panics.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        if !thread::panicking() {
            panic!("a bomb went off");
        }
    }
}

/// Waits for ever, with a bomb in hand.
async fn wait_with_a_bomb() -> Result<Bytes, Failure> {
    let _bomb = Bomb;
    std::future::pending().await
}

/// A call of method 705 fails, and neither its session nor another one is harmed.
fn assert_fails_alone(server: &TestServer) {
    for wire in WIRES {
        let other = RawPeer::connect(server.path());
        other.assert_served(wire);
        let peer = RawPeer::connect(server.path());
        peer.send_call(wire, 7, 705, 1, b"");
        let response = peer.recv_response(wire);
        assert_eq!((response.sequence, response.status), (1, Status::FAILURE));
        peer.assert_served(wire);
        other.assert_served(wire);
    }
}

#[test]
fn a_handler_that_panics_as_it_is_cut_off_is_answered() {
    // S1, S10.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let module = interop().on(705, |_, _| wait_with_a_bomb());
        let server =
            driver.start(Server::builder().handler_timeout(Duration::from_millis(20)).module(module));
        assert_fails_alone(&server);
        logs.wait_for("panicked as it was dropped: a bomb went off");
    });
}

#[test]
fn a_handler_that_panics_as_its_session_is_cut_harms_no_other() {
    // S1, S10, S9: what the steps of a progress server give its owner is no panic.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let (gate, passed) = (Gate::new(), Gate::new());
    let module = interop()
        .on(705, {
            let gate = gate.clone();
            move |_, _| {
                gate.arrive();
                wait_with_a_bomb()
            }
        })
        .on(706, {
            let (gate, passed) = (gate.clone(), passed.clone());
            move |_, body| {
                let (gate, passed) = (gate.clone(), passed.clone());
                async move {
                    gate.arrive();
                    passed.through().await;
                    Ok(body)
                }
            }
        });
    let mut server = Server::builder().explicit_modules_only().module(module).bind_progress(&path).unwrap();
    let (bad, good) = (RawPeer::connect(&path), RawPeer::connect(&path));
    bad.send_call(Wire::Chunked, 7, 705, 1, b"");
    good.send_call(Wire::Chunked, 7, 706, 2, b"good");
    while gate.unnoticed() < 2 {
        assert!(!server.progress(PATIENCE).unwrap().is_idle());
    }
    let first = server.sessions()[0].id();
    assert!(server.cut_session(first));
    bad.assert_closed();
    assert_eq!(server.sessions().len(), 1);
    passed.open(1);
    while server.progress(PATIENCE).unwrap().replies() == 0 {}
    assert_eq!(good.recv_response(Wire::Chunked).body, "good");
}

/// Takes items for ever, with a bomb in hand.
struct Bombs(Gate);

#[drpc_module(id = 9, unlisted)]
impl Bombs {
    #[method(1, stream)]
    async fn take(&self, _request: Bytes, mut items: Incoming<Bytes>) -> Result<Bytes, Failure> {
        let _bomb = Bomb;
        self.0.arrive();
        while items.next().await.is_some() {}
        std::future::pending().await
    }
}

#[test]
fn a_handler_of_a_stream_that_panics_as_its_session_is_cut_harms_nobody() {
    // S10.
    with_every_handle(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let builder = Server::builder().allow_unlisted().module(interop()).module(Bombs(gate.clone()));
        let server = driver.start(builder);
        let peer = RawPeer::connect(server.path());
        let added = CallFields { sends_items: true, ..CallFields::default() };
        let method = BombsMethod::Take.method().id();
        let call =
            Call::<Bytes> { module: 9, method, sequence: 1, body: Bytes::new(), added: Some(added.into()) };
        peer.send_message(Wire::Chunked, &call.encode());
        in_order(gate.arrived(1));
        let handle = server.server_handle();
        assert!(handle.cut_session(handle.sessions()[0].id()));
        logs.wait_for("panicked as it was dropped: a bomb went off");
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
    });
}

#[test]
fn work_that_panics_as_it_is_cut_off_does_not_keep_the_server() {
    // S7, S10.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let module = interop().on(705, {
            let gate = gate.clone();
            move |context: Context, body| {
                let gate = gate.clone();
                async move {
                    context.spawn(|_| async move {
                        gate.arrive();
                        let _ = wait_with_a_bomb().await;
                    });
                    Ok(body)
                }
            }
        });
        let server = driver.start(Server::builder().drain_timeout(Duration::from_millis(20)).module(module));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 705, 1, b"");
        assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
        // The reply may be there before the work has begun; work that is cut before that has no bomb.
        in_order(gate.arrived(1));
        server.stop();
        logs.wait_for("panicked as it was dropped: a bomb went off");
    });
}

#[test]
fn a_panic_whose_payload_panics_is_a_failure_of_its_call() {
    // S10.
    with_every_server(|driver| {
        let module = interop().on(705, |_, _| async { panic_any(Bomb) });
        assert_fails_alone(&driver.start(Server::builder().module(module)));
    });
}

/// An error that can't be shown, nor dropped.
#[derive(Debug)]
struct Unspeakable(#[allow(dead_code, reason = "it is there to be dropped")] Noisy);

#[derive(Debug)]
struct Noisy;

impl Drop for Noisy {
    fn drop(&mut self) {
        drop(Bomb);
    }
}

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("it can't be said")
    }
}

impl Error for Unspeakable {}

/// An error with such a source.
#[derive(Debug)]
struct Wrapped(Unspeakable);

impl fmt::Display for Wrapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("wrapped")
    }
}

impl Error for Wrapped {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_error_that_panics_as_it_is_shown_or_dropped_is_a_failure_of_its_call() {
    // S10.
    with_every_server(|driver| {
        let module =
            interop().on(705, |_, _| async { Err(Failure::from_error(Wrapped(Unspeakable(Noisy)))) });
        assert_fails_alone(&driver.start(Server::builder().module(module)));
    });
}

/// An error that is its own source.
#[derive(Debug)]
struct Circle;

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a circle")
    }
}

impl Error for Circle {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self)
    }
}

#[test]
fn an_error_that_is_its_own_source_is_a_failure_of_its_call() {
    // S1: neither where it becomes a failure nor where it is logged.
    with_every_server(|driver| {
        let module = interop().on(705, |_, _| async { Err(Failure::from_error(Circle)) });
        assert_fails_alone(&driver.start(Server::builder().module(module)));
    });
}

/// A module written by hand, that panics wherever it is asked, once it is told to.
#[derive(Clone, Default)]
struct Trap(Arc<AtomicBool>);

impl Trap {
    fn spring(&self) {
        assert!(!self.0.load(Ordering::SeqCst), "the trap is sprung");
    }
}

impl Module for Trap {
    fn id(&self) -> i32 {
        8
    }

    fn name(&self) -> &str {
        self.spring();
        "trap"
    }

    fn rule(&self) -> Option<&str> {
        self.spring();
        None
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        Some(Method::new(8, id, "method"))
    }

    fn handle_call<'a>(
        self: Arc<Self>,
        _: Context,
        method: Method,
        body: Bytes,
    ) -> Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + 'a>>
    where
        Self: 'a,
    {
        assert_ne!(method.id(), 801, "before there is a future");
        Box::pin(async { Ok(body.into()) })
    }
}

#[test]
fn a_module_that_panics_as_it_is_asked_for_its_name_fails_alone() {
    // S10.
    with_every_server(|driver| {
        // The call's span asks for the name, too.
        let (_logs, _guard) = Logs::of_this_thread();
        for from_the_start in [false, true] {
            let trap = Trap(Arc::new(from_the_start.into()));
            let server = driver.start(Server::builder().module(interop()).module(trap.clone()));
            trap.0.store(true, Ordering::SeqCst);
            let peer = RawPeer::connect(server.path());
            peer.send_call(Wire::Chunked, 8, 800, 1, b"");
            assert_eq!(peer.recv_response(Wire::Chunked).status, Status::FAILURE);
            peer.assert_served(Wire::Chunked);
        }
    });
}

#[test]
fn a_module_that_panics_before_there_is_a_future_does_not_end_a_layer() {
    // S10: the worker of tower's buffer calls the module on a task of its own.
    with_every_server(|driver| {
        let runtime = runtime();
        let _entered = runtime.enter();
        let layers = ServiceBuilder::new().layer(BufferLayer::new(16));
        let server = driver.start(Server::builder().module(Trap::default()).layer(layers));
        let peer = RawPeer::connect(server.path());
        for (sequence, method) in [800, 801, 800, 801, 800].into_iter().enumerate() {
            peer.send_call(Wire::Chunked, 8, method, sequence as i64, b"body");
            let expected = if method == 801 { Status::FAILURE } else { Status::SUCCESS };
            assert_eq!(peer.recv_response(Wire::Chunked).status, expected);
        }
    });
}

#[test]
fn what_a_failure_says_forges_no_line_of_the_log() {
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let module = interop().on(705, |_, body: Bytes| async move {
            let text = String::from_utf8_lossy(&body).into_owned();
            let failure = Failure::from_error(std::io::Error::other(text.clone()));
            Err(Failure::from_error(Caused(format!("no pool {text}"), failure)))
        });
        let server = driver.start(Server::builder().module(module));
        let peer = RawPeer::connect(server.path());
        let text = ["x\nERROR drpc: FORGED \x1b[31mred", &"long".repeat(10_000), "END"].concat();
        peer.send_call(Wire::Chunked, 7, 705, 1, text.as_bytes());
        peer.recv_response(Wire::Chunked);
        logs.wait_for(r"call failed: no pool x\nERROR drpc: FORGED \u{1b}[31mred");
        for forged in ["\nERROR drpc: FORGED", "\x1b", "END"] {
            logs.assert_lack(forged);
        }
    });
}

/// An error that has another for its source.
#[derive(Debug)]
struct Caused(String, Failure);

impl fmt::Display for Caused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Caused {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.1)
    }
}

/// Bytes whose owner panics as it is dropped.
struct Explosive(Bomb);

impl AsRef<[u8]> for Explosive {
    fn as_ref(&self) -> &[u8] {
        let Explosive(_) = self;
        b"explosive"
    }
}

#[test]
fn what_is_dropped_with_a_reply_or_a_session_may_panic() {
    // S1, S10: in the server that works in steps, it must not come out of a step.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let (ended, mut ends) = tokio::sync::mpsc::unbounded_channel();
        let module = interop().on(705, |_, _| async { Ok(Bytes::from_owner(Explosive(Bomb))) }).on(
            706,
            |context: Context, body| async move {
                context.session().extensions().insert(Bomb);
                Ok(body)
            },
        );
        let builder = Server::builder().module(module).on_close(move |session| {
            let _ = ended.send(session.id());
        });
        let server = driver.start(builder);
        let other = RawPeer::connect(server.path());
        for method in [705, 706] {
            let peer = RawPeer::connect(server.path());
            peer.send_call(Wire::Chunked, 7, method, 1, b"");
            assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
            drop(peer);
            in_order(ends.recv()).unwrap();
            other.assert_served(Wire::Chunked);
        }
        logs.wait_for("what was kept with a session panicked as it was dropped: a bomb went off");
    });
}
