//! A caller's connection, and who is at its other end.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use drpc::{PeerCredentials, RemotePeer};
use http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tonic::transport::server::{Connected, TlsConnectInfo};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// A connection that was accepted.
pub(super) struct Accepted {
    stream: TcpStream,
    connection: Connection,
}

/// What the calls of a connection have in common.
#[derive(Clone)]
pub(super) struct Connection {
    address: Option<SocketAddr>,
    /// The certificate is read once.
    peer: Arc<OnceLock<Arc<RemotePeer>>>,
}

impl Accepted {
    pub(super) fn new(stream: TcpStream) -> Self {
        // It may fail for a connection that is gone already: its first read says so.
        let _ = stream.set_nodelay(true);
        let connection = Connection { address: stream.peer_addr().ok(), peer: Arc::default() };
        Accepted { stream, connection }
    }
}

impl Connected for Accepted {
    type ConnectInfo = Connection;

    fn connect_info(&self) -> Connection {
        self.connection.clone()
    }
}

/// Who makes a call, by what tonic has noted beside it.
pub(super) fn caller(noted: &Extensions) -> PeerCredentials {
    let Some(connection) = noted.get::<Connection>() else {
        return PeerCredentials::of_remote(RemotePeer::new("an unknown address").into());
    };
    let peer = connection.peer.get_or_init(|| {
        let address =
            connection.address.map_or_else(|| "an unknown address".to_owned(), |address| address.to_string());
        let certificates = noted.get::<TlsConnectInfo<Connection>>().and_then(TlsConnectInfo::peer_certs);
        // The first is the caller's own, and TLS has checked it; the others are those that vouch for it.
        let own = certificates.as_ref().and_then(|certificates| certificates.first());
        let names = own.map(|own| names_in(own)).unwrap_or_default();
        Arc::new(RemotePeer::new(address).with_names(names))
    });
    PeerCredentials::of_remote(peer.clone())
}

/// The names in a certificate, each with its kind.
fn names_in(certificate: &[u8]) -> Vec<String> {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return Vec::new() };
    let common = certificate.subject().iter_common_name().filter_map(|name| name.as_str().ok());
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative = alternative.into_iter().flat_map(|names| &names.value.general_names);
    let alternative = alternative.filter_map(|name| match name {
        GeneralName::DNSName(name) => Some(format!("DNS:{name}")),
        GeneralName::RFC822Name(name) => Some(format!("email:{name}")),
        GeneralName::URI(name) => Some(format!("URI:{name}")),
        GeneralName::IPAddress(bytes) => Some(format!("IP:{}", ip_address(bytes)?)),
        _ => None,
    });
    common.map(|name| format!("CN={name}")).chain(alternative).collect()
}

fn ip_address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes)
        .map(IpAddr::from)
        .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
        .ok()
}

impl AsyncRead for Accepted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
