//! How to reach the system, as the server says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drpc::Failure;
use tokio::sync::Mutex;

use super::uplink::Uplink;
use crate::messages::mgmt::{GetAttachInfoReq, GetAttachInfoResp};

/// Asks the server once in a while, and remembers the answer.
#[derive(Debug)]
pub struct AttachInfo {
    server: Arc<Uplink>,
    system: String,
    lifetime: Duration,
    known: Mutex<Option<(GetAttachInfoResp, Instant)>>,
}

impl AttachInfo {
    /// Of this system, from its server; an answer is good for so long.
    pub fn new(server: Arc<Uplink>, system: String, lifetime: Duration) -> Self {
        AttachInfo { server, system, lifetime, known: Mutex::default() }
    }

    /// The answer to a request for this system.
    ///
    /// # Errors
    ///
    /// If the server has to be asked, and does not answer.
    pub async fn answer(&self, req: &GetAttachInfoReq) -> Result<GetAttachInfoResp, Failure> {
        let mut info = self.all_ranks().await?;
        if !req.all_ranks {
            info.rank_uris.retain(|uri| info.ms_ranks.contains(&uri.rank));
        }
        if let Some(hint) = &mut info.client_net_hint {
            // A client that has chosen its interface knows better.
            if !req.interface.is_empty() {
                hint.interface.clone_from(&req.interface);
            }
            if !req.domain.is_empty() {
                hint.domain.clone_from(&req.domain);
            }
        }
        Ok(info)
    }

    async fn all_ranks(&self) -> Result<GetAttachInfoResp, Failure> {
        // Whoever comes while the server is asked waits for its answer.
        let mut known = self.known.lock().await;
        if let Some((info, until)) = &*known
            && *until > Instant::now()
        {
            return Ok(info.clone());
        }
        let req = GetAttachInfoReq { sys: self.system.clone(), all_ranks: true, ..Default::default() };
        let info = self.server.client().await?.get_attach_info(req).await?;
        // What went wrong may be over in a moment.
        if info.status == 0 {
            *known = Some((info.clone(), Instant::now() + self.lifetime));
        }
        Ok(info)
    }
}
