use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn say_hello(&self) {}

    #[method(2)]
    fn say__hello(&self) {}
}

fn main() {}
