use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::stage::Stage;
use super::tasks::Tasks;
use crate::dispatch::router::ModuleService;
use crate::handler::session::Session;
use crate::server::builder::ServerBuilder;
use crate::server::config::{Config, Limits};
use crate::server::error::BindError;
use crate::server::handle::Handled;
use crate::server::permits::CallPermits;
use crate::server::sessions::Sessions;
use crate::server::slow::SlowMethods;
use crate::transport::PeerCredentials;
use crate::wire::WireMode;

/// What all sessions of a server share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(super) service: Arc<ModuleService>,
    pub(super) config: Config,
    pub(super) stage: watch::Sender<Stage>,
    pub(super) sessions: Sessions<AbortHandle>,
    /// What they leave to be done in the background.
    pub(super) background: Arc<Tasks>,
    pub(super) permits: CallPermits,
    /// Calls that will take long wait for a turn.
    pub(super) slow: SlowMethods,
    /// Of what many sessions may have to do at once and takes long, as much is done at a time as leaves a thread of the runtime for others.
    turns: OnceLock<CallPermits>,
}

impl Shared {
    pub(super) fn new(service: ModuleService, config: Config) -> Self {
        let background = Arc::<Tasks>::default();
        let service = Arc::new(service);
        Shared {
            stage: watch::Sender::new(Stage::Serving),
            sessions: Sessions::new(background.clone(), service.clone(), &config),
            slow: SlowMethods::among(&service),
            service,
            background,
            permits: CallPermits::new(&config.limits),
            turns: OnceLock::new(),
            config,
        }
    }

    fn reach(&self, stage: Stage) {
        self.stage.send_modify(|reached| *reached = stage.max(*reached));
        self.sessions.stop();
    }

    /// Makes a session of a connection, unless the server refuses it. What the session leaves to be done in the background is done
    /// on the runtime that this is called on.
    pub(super) fn open_session(&self, peer: PeerCredentials) -> Option<Arc<Session>> {
        self.background.run_here();
        self.sessions.open(peer, &self.config)
    }

    /// The turns to do what takes long; to be asked for on the runtime that serves. One is over with the poll that it is used in.
    #[cold]
    pub(super) fn turns(&self) -> &CallPermits {
        self.turns.get_or_init(|| {
            let others = threads_beside_this();
            CallPermits::new(&Limits { calls: Some(others.max(1)), ..Limits::default() })
        })
    }

    /// What a client in this process has to know: the wire to speak, and whether calls are answered in their order.
    pub(crate) fn speaks(&self) -> (WireMode, bool) {
        (self.config.wire, self.config.order.limit() == 1)
    }
}

/// How many threads the runtime has beside this one.
fn threads_beside_this() -> usize {
    Handle::current().metrics().num_workers().saturating_sub(1)
}

/// Has another thread of the runtime look after its sockets, while this one will be busy.
///
/// In tokio (1.54) the thread that looked last goes on with what it found, and wakes no other for a single task; while it is busy, nobody looks.
/// Of two tasks it hands one over.
#[cold]
pub(super) fn leave_sockets_to_another_thread() {
    if threads_beside_this() > 0 {
        (0..2).for_each(|_| drop(tokio::spawn(async {})));
    }
}

impl Handled for Shared {
    fn shutdown(&self) {
        self.reach(Stage::Draining);
    }

    fn cut(&self) {
        self.reach(Stage::Cutting);
    }

    fn sessions(&self) -> Vec<Arc<Session>> {
        self.sessions.list()
    }

    fn cut_session(&self, id: u64) -> bool {
        self.sessions.cut(id)
    }
}

impl ServerBuilder {
    /// The server without its socket.
    pub(crate) fn build_shared(self) -> Result<Arc<Shared>, BindError> {
        let (service, config) = self.build()?;
        Ok(Arc::new(Shared::new(service, config)))
    }
}
