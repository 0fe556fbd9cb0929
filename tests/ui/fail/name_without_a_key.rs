use drpc::drpc_module;

struct Greeter;

#[drpc_module("greeter", id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
