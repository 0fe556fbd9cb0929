use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use drpc::{CallOptions, ConnectError, RetryPolicy};
use tonic::transport::Endpoint;

use super::{GrpcCaller, Inner};
use crate::causes;
use crate::server::{CONNECTION_WINDOW, DEFAULT_MESSAGE_LIMIT, STREAM_WINDOW};
use crate::tls::Tls;

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

    /// How many connections of HTTP/2 the calls are spread over: 1, unless this says otherwise. Calls on one share its window and its lock, so that several pay for many
    /// calls at once, or for long ones. 0 is taken as 1.
    pub fn connections(self, connections: usize) -> Self {
        GrpcCallerBuilder { connections: connections.max(1), ..self }
    }

    /// How long to wait for a connection: 5 seconds, unless this says otherwise.
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

    /// Connects.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the address is none, the certificates can't be used, or the host can't be reached.
    pub async fn connect(self) -> Result<GrpcCaller, ConnectError> {
        let endpoint = self.endpoint()?;
        let first = endpoint.connect().await.map_err(|error| self.refused(error))?;
        let others = (1..self.connections).map(|_| endpoint.connect_lazy());
        let connections = [first].into_iter().chain(others).map(Arc::new).collect();
        Ok(self.caller(connections))
    }

    /// A caller that connects when it is called first. Within a tokio runtime.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the address is none, or the certificates can't be used.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn connect_lazy(self) -> Result<GrpcCaller, ConnectError> {
        let endpoint = self.endpoint()?;
        let connections = (0..self.connections).map(|_| endpoint.connect_lazy().into()).collect();
        Ok(self.caller(connections))
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    fn caller(self, connections: Vec<Arc<tonic::transport::Channel>>) -> GrpcCaller {
        let GrpcCallerBuilder { address, message_limit, defaults, .. } = self;
        GrpcCaller(Arc::new(Inner { address, connections, message_limit, defaults }))
    }

    fn endpoint(&self) -> Result<Endpoint, ConnectError> {
        let endpoint = Endpoint::from_shared(self.address.clone()).map_err(|error| self.refused(error))?;
        let uri = endpoint.uri();
        let endpoint = match (uri.scheme_str(), &self.tls) {
            (Some("https"), Some(tls)) => endpoint
                .tls_config(tls.of_caller(self.server_name.as_deref()))
                .map_err(|error| self.refused(error))?,
            (Some("https"), None) => return Err(self.wrong("it needs certificates: give `.tls(…)`")),
            (Some("http"), _) if !self.insecure_loopback => {
                return Err(self.wrong("without TLS nobody is known: use `https`; or, on this host alone, `.insecure_loopback()`"));
            }
            (Some("http"), _) if !uri.host().is_some_and(is_loopback) => {
                return Err(self.wrong("without TLS only this host is called: use `https`"));
            }
            (Some("http"), _) => endpoint,
            _ => return Err(self.wrong("it is no address: write it as `https://host:7443`")),
        };
        // A host that is gone without a word is noticed in half a minute, while a call waits for it.
        let endpoint = endpoint
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        Ok(endpoint.connect_timeout(self.connect_timeout).tcp_nodelay(true))
    }

    fn wrong(&self, what: &str) -> ConnectError {
        ConnectError::remote(&self.address, io::Error::new(io::ErrorKind::InvalidInput, what))
    }

    fn refused(&self, error: tonic::transport::Error) -> ConnectError {
        ConnectError::remote(&self.address, causes::of_connecting(&error))
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
