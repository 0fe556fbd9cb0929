//! The agent's part of module 2, `mgmt` (D7).

use drpc::{Context, Der, Failure, drpc_module};

use super::attach::AttachInfo;
use super::processes::{Handle, Processes};
use crate::messages::mgmt::{
    ClientTelemetryReq, ClientTelemetryResp, GetAttachInfoReq, GetAttachInfoResp, PoolMonitorReq,
};

/// Management, as far as it is the agent's.
#[derive(Debug)]
pub struct Mgmt {
    system: String,
    attach: AttachInfo,
    processes: Processes,
}

impl Mgmt {
    /// Of this system.
    pub fn new(system: String, attach: AttachInfo, processes: Processes) -> Self {
        Mgmt { system, attach, processes }
    }
}

#[drpc_module(id = 2)]
impl Mgmt {
    /// Tells a client how to reach the system.
    #[method(6, idempotent)]
    async fn get_attach_info(&self, req: GetAttachInfoReq) -> Result<GetAttachInfoResp, Failure> {
        if req.sys != self.system {
            return Ok(GetAttachInfoResp { status: Der::INVAL.code(), ..Default::default() });
        }
        self.attach.answer(&req).await
    }

    /// Takes note that the caller exits.
    #[method(33)]
    async fn notify_exit(&self, context: &Context) -> Result<(), Failure> {
        self.processes.exits(pid(context)?).await;
        Ok(())
    }

    /// Takes note of a pool handle that the caller has opened.
    #[method(35)]
    fn notify_pool_connect(&self, context: &Context, req: PoolMonitorReq) -> Result<(), Failure> {
        let pid = pid(context)?;
        if let Some(handle) = self.handle(&req)
            && let Err(error) = self.processes.opened(pid, handle)
        {
            tracing::error!(pid, "the process can't be watched: {error}");
        }
        Ok(())
    }

    /// Takes note of a pool handle that the caller has closed.
    #[method(36)]
    fn notify_pool_disconnect(&self, context: &Context, req: PoolMonitorReq) -> Result<(), Failure> {
        let pid = pid(context)?;
        if let Some(handle) = self.handle(&req) {
            self.processes.closed(pid, handle);
        }
        Ok(())
    }

    /// Takes note of the caller's telemetry, and says who may read it.
    #[method(47)]
    fn setup_client_telem(
        &self,
        context: &Context,
        req: ClientTelemetryReq,
    ) -> Result<ClientTelemetryResp, Failure> {
        let agent_uid = rustix::process::geteuid().as_raw().cast_signed();
        if req.sys != self.system {
            return Ok(ClientTelemetryResp { status: Der::INVAL.code(), agent_uid });
        }
        self.processes.measured(pid(context)?, req.jobid)?;
        Ok(ClientTelemetryResp { status: 0, agent_uid })
    }
}

impl Mgmt {
    /// The handle that a request is about. What can't be one is passed over: DAOS's agent answers that all is well, whatever it is told.
    fn handle(&self, req: &PoolMonitorReq) -> Option<Handle> {
        let handle = match (req.pool_uuid.parse(), req.pool_handle_uuid.parse()) {
            (Ok(pool), Ok(handle)) if req.sys == self.system => Some(Handle { pool, handle }),
            _ => None,
        };
        if handle.is_none() {
            tracing::warn!("no handle of system `{}`: {req:?}", self.system);
        }
        handle
    }
}

/// The caller's process, to be watched.
fn pid(context: &Context) -> Result<i32, Failure> {
    context.peer().pid().ok_or_else(|| "the caller is in another PID namespace, and can't be watched".into())
}
