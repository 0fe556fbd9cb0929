//# errors: 2
// Of what a type is, the compiler tells once the numbers are right.
use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self, _: &str) {}

    #[method(1)]
    fn goodbye(&self) {}

    #[method(200)]
    fn wave(&self) {}
}

fn main() {
    let _ = GreeterMethod::Hello;
    let _ = drpc::Server::builder().module(Greeter);
    let _ = GreeterClient::<drpc::blocking::Client>::hello;
}
