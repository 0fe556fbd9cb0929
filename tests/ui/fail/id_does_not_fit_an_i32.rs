use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5_000_000_000)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
