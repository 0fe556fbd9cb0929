//! A caller's connection, and who is at its other end.

use std::collections::HashMap;
use std::future::Future as _;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use drpc::{PeerCredentials, RemotePeer, Session, Stream};
use http::Extensions;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::server::Connected;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::io::Io;
use crate::tls::Tls;

/// A connection that was accepted.
pub(super) struct Accepted {
    io: Box<dyn Io>,
    /// Of no calls: those have sessions of their own beside it.
    session: Arc<Session>,
    /// `None` once it has come.
    preface: Option<Preface>,
    /// Among the connections that there may be.
    _place: OwnedSemaphorePermit,
}

/// What a caller of HTTP/2 sends first, which is waited for.
struct Preface {
    /// Bytes of it.
    missing: usize,
    until: Pin<Box<Sleep>>,
}

/// A caller that shows nothing in that time is let go; so is one that then says nothing in the same time again.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many callers may show at a time who they are. The others wait where the system has them.
const HANDSHAKES: usize = 256;

/// After a connection that could not be accepted, as when there are too many files.
const PAUSE: Duration = Duration::from_millis(50);

/// The connections of a listener, once their callers have shown who they are: so many at a time, and what is more is closed.
pub(super) fn accept_on(
    listener: TcpListener,
    tls: Option<Tls>,
    limit: usize,
) -> impl Stream<Item = io::Result<Accepted>> {
    use futures_util::StreamExt as _;

    let (places, callers) =
        (Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))), Arc::<Callers>::default());
    let accepted = TcpListenerStream::new(listener).then(async |accepted| {
        if accepted.is_err() {
            sleep(PAUSE).await;
        }
        accepted
    });
    let shown = accepted.map(move |accepted| {
        let (place, callers, tls) = (places.clone().try_acquire_owned(), callers.clone(), tls.clone());
        async move {
            let (tcp, place) = (accepted?, place.map_err(io::Error::other)?);
            // A task: one caller's handshake holds up nobody else's.
            tokio::spawn(Accepted::of(tcp, place, callers, tls)).await?
        }
    });
    shown.buffer_unordered(HANDSHAKES)
}

impl Accepted {
    async fn of(
        tcp: TcpStream,
        place: OwnedSemaphorePermit,
        callers: Arc<Callers>,
        tls: Option<Tls>,
    ) -> io::Result<Self> {
        let peer = RemotePeer::new(tcp.peer_addr().map_or_else(unknown, |address| address.to_string()));
        tcp.set_nodelay(true)?;
        let accepted = |io, peer| Accepted {
            io,
            session: callers.session(peer),
            preface: Some(Preface { missing: PREFACE, until: Box::pin(sleep(HANDSHAKE_TIMEOUT)) }),
            _place: place,
        };
        let Some(tls) = tls else { return Ok(accepted(Box::new(tcp), peer)) };
        let handshake = TlsAcceptor::from(tls.server()).accept(tcp);
        let stream = timeout(HANDSHAKE_TIMEOUT, handshake).await??;
        // The first is the caller's own, and TLS has checked it; the others are those that vouch for it.
        let certificates = stream.get_ref().1.peer_certificates();
        let own = certificates.and_then(|certificates| certificates.first());
        let names = own.map(|own| names_in(own)).unwrap_or_default();
        Ok(accepted(Box::new(stream), peer.with_names(names)))
    }
}

/// How long HTTP/2's preface is.
const PREFACE: usize = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".len();

/// A session for each of the callers that have been there, by the names in their certificates. Who connects anew may have no more logged than who stays.
#[derive(Default)]
struct Callers(Mutex<HashMap<Vec<String>, Session>>);

impl Callers {
    /// How many are remembered.
    const REMEMBERED: usize = 1024;

    /// The session of a connection.
    fn session(&self, peer: RemotePeer) -> Arc<Session> {
        let names = peer.names().to_vec();
        let session = Session::new(0, PeerCredentials::of_remote(peer.into()));
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::REMEMBERED && !known.contains_key(&names) {
            known.clear();
        }
        let first = known.entry(names).or_insert_with(|| session.of_call(0));
        session.with_log_of(first).into()
    }
}

impl Connected for Accepted {
    type ConnectInfo = Arc<Session>;

    fn connect_info(&self) -> Arc<Session> {
        self.session.clone()
    }
}

/// The session of a call, by what tonic has noted beside it.
pub(super) fn session_of(noted: &Extensions, number: u64) -> Session {
    match noted.get::<Arc<Session>>() {
        Some(connection) => connection.of_call(number),
        None => Session::new(number, PeerCredentials::of_remote(RemotePeer::new(unknown(())).into())),
    }
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
        let this = &mut *self;
        let Some(preface) = &mut this.preface else {
            return Pin::new(&mut this.io).poll_read(context, buffer);
        };
        if preface.until.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut this.io).poll_read(context, buffer));
        preface.missing = preface.missing.saturating_sub(buffer.filled().len() - before);
        if preface.missing == 0 {
            this.preface = None;
        }
        Poll::Ready(read)
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::io::Write as _;

    use super::*;

    async fn read(accepted: &mut Accepted) -> io::Result<usize> {
        let mut bytes = [0; 16];
        let mut buffer = ReadBuf::new(&mut bytes);
        poll_fn(|context| Pin::new(&mut *accepted).poll_read(context, &mut buffer)).await?;
        Ok(buffer.filled().len())
    }

    #[tokio::test]
    async fn a_caller_that_does_not_begin_is_let_go_and_one_that_has_may_rest() {
        let places = Arc::new(Semaphore::new(2));
        for begins in [false, true] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut caller = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (tcp, _) = listener.accept().await.unwrap();
            let place = places.clone().try_acquire_owned().unwrap();
            let mut accepted = Accepted::of(tcp, place, Arc::default(), None).await.unwrap();
            caller.write_all(&[7; PREFACE - 1]).unwrap();
            let mut came = 0;
            while came < PREFACE - 1 {
                came += read(&mut accepted).await.unwrap();
            }
            if begins {
                caller.write_all(&[7]).unwrap();
                assert_eq!(read(&mut accepted).await.unwrap(), 1);
                caller.shutdown(std::net::Shutdown::Write).unwrap();
            }
            if let Some(preface) = &mut accepted.preface {
                preface.until = Box::pin(sleep(Duration::ZERO));
            }
            assert_eq!(read(&mut accepted).await.ok(), begins.then_some(0));
        }
        assert_eq!(places.available_permits(), 2);
    }
}
