use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
#[drpc_module(id = 6, name = "parrot")]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
