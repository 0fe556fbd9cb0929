use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use drpc::{CallOptions, ConnectError, RetryPolicy};
use http::Uri;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::Endpoint;

use super::connector::{Connector, host_of};
use super::{Connection, GrpcCaller, Inner};
use crate::causes;
use crate::server::{DEFAULT_MESSAGE_LIMIT, STREAM_WINDOW};
use crate::tls::Tls;

/// How much of all the streams of a connection may have come that nobody has read yet: more than they come to, so that those that nobody reads hold up no other.
const CONNECTION_WINDOW: u32 = 1 << 30;

/// How much a failure may come to: the longest text and details that drpc sends, in gRPC's headers.
const HEADERS: u32 = 256 << 10;

/// The settings of a [`GrpcCaller`].
///
/// ```no_run
/// use std::time::Duration;
/// use drpc::RetryPolicy;
/// use drpc_grpc::{GrpcCaller, Tls};
///
/// # async fn example(tls: Tls) -> Result<(), drpc::ConnectError> {
/// let caller = GrpcCaller::builder("https://10.0.0.3:7443")
///     .tls(tls)
///     .server_name("host-3")
///     .timeout(Duration::from_secs(5))
///     .retry(RetryPolicy::new(3))
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "it does nothing before it connects"]
pub struct GrpcCallerBuilder {
    address: String,
    others: Vec<String>,
    tls: Option<Tls>,
    insecure_loopback: bool,
    server_name: Option<String>,
    connections: usize,
    connect_timeout: Duration,
    message_limit: usize,
    defaults: CallOptions,
}

impl GrpcCallerBuilder {
    pub(super) fn new(address: String) -> Self {
        GrpcCallerBuilder {
            address,
            others: Vec::new(),
            tls: None,
            insecure_loopback: false,
            server_name: None,
            connections: 1,
            connect_timeout: Duration::from_secs(5),
            message_limit: DEFAULT_MESSAGE_LIMIT,
            defaults: CallOptions::new(),
        }
    }

    /// Who calls, and who may have signed the host's certificate. An address of `https` needs it.
    pub fn tls(self, tls: Tls) -> Self {
        GrpcCallerBuilder { tls: Some(tls), ..self }
    }

    /// Calls an address of `http`, without TLS, on this host alone: the other half of [`insecure_loopback`](crate::GrpcServerBuilder::insecure_loopback).
    pub fn insecure_loopback(self) -> Self {
        GrpcCallerBuilder { insecure_loopback: true, ..self }
    }

    /// The name that the host's certificate must have, if it is not that in the address.
    pub fn server_name(self, name: impl Into<String>) -> Self {
        GrpcCallerBuilder { server_name: Some(name.into()), ..self }
    }

    /// How many connections of HTTP/2 the calls to a host are spread over: 1, unless this says otherwise. Calls on one share its window and its lock, so that several pay for many
    /// calls at once, or for long ones. 0 is taken as 1.
    pub fn connections(self, connections: usize) -> Self {
        GrpcCallerBuilder { connections: connections.max(1), ..self }
    }

