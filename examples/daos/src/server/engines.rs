//! The engines' processes: started, waited for, called, and started again when they die.
//!
//! ```text
//! Down ──spawn──▶ Started ──notify_ready──▶ Started ──set_rank, set_up, its pools──▶ Up
//!   ▲                │                                                               │
//!   └────────────────┴──────────────── the process ends: RAS event ──────────────────┘
//! ```

use std::error::Error;
use std::future::Future;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fs, io};

use drpc::{CallOptions, Caller, Client, Der, Failure, Payload, RetryPolicy};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::{self, oneshot, watch};
use tokio::time;

use super::events::Events;
use super::store::Store;
use crate::contract::MgmtMethod;
use crate::messages::mgmt::get_attach_info_resp::RankUri;
use crate::messages::mgmt::group_update_req::Engine;
use crate::messages::mgmt::{
    DaosResp, GroupUpdateReq, GroupUpdateResp, PoolCreateResp, PrepShutdownReq, SetRankReq,
};
use crate::messages::srv::NotifyReadyReq;
use crate::ras;

/// An engine listens before it says so, and once its socket is gone it is not coming back.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(200);
/// How long an engine may take for a call.
const CALL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an engine may take to end when it is asked to.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// An engine that never became ready is not started again at once.
const PAUSE: Duration = Duration::from_secs(1);

/// How to start an engine.
#[derive(Debug)]
pub struct Launch {
    /// Its program.
    pub program: PathBuf,
    /// Arguments, besides those that tell it who it is.
    pub args: Vec<String>,
    /// The folder of all sockets.
    pub socket_dir: PathBuf,
}

/// All engines of this server. Clones share them.
#[derive(Clone, Debug)]
pub struct Engines(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    launch: Launch,
    store: Store,
    events: Events,
    /// An engine's place here is its index, and its rank.
    instances: Vec<Instance>,
    /// Of the group: it grows whenever an engine comes up, or dies.
    map_version: Mutex<u32>,
    stopping: watch::Sender<bool>,
}

#[derive(Debug)]
struct Instance {
    index: u32,
    /// Whoever has it may call: one at a time, and nobody while the engine is given its pools.
    turn: sync::Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Down,
    /// It was started, and has not come up yet.
    Started {
        pid: u32,
        ready: Option<oneshot::Sender<NotifyReadyReq>>,
    },
    Up(Up),
}

/// An engine that may be called.
#[derive(Clone, Debug)]
struct Up {
    client: Client,
    notice: NotifyReadyReq,
}

/// Why an engine is no more.
enum End {
    /// It was asked to stop.
    Stopped,
    Died {
        up: Option<Up>,
        pid: u32,
        how: String,
    },
}

impl Engines {
    /// So many, none of them started.
    #[must_use]
    pub fn new(count: u32, launch: Launch, store: Store, events: Events) -> Self {
        let instance = |index| Instance { index, turn: sync::Mutex::default(), state: Mutex::default() };
        Engines(Arc::new(Shared {
            launch,
            store,
            events,
            instances: (0..count).map(instance).collect(),
            map_version: Mutex::default(),
            stopping: watch::Sender::new(false),
        }))
    }

    /// Starts all, keeps them running until the signal, and stops them.
    pub async fn run_until<T>(&self, signal: impl Future<Output = T>) {
        let ranks = 0..u32::try_from(self.0.instances.len()).unwrap_or(u32::MAX);
        let supervisors: Vec<_> =
            ranks.map(|rank| tokio::spawn(self.clone().supervise(rank as usize))).collect();
        signal.await;
        self.0.stopping.send_replace(true);
        for supervisor in supervisors {
            if let Err(error) = supervisor.await {
                tracing::error!("an engine was given up: {error}");
            }
        }
    }

    /// An engine says that it may be called.
    ///
    /// # Errors
    ///
    /// If it is none that was started here and is waited for, or says something that can't be.
    pub fn notify_ready(&self, pid: Option<i32>, notice: NotifyReadyReq) -> Result<(), Failure> {
        let index = notice.instance_idx;
        let Some(instance) = self.0.instances.get(index as usize) else {
            return Err(format!("there is no engine {index}").into());
        };
        let socket = &notice.drpc_listener_sock;
        if !fs::metadata(socket).is_ok_and(|file| file.file_type().is_socket()) {
            return Err(format!("engine {index} does not listen at `{socket}`: it is no socket").into());
        }
        let mut state = instance.state();
        let State::Started { pid: started, ready } = &mut *state else {
            return Err(format!("engine {index} is not waited for").into());
        };
        if pid != Some(started.cast_signed()) {
            return Err(format!("engine {index} is process {started}, not the caller").into());
        }
        let ready = ready.take().ok_or_else(|| format!("engine {index} has said so before"))?;
        // If nobody listens any more, the engine is about to be stopped.
        let _ = ready.send(notice);
        Ok(())
    }

