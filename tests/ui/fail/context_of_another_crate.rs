use drpc::drpc_module;

struct Greeter;

struct MyContext;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self, _: &MyContext) {}
}

fn main() {}
