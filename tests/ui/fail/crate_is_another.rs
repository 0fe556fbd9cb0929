use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5, crate = ::prost)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<Hello, String> {
        Ok(req)
    }
}

fn main() {}
