use drpc::blocking::Client;
use drpc::{Failure, drpc_module};
use drpc_tests::messages::{Hello, HelloResponse};

#[derive(Default)]
struct Pools;

#[drpc_module(id = 2, register)]
impl Pools {
    #[method(11)]
    async fn create(&self, req: Hello) -> Result<HelloResponse, Failure>;
}

fn main() {
    assert_eq!(PoolsMethod::Create.id(), 211);
    let _ = PoolsClient::<Client>::create;
}
