//! The end of a server (S7).

use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use drpc::server::shutdown_signal;
use drpc::{CallErrorKind, Cancelled, Client, Context, Order, Server, Status, Wire};
use rustix::process::{Signal, getpid, kill_process};
use tokio::sync::mpsc;

use crate::support::{
    Driver, Gate, Handlers, Logs, PATIENCE, RawPeer, SOON, WIRES, call, echo, greeting, in_order, interop,
    isolated, runtime, with_every_handle, with_every_server,
};

/// Module 7: 705 says by the gate that it runs, and is answered once its session is cancelled and the gate open.
fn until_told(gate: &Gate) -> Handlers {
    let gate = gate.clone();
    echo().on(705, move |context: Context, body| {
        let gate = gate.clone();
        async move {
            gate.arrive();
            context.cancelled().await;
            gate.through().await;
            Ok(body)
        }
    })
}

#[test]
fn running_calls_are_told_finish_and_are_answered() {
    // S7; the Context says that the server is shutting down.
    with_every_server(|driver| {
        for order in [Order::Serial, Order::Concurrent(4)] {
            for wire in WIRES {
                let gate = Gate::new();
                let server = driver
                    .start(Server::builder().order(order).drain_timeout(PATIENCE).module(until_told(&gate)));
                let path = server.path().to_owned();
                let peer = RawPeer::connect(&path);
                peer.assert_served(wire);
                peer.send_call(wire, 7, 705, 1, b"running");
                in_order(gate.arrived(1));
                let handle = server.handle();
                handle.shutdown();
                handle.shutdown();
                // It stops accepting while the call still runs: whoever gets into the backlog is closed with it.
                while let Ok(waiting) = RawPeer::try_connect(&path) {
                    waiting.assert_closed();
                }
                gate.open(1);
                assert_eq!(peer.recv_response(wire).body, "running", "{order:?} {wire:?}");
                peer.assert_closed();
                let shutdown = server.wait();
                assert!(shutdown.is_drained(), "{shutdown}");
                assert!(!path.exists());
            }
        }
    });
}

#[test]
fn calls_that_were_sent_are_executed_and_no_more_is_taken() {
    // S7: no call is lost that had reached the socket, and none is taken that would be.
    with_every_server(|driver| {
        let gate = Gate::new();
        let (executed, mut executions) = mpsc::unbounded_channel();
        let module = Handlers::new(7, "interop").on(700, {
            let gate = gate.clone();
            move |context: Context, body| {
                let (gate, executed) = (gate.clone(), executed.clone());
                async move {
                    executed.send(()).unwrap();
                    gate.pass().await;
                    // The server in steps is asked to stop, and does so in its next step.
                    context.cancelled().await;
                    Ok(body)
                }
            }
        });
        let server = driver.start(Server::builder().drain_timeout(PATIENCE).module(module));
        let peer = RawPeer::connect(server.path());
        for sequence in 1..=3 {
            peer.send_call(Wire::Chunked, 7, 700, sequence, b"");
        }
        let waiting = RawPeer::connect(server.path());
        waiting.send_call(Wire::Chunked, 7, 700, 4, b"");
        in_order(gate.arrived(1));
        server.handle().shutdown();
        gate.open(4);
        for sequence in 1..=3 {
            assert_eq!(peer.recv_response(Wire::Chunked).sequence, sequence);
        }
        peer.assert_closed();
        assert_eq!(waiting.recv_response(Wire::Chunked).sequence, 4);
        waiting.assert_closed();
        assert!(!peer.send_unless_closed(b"too late"));
        server.wait();
        for _ in 1..=4 {
            in_order(executions.recv()).unwrap();
        }
        assert!(executions.try_recv().is_err());
    });
}

#[test]
fn idle_sessions_and_half_messages_do_not_hold_it_up() {
    // S7.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().drain_timeout(2 * PATIENCE).module(interop()));
        let idle: Vec<_> = WIRES
            .iter()
            .map(|wire| {
                let peer = RawPeer::connect(server.path());
                peer.assert_served(*wire);
                peer
            })
            .collect();
        let half = RawPeer::connect(server.path());
        half.assert_served(Wire::Chunked);
        half.send(&[crate::support::header(10, 5, 0, 2), b"01234".to_vec()].concat());
        let never_called = RawPeer::connect(server.path());
        let started = Instant::now();
        server.stop();
        assert!(started.elapsed() < PATIENCE);
        for peer in idle {
            peer.assert_closed();
        }
        half.assert_closed();
        never_called.assert_closed();
    });
}

