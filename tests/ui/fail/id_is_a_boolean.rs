use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = true)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
