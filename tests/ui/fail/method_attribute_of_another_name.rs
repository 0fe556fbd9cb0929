use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[rpc(1)]
    fn hello(&self, req: Hello) -> Hello {
        req
    }
}

fn main() {
    assert_eq!(GreeterMethod::Hello.id(), 501);
}