#[test]
fn calls_that_do_not_finish_in_time_are_cut() {
    // S7: also one that sees no reason to stop, and with it its client.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let server = driver.start(Server::builder().drain_timeout(SOON).module(until_told(&gate)));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(gate.arrived(1));
        let shutdown = server.stop();
        peer.assert_closed();
        assert_eq!((shutdown.is_drained(), shutdown.cut_sessions(), shutdown.cut_calls()), (false, 1, 1));
        assert_eq!((shutdown.cut_work(), shutdown.stuck()), (0, 0));
        logs.assert_contain(
            "cutting what did not finish in time sessions=1 background=0 calls=interop.scripted",
        );
        logs.assert_contain("stopped: cut: sessions=1 calls=1 background=0 stuck=0 address=");
    });
}

#[test]
fn its_operator_is_told_when_it_listens_when_it_stops_and_how_that_went() {
    // Ours: a line each, at INFO.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let builder = Server::builder().drain_timeout(PATIENCE).module(greeting()).module(until_told(&gate));
        let server = driver.start(builder);
        let address = format!("address={}", server.path().display());
        logs.wait_for(&format!("listening {address} modules=[\"test\", \"interop\"] methods=3"));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(gate.arrived(1));
        server.handle().shutdown();
        logs.wait_for(&format!("stopping {address} sessions=1 calls=1 background=0"));
        logs.assert_lack("stopped");
        gate.open(1);
        assert!(server.wait().is_drained());
        logs.assert_contain(&format!("stopped: drained {address}"));
    });
}

/// Module 7: 705 says that it runs, and blocks its thread until the sender is dropped.
fn blocking() -> (Handlers, std::sync::mpsc::Receiver<()>, std::sync::mpsc::Sender<()>) {
    let (runs, running) = channel();
    let (release, held) = channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let module = echo().on(705, move |_, body| {
        runs.send(()).unwrap();
        let held = held.clone();
        async move {
            let _ = held.lock().unwrap().recv();
            Ok(body)
        }
    });
    (module, running, release)
}

#[test]
fn a_handler_that_blocks_its_thread_does_not_hold_it_up() {
    // S7: it can't be cut, so it is named, and left.
    with_every_handle(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let (module, running, release) = blocking();
        let server = driver.start(Server::builder().drain_timeout(SOON).module(module));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 705, 3, b"");
        running.recv_timeout(PATIENCE).unwrap();
        let [session] = &server.server_handle().sessions()[..] else { panic!("one session") };
        let [call] = &session.running_calls()[..] else { panic!("one call") };
        assert_eq!((call.method().id(), call.sequence()), (705, 3));
        let since = call.since();
        assert_eq!(session.running_calls()[0].since(), since);

        server.handle().shutdown();
        logs.wait_for("left to themselves: handlers that block their threads stuck=1 calls=interop.scripted");
        logs.wait_for("stopped: cut: sessions=1 calls=1 background=0 stuck=1");
        // The runtime waits for its threads, and this for the runtime.
        drop(release);
        assert_eq!(server.wait().stuck(), 1);
    });
}

#[test]
fn it_ends_in_time_where_the_one_thread_of_its_runtime_is_blocked() {
    // S7: whoever awaits `serve` is on another thread, and neither clock nor signal is of those that the runtime's thread looks after.
    isolated("shutdown::it_ends_in_time_where_the_one_thread_of_its_runtime_is_blocked", || {
        let (module, running, release) = blocking();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let stop = shutdown_signal();
        let builder = Server::builder().explicit_modules_only().drain_timeout(SOON).module(module);
        let server = builder.bind(&path).unwrap();
        let asking = thread::spawn(move || {
            let peer = RawPeer::connect(&path);
            peer.send_call(Wire::Chunked, 7, 705, 1, b"");
            running.recv_timeout(PATIENCE).unwrap();
            kill_process(getpid(), Signal::TERM).unwrap();
            peer
        });
        let shutdown = runtime.block_on(server.serve_until(stop)).unwrap();
        assert_eq!((shutdown.cut_calls(), shutdown.stuck()), (1, 1));
        drop(release);
        drop(asking.join().unwrap());
    });
}

