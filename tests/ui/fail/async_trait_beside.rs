use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5)]
#[async_trait::async_trait]
impl Greeter {
    #[method(1)]
    async fn hello(&self, req: Hello) -> Hello {
        req
    }
}

fn main() {}