    /// How long to wait for a connection: 5 seconds, unless this says otherwise; each of the addresses that the host's name has gets its share. Once that was in vain, calls within the second that
    /// follows fail at once, rather than each after a time of its own.
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        GrpcCallerBuilder { connect_timeout: timeout, ..self }
    }

    /// How long a call waits for its reply, connecting and retries included, if its options don't say so: for ever, unless this says otherwise.
    pub fn timeout(self, timeout: Duration) -> Self {
        GrpcCallerBuilder { defaults: self.defaults.timeout(timeout), ..self }
    }

    /// Whether and how to retry a call that fails, if its options don't say so.
    pub fn retry(self, policy: RetryPolicy) -> Self {
        GrpcCallerBuilder { defaults: self.defaults.retry(policy), ..self }
    }

    /// How many bytes a request or a reply may have: 64 MiB, unless this says otherwise.
    pub fn message_limit(self, bytes: usize) -> Self {
        GrpcCallerBuilder { message_limit: bytes, ..self }
    }

    /// Another host that will do as well, at this address. A call goes to the host that has the fewest of this caller's calls under way, and where that can't be
    /// reached, to the next: nothing was executed there. A host that could not be reached is passed over for a second, as long as there are others.
    ///
    /// ```no_run
    /// # async fn example(tls: drpc_grpc::Tls) -> Result<(), drpc::ConnectError> {
    /// let mirrors = drpc_grpc::GrpcCaller::builder("https://mirror-1:7443").or("https://mirror-2:7443").or("https://mirror-3:7443");
    /// let caller = mirrors.tls(tls).connect().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn or(mut self, address: impl Into<String>) -> Self {
        self.others.push(address.into());
        self
    }

    /// Connects, to the first host that can be reached if there are several.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if an address is none, or no host can be reached; that of the first.
    pub async fn connect(self) -> Result<GrpcCaller, ConnectError> {
        let mut connections = self.lazy()?;
        let mut refused = Vec::new();
        for connection in connections.iter_mut().step_by(self.connections) {
            let (endpoint, connector) = self.endpoint(&connection.address)?;
            match endpoint.connect_with_connector(connector).await {
                Ok(channel) => {
                    connection.channel = channel;
                    return Ok(self.caller(connections));
                }
                Err(error) => {
                    connection.is_down();
                    let error = ConnectError::remote(&connection.address, causes::of_connecting(&error));
                    refused.push(error);
                }
            }
        }
        Err(refused.swap_remove(0))
    }

    /// A caller that connects when it is called first. Within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if an address is none.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn connect_lazy(self) -> Result<GrpcCaller, ConnectError> {
        let connections = self.lazy()?;
        Ok(self.caller(connections))
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    fn addresses(&self) -> impl Iterator<Item = &String> {
        [&self.address].into_iter().chain(&self.others)
    }

    /// The connections to all hosts, none of which is made yet.
    fn lazy(&self) -> Result<Vec<Connection>, ConnectError> {
        let mut connections = Vec::new();
        for address in self.addresses() {
            let (endpoint, connector) = self.endpoint(address)?;
            for _ in 0..self.connections {
                let channel = endpoint.connect_with_connector_lazy(connector.clone());
                connections.push(Connection::new(address.clone(), channel));
            }
        }
        Ok(connections)
    }

    fn caller(self, connections: Vec<Connection>) -> GrpcCaller {
        let GrpcCallerBuilder { address, message_limit, defaults, .. } = self;
        let connections = connections.into_iter().map(Arc::new).collect();
        GrpcCaller(Arc::new(Inner { address, connections, message_limit, defaults, paths: Mutex::default() }))
    }

    fn endpoint(&self, address: &str) -> Result<(Endpoint, Connector), ConnectError> {
        let wrong =
            |what: &str| ConnectError::remote(address, io::Error::new(io::ErrorKind::InvalidInput, what));
        const NO_ADDRESS: &str = "it is no address: write it as `https://host:7443`";

        let uri: Uri = address.parse().map_err(|_| wrong(NO_ADDRESS))?;
        let (Some(host), Some(authority)) = (host_of(&uri), uri.authority()) else {
            return Err(wrong(NO_ADDRESS));
        };
        let tls = match (uri.scheme_str(), &self.tls) {
            (Some("https"), Some(tls)) => {
                let name = self.server_name.as_deref().unwrap_or(host).to_owned();
                let name = ServerName::try_from(name).map_err(|_| wrong("no certificate has such a name"))?;
                Some((tls.clone(), name))
            }
            (Some("https"), None) => return Err(wrong("it needs certificates: give `.tls(…)`")),
            (Some("http"), _) if !self.insecure_loopback => {
                return Err(wrong(
                    "without TLS nobody is known: use `https`; or, on this host alone, `.insecure_loopback()`",
                ));
            }
            (Some("http"), _) if !is_loopback(host) => {
                return Err(wrong("without TLS only this host is called: use `https`"));
            }
            (Some("http"), _) => None,
            _ => return Err(wrong(NO_ADDRESS)),
        };
        // TLS is the connector's, of which tonic need not know but for what it tells the server.
        let endpoint = Endpoint::from_shared(format!("http://{authority}")).map_err(|_| wrong(NO_ADDRESS))?;
        let endpoint = endpoint
            .origin(uri)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_header_list_size(HEADERS)
            // A host that is gone without a word is noticed in half a minute, while a call waits for it.
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        Ok((endpoint, Connector::new(tls, self.connect_timeout)))
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
