//! Callers that stay from the beginning to the end, and go on when the server was restarted, by hand where a call failed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use drpc::{CallOptions, Client, blocking};
use tokio::sync::{RwLock, RwLockWriteGuard};
use tokio::task::{JoinSet, spawn_blocking, yield_now};

use crate::Error;
use crate::body::body;
use crate::restarts::Restarts;
use crate::sessions::{ECHO, builder, check};

const ASYNC: usize = 12;
const BLOCKING: usize = 4;

/// How long to wait before the next try to connect again.
const PAUSE: Duration = Duration::from_millis(10);

pub(crate) struct Survivors {
    shared: Arc<Shared>,
    tasks: JoinSet<Result<(), Error>>,
    clients: Vec<AnyClient>,
}

#[derive(Default)]
struct Shared {
    /// Held for reading during a call, and for writing while all is to be quiet.
    turn: RwLock<()>,
    stop: AtomicBool,
    calls: AtomicUsize,
    reconnected: AtomicUsize,
    /// How many survivors were answered by the server that took the first one's place.
    outlived: AtomicUsize,
    restarts: Arc<Restarts>,
}

#[derive(Clone)]
enum AnyClient {
    Async(Client),
    Blocking(blocking::Client),
}

/// All survivors are disconnected, and stay so until this is dropped by [`Survivors::go_on`].
pub(crate) struct Quiet<'a>(RwLockWriteGuard<'a, ()>);

impl Survivors {
    pub(crate) async fn start(socket: &Path, restarts: Arc<Restarts>) -> Result<Survivors, Error> {
        let shared = Arc::new(Shared { restarts, ..Shared::default() });
        let mut survivors = Survivors { shared, tasks: JoinSet::new(), clients: Vec::new() };
        for number in 0..ASYNC {
            let client = builder(socket).connect().await?;
            survivors.clients.push(AnyClient::Async(client.clone()));
            survivors.tasks.spawn(call(number, client, survivors.shared.clone()));
        }
        for number in ASYNC..ASYNC + BLOCKING {
            let path: PathBuf = socket.to_owned();
            let client = spawn_blocking(move || builder(&path).connect_blocking()).await??;
            survivors.clients.push(AnyClient::Blocking(client.clone()));
            let shared = survivors.shared.clone();
            survivors.tasks.spawn_blocking(move || call_blocking(number, &client, &shared));
        }
        Ok(survivors)
    }

    /// Waits until no survivor calls, and closes their connections.
    pub(crate) async fn pause(&self) -> Quiet<'_> {
        let quiet = self.shared.turn.write().await;
        for client in &self.clients {
            match client {
                AnyClient::Async(client) => client.close(),
                AnyClient::Blocking(client) => client.close(),
            }
        }
        Quiet(quiet)
    }

    /// Connects the survivors again, and lets them go on.
    pub(crate) async fn go_on(&self, quiet: Quiet<'_>) -> Result<(), Error> {
        for client in &self.clients {
            match client {
                AnyClient::Async(client) => client.reconnect().await?,
                AnyClient::Blocking(client) => client.reconnect()?,
            }
        }
        drop(quiet.0);
        Ok(())
    }

    /// The first survivor that failed, if one did.
    pub(crate) fn check(&mut self) -> Result<(), Error> {
        match self.tasks.try_join_next() {
            None => Ok(()),
            Some(ended) => ended?,
        }
    }

    /// Stops them all; gives how many calls they made, and how often one failed, since the server was restarted. All of them must have
    /// been answered by both servers.
    pub(crate) async fn stop(mut self) -> Result<(usize, usize), Error> {
        self.shared.stop.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended??;
        }
        let [calls, reconnected, outlived] =
            [&self.shared.calls, &self.shared.reconnected, &self.shared.outlived]
                .map(|counter| counter.load(Ordering::SeqCst));
        if outlived < ASYNC + BLOCKING {
            return Err(format!(
                "{outlived} of {} survivors were answered after the restart",
                ASYNC + BLOCKING
            )
            .into());
        }
        Ok((calls, reconnected))
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::SeqCst)
    }

    fn count(&self, counter: &AtomicUsize) {
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

async fn call(number: usize, client: Client, shared: Arc<Shared>) -> Result<(), Error> {
    let mut outlived = false;
    for call in 0.. {
        if !shared.goes_on() {
            break;
        }
        let turn = shared.turn.read().await;
        let (began, body) = (shared.restarts.mark(), body(number, call, usize::MAX));
        match client.call_raw(ECHO, body.clone(), &CallOptions::new()).await {
            Ok(response) => {
                check(&response.body, &body)?;
                shared.count(&shared.calls);
                if began.is_after_restart() && !std::mem::replace(&mut outlived, true) {
                    shared.count(&shared.outlived);
                }
            }
            Err(_) if shared.restarts.since(began) => {
                while let Err(error) = client.reconnect().await {
                    if !shared.restarts.since(began) {
                        return Err(error.into());
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                shared.count(&shared.reconnected);
            }
            Err(error) => return Err(format!("survivor {number}: {error}").into()),
        }
        drop(turn);
        yield_now().await;
    }
    Ok(())
}

fn call_blocking(number: usize, client: &blocking::Client, shared: &Shared) -> Result<(), Error> {
    let mut outlived = false;
    for call in 0.. {
        if !shared.goes_on() {
            break;
        }
        let _turn = shared.turn.blocking_read();
        let (began, body) = (shared.restarts.mark(), body(number, call, usize::MAX));
        match client.call_raw(ECHO, body.clone(), &CallOptions::new()) {
            Ok(response) => {
                check(&response.body, &body)?;
                shared.count(&shared.calls);
                if began.is_after_restart() && !std::mem::replace(&mut outlived, true) {
                    shared.count(&shared.outlived);
                }
            }
            Err(_) if shared.restarts.since(began) => {
                while let Err(error) = client.reconnect() {
                    if !shared.restarts.since(began) {
                        return Err(error.into());
                    }
                    thread::sleep(PAUSE);
                }
                shared.count(&shared.reconnected);
            }
            Err(error) => return Err(format!("survivor {number}: {error}").into()),
        }
    }
    Ok(())
}
