use drpc::drpc_module;

struct Greeter;

struct Hello;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self, _: Hello) {}
}

fn main() {}
