use drpc::drpc_module;

#[derive(Default)]
struct Greeter;

#[drpc_module(id = 5, register())]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
