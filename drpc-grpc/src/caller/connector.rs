//! How a caller's connection is made.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tower_service::Service;

use super::gathering::Gathering;
use crate::io::Io;
use crate::tls::{HTTP2, Tls};

/// Connects by TCP, and shows and asks for certificates if there are any: those of the moment at which it connects.
#[derive(Clone)]
pub(super) struct Connector {
    tls: Option<(Tls, ServerName<'static>)>,
    timeout: Duration,
    /// When the host last gave no answer in that time.
    silent: Arc<Mutex<Option<Instant>>>,
}

/// How long it is then taken to be so still: calls are made one after the other, and would each wait anew.
const SILENT: Duration = Duration::from_secs(1);

impl Connector {
    pub(super) fn new(tls: Option<(Tls, ServerName<'static>)>, timeout: Duration) -> Self {
        Connector { tls, timeout, silent: Arc::default() }
    }

    async fn connect(self, address: Uri) -> io::Result<TokioIo<Gathering<Box<dyn Io>>>> {
        let silent = self.silent.clone();
        let note = |at| *silent.lock().unwrap_or_else(PoisonError::into_inner) = at;
        let last = *silent.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|at| at.elapsed() < SILENT) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "it did not answer a moment ago"));
        }
        let within = self.timeout;
        match timeout(within, self.open(address)).await.unwrap_or(Err(io::ErrorKind::TimedOut.into())) {
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                note(Some(Instant::now()));
                let text = format!("it did not answer within {within:?}");
                Err(io::Error::new(io::ErrorKind::TimedOut, text))
            }
            outcome => {
                note(None);
                outcome
            }
        }
    }

    async fn open(self, address: Uri) -> io::Result<TokioIo<Gathering<Box<dyn Io>>>> {
        let host = host_of(&address).ok_or(io::ErrorKind::InvalidInput)?;
        let port = address.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let tcp = connect_to_any(host, port, self.timeout).await?;
        tcp.set_nodelay(true)?;
        let Some((tls, name)) = self.tls else { return Ok(ready(tcp)) };
        let stream = TlsConnector::from(tls.caller()).connect(name, tcp).await?;
        match stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
            true => Ok(ready(stream)),
            false => Err(io::Error::other("the server speaks TLS, but not HTTP/2")),
        }
    }
}

/// A connection for hyper.
fn ready(io: impl Io + 'static) -> TokioIo<Gathering<Box<dyn Io>>> {
    TokioIo::new(Gathering::new(Box::new(io)))
}

/// Connects to the first of a host's addresses that answers. One that is silent takes no more than its share of the time.
async fn connect_to_any(host: &str, port: u16, time: Duration) -> io::Result<TcpStream> {
    let until = Instant::now() + time;
    let addresses: Vec<_> = lookup_host((host, port)).await?.collect();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for (place, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let share = left / u32::try_from(addresses.len() - place).unwrap_or(u32::MAX);
        match timeout(share, TcpStream::connect(address)).await {
            Ok(Ok(tcp)) => return Ok(tcp),
            Ok(Err(error)) => failed = error,
            Err(_) => failed = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(failed)
}

/// The host in an address: a name, or an IP address without its brackets.
pub(super) fn host_of(address: &Uri) -> Option<&str> {
    address.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'))
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Gathering<Box<dyn Io>>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        Box::pin(self.clone().connect(address))
    }
}
