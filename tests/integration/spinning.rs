//! Trying before sleeping, on either side.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use drpc::Server;
use tempfile::tempdir;
use tokio::sync::oneshot;

use crate::support::{
    Kind, PATIENCE, builder, echo, in_order, interop, soon, with_every_client, with_every_handle,
};

#[test]
fn spinning_changes_no_answer() {
    with_every_handle(|driver| {
        // C3, C4, S1: calls that are answered at once, late, and never, on both sides spinning.
        let spin = Duration::from_micros(20);
        let module = echo().on(702, |_, _| pending());
        let server = driver.start(Server::builder().spin(spin).drain_timeout(Duration::ZERO).module(module));
        with_every_client(|kind| {
            let connect = || kind.connect(builder(server.path()).spin(spin)).unwrap();
            let clients = [connect(), connect()];
            for size in [0, 64, 5_000, 400_000] {
                for client in &clients {
                    for _ in 0..20 {
                        let response = client.call(7, 700, &vec![b'a'; size]).unwrap();
                        assert_eq!(response.body.len(), size);
                    }
                }
            }
            let never = clients[0].call_with(7, 702, b"", &soon());
            assert!(never.unwrap_err().is_timeout());
            clients[0].assert_served();
        });
    });
}

#[test]
fn who_spins_for_a_busy_client_serves_the_others() {
    // S1, on a runtime of one thread: spinning for the one, which never pauses, must not shut out the other.
    let folder = tempdir().unwrap();
    let path = folder.path().join("socket");
    let server = Server::builder().spin(PATIENCE).module(interop());
    let (stop, stopped) = oneshot::channel::<()>();
    let (ready, is_ready) = std::sync::mpsc::channel();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            in_order(async {
                let server = server.bind(&path).unwrap();
                ready.send(()).unwrap();
                server.serve_until(async { drop(stopped.await) }).await.unwrap();
            });
        });
        is_ready.recv().unwrap();
        let busy = Kind::Blocking.connect_to(&path);
        let calling = scope.spawn(|| {
            let busy = busy;
            while !done.load(Ordering::Relaxed) {
                busy.assert_served();
            }
        });
        with_every_client(|kind| {
            let other = kind.connect_to(&path);
            (0..100).for_each(|_| other.assert_served());
        });
        done.store(true, Ordering::Relaxed);
        calling.join().unwrap();
        stop.send(()).unwrap();
    });
}