    /// A turn to call the engine of this rank.
    ///
    /// # Errors
    ///
    /// [`Der::INVAL`] if there is no such rank, [`Der::AGAIN`] while it is down.
    pub async fn turn(&self, rank: u32) -> Result<Turn<'_>, Der> {
        let instance = self.0.instances.get(rank as usize).ok_or(Der::INVAL)?;
        let turn = instance.turn.lock().await;
        match &*instance.state() {
            State::Up(up) => Ok(Turn { client: up.client.clone(), rank, _turn: turn }),
            _ => Err(Der::AGAIN),
        }
    }

    /// The ranks that there are.
    #[must_use]
    pub fn ranks(&self) -> Vec<u32> {
        self.0.instances.iter().map(|instance| instance.index).collect()
    }

    /// Where those that are up listen for clients, and the version of the group that they make.
    #[must_use]
    pub fn uris(&self) -> (Vec<RankUri>, u32) {
        let uri = |(rank, up): (u32, Up)| RankUri {
            rank,
            uri: up.notice.uri,
            provider_idx: 0,
            num_ctxs: up.notice.nctxs,
        };
        let version = self.map_version();
        (self.up().into_iter().map(uri).collect(), *version)
    }

    fn map_version(&self) -> MutexGuard<'_, u32> {
        self.0.map_version.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn up(&self) -> Vec<(u32, Up)> {
        let up = |instance: &Instance| match &*instance.state() {
            State::Up(up) => Some((instance.index, up.clone())),
            _ => None,
        };
        self.0.instances.iter().filter_map(up).collect()
    }

    /// Keeps an engine running until all are to stop.
    async fn supervise(self, index: usize) {
        let instance = &self.0.instances[index];
        let mut stopping = self.0.stopping.subscribe();
        loop {
            let end = self.live(instance, &mut stopping).await;
            *instance.state() = State::Down;
            let was_up = match end {
                Ok(End::Stopped) => return,
                Ok(End::Died { up, pid, how }) => {
                    let incarnation = up.as_ref().map_or(0, |up| up.notice.incarnation);
                    self.0.events.raise(ras::engine_died(instance.index, pid, incarnation, &how)).await;
                    if up.is_some() {
                        self.update_group().await;
                    }
                    up.is_some()
                }
                Err(error) => {
                    tracing::error!("engine {index} can't be started: {error}");
                    false
                }
            };
            if !was_up {
                let _ = time::timeout(PAUSE, asked_to_stop(&mut stopping)).await;
            }
            if *stopping.borrow() {
                return;
            }
        }
    }

    /// One life of an engine.
    async fn live(&self, instance: &Instance, stopping: &mut watch::Receiver<bool>) -> io::Result<End> {
        let Launch { program, args, socket_dir } = &self.0.launch;
        let mut child = Command::new(program)
            .arg("--socket-dir")
            .arg(socket_dir)
            .args(["--index", &instance.index.to_string()])
            .args(args)
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let pid = child.id().unwrap_or_default();
        // The engine ends when this is closed: also if this process is killed.
        let _lifeline = child.stdin.take();

        let (sender, ready) = oneshot::channel();
        *instance.state() = State::Started { pid, ready: Some(sender) };
        let up = tokio::select! {
            ended = child.wait() => return Ok(End::Died { up: None, pid, how: ended?.to_string() }),
            up = self.bring_up(instance, pid, ready) => match up {
                Ok(up) => Some(up),
                Err(error) => {
                    child.kill().await?;
                    return Ok(End::Died { up: None, pid, how: format!("it could not be set up: {error}") });
                }
            },
            () = asked_to_stop(stopping) => None,
        };
        self.update_group().await;

        tokio::select! {
            ended = child.wait() => Ok(End::Died { up, pid, how: ended?.to_string() }),
            () = asked_to_stop(stopping) => {
                self.stop(instance, &mut child).await?;
                Ok(End::Stopped)
            }
        }
    }

    /// Waits until the engine is ready, and makes it what it was: a rank, with the pools that it had.
    async fn bring_up(
        &self,
        instance: &Instance,
        pid: u32,
        ready: oneshot::Receiver<NotifyReadyReq>,
    ) -> Result<Up, Box<dyn Error + Send + Sync>> {
        let notice = ready.await?;
        let rank = instance.index;
        // Nobody calls it before it has its pools.
        let turn = instance.turn.lock().await;
        let turn = Turn { client: client(&notice).await?, rank, _turn: turn };

        let map_version = *self.map_version();
        let req = SetRankReq { rank, map_version, daos_version: 0 };
        let ranked: DaosResp = turn.call(MgmtMethod::SetRank, req).await?;
        Der::check(ranked.status)?;
        let set_up: DaosResp = turn.call(MgmtMethod::SetUp, ()).await?;
        Der::check(set_up.status)?;
        let mut pools = self.0.store.pools().await?;
        pools.retain(|(_, pool)| pool.svc_reps.first() == Some(&rank));
        for (uuid, pool) in &pools {
            let created: PoolCreateResp = turn.call(MgmtMethod::PoolCreate, pool.request.clone()).await?;
            Der::check(created.status)?;
            tracing::debug!("engine {rank} has pool {uuid} again");
        }

        let up = Up { client: turn.client.clone(), notice };
        *instance.state() = State::Up(up.clone());
        tracing::info!(pid, rank, pools = pools.len(), "engine {rank} is up");
        Ok(up)
    }

    /// Tells all engines who is there, which is not who was there before.
    async fn update_group(&self) {
        let engine =
            |(rank, up): (u32, Up)| Engine { rank, uri: up.notice.uri, incarnation: up.notice.incarnation };
        // With the version, so that no older list goes under a newer one.
        let (map_version, engines) = {
            let mut version = self.map_version();
            *version += 1;
            (*version, self.up().into_iter().map(engine).collect::<Vec<_>>())
        };
        for rank in engines.iter().map(|engine| engine.rank) {
            let req = GroupUpdateReq { map_version, engines: engines.clone() };
            // One that has died since is told when it is up again.
            let Ok(turn) = self.turn(rank).await else { continue };
            let updated = turn.call::<_, GroupUpdateResp>(MgmtMethod::GroupUpdate, req).await;
            if let Err(code) = updated.and_then(|reply| Der::check(reply.status)) {
                tracing::error!("engine {rank} was not told of the group: {code}");
            }
        }
        tracing::info!(map_version, engines = engines.len(), "the group was told");
    }

    /// Has an engine prepare for its end, and end; by force if it does not.
    async fn stop(&self, instance: &Instance, child: &mut Child) -> io::Result<()> {
        let rank = instance.index;
        if let Ok(turn) = self.turn(rank).await {
            let prepared = turn.call::<_, DaosResp>(MgmtMethod::PrepShutdown, PrepShutdownReq { rank }).await;
            if let Err(code) = prepared.and_then(|reply| Der::check(reply.status)) {
                tracing::error!("engine {rank} is not prepared to end: {code}");
            }
        }
        if let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
            kill_process(pid, Signal::TERM)?;
        }
        match time::timeout(STOP_TIMEOUT, child.wait()).await {
            Ok(ended) => tracing::info!("engine {rank} is stopped: {}", ended?),
            Err(_) => {
                tracing::error!("engine {rank} does not end and is killed");
                child.kill().await?;
            }
        }
        Ok(())
    }
}

