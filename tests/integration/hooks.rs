//! The life of a session: what is told of it, kept with it, and seen of it (D8, S7).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Instant, SystemTime};

use drpc::{Cancelled, Context, Order, Server, Status, Wire};
use tokio::sync::mpsc;

use crate::support::{
    Gate, Handlers, Logs, PATIENCE, RawPeer, SOON, WIRES, echo, gated, in_order, interop, with_every_handle,
    with_every_server,
};

/// Module 7: 700 echoes; 705 says by the gate that it runs, waits until its session is cancelled, and answers why.
fn until_cancelled(gate: &Gate) -> Handlers {
    let gate = gate.clone();
    echo().on(705, move |context: Context, _| {
        let gate = gate.clone();
        async move {
            gate.arrive();
            context.cancelled().await;
            Ok(format!("{:?}", context.cancellation()).into())
        }
    })
}

#[test]
fn hooks_see_each_session_begin_and_end() {
    with_every_server(|driver| {
        // In order, with the same session, and whatever the client does.
        let (told, mut tidings) = mpsc::unbounded_channel();
        let (opened, closed) = (told.clone(), told);
        let builder = Server::builder()
            .on_open({
                let opened = opened.clone();
                move |session| {
                    opened.send(("first", session.id(), session.calls_done())).unwrap();
                    Ok(())
                }
            })
            .on_open(move |session| {
                opened.send(("second", session.id(), session.calls_done())).unwrap();
                Ok(())
            })
            .on_close(move |session| closed.send(("closed", session.id(), session.calls_done())).unwrap());
        let server = driver.start(builder.module(interop()));
        for id in 1..=3 {
            let peer = RawPeer::connect(server.path());
            if id == 2 {
                (0..5).for_each(|_| peer.assert_served(Wire::Plain));
                peer.send_call(Wire::Plain, 7, 799, 1, b"");
                assert_eq!(peer.recv_response(Wire::Plain).status, Status::UNKNOWN_METHOD);
            }
            if id == 3 {
                peer.send(b"no packet of either wire");
                peer.half_close();
                while peer.recv().is_some() {}
            }
            drop(peer);
            let calls = if id == 2 { 6 } else { 0 };
            for expected in [("first", id, 0), ("second", id, 0), ("closed", id, calls)] {
                assert_eq!(in_order(tidings.recv()), Some(expected));
            }
        }
    });
}

#[test]
fn a_hook_may_refuse_a_session_and_one_that_panics_does() {
    with_every_server(|driver| {
        // S1: nobody else notices. What was refused is not reported as closed.
        let (logs, _guard) = Logs::of_this_thread();
        let (closed, mut closings) = mpsc::unbounded_channel();
        let builder = Server::builder()
            .on_open(|session| match session.id() {
                1 => Err("not the first".into()),
                2 => panic!("nor the second"),
                _ => Ok(()),
            })
            .on_close(move |session| closed.send(session.id()).unwrap());
        let server = driver.start(builder.module(interop()));
        RawPeer::connect(server.path()).assert_closed();
        logs.wait_for("connection refused: not the first");
        RawPeer::connect(server.path()).assert_closed();
        logs.wait_for("connection refused: a hook panicked: nor the second");
        let peer = RawPeer::connect(server.path());
        peer.assert_served(Wire::Chunked);
        drop(peer);
        assert_eq!(in_order(closings.recv()), Some(3));
    });
}

#[test]
fn a_hook_that_panics_at_the_end_is_logged_and_the_others_are_called() {
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let (closed, mut closings) = mpsc::unbounded_channel();
        let builder = Server::builder()
            .on_close(|_| panic!("at the end"))
            .on_close(move |session| closed.send(session.id()).unwrap());
        let server = driver.start(builder.module(interop()));
        for id in 1..=2 {
            RawPeer::connect(server.path()).assert_served(Wire::Chunked);
            assert_eq!(in_order(closings.recv()), Some(id));
        }
        logs.assert_contain("a hook panicked: at the end");
    });
}

