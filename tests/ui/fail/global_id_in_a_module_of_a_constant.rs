use drpc::drpc_module;

struct Greeter;

const GREETER: i32 = 5;

#[drpc_module(id = GREETER)]
impl Greeter {
    #[method(id = 501)]
    fn hello(&self) {}
}

fn main() {}
