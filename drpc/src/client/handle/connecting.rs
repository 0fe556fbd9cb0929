//! How the async client comes by a connection: one of its pool, or a new one.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::Client;
use crate::client::builder::ClientBuilder;
use crate::client::call_state::CallState;
use crate::client::connection::Connection;
use crate::client::error::{CallError, ConnectError, Disconnect};
use crate::client::on_tokio::Tokio;
use crate::client::pool::Pool;
use crate::client::probe::{PROBE, PROBE_SEQUENCE, Prober};
use crate::client::runtime::Runtime;
use crate::observe::metrics;
use crate::transport::{Link, Mode, Socket, generation};
use crate::wire::{Packet, Wire, WireMode};

impl Client {
    /// The connection to make a call on: the one with the fewest calls, or a new one.
    pub(super) async fn connection(&self, state: &mut CallState<'_>) -> Result<Arc<Connection>, CallError> {
        state.check_time()?;
        // What its runtime waits with is shared with the other process, as its connections are.
        if self.0.process != generation() {
            return Err(ConnectError::forked(&self.0.config.path).into());
        }
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
        // Who connects may be polled no more, or take as long as may be: the others wait no longer than for a connection of their own.
        state.waits();
        let until = self.0.runtime.clock()().checked_add(self.0.config.connect_timeout);
        let Some(_connecting) = self.0.runtime.by(until, pin!(self.0.connecting.lock())).await else {
            let config = &self.0.config;
            return Err(state.gave_up(ConnectError::timeout(&config.path, config.connect_timeout)));
        };
        loop {
            let epoch = {
                let pool = self.pool();
                if let Some((connection, _)) = pool.least_busy()? {
                    return Ok(connection.clone());
                }
                pool.epoch()
            };
            if let Some(connection) = self.try_to_connect(state).await? {
                let connection = self.keep(epoch, connection)?;
                if self.pool().add(epoch, connection) {
                    metrics::reconnected();
                }
            }
        }
    }

    /// Has a new connection closed with the client: at once, if that was closed since the connection was asked for.
    fn keep(&self, epoch: u64, connection: Connection) -> Result<Arc<Connection>, CallError> {
        let connection = Arc::new(connection);
        let pool = self.pool();
        if pool.epoch() != epoch {
            return Err(CallError::not_connected(Disconnect::Closed.into()));
        }
        self.0.keep(&connection);
        Ok(connection)
    }

    /// One connection more, if that can be had, and unless another call is about to make one.
    async fn further_connection(&self) -> Option<Arc<Connection>> {
        let _connecting = self.0.connecting.try_lock()?;
        let epoch = Some(self.pool()).filter(|pool| pool.has_room() && pool.makes_more())?.epoch();
        let connection = self.0.config.open_at_once(&self.0.runtime).await.ok()?;
        let connection = self.keep(epoch, connection).ok()?;
        self.pool().add(epoch, connection.clone());
        Some(connection)
    }

    /// A connection that no other call will see; the first is there already.
    async fn connection_of_its_own(&self, state: &mut CallState<'_>) -> Result<Arc<Connection>, CallError> {
        loop {
            let epoch = {
                let mut pool = self.pool();
                if let Some(connection) = pool.take_out()? {
                    return Ok(connection);
                }
                pool.epoch()
            };
            state.waits();
            if let Some(connection) = self.try_to_connect(state).await? {
                return self.keep(epoch, connection);
            }
        }
    }

