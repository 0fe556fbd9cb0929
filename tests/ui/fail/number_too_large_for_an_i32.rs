use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(99999999999)]
    fn hello(&self) {}
}

fn main() {}
