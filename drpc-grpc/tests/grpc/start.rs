//! What a server or a caller does not start with.

use std::sync::Arc;

use drpc::{Bytes, Context, Failure, Method, Module, ModuleService, Reply, drpc_module};
use drpc_grpc::{GrpcCaller, GrpcServer, Tls};

use crate::certificates::Authority;
use crate::modules::modules;

async fn refusal(settings: drpc_grpc::GrpcServerBuilder, address: &str) -> String {
    settings.bind(address).await.unwrap_err().to_string()
}

#[tokio::test]
async fn plain_tcp_is_refused_unless_asked_for_and_on_loopback() {
    let said = refusal(GrpcServer::builder(modules().0), "127.0.0.1:0").await;
    assert!(said.contains("no certificates are given"), "{said}");
    let said = refusal(GrpcServer::builder(modules().0).insecure_loopback(), "0.0.0.0:0").await;
    assert!(said.contains("without TLS: `insecure_loopback` is for 127.0.0.1"), "{said}");
}

#[tokio::test]
async fn only_modules_for_other_hosts_are_served() {
    struct Local;

    #[drpc_module(id = 9)]
    impl Local {
        #[method(1)]
        fn ping(&self) {}
    }

    let (mut modules, _hears) = modules();
    modules.register(Local).unwrap();
    let said = refusal(GrpcServer::builder(modules).insecure_loopback(), "127.0.0.1:0").await;
    assert!(said.starts_with("module `local` (9) is not for other hosts: write `remote = true`"), "{said}");

    struct Guarded;

    #[drpc_module(id = 9, remote, allow = "nobody_knows")]
    impl Guarded {
        #[method(1)]
        fn ping(&self) {}
    }

    let mut modules = ModuleService::new();
    modules.register(Guarded).unwrap();
    let said = refusal(GrpcServer::builder(modules).insecure_loopback(), "127.0.0.1:0").await;
    assert!(said.contains("rule `nobody_knows` allows, and there is no such rule"), "{said}");

    let said = refusal(GrpcServer::builder(ModuleService::new()).insecure_loopback(), "127.0.0.1:0").await;
    assert!(said.starts_with("there is no module to serve"), "{said}");
}

/// A module that is written by hand, whose names the macro would not take.
struct ByHand(i32, &'static str, &'static [Method]);

#[drpc::async_trait]
impl Module for ByHand {
    fn id(&self) -> i32 {
        self.0
    }

    fn name(&self) -> &str {
        self.1
    }

    fn is_remote(&self) -> bool {
        true
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        self.2.iter().copied().find(|method| method.id() == id)
    }

    async fn handle_call(self: Arc<Self>, _: Context, _: Method, body: Bytes) -> Result<Reply, Failure> {
        Ok(body.into())
    }
}

#[tokio::test]
async fn what_grpc_can_not_carry_or_tell_apart_is_refused() {
    const OPEN: &[Method] = &[Method::new(6, 601, "open").fds()];
    const ALIKE: &[Method] = &[Method::new(8, 801, "get_a"), Method::new(8, 802, "getA")];
    for (module, text) in [
        (ByHand(9, "odd-name", &[]), "`odd-name` can't be that of a gRPC service"),
        (ByHand(8, "alike", ALIKE), "methods 801 and 802 would both be called by /drpc.alike/GetA"),
        (ByHand(6, "files", OPEN), "method `open` of module `files` passes descriptors"),
        (ByHand(7, "greeter", &[]), "two modules would be the service drpc.greeter"),
    ] {
        let (mut modules, _hears) = modules();
        modules.register(module).unwrap();
        let said = refusal(GrpcServer::builder(modules).insecure_loopback(), "127.0.0.1:0").await;
        assert!(said.contains(text), "{said}");
    }
}

#[tokio::test]
async fn certificates_that_can_not_be_used_are_told_of() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (host, another) = (authority.host(), other.host());
    for (certificate, key, by, text) in [
        ("none", &*host.key, &*authority.certificate, "the certificate is not PEM: "),
        (&host.certificate, "none", &authority.certificate, "the key is not PEM: "),
        (&host.certificate, &host.key, "none", "the authority is not PEM: "),
        (&host.certificate, &another.key, &authority.certificate, "the certificate and key can't be used: "),
    ] {
        let error = Tls::from_pem(certificate, key, by).unwrap_err();
        assert!(error.to_string().starts_with(text), "{error}");
    }
    let error = Tls::from_files("/no/such.pem", "/no/such.key", "/no/ca.pem").unwrap_err();
    assert!(error.to_string().starts_with("can't read /no/such.pem: "), "{error}");
}

#[tokio::test]
async fn an_address_without_tls_is_called_on_this_host_alone() {
    for (address, text) in [
        ("http://127.0.0.1:1", "without TLS nobody is known"),
        ("https://127.0.0.1:1", "it needs certificates"),
        ("ftp://127.0.0.1:1", "it is no address"),
        ("host", "it is no address"),
    ] {
        let error = GrpcCaller::builder(address).connect().await.unwrap_err();
        assert!(error.to_string().contains(text), "{address}: {error}");
    }
    let error = GrpcCaller::builder("http://192.0.2.1:1").insecure_loopback().connect().await.unwrap_err();
    assert!(error.to_string().contains("only this host is called"), "{error}");
    let authority = Authority::new();
    let tls = authority.tls(&authority.caller("admin"));
    let error = GrpcCaller::connect("not an address", tls).await.unwrap_err();
    assert!(error.to_string().starts_with("can't connect to not an address: "), "{error}");
}
