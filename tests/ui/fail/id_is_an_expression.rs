use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 2 + 3)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
