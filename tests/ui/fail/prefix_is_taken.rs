use drpc::drpc_module;

struct Greeter;

enum MyMethod {}

#[drpc_module(id = 5, prefix = My)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
