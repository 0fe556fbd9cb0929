use drpc::drpc_module;
use drpc_tests::messages::{Hello, HelloResponse};

struct Pools;

#[drpc_module(id = 2)]
impl Pools {
    #[method(11)]
    fn create(&self, req: Hello) -> Hello;
}

#[drpc_module(part)]
impl Pools {
    #[method]
    fn create(&self, req: Hello) -> HelloResponse {
        HelloResponse { greeting: req.name }
    }
}

fn main() {
    let _ = drpc::Server::builder().module(Pools);
}
