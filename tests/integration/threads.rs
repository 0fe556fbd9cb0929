//! The server in threads: handlers that block, threads that can't be had, and ends that come while a thread waits in the kernel.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use drpc::{Cancelled, Context, Order, Server, Status, Wire};
use futures_util::FutureExt;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::{
    Driver, Handlers, Logs, PATIENCE, RawPeer, SOON, WIRES, echo, in_order, interop, isolated, runtime,
    with_descriptors_left,
};

/// Module 7: 705 says that it runs, and blocks its thread until it is told to go on.
fn blocking() -> (Handlers, Receiver<Context>, Sender<()>) {
    let (runs, running) = channel();
    let (go_on, told) = channel::<()>();
    let told = Arc::new(Mutex::new(told));
    let module = echo().on(705, move |context: Context, body| {
        runs.send(context).unwrap();
        let told = told.clone();
        async move {
            told.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            Ok(body)
        }
    });
    (module, running, go_on)
}

#[test]
fn as_many_calls_of_a_session_block_side_by_side_as_may() {
    // S5: none of them is done before all are there, and a further one is not read before one of them is answered.
    let all = Arc::new(Barrier::new(4));
    let module = echo().on(705, move |_, body| {
        let all = all.clone();
        async move {
            all.wait();
            Ok(body)
        }
    });
    let server = Driver::Threads.start(Server::builder().order(Order::Concurrent(4)).module(module));
    let peer = RawPeer::connect(server.path());
    for round in 0..20 {
        (0..4).for_each(|call| peer.send_call(Wire::Chunked, 7, 705, round * 10 + call, b""));
        let mut sequences: Vec<_> = (0..4).map(|_| peer.recv_response(Wire::Chunked).sequence).collect();
        sequences.sort_unstable();
        assert_eq!(sequences, (0..4).map(|call| round * 10 + call).collect::<Vec<_>>());
    }
}

#[test]
fn a_handler_that_blocks_is_told_that_its_caller_has_left_when_it_asks() {
    // S6: it is executed to its end.
    for order in [Order::Serial, Order::Concurrent(2)] {
        let (module, running, go_on) = blocking();
        let server = Driver::Threads.start(Server::builder().order(order).module(module));
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 705, 1, b"");
        let context = running.recv_timeout(PATIENCE).unwrap();
        assert!(!context.is_cancelled());
        // Who has only stopped to send still waits for the reply.
        peer.half_close();
        assert!(!context.is_cancelled());
        drop(peer);
        assert!(context.is_cancelled());
        assert_eq!(context.cancellation(), Some(Cancelled::CallerLeft));
        assert!(context.cancelled().now_or_never().is_some());
        go_on.send(()).unwrap();
    }
}

#[test]
fn a_reply_that_comes_after_the_handlers_time_is_not_sent() {
    let (logs, _guard) = Logs::of_this_thread();
    let (module, running, go_on) = blocking();
    let builder = Server::builder().handler_timeout(SOON).module(module);
    let server = Driver::Threads.start(builder);
    let peer = RawPeer::connect(server.path());
    peer.send_call(Wire::Chunked, 7, 705, 1, b"late");
    let deadline = running.recv_timeout(PATIENCE).unwrap().deadline().unwrap();
    while Instant::now() < deadline {
        thread::yield_now();
    }
    go_on.send(()).unwrap();
    let response = peer.recv_response(Wire::Chunked);
    assert_eq!((response.sequence, response.status), (1, Status::FAILURE));
    assert!(response.body.is_empty());
    logs.assert_contain("the handler took too long");
    peer.assert_served(Wire::Chunked);
}

#[test]
fn a_session_that_is_cut_while_its_handler_blocks_is_closed_at_once_and_answers_nothing() {
    let (logs, _guard) = Logs::of_this_thread();
    let (closed, closings) = channel();
    let (module, running, go_on) = blocking();
    let builder = Server::builder().on_close(move |session| closed.send(session.id()).unwrap());
    let server = Driver::Threads.start(builder.module(module));
    let peer = RawPeer::connect(server.path());
    peer.send_call(Wire::Chunked, 7, 705, 1, b"");
    let context = running.recv_timeout(PATIENCE).unwrap();
    assert!(server.server_handle().cut_session(1));
    peer.assert_closed();
    assert_eq!(context.cancellation(), Some(Cancelled::SessionClosed));
    assert!(closings.try_recv().is_err());
    go_on.send(()).unwrap();
    assert_eq!(closings.recv_timeout(PATIENCE).unwrap(), 1);
    logs.assert_contain("cutting the session");
    RawPeer::connect(server.path()).assert_served(Wire::Chunked);
}

