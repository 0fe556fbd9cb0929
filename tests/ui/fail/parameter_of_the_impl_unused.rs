use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5)]
impl<T: Send + Sync + 'static> Greeter {
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<Hello, drpc::Failure> {
        Ok(req)
    }
}

fn main() {}
