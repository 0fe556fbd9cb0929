//! A client, or a server, in a process that is forked, and goes on without `exec`.

use std::time::{Duration, Instant};

use drpc::wire::Response;
use drpc::{
    Bytes, CallError, CallErrorKind, CallOptions, Caller, Client, Method, Order, Server, Wire, WithFds,
    blocking, drpc_module, progress,
};
use futures_util::FutureExt;
use rustix::process::{Pid, WaitOptions, waitpid};

use crate::support::{
    Items, ItemsMethod, PATIENCE, RawPeer, SOON, TestServer, builder, call, in_order, interop, isolated,
};

const ECHO: Method = Method::new(7, 700, "echo");

/// Calls again and again; whether each reply is that of its own call.
fn calls(client: &blocking::Client, who: &'static str) -> bool {
    (0..200).all(|call| {
        let body = Bytes::from(format!("{who}, call {call}"));
        client.call_raw(ECHO, body.clone(), &CallOptions::new()).is_ok_and(|response| response.body == body)
    })
}

/// Does something in a child of this process, which must succeed.
#[allow(unsafe_code, reason = "a fork without `exec` is what this is about")]
fn in_a_child(succeeds: impl FnOnce() -> bool) -> Pid {
    // SAFETY: the child does nothing but this, and ends: no lock that it takes was held by another thread of this process.
    match unsafe { libc::fork() } {
        0 => {
            let succeeded = succeeds();
            // SAFETY: the child has nothing to tidy up.
            unsafe { libc::_exit(i32::from(!succeeded)) }
        }
        child => Pid::from_raw(child).filter(|_| child > 0).unwrap(),
    }
}

#[track_caller]
fn assert_succeeded(child: Pid) {
    let (_, status) = waitpid(Some(child), WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(status.exit_status(), Some(0));
}

#[test]
fn parent_and_child_have_connections_of_their_own() {
    isolated("forks::parent_and_child_have_connections_of_their_own", || {
        let server = TestServer::start(Server::builder().order(Order::Concurrent(8)).module(interop()));
        for connections in [1, 3] {
            let client = Client::builder(server.path()).connections(connections).connect_blocking().unwrap();
            assert!(calls(&client, "before"));
            let child = in_a_child(|| calls(&client, "child") && client.is_connected());
            assert!(calls(&client, "parent"));
            assert_succeeded(child);
            assert!(calls(&client, "parent, after the child"));
        }
    });
}

#[test]
fn a_client_whose_runtime_is_the_parents_refuses_calls_in_a_child() {
    isolated("forks::a_client_whose_runtime_is_the_parents_refuses_calls_in_a_child", || {
        let server = TestServer::start(Server::builder().module(interop()));
        let stepped = builder(server.path()).connect_progress().unwrap();
        in_order(async {
            let client = builder(server.path()).connect().await.unwrap();
            call(&client, 700, "").await.unwrap();
            let is_refused = |called: Result<Response, CallError>| {
                called.is_err_and(|error| {
                    error.kind() == CallErrorKind::Connect && error.to_string().contains("forked")
                })
            };
            let child = in_a_child(|| {
                let mut pending = stepped.call_raw(ECHO, "", &CallOptions::new());
                let in_steps = loop {
                    stepped.progress(Duration::ZERO).unwrap();
                    if let Some(called) = (&mut pending).now_or_never() {
                        break called;
                    }
                };
                is_refused(in_steps) && call(&client, 700, "").now_or_never().is_some_and(is_refused)
            });
            assert_succeeded(child);
            call(&client, 700, "").await.unwrap();
        });
    });
}

#[test]
fn a_child_that_drops_a_server_leaves_its_file_and_a_daemon_removes_it() {
    isolated("forks::a_child_that_drops_a_server_leaves_its_file_and_a_daemon_removes_it", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let bind = || Some(Server::builder().module(interop()).bind_progress(&path).unwrap());
        let mut server = bind();
        assert_succeeded(in_a_child(|| {
            drop(server.take());
            path.exists()
        }));
        drop(RawPeer::connect(&path));
        drop(server);
        assert!(!path.exists());

        let mut server = bind();
        assert_succeeded(in_a_child(|| {
            let stepped = server.take().map(|mut server| server.progress(Duration::ZERO));
            matches!(stepped, Some(Ok(_))) && !path.exists()
        }));
    });
}

/// A module that takes descriptors, so that its server closes those that nobody has received.
struct Files;

#[drpc_module(id = 8, unlisted)]
impl Files {
    #[method(1, fds)]
    fn keep(&self, files: WithFds<Bytes>) -> Bytes {
        files.message
    }
}

#[test]
fn a_child_that_drops_a_server_leaves_the_parent_what_its_clients_have_sent() {
    isolated("forks::a_child_that_drops_a_server_leaves_the_parent_what_its_clients_have_sent", || {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let mut server = Some(Server::builder().allow_unlisted().module(Files).bind_progress(&path).unwrap());
        let peer = RawPeer::connect(&path);
        let step = |server: &mut Option<progress::Server>| server.as_mut().unwrap().progress(SOON).unwrap();
        while step(&mut server).accepted() == 0 {}
        peer.send_call(Wire::Chunked, 8, 801, 5, b"for the parent");
        assert_succeeded(in_a_child(|| {
            drop(server.take());
            true
        }));
        let patience = Instant::now() + PATIENCE;
        while step(&mut server).replies() == 0 {
            assert!(Instant::now() < patience, "the child has taken the call");
        }
        assert_eq!(peer.recv_response(Wire::Chunked).body, "for the parent");
    });
}

#[test]
fn a_child_that_drops_a_client_leaves_the_parents_streams() {
    isolated("forks::a_child_that_drops_a_client_leaves_the_parents_streams", || {
        let server = TestServer::start(Server::builder().module(Items));
        in_order(async {
            let client = builder(server.path()).connect().await.unwrap();
            let options = CallOptions::new();
            let opening =
                client.upload::<_, Bytes, Bytes>(ItemsMethod::Count.method(), Bytes::new(), &options);
            let mut upload = opening.await.unwrap();
            upload.send("one".into()).await.unwrap();
            let mut of_child = Some(client);
            assert_succeeded(in_a_child(|| {
                of_child.take().unwrap().close();
                true
            }));
            upload.send("three".into()).await.unwrap();
            assert_eq!(upload.finish().await.unwrap(), "8");
        });
    });
}
