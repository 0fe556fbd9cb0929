//! One declaration for the async client and for the blocking one.

use std::time::Duration;

use bytes::Bytes;
use drpc::{CallError, CallOptions, Client, blocking, drpc_module};
use drpc_tests::messages::{Hello, HelloResponse};

#[drpc_module(id = 5, client_only)]
trait Greeter {
    /// Greets a person by name.
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<HelloResponse, ()>;

    #[method(2)]
    fn wave(&self);
}

async fn call(client: Client) -> Result<HelloResponse, CallError> {
    let greeter: GreeterClient = GreeterClient::new(client);
    let hurried = greeter.with(CallOptions::new().timeout(Duration::from_millis(50)));
    hurried.wave().await?;
    greeter.raw(GreeterMethod::Hello, Bytes::new()).await?;
    greeter.clone().hello(Hello::default()).await
}

fn call_blocking(client: blocking::Client) -> Result<HelloResponse, CallError> {
    let greeter: GreeterClient<blocking::Client> = GreeterClient::new(client);
    greeter.wave()?;
    greeter.hello(Hello::default())
}

fn main() {
    let _: fn(blocking::Client) -> _ = call_blocking;
    let _ = call;
}
