//! What client processes have open, so that it is closed when one exits without a word.

use std::collections::{BTreeSet, HashMap};
use std::error::Error;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use drpc::Der;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use tokio::io::unix::AsyncFd;
use uuid::Uuid;

use super::uplink::Uplink;
use crate::host;
use crate::messages::mgmt::{PoolEvictReq, PoolEvictResp};

/// The client processes of this node that have pool handles, or telemetry. Clones share them.
#[derive(Clone, Debug)]
pub struct Processes {
    server: Arc<Uplink>,
    system: String,
    alive: Arc<Mutex<Alive>>,
}

#[derive(Debug, Default)]
struct Alive {
    /// Counts the watches.
    last_watch: u64,
    by_pid: HashMap<i32, Process>,
}

#[derive(Debug, Default)]
struct Process {
    /// A PID may belong to another process by the time that the watch of the first one tells of its end.
    watch: u64,
    handles: BTreeSet<Handle>,
    telemetry: Option<String>,
}

/// A handle of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Handle {
    /// The pool.
    pub pool: Uuid,
    /// The handle.
    pub handle: Uuid,
}

impl Processes {
    /// Nobody yet. The server is asked to close what they leave.
    pub fn new(server: Arc<Uplink>, system: String) -> Self {
        Processes { server, system, alive: Arc::default() }
    }

    /// A process has opened a handle.
    ///
    /// # Errors
    ///
    /// If the process can't be watched.
    pub fn opened(&self, pid: i32, handle: Handle) -> io::Result<()> {
        self.update(pid, |process| {
            process.handles.insert(handle);
        })
    }

    /// A process has closed a handle.
    pub fn closed(&self, pid: i32, handle: Handle) {
        if let Some(process) = self.lock().by_pid.get_mut(&pid) {
            process.handles.remove(&handle);
        }
    }

    /// A process has telemetry for a job.
    ///
    /// # Errors
    ///
    /// If the process can't be watched.
    pub fn measured(&self, pid: i32, job: String) -> io::Result<()> {
        self.update(pid, |process| process.telemetry = Some(job))
    }

    /// A process says that it exits. Gives how many handles it has left open, which are closed now.
    pub async fn exits(&self, pid: i32) -> usize {
        let process = self.lock().by_pid.remove(&pid);
        self.clean_up(pid, process).await
    }

    fn update(&self, pid: i32, change: impl FnOnce(&mut Process)) -> io::Result<()> {
        let mut alive = self.lock();
        if let Some(process) = alive.by_pid.get_mut(&pid) {
            change(process);
            return Ok(());
        }
        let mut process = Process { watch: alive.last_watch + 1, ..Process::default() };
        change(&mut process);
        match open(pid) {
            Ok(pidfd) => {
                tokio::spawn(self.clone().watch(pid, pidfd, process.watch));
                alive.last_watch = process.watch;
                alive.by_pid.insert(pid, process);
            }
            // It has exited since it called.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::SRCH) => {
                let this = self.clone();
                tokio::spawn(async move { this.clean_up(pid, Some(process)).await });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Waits for the process's end, and cleans up, unless the process has said goodbye before.
    async fn watch(self, pid: i32, pidfd: AsyncFd<OwnedFd>, watch: u64) {
        if let Err(error) = pidfd.readable().await {
            tracing::error!(pid, "can't watch the process: {error}");
        }
        let process = {
            let mut alive = self.lock();
            let is_it = alive.by_pid.get(&pid).is_some_and(|process| process.watch == watch);
            is_it.then(|| alive.by_pid.remove(&pid)).flatten()
        };
        self.clean_up(pid, process).await;
    }

    /// Has the server close what a process has left open.
    async fn clean_up(&self, pid: i32, process: Option<Process>) -> usize {
        let Some(Process { handles, telemetry, .. }) = process else { return 0 };
        tracing::info!(pid, telemetry, "the process is gone and has left {} handle(s)", handles.len());
        let mut by_pool: HashMap<Uuid, Vec<String>> = HashMap::new();
        for Handle { pool, handle } in &handles {
            by_pool.entry(*pool).or_default().push(handle.to_string());
        }
        for (pool, handles) in by_pool {
            let req = PoolEvictReq {
                sys: self.system.clone(),
                id: pool.to_string(),
                handles,
                machine: host::short_name(),
                ..Default::default()
            };
            match self.evict(req).await {
                Ok(reply) if reply.status == 0 => {
                    tracing::info!(pid, %pool, "evicted {} handle(s)", reply.count);
                }
                Ok(reply) => tracing::error!(pid, %pool, "can't evict: {}", Der::from(reply.status)),
                Err(error) => tracing::error!(pid, %pool, "can't evict: {error}"),
            }
        }
        handles.len()
    }

    async fn evict(&self, req: PoolEvictReq) -> Result<PoolEvictResp, Box<dyn Error + Send + Sync>> {
        Ok(self.server.client().await?.pool_evict(req).await?)
    }

    fn lock(&self) -> MutexGuard<'_, Alive> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A descriptor that is readable once the process has exited.
#[allow(
    unsafe_code,
    reason = "tokio can't see that a descriptor stays open; an OwnedFd that nobody else has does"
)]
fn open(pid: i32) -> io::Result<AsyncFd<OwnedFd>> {
    let pid = Pid::from_raw(pid).ok_or(Errno::SRCH)?;
    let pidfd = pidfd_open(pid, PidfdFlags::NONBLOCK)?;
    // SAFETY: the AsyncFd owns the descriptor from here on, and nothing here takes it out, so it is closed when that is dropped, not before.
    Ok(unsafe { AsyncFd::register(pidfd) }?)
}
