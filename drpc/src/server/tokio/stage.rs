use std::future::pending;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::sleep;

/// How far a server has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Serving,
    /// It is to stop, when what runs has finished.
    Draining,
    /// It is to stop at once.
    Cutting,
}

/// Waits until the server has come so far. Cancel safe.
pub(super) async fn reached(mut stage: watch::Receiver<Stage>, wanted: Stage) {
    if stage.wait_for(|stage| *stage >= wanted).await.is_err() {
        // Nobody is left who could stop it.
        pending::<()>().await;
    }
}

/// Waits for so long by tokio's clock, or by a thread's, since it may be that every thread is blocked which would turn the hands of the
/// former. Cancel safe.
pub(super) async fn elapsed(time: Duration) {
    let (waiting, given_up) = channel::<()>();
    let (ring, rung) = oneshot::channel();
    let watch = move || {
        if given_up.recv_timeout(time) == Err(RecvTimeoutError::Timeout) {
            let _ = ring.send(());
        }
    };
    // Without a thread, the runtime's clock has to do.
    drop(thread::Builder::new().name("drpc-drain".into()).spawn(watch));
    let by_thread = async {
        if rung.await.is_err() {
            pending::<()>().await;
        }
    };
    tokio::select! {
        () = by_thread => {}
        () = sleep(time) => {}
    }
    drop(waiting);
}
