use drpc::drpc_module;

struct Greeter;

#[drpc_module(name = "geeter")]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