impl Instance {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The turn to call an engine.
#[derive(Debug)]
pub struct Turn<'e> {
    client: Client,
    rank: u32,
    _turn: sync::MutexGuard<'e, ()>,
}

impl Turn<'_> {
    /// Calls the engine: connects, sends, waits for the reply, and closes, as `daos_server` does.
    ///
    /// # Errors
    ///
    /// [`Der::AGAIN`] if the engine is gone, [`Der::TIMEDOUT`] if it takes too long, and [`Der::MISC`] if it answers something else than
    /// SUCCESS. A code in the reply is the caller's to look at.
    pub async fn call<Q: Payload, R: Payload>(&self, method: MgmtMethod, req: Q) -> Result<R, Der> {
        let called = self.client.call(method.method(), req, &CallOptions::new()).await;
        called.map_err(|error| {
            tracing::error!("engine {}: {method}: {error}", self.rank);
            match error.status() {
                Some(_) => Der::MISC,
                None if error.is_timeout() => Der::TIMEDOUT,
                None => Der::AGAIN,
            }
        })
    }
}

/// A client of the engine that has sent this notice. Some of its errors pass: then the call is made again.
async fn client(notice: &NotifyReadyReq) -> Result<Client, drpc::ConnectError> {
    let patient = RetryPolicy::new(4).if_reply(|reply: &DaosResp| Der::from(reply.status).may_pass());
    Client::builder(&notice.drpc_listener_sock)
        .connection_per_call()
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(CALL_TIMEOUT)
        .retry(patient)
        .connect()
        .await
}

async fn asked_to_stop(stopping: &mut watch::Receiver<bool>) {
    // The sender is beside the engines, so it is not gone.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}
