use std::time::Duration;

use super::ServerBuilder;
use crate::dispatch::authorization::Allow;

impl ServerBuilder {
    /// Who may connect. Anyone else's connection is closed at once, and logged.
    ///
    /// By default anyone may whom the socket's [mode](Self::mode) allows. The rule is evaluated where connections are accepted, so a closure in it ([`Allow::when`])
    /// must not block. If called twice, the later rule counts.
    pub fn allow(mut self, rule: Allow) -> Self {
        self.config.access = Some(rule);
        self
    }

    /// Sets what a server needs whose socket is open to every user of the host: the [mode](Self::mode) 0666, and limits per user, so
    /// that no user can take what others need, nor more memory than a small host can spare. Settings made after it override it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use drpc::Server;
    ///
    /// let server = Server::builder()
    ///     .open_to_all()
    ///     .handler_timeout(Duration::from_secs(30)) // its modules know best
    ///     .call_limit_per_uid(8);
    /// ```
    ///
    /// [The chapter on access](crate::guide::access#open-to-all) has each setting, and what it bounds.
    pub fn open_to_all(self) -> Self {
        self.mode(0o666)
            .session_limit(512)
            .session_limit_per_uid(32)
            .call_limit(256)
            .call_limit_per_uid(32)
            .message_limit(1 << 20)
            .request_limit(64 << 10)
            .pending_reply_limit(1 << 20)
            .memory_limit(256 << 20)
            .memory_limit_per_uid(80 << 20)
            .idle_timeout(Duration::from_secs(600))
    }

    /// Defines a rule that modules and methods refer to by name: who may call them. A call by anyone else is answered FAILURE, and logged. If a module and its
    /// method both name a rule, both must allow the caller. If called twice with one name, the later rule counts.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use drpc::{Allow, PeerCredentials, Server, Status, drpc_module};
    ///
    /// struct Pools;
    ///
    /// #[drpc_module(id = 5)]
    /// impl Pools {
    ///     #[method(1)]
    ///     fn list(&self) {}
    ///
    ///     #[method(2, allow = "admin")]
    ///     fn destroy(&self) {}
    /// }
    ///
    /// let server = Server::builder().module(Pools).rule("admin", Allow::root().or(Allow::gid(27)));
    ///
    /// let client = drpc::testing::client_as(server, PeerCredentials::new(1000, 1000))?;
    /// let pools = PoolsClient::new(client);
    /// pools.list().await?;
    /// assert_eq!(pools.destroy().await.unwrap_err().status(), Some(Status::FAILURE));
    /// # Ok(())
    /// # }
    /// ```
    pub fn rule(mut self, name: impl Into<String>, rule: Allow) -> Self {
        self.rules.define(name.into(), rule);
        self
    }
}
