use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = _)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