#[test]
fn what_is_kept_belongs_to_one_session_and_goes_with_it() {
    with_every_server(|driver| {
        struct Visits(AtomicUsize, Arc<AtomicUsize>);
        impl Drop for Visits {
            fn drop(&mut self) {
                self.1.fetch_add(1, Ordering::SeqCst);
            }
        }
        let dropped = Arc::new(AtomicUsize::new(0));
        let (closed, mut closings) = mpsc::unbounded_channel();
        let builder = Server::builder()
            .on_open({
                let dropped = dropped.clone();
                move |session| {
                    session.extensions().insert(Visits(AtomicUsize::new(100), dropped.clone()));
                    Ok(())
                }
            })
            .on_close(move |session| {
                // Still there, for whoever writes an account of it.
                let visits = session.extensions().get::<Visits>().unwrap();
                closed.send(visits.0.load(Ordering::SeqCst)).unwrap();
            });
        let module = Handlers::new(7, "interop").on(700, |context: Context, _| async move {
            let visits = context.session().extensions().get::<Visits>().unwrap();
            Ok(visits.0.fetch_add(1, Ordering::SeqCst).to_string().into())
        });
        let server = driver.start(builder.module(module));
        let peers = [RawPeer::connect(server.path()), RawPeer::connect(server.path())];
        for expected in ["100", "101", "102"] {
            for (peer, wire) in peers.iter().zip(WIRES) {
                peer.send_call(wire, 7, 700, 1, b"");
                assert_eq!(peer.recv_response(wire).body, expected);
            }
        }
        drop(peers);
        for _ in 0..2 {
            assert_eq!(in_order(closings.recv()), Some(103));
        }
        server.stop();
        assert_eq!(dropped.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn the_list_tells_who_is_connected_and_what_they_are_doing() {
    with_every_handle(|driver| {
        // D8.
        let before = (SystemTime::now(), Instant::now());
        let gate = Gate::new();
        let module = gated(&gate);
        let builder = Server::builder().order(Order::Concurrent(4)).module(module);
        let server = driver.start(builder);
        let handle = server.server_handle();
        assert!(handle.sessions().is_empty());
        let busy = RawPeer::connect(server.path());
        busy.assert_served(Wire::Chunked);
        let idle = RawPeer::connect(server.path());
        idle.assert_served(Wire::Plain);
        for sequence in [11, 22, 33] {
            busy.send_call(Wire::Chunked, 7, 705, sequence, b"");
        }
        in_order(gate.arrived(3));
        // A call is listed when its handler waits; the last may be on its way there.
        let started = Instant::now();
        let sessions = loop {
            let sessions = handle.sessions();
            if sessions[0].running_calls().len() == 3 {
                break sessions;
            }
            assert!(started.elapsed() < PATIENCE, "{sessions:?}");
            idle.assert_served(Wire::Plain);
        };
        assert_eq!(sessions.iter().map(|session| session.id()).collect::<Vec<_>>(), [1, 2]);
        let mut calls = sessions[0].running_calls();
        assert!(calls.is_sorted_by_key(|call| call.since()));
        // Those on threads of their own may come to wait in any order.
        calls.sort_by_key(|call| call.sequence());
        assert_eq!(calls.iter().map(|call| call.sequence()).collect::<Vec<_>>(), [11, 22, 33]);
        for call in calls {
            assert_eq!(call.method().id(), 705);
            assert!(before.1 <= call.since() && call.since() <= Instant::now());
        }
        for session in &sessions {
            assert_eq!(session.peer().pid(), Some(std::process::id() as i32));
            assert!(session.opened_at() <= SystemTime::now() && before.0 <= session.opened_at());
        }
        assert_eq!(sessions[0].calls_done(), 1);
        assert!(sessions[1].running_calls().is_empty());
        gate.open(3);
        for _ in 0..3 {
            let _ = busy.recv_response(Wire::Chunked);
        }
        busy.assert_served(Wire::Chunked);
        assert!(sessions[0].running_calls().is_empty());
        // The call that was answered last may not be counted yet; the one before it is.
        assert!(sessions[0].calls_done() >= 4);
    });
}

#[test]
fn a_session_that_is_closed_is_told_answered_and_then_ends_alone() {
    with_every_handle(|driver| {
        // S7, for one session.
        for order in [Order::Serial, Order::Concurrent(4)] {
            let gate = Gate::new();
            let server = driver.start(Server::builder().order(order).module(until_cancelled(&gate)));
            let stays = RawPeer::connect(server.path());
            stays.assert_served(Wire::Chunked);
            let goes = RawPeer::connect(server.path());
            goes.send_call(Wire::Chunked, 7, 705, 1, b"");
            in_order(gate.arrived(1));
            let [_, session] = &server.server_handle().sessions()[..] else { panic!("two sessions") };
            session.close();
            assert_eq!(goes.recv_response(Wire::Chunked).body, "Some(SessionClosed)");
            goes.assert_closed();
            stays.assert_served(Wire::Chunked);
        }
    });
}

#[test]
fn a_handler_may_close_its_own_session() {
    with_every_server(|driver| {
        let module = echo().on(705, |context: Context, body| async move {
            context.session().close();
            Ok(body)
        });
        let server = driver.start(Server::builder().module(module));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            peer.send_call(wire, 7, 705, 1, b"goodbye");
            assert_eq!(peer.recv_response(wire).body, "goodbye");
            peer.assert_closed();
        }
    });
}

#[test]
fn a_session_that_is_cut_ends_at_once_and_alone() {
    with_every_handle(|driver| {
        // Its handler is dropped where it waits, and the hook is called none the less.
        struct Dropped(mpsc::UnboundedSender<&'static str>);
        impl Drop for Dropped {
            fn drop(&mut self) {
                self.0.send("handler dropped").unwrap();
            }
        }
        let (logs, _guard) = Logs::of_this_thread();
        let (told, mut tidings) = mpsc::unbounded_channel();
        let gate = Gate::new();
        let closed = told.clone();
        let module = echo().on(705, {
            let gate = gate.clone();
            move |_, _| {
                let (guard, gate) = (Dropped(told.clone()), gate.clone());
                async move {
                    let _guard = guard;
                    gate.arrive();
                    std::future::pending().await
                }
            }
        });
        let builder = Server::builder().on_close(move |session| {
            assert!(session.running_calls().is_empty());
            closed.send("closed").unwrap();
        });
        let server = driver.start(builder.module(module));
        let stays = RawPeer::connect(server.path());
        stays.assert_served(Wire::Chunked);
        let goes = RawPeer::connect(server.path());
        goes.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(gate.arrived(1));
        let handle = server.server_handle();
        assert!(handle.cut_session(2));
        goes.assert_closed();
        assert_eq!(in_order(tidings.recv()), Some("handler dropped"));
        assert_eq!(in_order(tidings.recv()), Some("closed"));
        assert!(!handle.cut_session(2) && !handle.cut_session(77));
        logs.assert_contain("cutting the session");
        stays.assert_served(Wire::Chunked);
    });
}

#[test]
fn a_handler_is_told_why_its_answer_is_of_no_more_use() {
    with_every_server(|driver| {
        // S6, S7: the caller has left, or the server shuts down and still answers.
        let gate = Gate::new();
        let (told, mut tidings) = mpsc::unbounded_channel();
        let module = until_cancelled(&gate).on(706, {
            let gate = gate.clone();
            move |context: Context, body| {
                let (gate, told) = (gate.clone(), told.clone());
                async move {
                    assert_eq!(context.cancellation(), None);
                    gate.arrive();
                    context.cancelled().await;
                    told.send(context.cancellation()).unwrap();
                    Ok(body)
                }
            }
        });
        let server = driver.start(Server::builder().drain_timeout(PATIENCE).module(module));
        let leaves = RawPeer::connect(server.path());
        leaves.send_call(Wire::Plain, 7, 706, 1, b"");
        in_order(gate.arrived(1));
        drop(leaves);
        assert_eq!(in_order(tidings.recv()), Some(Some(Cancelled::CallerLeft)));
        let stays = RawPeer::connect(server.path());
        stays.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(gate.arrived(1));
        server.handle().shutdown();
        assert_eq!(stays.recv_response(Wire::Chunked).body, "Some(ShuttingDown)");
        stays.assert_closed();
        server.wait();
    });
}

#[test]
fn sessions_that_a_shutdown_cuts_are_reported_as_closed() {
    with_every_server(|driver| {
        // S7.
        let closed = Arc::new(AtomicBool::new(false));
        let gate = Gate::new();
        let module = echo().on(705, {
            let gate = gate.clone();
            move |_, _| {
                gate.arrive();
                std::future::pending()
            }
        });
        let builder = Server::builder().drain_timeout(SOON).module(module).on_close({
            let closed = closed.clone();
            move |_| closed.store(true, Ordering::SeqCst)
        });
        let server = driver.start(builder);
        let peer = RawPeer::connect(server.path());
        peer.send_call(Wire::Chunked, 7, 705, 1, b"");
        in_order(gate.arrived(1));
        server.stop();
        assert!(closed.load(Ordering::SeqCst));
        peer.assert_closed();
    });
}

#[test]
fn a_progress_server_that_is_dropped_drops_its_handlers_before_it_reports_their_sessions_as_closed() {
    // S9.
    let (told, mut tidings) = mpsc::unbounded_channel();
    let module = echo().on(705, {
        let told = told.clone();
        move |_, _| {
            let dropped = Tells("handler dropped", told.clone());
            async move {
                let _dropped = dropped;
                std::future::pending().await
            }
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let builder = Server::builder().explicit_modules_only().module(module);
    let mut server =
        builder.on_close(move |_| drop(Tells("session closed", told.clone()))).bind_progress(&path).unwrap();
    let peer = RawPeer::connect(&path);
    peer.send_call(Wire::Chunked, 7, 705, 1, b"");
    while server.progress(PATIENCE).unwrap().calls() == 0 {}
    drop(server);
    assert_eq!(in_order(tidings.recv()), Some("handler dropped"));
    assert_eq!(in_order(tidings.recv()), Some("session closed"));
}

/// Tells when it is dropped.
struct Tells(&'static str, mpsc::UnboundedSender<&'static str>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.1.send(self.0);
    }
}
