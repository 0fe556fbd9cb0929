use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = i32::MAX + 1)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2)]
    fn goodbye(&self) {}
}

fn main() {
    let _ = GreeterMethod::Goodbye.id();
}
