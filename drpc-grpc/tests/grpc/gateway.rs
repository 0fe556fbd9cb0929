//! A module behind a socket, reached from other hosts.

use drpc::{AddedFields, Allow, Client, FailureCause, Method, ModuleService, Server, Status};
use drpc_grpc::{Forwarded, GrpcServer};

use crate::Running;
use crate::modules::{Greeter, GreeterMethod, Hello, PoolError};

/// The methods of the greeter, of which the gateway knows the numbers, the names and who may call them.
fn methods() -> Vec<Method> {
    [GreeterMethod::Hello, GreeterMethod::Fill, GreeterMethod::Submit, GreeterMethod::Destroy]
        .map(Method::from)
        .into()
}

async fn gateway(client: Client) -> Running {
    let mut modules = ModuleService::new();
    modules.register(Forwarded::new(client, 5, "greeter", methods())).unwrap();
    modules.define_rule("admin", Allow::certificate("CN=admin"));
    Running::of(GrpcServer::builder(modules).insecure_loopback()).await
}

#[tokio::test]
async fn calls_go_through_to_the_socket_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("greeter.sock");
    let (told, _hears) = tokio::sync::mpsc::unbounded_channel();
    let greeter = Greeter { told, calls: Default::default() };
    let rules =
        Server::builder().module(greeter).rule("admin", Allow::anyone()).rule("users", Allow::anyone());
    let server = rules.bind(&path).unwrap();
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());
    let client = Client::builder(&path).added_fields(AddedFields::ALL).connect().await.unwrap();
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
    serving.await.unwrap().unwrap();
    let error = greeter.hello(Hello::default()).await.unwrap_err();
    assert!(error.peer_text().is_some_and(|text| text.contains("greeter.sock")), "{error:?}");
}
