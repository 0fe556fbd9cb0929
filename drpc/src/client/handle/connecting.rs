//! How the async client comes by a connection: one of its pool, or a new one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::Client;
use crate::client::builder::ClientBuilder;
use crate::client::call_state::CallState;
use crate::client::connection::Connection;
use crate::client::error::{CallError, ConnectError, Disconnect};
use crate::client::probe::{PROBE, PROBE_SEQUENCE, Prober};
use crate::observe::metrics;
use crate::transport::{AsyncSocket, Link, Mode, Socket};
use crate::wire::{Wire, WireMode};

impl Client {
    /// The connection to make a call on: the one with the fewest calls, or a new one.
    pub(super) async fn connection(&self, state: &mut CallState<'_>) -> Result<Arc<Connection>, CallError> {
        state.check_time()?;
        // What is seldom gone through stands in a box, so that the future of each call is small.
        if self.0.config.connection_per_call {
            return Box::pin(self.connection_of_its_own(state)).await;
        }
        let busy = {
            let pool = self.pool();
            match pool.least_busy()? {
                Some((connection, busy)) if !busy || !pool.has_room() => return Ok(connection.clone()),
                busy => busy.map(|(connection, _)| connection.clone()),
            }
        };
        match busy {
            None => Box::pin(self.first_connection(state)).await,
            Some(busy) => Ok(Box::pin(self.further_connection()).await.unwrap_or(busy)),
        }
    }

    /// A new connection where there is none, or the one that another call makes meanwhile.
    async fn first_connection(&self, state: &mut CallState<'_>) -> Result<Arc<Connection>, CallError> {
        state.waits();
        let _connecting = self.0.connecting.lock().await;
        loop {
            let epoch = {
                let pool = self.pool();
                if let Some((connection, _)) = pool.least_busy()? {
                    return Ok(connection.clone());
                }
                pool.epoch()
            };
            if let Some(connection) = self.try_to_connect(state).await? {
                self.pool().add(epoch, Arc::new(connection));
                metrics::reconnected();
            }
        }
    }

    /// One connection more, if that can be had, and unless another call is about to make one.
    async fn further_connection(&self) -> Option<Arc<Connection>> {
        let _connecting = self.0.connecting.try_lock().ok()?;
        let epoch = Some(self.pool()).filter(|pool| pool.has_room() && pool.makes_more())?.epoch();
        let connection = Arc::new(self.0.config.open().await.ok()?);
        self.pool().add(epoch, connection.clone());
        Some(connection)
    }

    /// A connection that no other call will see; the first is there already.
    async fn connection_of_its_own(&self, state: &mut CallState<'_>) -> Result<Arc<Connection>, CallError> {
        loop {
            match self.pool().take_out()? {
                Some(connection) => return Ok(connection),
                None => state.waits(),
            }
            if let Some(connection) = self.try_to_connect(state).await? {
                return Ok(Arc::new(connection));
            }
        }
    }

    /// Connects, or pauses before the next attempt.
    async fn try_to_connect(&self, state: &mut CallState<'_>) -> Result<Option<Connection>, CallError> {
        match self.0.config.open().await {
            Ok(connection) => Ok(Some(connection)),
            Err(error) => {
                let pause = state.refused(error).map_err(|error| state.gave_up(error))?;
                sleep(pause).await;
                Ok(None)
            }
        }
    }

    /// Whether a call of which nothing was sent may take another connection than this one, which is gone.
    pub(super) fn goes_on_after(
        &self,
        error: &CallError,
        connection: &Arc<Connection>,
        state: &mut CallState<'_>,
    ) -> bool {
        let Some(cause) = error.not_connected_because() else { return false };
        let mut pool = self.pool();
        pool.remove(connection);
        if !self.0.config.auto_reconnect {
            pool.stop(cause.clone());
        }
        state.takes_another()
    }
}

impl ClientBuilder {
    /// Connects the async client.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    ///
    /// # Panics
    ///
    /// As [`Client::connect`].
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let mut state = CallState::of_client(&self);
        loop {
            match self.open().await {
                Ok(connection) => return Ok(Client::new(self, connection)),
                Err(error) => sleep(state.refused(error)?).await,
            }
        }
    }

    pub(super) async fn open(&self) -> Result<Connection, ConnectError> {
        if Handle::try_current().is_err() {
            return Err(ConnectError::no_runtime(&self.path));
        }
        match timeout(self.connect_timeout, self.open_unlimited()).await {
            Ok(result) => result,
            Err(_) => Err(ConnectError::timeout(&self.path, self.connect_timeout)),
        }
    }

    async fn open_unlimited(&self) -> Result<Connection, ConnectError> {
        let link = self.open_link().await?;
        let wire = match self.wire {
            WireMode::Fixed(wire) => wire,
            WireMode::Auto => match probe(&link, self.message_limit).await {
                Ok(Wire::Chunked) => {
                    return Ok(Connection::spawn(link, Wire::Chunked, self.message_limit, PROBE_SEQUENCE));
                }
                // Some plain servers close upon the probe.
                Ok(Wire::Plain) => {
                    let link = self.open_link().await?;
                    return Ok(Connection::spawn(link, Wire::Plain, self.message_limit, 0));
                }
                Err(cause) => return Err(ConnectError::probe(&self.path, cause)),
            },
        };
        Ok(Connection::spawn(link, wire, self.message_limit, 0))
    }

    pub(crate) async fn open_link(&self) -> Result<Link, ConnectError> {
        if let Some(connector) = &self.in_memory {
            return Ok(Link::Memory(connector.connect()));
        }
        let path = self.checked_path()?;
        let failed = |cause| ConnectError::io(path, cause);
        let socket = Socket::new(Mode::NonBlocking).map_err(failed)?;
        // A full backlog has no event to wait for.
        let mut pause = Duration::from_micros(100);
        while let Err(cause) = socket.connect(path) {
            if cause.kind() != io::ErrorKind::WouldBlock {
                return Err(failed(cause));
            }
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        Ok(Link::Socket(AsyncSocket::new(socket).map_err(failed)?.spinning(self.spin)))
    }
}

async fn probe(link: &Link, message_limit: usize) -> Result<Wire, Disconnect> {
    link.send(&[io::IoSlice::new(&PROBE)]).await?;
    let mut prober = Prober::new(message_limit);
    loop {
        if let Some(wire) = prober.receive(link.recv().await?)? {
            return Ok(wire);
        }
    }
}
