use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(0)]
    const GREETING: &str = "Hello";

    #[method(1)]
    fn hello(&self) {}
}

fn main() {
    Greeter::GREETING;
}
