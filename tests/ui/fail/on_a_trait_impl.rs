use drpc::drpc_module;

trait Hello {
    fn hello(&self);
}

struct Greeter;

#[drpc_module(id = 5)]
impl Hello for Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
