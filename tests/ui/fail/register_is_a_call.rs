use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5, register = Greeter::new())]
impl Greeter {
    fn new() -> Self {
        Greeter
    }

    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