    /// Connects, or pauses before the next attempt.
    async fn try_to_connect(&self, state: &mut CallState<'_>) -> Result<Option<Connection>, CallError> {
        match self.0.config.open(&self.0.runtime).await {
            Ok(connection) => Ok(Some(connection)),
            Err(error) => {
                let pause = state.refused(error).map_err(|error| state.gave_up(error))?;
                self.0.runtime.sleep(pause).await;
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
    #[cfg(feature = "client")]
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let runtime = Runtime::Tokio(Tokio);
        let first = self.open_patiently(&runtime).await?;
        let pool = Pool::new(self.limit(), Arc::new(first));
        Ok(Client::new(self, pool, runtime))
    }

    /// A client's first connection, if need be to a server that is only starting.
    pub(super) async fn open_patiently(&self, runtime: &Runtime) -> Result<Connection, ConnectError> {
        let mut state = CallState::of_client(self);
        loop {
            match self.open(runtime).await {
                Ok(connection) => return Ok(connection),
                Err(error) => runtime.sleep(state.refused(error)?).await,
            }
        }
    }

    pub(super) async fn open(&self, runtime: &Runtime) -> Result<Connection, ConnectError> {
        self.open_or_not(runtime, true).await
    }

    /// A connection that can be done without: to a server that has too many to accept already, it is not waited for.
    async fn open_at_once(&self, runtime: &Runtime) -> Result<Connection, ConnectError> {
        self.open_or_not(runtime, false).await
    }

    /// If the server's backlog is full, it `waits` or not.
    async fn open_or_not(&self, runtime: &Runtime, waits: bool) -> Result<Connection, ConnectError> {
        if !runtime.is_running() {
            return Err(ConnectError::no_runtime(&self.path));
        }
        let at = runtime.clock()().checked_add(self.connect_timeout);
        let opened = runtime.by(at, pin!(self.open_unlimited(runtime, waits))).await;
        opened.unwrap_or_else(|| Err(ConnectError::timeout(&self.path, self.connect_timeout)))
    }

    async fn open_unlimited(&self, runtime: &Runtime, waits: bool) -> Result<Connection, ConnectError> {
        let link = self.open_link_on(runtime, waits).await?;
        let connection = |link, wire, last| Connection::spawn(runtime, link, wire, self, last);
        match self.wire {
            WireMode::Fixed(wire) => Ok(connection(link, wire, 0)),
            WireMode::Auto => match probe(&link, self.message_limit).await {
                Ok(Wire::Chunked) => Ok(connection(link, Wire::Chunked, PROBE_SEQUENCE)),
                // Some plain servers close upon the probe.
                Ok(Wire::Plain) => Ok(connection(self.open_link_on(runtime, waits).await?, Wire::Plain, 0)),
                Err(cause) => Err(ConnectError::probe(&self.path, cause)),
            },
        }
    }

    /// A connection without a client, on tokio. As for a client, it may take so long.
    #[cfg(feature = "client")]
    pub(crate) async fn open_link(&self) -> Result<Link, ConnectError> {
        let runtime = Runtime::Tokio(Tokio);
        let at = runtime.clock()().checked_add(self.connect_timeout);
        let opened = runtime.by(at, pin!(self.open_link_on(&runtime, true))).await;
        opened.unwrap_or_else(|| Err(ConnectError::timeout(&self.path, self.connect_timeout)))
    }

    async fn open_link_on(&self, runtime: &Runtime, waits: bool) -> Result<Link, ConnectError> {
        if let Some(connector) = &self.in_memory {
            return Ok(Link::Memory(connector.connect()));
        }
        let path = self.checked_path()?;
        let failed = |cause| ConnectError::io(path, cause);
        let socket = Socket::new(Mode::NonBlocking).map_err(failed)?;
        // A full backlog has no event to wait for.
        let mut pause = Duration::from_micros(100);
        while let Err(cause) = socket.connect(&self.lasting_path) {
            if cause.kind() != io::ErrorKind::WouldBlock || !waits {
                return Err(failed(cause));
            }
            runtime.sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
        self.check_server(&socket)?;
        runtime.link(socket, self.spin).map_err(failed)
    }
}

async fn probe(link: &Link, message_limit: usize) -> Result<Wire, Disconnect> {
    link.send(&Packet::raw(&PROBE, &[])).await?;
    let mut prober = Prober::new(message_limit);
    loop {
        if let Some(wire) = prober.receive(link.recv().await?)? {
            return Ok(wire);
        }
    }
}