#[test]
fn a_handler_that_blocks_the_only_thread_of_all_is_told_of_a_signal() {
    // S7, D8: nobody else could tell it.
    isolated("shutdown::a_handler_that_blocks_the_only_thread_of_all_is_told_of_a_signal", || {
        let (runs, running) = channel();
        let module = echo().on(705, move |context: Context, body| {
            let runs = runs.clone();
            async move {
                runs.send(()).unwrap();
                while context.cancellation() != Some(Cancelled::ShuttingDown) {
                    thread::yield_now();
                }
                Ok(body)
            }
        });
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let stop = shutdown_signal();
        let builder = Server::builder().explicit_modules_only().drain_timeout(PATIENCE).module(module);
        let server = builder.bind(&path).unwrap();
        let asking = thread::spawn(move || {
            let peer = RawPeer::connect(&path);
            peer.send_call(Wire::Chunked, 7, 705, 1, b"told");
            running.recv_timeout(PATIENCE).unwrap();
            kill_process(getpid(), Signal::TERM).unwrap();
            peer.recv_response(Wire::Chunked).body
        });
        assert!(in_order(server.serve_until(stop)).unwrap().is_drained());
        assert_eq!(asking.join().unwrap(), "told");
    });
}

#[test]
fn a_second_signal_cuts() {
    // Ours. Either signal, in either place.
    isolated("shutdown::a_second_signal_cuts", || {
        let logs = Logs::of_this_process();
        for (first, second) in [(Signal::TERM, Signal::INT), (Signal::INT, Signal::INT)] {
            with_every_handle(|driver| {
                let gate = Gate::new();
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("s");
                let stop = shutdown_signal();
                let builder = Server::builder().explicit_modules_only().drain_timeout(Duration::MAX);
                let builder = builder.module(until_told(&gate));
                let serving = match driver {
                    Driver::Threads => {
                        let server = builder.bind_blocking(&path).unwrap();
                        thread::spawn(move || server.serve_until(stop))
                    }
                    _ => {
                        let server = builder.bind(&path).unwrap();
                        thread::spawn(move || runtime().block_on(server.serve_until(stop)))
                    }
                };
                let peer = RawPeer::connect(&path);
                peer.send_call(Wire::Chunked, 7, 705, 1, b"");
                in_order(gate.arrived(1));
                kill_process(getpid(), first).unwrap();
                logs.wait_for(&format!("stopping address={}", path.display()));
                kill_process(getpid(), second).unwrap();
                peer.assert_closed();
                assert_eq!(serving.join().unwrap().unwrap().cut_calls(), 1);
            });
        }
    });
}

#[test]
fn once_nobody_listens_any_more_a_signal_ends_the_process() {
    // Ours: as long as anybody does, it does not.
    const NAME: &str = "shutdown::once_nobody_listens_any_more_a_signal_ends_the_process";
    const MARK: &str = "DRPC_TEST_ENDED_BY_A_SIGNAL";
    if env::var_os(MARK).is_some() {
        let (first, second) = (shutdown_signal(), shutdown_signal());
        drop(first);
        kill_process(getpid(), Signal::TERM).unwrap();
        assert_eq!(in_order(second), drpc::server::Signal::Terminate);
        kill_process(getpid(), Signal::INT).unwrap();
        // It may take another thread, and a moment.
        let (_kept, ended) = channel::<()>();
        panic!("the process has not ended: {:?}", ended.recv_timeout(PATIENCE));
    }
    let mut again = Command::new(env::current_exe().unwrap());
    let status = again.args([NAME, "--exact", "--nocapture"]).env(MARK, "").status().unwrap();
    assert_eq!(status.signal(), Some(Signal::INT.as_raw()));
}

#[test]
fn a_handle_cuts_a_drain_that_takes_too_long() {
    with_every_handle(|driver| {
        let gate = Gate::new();
        let builder = Server::builder().drain_timeout(Duration::MAX).module(until_told(&gate));
        let server = driver.start(builder);
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(gate.arrived(1));
        let handle = server.server_handle();
        handle.shutdown();
        handle.cut();
        peer.assert_closed();
        assert_eq!(server.wait().cut_calls(), 1);
    });
}

