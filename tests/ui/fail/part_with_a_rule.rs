use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Pools;

#[drpc_module(id = 2)]
impl Pools {
    #[method(11)]
    fn create(&self, req: Hello) -> Hello;
}

#[drpc_module(part, allow = "admin")]
impl Pools {
    #[method]
    fn create(&self, req: Hello) -> Hello {
        req
    }
}

fn main() {
    let _ = drpc::Server::builder().module(Pools);
}
