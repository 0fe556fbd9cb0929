use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1, limit = "64KiB")]
    fn hello(&self) {}
}

fn main() {}
