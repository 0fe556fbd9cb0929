use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(9)]
    fn wave(&self) {}
}

fn main() {}
