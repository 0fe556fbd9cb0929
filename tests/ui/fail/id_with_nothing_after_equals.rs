use drpc::drpc_module;

struct Greeter;

impl Default for Greeter {
    fn default() -> Self {
        Greeter
    }
}

#[drpc_module(id =, register)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