#[test]
fn a_handler_that_blocks_does_not_hold_the_end_of_the_server_up() {
    // S7: its client is cut, and its thread left to itself.
    let (logs, _guard) = Logs::of_this_thread();
    let (module, running, go_on) = blocking();
    let server = Driver::Threads.start(Server::builder().drain_timeout(SOON).module(module));
    let peer = RawPeer::connect(server.path());
    peer.send_call(Wire::Chunked, 7, 705, 1, b"");
    running.recv_timeout(PATIENCE).unwrap();
    server.stop();
    peer.assert_closed();
    logs.assert_contain("cutting what did not finish in time sessions=1 background=0");
    logs.assert_contain(
        "left to themselves: handlers that block their threads stuck=1 calls=interop.scripted",
    );
    go_on.send(()).unwrap();
}

#[test]
fn a_shutdown_waits_for_a_handler_that_blocks_and_answers_it() {
    // S7.
    let (module, running, go_on) = blocking();
    let server = Driver::Threads.start(Server::builder().drain_timeout(PATIENCE).module(module));
    let peer = RawPeer::connect(server.path());
    peer.send_call(Wire::Plain, 7, 705, 1, b"running");
    let context = running.recv_timeout(PATIENCE).unwrap();
    server.handle().shutdown();
    assert_eq!(context.cancellation(), Some(Cancelled::ShuttingDown));
    go_on.send(()).unwrap();
    assert_eq!(peer.recv_response(Wire::Plain).body, "running");
    peer.assert_closed();
    server.wait();
}

#[test]
fn it_stops_when_a_future_is_ready_that_another_thread_wakes() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let builder = Server::builder().explicit_modules_only().module(interop());
    let server = builder.bind_blocking(&path).unwrap();
    assert_eq!(server.path(), Some(&*path));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = thread::spawn(move || server.serve_until(stopped.map(drop)));
    let peer = RawPeer::connect(&path);
    peer.assert_served(Wire::Chunked);
    stop.send(()).unwrap();
    peer.assert_closed();
    serving.join().unwrap().unwrap();
    assert!(!path.exists());
}

#[test]
fn an_async_handler_has_the_runtime_that_the_threads_are_wrapped_in() {
    let runtime = runtime();
    let handle = runtime.handle().clone();
    let module = echo().on(705, |_, body| async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(body)
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let builder = Server::builder().explicit_modules_only().module(module).wrap_threads(move |run| {
        let _entered = handle.enter();
        run();
    });
    let server = builder.bind_blocking(&path).unwrap();
    let stop = server.handle();
    let serving = thread::spawn(move || server.serve());
    let peer = RawPeer::connect(&path);
    peer.send_call(Wire::Chunked, 7, 705, 1, b"slept");
    assert_eq!(peer.recv_response(Wire::Chunked).body, "slept");
    stop.shutdown();
    serving.join().unwrap().unwrap();
}

#[test]
fn a_thread_that_its_wrapper_does_not_run_serves_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let builder = Server::builder().explicit_modules_only().module(interop()).wrap_threads(drop);
    let server = builder.bind_blocking(&path).unwrap();
    let stop = server.handle();
    let serving = thread::spawn(move || server.serve());
    RawPeer::connect(&path).assert_closed();
    stop.shutdown();
    serving.join().unwrap().unwrap();
}

#[test]
fn a_client_for_whom_there_is_no_thread_is_refused_and_the_next_is_served() {
    isolated("threads::a_client_for_whom_there_is_no_thread_is_refused_and_the_next_is_served", || {
        // S1: a thread whose stack has no room in this process's memory can't be had.
        let logs = Logs::of_this_process();
        let builder = Server::builder().thread_stack_size(64 << 20).module(interop());
        let server = Driver::Threads.start(builder);
        // It stays, so that its stack is not another's.
        let stays = RawPeer::connect(server.path());
        stays.assert_served(Wire::Chunked);
        let before = getrlimit(Resource::As);
        setrlimit(Resource::As, Rlimit { current: Some(address_space() + (32 << 20)), ..before }).unwrap();
        RawPeer::connect(server.path()).assert_closed();
        setrlimit(Resource::As, before).unwrap();
        logs.wait_for("connection refused: no thread can be had for it: ");
        stays.assert_served(Wire::Chunked);
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
    });
}

