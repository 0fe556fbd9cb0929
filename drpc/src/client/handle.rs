use std::fmt;
use std::future::Future;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::connection::{Connection, InFlight};
use super::error::{CallError, ConnectError, Disconnect};
use super::probe::{PROBE, PROBE_SEQUENCE, Prober};
use super::{CallOptions, Caller, ClientBuilder, reply_of};
use crate::transport::{AsyncSocket, Link, Mode, Socket};
use crate::wire::{Body, Response, Wire, WireMode};
use crate::{Method, Payload};

/// An async client of one server, on tokio.
///
/// It is a handle: clones share one connection, and any number of calls may be in flight on it. Generated stubs take it
/// (`GreeterClient::new(client)`); [`call_raw`](Self::call_raw) calls by number.
///
/// Calls made from a task of a multi-threaded runtime (by `tokio::spawn`) are faster than those made from the future of
/// `#[tokio::main]` itself, which is not one of the runtime's workers.
///
/// # Example
///
/// ```no_run
/// use drpc::{CallOptions, Client, Method};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Client::connect("/run/daos_agent/daos_agent.sock").await?;
/// let response = client.call_raw(Method::new(1, 101, "request_credentials"), "", &CallOptions::new()).await?;
/// println!("{}: {} bytes", response.status, response.body.len());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    config: ClientBuilder,
    current: Mutex<Current>,
    /// Held by the one call that makes a new connection.
    connecting: tokio::sync::Mutex<()>,
}

/// The connection that the next call goes out on.
enum Current {
    Open(Arc<Connection>),
    /// An abandoned call holds the old one up: the next call makes a new one (C4).
    Replace,
    Closed,
}

impl Client {
    /// Connects to a server that speaks the chunked wire, with the defaults of [`ClientBuilder`].
    ///
    /// # Errors
    ///
    /// [`ConnectError`] with the path, what the system said, and what to do (C8).
    pub async fn connect(path: impl AsRef<Path>) -> Result<Client, ConnectError> {
        Self::builder(path).connect().await
    }

    /// Begins to set a client up.
    pub fn builder(path: impl AsRef<Path>) -> ClientBuilder {
        ClientBuilder::new(path.as_ref())
    }

    /// A client that is connected already, by the link; `config` says how it connects again.
    #[cfg(feature = "server")]
    pub(crate) fn of_link(config: ClientBuilder, link: Link) -> Client {
        let wire = if config.wire == Wire::Plain.into() { Wire::Plain } else { Wire::Chunked };
        let connection = Connection::spawn(link, wire, config.message_limit, 0);
        Client::new(config, connection)
    }

    fn new(config: ClientBuilder, connection: Connection) -> Client {
        Client(Arc::new(Inner {
            config,
            current: Mutex::new(Current::Open(Arc::new(connection))),
            connecting: tokio::sync::Mutex::new(()),
        }))
    }

    /// Calls a method with a marshalled body; gives the response, whatever its status.
    ///
    /// Cancel safe: a call whose future is dropped before it was sent is not made; after that, its reply is dropped when it
    /// comes (C4).
    ///
    /// # Errors
    ///
    /// [`CallError`] if there is no response. A response with a failing status is none.
    pub async fn call_raw(
        &self,
        method: Method,
        body: impl Into<Body>,
        options: &CallOptions,
    ) -> Result<Response, CallError> {
        let body = body.into();
        match options.timeout.or(self.0.config.timeout) {
            None => self.call_unlimited(method, body, options).await,
            Some(limit) => match timeout(limit, self.call_unlimited(method, body, options)).await {
                Ok(result) => result,
                Err(_) => Err(CallError::timeout(limit)),
            },
        }
    }

    async fn call_unlimited(
        &self,
        method: Method,
        body: Body,
        options: &CallOptions,
    ) -> Result<Response, CallError> {
        let connection = self.connection().await?;
        let in_flight = connection.begin(method, body, options.no_response)?;
        let mut call = Abandonable { client: self, connection: &connection, in_flight };
        call.in_flight.response().await
    }

    /// Whether calls can be made: the client is connected, or will connect anew by itself.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        match &*self.current() {
            Current::Open(connection) => !connection.is_broken(),
            Current::Replace => true,
            Current::Closed => false,
        }
    }

    /// Connects again if the client was closed or its connection broke; does nothing if it is connected (C2). Sequences start
    /// again at 1 (C1).
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    pub async fn reconnect(&self) -> Result<(), ConnectError> {
        let _connecting = self.0.connecting.lock().await;
        if matches!(&*self.current(), Current::Open(connection) if !connection.is_broken()) {
            return Ok(());
        }
        let connection = self.0.config.open().await?;
        *self.current() = Current::Open(Arc::new(connection));
        Ok(())
    }

    /// Closes the connection; calls under way fail. Does nothing if it is closed (C2).
    pub fn close(&self) {
        let closed = std::mem::replace(&mut *self.current(), Current::Closed);
        if let Current::Open(connection) = closed {
            connection.close();
        }
    }

    /// The connection to make a call on; a new one where the last is held up (C4).
    async fn connection(&self) -> Result<Arc<Connection>, CallError> {
        loop {
            match &*self.current() {
                Current::Open(connection) => return Ok(connection.clone()),
                Current::Closed => return Err(CallError::not_connected(Disconnect::Closed.into())),
                Current::Replace => {}
            }
            self.replace().await?;
        }
    }

    async fn replace(&self) -> Result<(), ConnectError> {
        let _connecting = self.0.connecting.lock().await;
        if !matches!(*self.current(), Current::Replace) {
            return Ok(());
        }
        let connection = self.0.config.open().await?;
        let mut current = self.current();
        // It may have been closed in the meantime.
        if matches!(*current, Current::Replace) {
            *current = Current::Open(Arc::new(connection));
        }
        Ok(())
    }

    /// Sees to it that the next call does not wait behind one that was abandoned on this connection (C4).
    fn retire(&self, held_up: &Arc<Connection>) {
        let mut current = self.current();
        if matches!(&*current, Current::Open(connection) if Arc::ptr_eq(connection, held_up)) {
            *current = Current::Replace;
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Caller for Client {
    type Reply<R> = Pin<Box<dyn Future<Output = Result<R, CallError>> + Send>>;

    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Reply<R> {
        let (client, options) = (self.clone(), options.clone());
        let body = request.into_body();
        Box::pin(async move { reply_of(client.call_raw(method, body, &options).await?) })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("path", &self.0.config.path)
            .field("connected", &self.is_connected())
            .finish()
    }
}

/// A call that, dropped without its response, leaves the connection fit for the next one (C4).
struct Abandonable<'a> {
    client: &'a Client,
    connection: &'a Arc<Connection>,
    in_flight: InFlight<'a>,
}

impl Drop for Abandonable<'_> {
    fn drop(&mut self) {
        if self.in_flight.abandon() && self.client.0.config.server_answers_in_order {
            self.client.retire(self.connection);
        }
    }
}

impl ClientBuilder {
    /// Connects the async client.
    ///
    /// # Errors
    ///
    /// As [`Client::connect`].
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let connection = self.open().await?;
        Ok(Client::new(self, connection))
    }

    async fn open(&self) -> Result<Connection, ConnectError> {
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
