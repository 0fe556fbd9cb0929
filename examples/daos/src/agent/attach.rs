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
        Ok(for_request(self.all_ranks().await?, req))
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

/// What the server says, as far as it was asked for.
fn for_request(mut info: GetAttachInfoResp, req: &GetAttachInfoReq) -> GetAttachInfoResp {
    if !req.all_ranks {
        info.rank_uris.retain(|uri| info.ms_ranks.contains(&uri.rank));
    }
    // A client that has chosen its interface knows better. Without a domain, it is the interface; a domain alone says nothing.
    if let Some(hint) = &mut info.client_net_hint
        && !req.interface.is_empty()
    {
        let domain = if req.domain.is_empty() { &req.interface } else { &req.domain };
        hint.domain.clone_from(domain);
        hint.interface.clone_from(&req.interface);
    }
    info
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::mgmt::ClientNetHint;

    #[test]
    fn a_client_may_choose_its_interface() {
        let hint =
            ClientNetHint { interface: "eth0".into(), domain: "mlx5".into(), ..ClientNetHint::default() };
        let info = GetAttachInfoResp { client_net_hint: Some(hint), ..GetAttachInfoResp::default() };
        for (interface, domain, expected) in [
            ("", "", ("eth0", "mlx5")),
            ("ib0", "", ("ib0", "ib0")),
            ("ib0", "mlx4", ("ib0", "mlx4")),
            ("", "mlx4", ("eth0", "mlx5")),
        ] {
            let req = GetAttachInfoReq {
                interface: interface.into(),
                domain: domain.into(),
                ..GetAttachInfoReq::default()
            };
            let hint = for_request(info.clone(), &req).client_net_hint.unwrap();
            assert_eq!((&hint.interface[..], &hint.domain[..]), expected);
        }
    }
}
