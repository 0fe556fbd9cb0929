use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self, req: Hello) -> Result<Hello, drpc::Failure>> {
        Ok(req)
    }
}

fn main() {
    let _ = (GreeterMethod::Hello, GreeterMethod::ALL);
    let _ = drpc::Server::builder().module(Greeter);
}
