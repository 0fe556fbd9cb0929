use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1, Idempotent)]
    fn hello(&self) {}
}

fn main() {}
