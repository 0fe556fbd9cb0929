use rpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5, register = make)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<(), String> {
        drop(req);
        Ok(())
    }

    #[method(2)]
    fn goodbye(&self) {}
}

fn make() -> Greeter {
    Greeter
}

fn main() {}
