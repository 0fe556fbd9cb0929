use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::stage::Stage;
use super::tasks::Tasks;
use crate::dispatch::router::ModuleService;
use crate::handler::session::Session;
use crate::server::builder::ServerBuilder;
use crate::server::config::Config;
use crate::server::error::BindError;
use crate::server::handle::Handled;
use crate::server::permits::CallPermits;
use crate::server::sessions::Sessions;
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
}

impl Shared {
    pub(super) fn new(service: ModuleService, config: Config) -> Self {
        let background = Arc::<Tasks>::default();
        let service = Arc::new(service);
        Shared {
            stage: watch::Sender::new(Stage::Serving),
            sessions: Sessions::new(background.clone(), service.clone(), &config),
            service,
            background,
            permits: CallPermits::new(&config.limits),
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

    /// What a client in this process has to know: the wire to speak, and whether calls are answered in their order.
    pub(crate) fn speaks(&self) -> (WireMode, bool) {
        (self.config.wire, self.config.order.limit() == 1)
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
