//! Who calls.

use drpc::{CallError, CallErrorKind, FailureCause};
use drpc_grpc::{GrpcCaller, GrpcServer, Tls};

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
