use drpc::drpc_module;

struct Greeter;

const HELLO: i32 = 1;
const _: i32 = HELLO;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(HELLO)]
    fn hello(&self) {}
}

fn main() {}
