use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = drpc_tests::messages::ids::TOO_LARGE)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(2)]
    fn goodbye(&self) {}
}

fn main() {
    let _ = GreeterMethod::Hello.id();
}