#[test]
fn a_client_that_never_reads_does_not_hold_it_up_for_ever() {
    // S7, H "never reads": a reply that can't be sent is cut like a call.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().drain_timeout(SOON).module(interop()));
        let peer = RawPeer::connect(server.path());
        peer.fill(Wire::Chunked, 700, 1, &RawPeer::connect(server.path()));
        server.stop();
    });
}

#[test]
fn a_call_that_runs_beside_a_stuck_reply_is_told_too() {
    // S7, D8: the session is stuck in a send when the server is to stop.
    with_every_server(|driver| {
        let (told, mut tidings) = mpsc::unbounded_channel();
        let module = echo().on(705, move |context: Context, body| {
            let told = told.clone();
            async move {
                told.send("runs").unwrap();
                context.cancelled().await;
                told.send("told").unwrap();
                Ok(body)
            }
        });
        let builder = Server::builder().order(Order::Concurrent(64)).drain_timeout(PATIENCE).module(module);
        let server = driver.start(builder);
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 705, 1, b"");
        assert_eq!(in_order(tidings.recv()), Some("runs"));
        peer.fill(Wire::Chunked, 700, 2, &RawPeer::connect(server.path()));
        server.handle().shutdown();
        assert_eq!(in_order(tidings.recv()), Some("told"));
        drop(peer);
        server.wait();
    });
}

#[test]
fn clients_see_that_the_server_has_gone() {
    // S7, C7.
    in_order(async {
        let gate = Gate::new();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let module = until_told(&gate);
        let server = Server::builder().order(Order::Concurrent(4)).drain_timeout(SOON).module(module);
        let server = server.bind(&path).unwrap();
        let handle = server.handle();
        let serving = tokio::spawn(server.serve());
        let client = Client::builder(&path).auto_reconnect(false).connect().await.unwrap();
        let waiting = tokio::spawn(call(&client, 705, ""));
        gate.arrived(1).await;
        handle.shutdown();
        serving.await.unwrap().unwrap();
        let error = waiting.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::Disconnected);
        assert_eq!(
            error.to_string(),
            "the server closed the connection and did not answer; the call may have been executed; the server's log says why, if it lives"
        );
        assert!(!client.is_connected());
        let error = client.reconnect().await.unwrap_err();
        assert!(error.to_string().contains("is the server started"), "{error}");
    });
}

#[test]
fn it_can_be_asked_before_it_serves_and_by_a_future() {
    // S7.
    in_order(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let server = Server::builder().module(interop()).bind(&path).unwrap();
        server.handle().shutdown();
        server.serve().await.unwrap();
        assert!(!path.exists());

        let server = Server::builder().module(interop()).bind(&path).unwrap();
        let client = Client::connect(&path).await.unwrap();
        let called = async {
            call(&client, 700, "").await.unwrap();
        };
        server.serve_until(called).await.unwrap();
        assert!(!path.exists());
    });
}

#[test]
fn a_session_in_memory_ends_with_its_client() {
    // `drpc::testing`: the same session, without a socket.
    in_order(async {
        let (told, mut tidings) = mpsc::unbounded_channel();
        let module = interop().on(705, move |context: Context, body| {
            let told = told.clone();
            async move {
                told.send("runs").unwrap();
                context.cancelled().await;
                told.send("told").unwrap();
                Ok(body)
            }
        });
        let builder = Server::builder().explicit_modules_only().order(Order::Concurrent(2)).module(module);
        let client = drpc::testing::client_of(builder).unwrap();
        for len in [0, 1, 300_000, 4 << 20] {
            assert_eq!(call(&client, 700, vec![7; len]).await.unwrap().body, vec![7; len]);
        }
        assert_eq!(call(&client, 701, vec![]).await.unwrap().status, Status::FAILURE);
        assert_eq!(call(&client, 799, vec![]).await.unwrap().status, Status::UNKNOWN_METHOD);

        let waiting = tokio::spawn(call(&client, 705, vec![]));
        assert_eq!(tidings.recv().await, Some("runs"));
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        // C4: the reply that nobody takes any more does not get in the way of the next.
        assert_eq!(call(&client, 700, vec![1]).await.unwrap().body, vec![1]);
        client.close();
        assert_eq!(tidings.recv().await, Some("told"));
        let error = call(&client, 700, "").await.unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::NotConnected);
    });
}
