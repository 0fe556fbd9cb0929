use drpc::drpc_module;

struct Greeter;

fn new(_: i32) -> Greeter {
    Greeter
}

#[drpc_module(id = 5, register = new)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
