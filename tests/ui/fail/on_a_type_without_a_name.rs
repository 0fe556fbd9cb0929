use drpc::drpc_module;

trait Greeter {}

#[drpc_module(id = 5)]
impl dyn Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
