//! A caller's connection, and who is at its other end.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use drpc::{PeerCredentials, RemotePeer, Stream};
use http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::server::Connected;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::io::Io;
use crate::tls::Tls;

/// A connection that was accepted.
pub(super) struct Accepted {
    io: Box<dyn Io>,
    peer: Arc<RemotePeer>,
}

/// A caller that shows nothing in that time is let go.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// After a connection that could not be accepted, as when there are too many files.
const PAUSE: Duration = Duration::from_millis(50);

/// The connections of a listener, once their callers have shown who they are.
pub(super) fn accept_on(listener: TcpListener, tls: Option<Tls>) -> impl Stream<Item = io::Result<Accepted>> {
    use futures_util::StreamExt as _;

    let accepted = TcpListenerStream::new(listener).then(async |accepted| {
        if accepted.is_err() {
            sleep(PAUSE).await;
        }
        accepted
    });
    let shown = accepted.map(move |accepted| {
        let tls = tls.clone();
        // A task: one caller's handshake holds up nobody else's.
        async move { tokio::spawn(Accepted::of(accepted?, tls)).await? }
    });
    shown.buffer_unordered(usize::MAX)
}

impl Accepted {
    async fn of(tcp: TcpStream, tls: Option<Tls>) -> io::Result<Self> {
        let peer = RemotePeer::new(tcp.peer_addr().map_or_else(unknown, |address| address.to_string()));
        tcp.set_nodelay(true)?;
        let Some(tls) = tls else { return Ok(Accepted { io: Box::new(tcp), peer: peer.into() }) };
        let handshake = TlsAcceptor::from(tls.server()).accept(tcp);
        let stream = timeout(HANDSHAKE_TIMEOUT, handshake).await??;
        // The first is the caller's own, and TLS has checked it; the others are those that vouch for it.
        let certificates = stream.get_ref().1.peer_certificates();
        let own = certificates.and_then(|certificates| certificates.first());
        let names = own.map(|own| names_in(own)).unwrap_or_default();
        Ok(Accepted { io: Box::new(stream), peer: peer.with_names(names).into() })
    }
}

impl Connected for Accepted {
    type ConnectInfo = Arc<RemotePeer>;

    fn connect_info(&self) -> Arc<RemotePeer> {
        self.peer.clone()
    }
}

/// Who makes a call, by what tonic has noted beside it.
pub(super) fn caller(noted: &Extensions) -> PeerCredentials {
    let peer = noted.get::<Arc<RemotePeer>>().cloned();
    PeerCredentials::of_remote(peer.unwrap_or_else(|| RemotePeer::new(unknown(())).into()))
}

fn unknown<T>(_: T) -> String {
    "an unknown address".to_owned()
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
        Pin::new(&mut self.io).poll_read(context, buffer)
    }
}

impl AsyncWrite for Accepted {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
