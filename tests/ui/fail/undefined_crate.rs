use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5, crate = rpc)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2)]
    async fn goodbye(&self) -> Result<(), String> {
        Ok(())
    }
}

fn main() {}
