use drpc::drpc_module;

const ID: &str = "greeter";

struct Greeter;

#[drpc_module(id = ID)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2)]
    fn goodbye(&self) {}
}

fn main() {}
