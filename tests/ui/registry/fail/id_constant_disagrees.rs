use drpc::drpc_module;

struct Greeter;

const GREETER: i32 = 6;

#[drpc_module(id = GREETER)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
