use drpc::drpc_module;

struct Greeter;

impl Greeter {
    #[drpc_module(id = 5)]
    fn hello(&self) {}
}

fn main() {
    Greeter.hello();
}
