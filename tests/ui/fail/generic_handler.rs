use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello<T: prost::Message>(&self, _: T) {}
}

fn main() {}
