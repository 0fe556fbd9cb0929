use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

#[drpc_module(id = 6)]
impl Greeter {
    #[method(1)]
    fn goodbye(&self) {}
}

fn main() {}
