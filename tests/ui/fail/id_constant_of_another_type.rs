use drpc::drpc_module;

struct Greeter;

const GREETER: u16 = 5;

#[drpc_module(id = GREETER)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
