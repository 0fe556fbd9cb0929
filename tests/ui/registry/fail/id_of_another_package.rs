use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 9, name = "vault")]
impl Greeter {
    #[method(0)]
    fn open(&self) {}
}

fn main() {}