#[test]
fn a_handler_waits_where_no_descriptor_is_left_to_wake_it_by() {
    isolated("threads::a_handler_waits_where_no_descriptor_is_left_to_wake_it_by", || {
        // S4.
        let (go_on, told) = tokio::sync::oneshot::channel::<()>();
        let (runs, running) = channel();
        let told = Mutex::new(Some(told));
        let module = echo().on(705, move |_, body| {
            let told = told.lock().unwrap().take().unwrap();
            runs.send(()).unwrap();
            async move {
                told.await.unwrap();
                Ok(body)
            }
        });
        let server = Driver::Threads.start(Server::builder().module(module));
        let peer = RawPeer::connect(server.path());
        peer.assert_served(Wire::Chunked);
        with_descriptors_left(0, || {
            peer.send_call(Wire::Chunked, 7, 705, 1, b"waited");
            running.recv_timeout(PATIENCE).unwrap();
            go_on.send(()).unwrap();
            assert_eq!(peer.recv_response(Wire::Chunked).body, "waited");
        });
    });
}

#[test]
fn a_call_that_waits_for_room_when_its_session_is_cut_is_not_begun_and_leaves_its_turn_to_others() {
    // S7.
    let (module, running, go_on) = blocking();
    let server = Driver::Threads.start(Server::builder().call_limit(1).module(module));
    let peers = [0; 3].map(|_| RawPeer::connect(server.path()));
    peers.iter().for_each(|peer| peer.assert_served(Wire::Chunked));
    let [first, second, third] = peers;
    first.send_call(Wire::Chunked, 7, 705, 1, b"first");
    running.recv_timeout(PATIENCE).unwrap();
    second.send_call(Wire::Chunked, 7, 705, 2, b"second");
    third.send_call(Wire::Chunked, 7, 700, 3, b"third");
    assert!(server.server_handle().cut_session(2));
    second.assert_closed();
    go_on.send(()).unwrap();
    assert_eq!(first.recv_response(Wire::Chunked).body, "first");
    assert_eq!(third.recv_response(Wire::Chunked).body, "third");
    assert!(running.try_recv().is_err());
}

#[test]
fn threads_end_with_their_sessions_and_work() {
    isolated("threads::threads_end_with_their_sessions_and_work", || {
        let (done, works) = channel();
        let module = echo().on(705, move |context: Context, body| {
            let done = done.clone();
            context.spawn(|_| async move { done.send(thread::current().name().map(str::to_owned)).unwrap() });
            async move { Ok(body) }
        });
        let server = Driver::Threads.start(Server::builder().order(Order::Concurrent(4)).module(module));
        let begun = || thread_names().into_iter().filter(|name| name.starts_with("drpc-")).count();
        for wire in WIRES {
            let peers: Vec<_> = (0..10).map(|_| RawPeer::connect(server.path())).collect();
            for peer in &peers {
                (0..4).for_each(|sequence| peer.send_call(wire, 7, 705, sequence, b""));
                (0..4).for_each(|_| drop(peer.recv_response(wire)));
            }
            assert!(begun() >= 10, "{:?}", thread_names());
            drop(peers);
            for _ in 0..40 {
                assert_eq!(works.recv_timeout(PATIENCE).unwrap().as_deref(), Some("drpc-work"));
            }
            let started = Instant::now();
            while begun() > 0 {
                assert!(started.elapsed() < PATIENCE, "{:?}", thread_names());
                thread::yield_now();
            }
        }
        in_order(async { server.stop() });
    });
}

/// The names of this process's threads.
fn thread_names() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // One may end meanwhile.
    let name = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.ok()?.path().join("comm")).ok().map(|name| name.trim_end().to_owned())
    };
    tasks.filter_map(name).collect()
}

/// How much address space this process has taken, in bytes.
fn address_space() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmSize:")).unwrap();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap() << 10
}
