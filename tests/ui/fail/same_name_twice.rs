use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2, name = "hello")]
    fn goodbye(&self) {}
}

fn main() {}
