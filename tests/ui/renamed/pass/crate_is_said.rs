//! `drpc` under another name in Cargo.toml.

use drpc_tests::messages::{Hello, HelloResponse};
use rpc::{Context, Failure, drpc_module};

#[derive(Default)]
struct Greeter;

#[drpc_module(id = 5, register, crate = rpc)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, _: &Context, req: Hello) -> Result<HelloResponse, Failure> {
        Ok(HelloResponse { greeting: req.name })
    }

    #[method(2)]
    fn fails(&self) -> Result<(), GreeterError> {
        Err(GreeterError::Asleep)
    }
}

#[derive(Debug, thiserror::Error, rpc::Failure)]
#[failure(crate = rpc)]
enum GreeterError {
    #[error("asleep")]
    #[failure(status = FAILURE)]
    Asleep,
}

#[drpc_module(id = 5, client_only, crate = rpc, prefix = Caller)]
trait Greeter2 {
    #[method(1)]
    fn hello(&self, req: Hello) -> HelloResponse;
}

fn main() {
    assert_eq!(GreeterMethod::Fails.id(), 502);
    assert_eq!(CallerMethod::Hello.id(), 501);
}
