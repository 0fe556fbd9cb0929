use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    async fn hello(&self) -> Result<Hello, str> {
        Ok(Hello::default())
    }
}

fn main() {}
