//! A module behind a socket, reached from other hosts.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use drpc::{
    AddedFields, Allow, Cancelled, Client, FailureCause, Method, ModuleService, Server, ServerHandle, Status,
};
use drpc_grpc::{Forwarded, GrpcServer, GrpcServerBuilder};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::modules::{Greeter, GreeterMethod, Hello, PoolError};
use crate::python::{descriptors, here, python, succeeds};
use crate::{PATIENCE, Running};

/// The methods of the greeter, of which the gateway knows the numbers, the names and who may call them.
fn methods() -> Vec<Method> {
    use GreeterMethod::{Destroy, Endless, Fill, GreetEach, Hello, Refuse, Submit, Wait};
    [Hello, Fill, Submit, Destroy, GreetEach, Endless, Refuse, Wait].map(Method::from).into()
}

async fn gateway(client: Client) -> Running {
    let mut modules = ModuleService::new();
    modules.register(Forwarded::new(client, 5, "greeter", methods())).unwrap();
    modules.define_rule("admin", Allow::certificate("CN=admin"));
    Running::of(GrpcServer::builder(modules).insecure_loopback()).await
}

/// The greeter on a socket of its own.
async fn behind(
    folder: &Path,
) -> (Client, ServerHandle, JoinHandle<()>, UnboundedReceiver<Option<Cancelled>>) {
    let path = folder.join("greeter.sock");
    let (told, hears) = unbounded_channel();
    let greeter = Greeter { told, calls: Default::default() };
    let rules =
        Server::builder().module(greeter).rule("admin", Allow::anyone()).rule("users", Allow::anyone());
    let server = rules.bind(&path).unwrap();
    let handle = server.handle();
    let serving = tokio::spawn(async {
        server.serve().await.unwrap();
    });
    let client = Client::builder(&path).added_fields(AddedFields::ALL).connect().await.unwrap();
    (client, handle, serving, hears)
}

#[tokio::test]
async fn calls_go_through_to_the_socket_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let (client, handle, serving, _hears) = behind(folder.path()).await;
    let gateway = gateway(client).await;
    let greeter = gateway.greeter().await;

    assert_eq!(greeter.hello(Hello { name: "World".into() }).await.unwrap().greeting, "Hello World");
    greeter.submit().await.unwrap();
    let error = greeter.fill(Hello { name: "tank".into() }).await.unwrap_err();
    assert_eq!(error.details(), Some(PoolError::Full { pool: "tank".into(), used: 7 }));
    assert_eq!((error.status(), error.failure_cause()), (Some(Status::FAILURE), Some(FailureCause::Handler)));
    // The gateway's own rule: who is behind it sees the gateway's user.
    assert_eq!(greeter.destroy().await.unwrap_err().failure_cause(), Some(FailureCause::Denied));
    // What the gateway does not know is not passed on.
    assert_eq!(greeter.whoami().await.unwrap_err().status(), Some(Status::UNKNOWN_METHOD));

    handle.shutdown();
    serving.await.unwrap();
    let error = greeter.hello(Hello::default()).await.unwrap_err();
    assert!(error.peer_text().is_some_and(|text| text.contains("greeter.sock")), "{error:?}");
}

#[tokio::test]
async fn streams_go_through_and_so_does_their_end() {
    let folder = tempfile::tempdir().unwrap();
    let (client, _handle, _serving, mut hears) = behind(folder.path()).await;
    let gateway = gateway(client).await;
    let greeter = gateway.greeter().await;

    let mut greetings = greeter.greet_each(Hello { name: "a,b,".into() }).await.unwrap();
    for name in ["a", "b"] {
        assert_eq!(greetings.next().await.unwrap().unwrap().greeting, format!("Hello {name}"));
    }
    let in_it = greetings.next().await.unwrap().unwrap_err();
    let before_it = greeter.refuse(Hello { name: "tank".into() }).await.unwrap_err();
    for error in [in_it, before_it] {
        assert_eq!(error.peer_text(), Some("tank is full: 7 bytes are used"));
        assert_eq!(error.details(), Some(PoolError::Full { pool: "tank".into(), used: 7 }));
        assert_eq!(
            (error.status(), error.failure_cause()),
            (Some(Status::FAILURE), Some(FailureCause::Handler))
        );
    }
    assert!(greeter.refuse(Hello::default()).await.unwrap().next().await.is_none());

    let mut items = greeter.endless(vec![7; 10_000].into()).await.unwrap();
    for _ in 0..1000 {
        assert_eq!(items.next().await.unwrap().unwrap().len(), 10_000);
    }
    drop(items);
    assert_eq!(hears.recv().await, Some(None));
}

#[tokio::test]
async fn a_call_that_is_dropped_tells_the_handler_behind() {
    let folder = tempfile::tempdir().unwrap();
    let (client, handle, _serving, mut hears) = behind(folder.path()).await;
    let gateway = gateway(client).await;
    let greeter = gateway.greeter().await;
    // The server behind has said that it may be told.
    greeter.hello(Hello::default()).await.unwrap();
    let call = tokio::spawn(greeter.wait());
    let begun = async {
        while handle.sessions().iter().all(|session| session.running_calls().is_empty()) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, begun).await.unwrap();
    call.abort();
    let told = timeout(PATIENCE, hears.recv()).await.unwrap();
    assert_eq!(told, Some(Some(Cancelled::CallerGaveUp)));
}

#[tokio::test]
async fn the_gateways_own_time_that_is_over_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let (_client, _handle, _serving, _hears) = behind(folder.path()).await;
    let client = Client::builder(folder.path().join("greeter.sock")).timeout(Duration::from_millis(20));
    let gateway = gateway(client.connect().await.unwrap()).await;
    let error = gateway.greeter().await.wait().await.unwrap_err();
    assert_eq!(error.failure_cause(), Some(FailureCause::TimedOut), "{error}");
    assert!(error.peer_text().is_some_and(|text| text.contains("within 20ms")), "{error}");
}

/// Under a name that nothing in this program declares, so that the gateway knows what it was told alone. Where Python or its packages can't be had, it says so and proves nothing.
#[tokio::test(flavor = "multi_thread")]
async fn grpcs_own_client_lists_and_calls_by_names_what_is_behind() {
    let Some(python) = python().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let (client, _handle, _serving, _hears) = behind(folder.path()).await;
    let mut modules = ModuleService::new();
    modules.register(Forwarded::new(client, 5, "welcome", methods())).unwrap();
    modules.define_rule("admin", Allow::certificate("CN=admin"));
    let settings = GrpcServer::builder(modules).insecure_loopback().descriptors(&descriptors());
    let carrying = |settings: GrpcServerBuilder, method, reply| {
        settings.carried(Method::from(method).id(), "hello.Hello", reply)
    };
    let settings = carrying(settings, GreeterMethod::Hello, "hello.HelloResponse");
    let settings = carrying(settings, GreeterMethod::GreetEach, "hello.HelloResponse");
    let settings = carrying(settings, GreeterMethod::Fill, "google.protobuf.Empty");
    let gateway = Running::of(settings).await;
    let mut script = Command::new(python);
    script.arg(here("gateway.py")).arg(gateway.address.port().to_string());
    succeeds(script).await;
}
