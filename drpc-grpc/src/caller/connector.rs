//! How a caller's connection is made.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tower_service::Service;

use crate::io::Io;
use crate::tls::{HTTP2, Tls};

/// Connects by TCP, and shows and asks for certificates if there are any: those of the moment at which it connects.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) tls: Option<(Tls, ServerName<'static>)>,
}

impl Connector {
    async fn connect(self, address: Uri) -> io::Result<TokioIo<Box<dyn Io>>> {
        let host = host_of(&address).ok_or(io::ErrorKind::InvalidInput)?;
        let port = address.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let tcp = TcpStream::connect((host, port)).await?;
        tcp.set_nodelay(true)?;
        let Some((tls, name)) = self.tls else { return Ok(TokioIo::new(Box::new(tcp))) };
        let stream = TlsConnector::from(tls.caller()).connect(name, tcp).await?;
        match stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
            true => Ok(TokioIo::new(Box::new(stream))),
            false => Err(io::Error::other("the server speaks TLS, but not HTTP/2")),
        }
    }
}

/// The host in an address: a name, or an IP address without its brackets.
pub(super) fn host_of(address: &Uri) -> Option<&str> {
    address.host().map(|host| host.trim_start_matches('[').trim_end_matches(']'))
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Box<dyn Io>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, address: Uri) -> Self::Future {
        Box::pin(self.clone().connect(address))
    }
}
