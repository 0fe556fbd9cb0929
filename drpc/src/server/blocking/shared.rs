#[cfg(all(test, shuttle))]
mod model;

use std::io;
use std::sync::{Arc, Weak};
use std::task::Wake;

use super::background::WorkThreads;
use super::connection::Connection;
use super::slow_turns::SlowTurns;
use super::threads::Threads;
use crate::dispatch::router::ModuleService;
use crate::handler::session::Session;
use crate::server::config::Config;
use crate::server::handle::Handled;
use crate::server::permits::CallPermits;
use crate::server::sessions::Sessions;
use crate::server::slow::SlowMethods;
use crate::steps::wakeup::Wakeup;
use crate::sync::atomic::{AtomicBool, Ordering};

/// What all sessions of a server share.
pub(super) struct Shared {
    pub(super) service: Arc<ModuleService>,
    pub(super) config: Config,
    pub(super) sessions: Sessions<Weak<Connection>>,
    pub(super) permits: CallPermits,
    /// Calls that will take long wait for a turn.
    pub(super) slow: SlowMethods,
    pub(super) slow_turns: Arc<SlowTurns>,
    pub(super) threads: Arc<Threads>,
    /// What sessions leave to be done in the background.
    pub(super) background: Arc<WorkThreads>,
    /// For the thread that accepts.
    pub(super) wakeup: Arc<Wakeup>,
    stopping: AtomicBool,
    /// It accepts nothing for a while: the kernel is out of something.
    paused: AtomicBool,
}

impl Shared {
    pub(super) fn new(service: ModuleService, config: Config) -> io::Result<Self> {
        let threads = Threads::new(config.threads.clone());
        let background = Arc::new(WorkThreads::new(threads.clone()));
        let service = Arc::new(service);
        Ok(Shared {
            sessions: Sessions::new(background.clone(), service.clone(), &config),
            slow: SlowMethods::among(&service),
            service,
            permits: CallPermits::new(&config.limits),
            slow_turns: SlowTurns::new(),
            threads,
            background,
            wakeup: Wakeup::new()?,
            stopping: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            config,
        })
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    pub(super) fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::SeqCst);
    }

    /// A session has given its descriptor back: no reason to wait any longer with accepting.
    pub(super) fn resume_accepting(&self) {
        if self.paused.load(Ordering::SeqCst) {
            self.wakeup.wake_by_ref();
        }
    }
}

impl Handled for Shared {
    fn shutdown(&self) {
        self.stopping.store(true, Ordering::Release);
        self.sessions.stop();
        self.wakeup.wake_by_ref();
    }

    fn cut(&self) {
        self.shutdown();
        self.threads.hurry();
    }

    fn sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.list()
    }

    fn cut_session(&self, id: u64) -> bool {
        self.sessions.cut(id)
    }
}
