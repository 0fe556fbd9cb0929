use drpc::{Failure, drpc_module};
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<HelloRespnse, Failure> {
        todo!()
    }
}

fn main() {}
