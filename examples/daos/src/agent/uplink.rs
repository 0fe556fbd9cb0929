//! The way to the server.

use std::path::PathBuf;

use drpc::{Client, ConnectError, Der, RetryPolicy};
use tokio::sync::OnceCell;

use crate::contract::MgmtClient;
use crate::messages::mgmt::DaosResp;

/// A client of the server, connected when it is first needed: an agent may be started before its server.
#[derive(Debug)]
pub struct Uplink {
    socket: PathBuf,
    client: OnceCell<MgmtClient<Client>>,
}

impl Uplink {
    /// To the server at this socket.
    #[must_use]
    pub fn new(socket: PathBuf) -> Self {
        Uplink { socket, client: OnceCell::new() }
    }

    /// The client. It makes a call again whose reply says that it may succeed later, as while an engine starts.
    ///
    /// # Errors
    ///
    /// If there is no server yet.
    pub async fn client(&self) -> Result<&MgmtClient<Client>, ConnectError> {
        let patient = RetryPolicy::new(8).if_reply(|reply: &DaosResp| Der::from(reply.status).may_pass());
        let connect =
            || async { Ok(MgmtClient::new(Client::builder(&self.socket).retry(patient).connect().await?)) };
        self.client.get_or_try_init(connect).await
    }
}
