//! Who calls.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use drpc::{CallError, CallErrorKind, FailureCause};
use drpc_grpc::{GrpcCaller, GrpcServer, Tls};
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, HandshakeKind, RootCertStore};

use crate::Running;
use crate::certificates::{Authority, Signed};
use crate::modules::{GreeterClient, modules};

async fn secure(authority: &Authority) -> Running {
    Running::of(GrpcServer::builder(modules().0).tls(authority.tls(&authority.host()))).await
}

async fn greeter(server: &Running, tls: Tls) -> GreeterClient<GrpcCaller> {
    GreeterClient::new(GrpcCaller::connect(server.https(), tls).await.unwrap())
}

#[tokio::test]
async fn a_caller_is_known_by_the_names_in_its_certificate() {
    let authority = Authority::new();
    let server = secure(&authority).await;
    let admin = greeter(&server, authority.tls(&authority.caller("admin"))).await;
    let said = admin.whoami().await.unwrap();
    let said = std::str::from_utf8(&said).unwrap();
    assert!(said.starts_with("CN=admin URI:spiffe://cluster/admin at 127.0.0.1:"), "{said}");
    admin.destroy().await.unwrap();

    let user = greeter(&server, authority.tls(&authority.caller("user"))).await;
    let error = user.destroy().await.unwrap_err();
    assert_eq!(error.failure_cause(), Some(FailureCause::Denied), "{error}");
    // A rule that knows users of this host alone allows nobody from another.
    let error = admin.local().await.unwrap_err();
    assert_eq!(error.failure_cause(), Some(FailureCause::Denied), "{error}");
}

#[tokio::test]
async fn who_shows_no_good_certificate_is_not_let_in() {
    let authority = Authority::new();
    let server = secure(&authority).await;
    let stranger = Authority::new();
    let of_stranger = stranger.caller("admin");
    let expired = authority.expired("admin");
    for (who, tls) in [
        (
            "signed by another",
            Tls::from_pem(&of_stranger.certificate, &of_stranger.key, &authority.certificate).unwrap(),
        ),
        ("expired", authority.tls(&expired)),
    ] {
        // TLS 1.3 tells a caller only with its first answer.
        let outcome: Result<(), CallError> = match GrpcCaller::connect(server.https(), tls).await {
            Ok(caller) => GreeterClient::new(caller).destroy().await,
            Err(error) => Err(error.into()),
        };
        let error = outcome.unwrap_err();
        let kinds = [CallErrorKind::Connect, CallErrorKind::Disconnected];
        assert!(kinds.contains(&error.kind()), "{who}: {error:?}");
    }
}

#[tokio::test]
async fn a_host_that_another_authority_vouches_for_is_not_called() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let server = Running::of(GrpcServer::builder(modules().0).tls(stranger.tls(&stranger.host()))).await;
    let error =
        GrpcCaller::connect(server.https(), authority.tls(&authority.caller("admin"))).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");

    // Nor one whose certificate is for another name.
    let server = secure(&authority).await;
    let settings = GrpcCaller::builder(server.https()).tls(authority.tls(&authority.caller("admin")));
    let error = settings.clone().server_name("host-3").connect().await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    settings.server_name("localhost").connect().await.unwrap();
}

#[tokio::test]
async fn without_tls_nobody_has_a_name() {
    let server = Running::start(modules().0).await;
    let greeter = server.greeter().await;
    let said = greeter.whoami().await.unwrap();
    assert!(said.starts_with(b"a caller without a certificate at 127.0.0.1:"));
    for denied in [greeter.destroy().await, greeter.local().await] {
        assert_eq!(denied.unwrap_err().failure_cause(), Some(FailureCause::Denied));
    }
}

/// As a caller that keeps what it needs to resume a session of TLS.
fn resuming(authority: &Authority, own: &Signed) -> TlsConnector {
    let of_pem = |pem: &str| CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(of_pem(&authority.certificate)).unwrap();
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let settings = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let settings = settings.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let mut settings = settings.with_client_auth_cert(vec![of_pem(&own.certificate)], key).unwrap();
    settings.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(settings))
}

#[tokio::test]
async fn a_certificate_is_looked_at_each_time_a_caller_connects() {
    let authority = Authority::new();
    let server = secure(&authority).await;
    let connector = resuming(&authority, &authority.caller("admin"));
    for _ in 0..2 {
        let tcp = TcpStream::connect(server.address).await.unwrap();
        let mut stream = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
        // HTTP/2 begins, after whatever TLS itself has to say.
        let mut bytes = [0; 9];
        let mut buffer = ReadBuf::new(&mut bytes);
        poll_fn(|context| Pin::new(&mut stream).poll_read(context, &mut buffer)).await.unwrap();
        assert!(!buffer.filled().is_empty());
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[tokio::test]
async fn what_is_renewed_counts_for_the_connections_from_then_on() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let paths = ["host.pem", "host.key", "ca.pem"].map(|name| folder.path().join(name));
    let write = |of: &Authority, host: &Signed| {
        let texts = [&host.certificate, &host.key, &of.certificate];
        paths.iter().zip(texts).for_each(|(path, text)| std::fs::write(path, text).unwrap());
    };
    write(&old, &old.host());
    let tls = Tls::from_files(&paths[0], &paths[1], &paths[2]).unwrap();
    let server = Running::of(GrpcServer::builder(modules().0).tls(tls.clone())).await;
    let callers = old.tls(&old.caller("admin"));
    let before = greeter(&server, callers.clone()).await;
    before.destroy().await.unwrap();

    // What can't be used changes nothing.
    write(&new, &old.host());
    std::fs::write(&paths[1], new.host().key).unwrap();
    assert!(tls.reload().unwrap_err().to_string().contains("certificate and key"));
    greeter(&server, callers.clone()).await.destroy().await.unwrap();

    write(&new, &new.host());
    tls.reload().unwrap();
    before.destroy().await.unwrap();
    let error = GrpcCaller::connect(server.https(), callers.clone()).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    let admin = new.caller("admin");
    greeter(&server, new.tls(&admin)).await.destroy().await.unwrap();
    // A caller, too, shows what it has when it connects.
    let caller = GrpcCaller::builder(server.https()).tls(callers.clone()).connect_lazy().unwrap();
    callers.renew(&admin.certificate, &admin.key, &new.certificate).unwrap();
    GreeterClient::new(caller).destroy().await.unwrap();
}
