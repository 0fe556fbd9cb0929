use drpc::drpc_module;

struct Greeter;

async fn make() -> Greeter {
    Greeter
}

#[drpc_module(id = 5, register = make)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
