//! A client in a process that is forked, and goes on without `exec`.

use drpc::{Bytes, CallOptions, Client, Method, Order, Server, blocking};

use crate::support::{TestServer, interop, isolated};

const ECHO: Method = Method::new(7, 700, "echo");

/// Calls again and again; whether each reply is that of its own call.
fn calls(client: &blocking::Client, who: &'static str) -> bool {
    (0..200).all(|call| {
        let body = Bytes::from(format!("{who}, call {call}"));
        client.call_raw(ECHO, body.clone(), &CallOptions::new()).is_ok_and(|response| response.body == body)
    })
}

#[test]
#[allow(unsafe_code, reason = "a fork without `exec` is what this is about")]
fn parent_and_child_have_connections_of_their_own() {
    isolated("forks::parent_and_child_have_connections_of_their_own", || {
        let server = TestServer::start(Server::builder().order(Order::Concurrent(8)).module(interop()));
        for connections in [1, 3] {
            let client = Client::builder(server.path()).connections(connections).connect_blocking().unwrap();
            assert!(calls(&client, "before"));
            // SAFETY: the child does nothing but call, and end: no lock that it takes was held by another thread of this process.
            match unsafe { libc::fork() } {
                0 => {
                    let own = calls(&client, "child") && client.is_connected();
                    // SAFETY: the child has nothing to tidy up.
                    unsafe { libc::_exit(i32::from(!own)) }
                }
                child => {
                    assert!(child > 0);
                    assert!(calls(&client, "parent"));
                    let child = rustix::process::Pid::from_raw(child);
                    let status = rustix::process::waitpid(child, rustix::process::WaitOptions::empty());
                    assert_eq!(status.unwrap().unwrap().1.exit_status(), Some(0));
                    assert!(calls(&client, "parent, after the child"));
                }
            }
        }
    });
}
