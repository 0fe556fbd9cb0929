//! A deprecated method: generated code does not count as its use.

use drpc::drpc_module;

#[derive(Default)]
struct Greeter;

#[drpc_module(id = 5, register)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[deprecated = "say hello"]
    #[method(2)]
    fn goodbye(&self) {}
}

fn main() {
    assert_eq!(GreeterMethod::ALL.len(), 2);
}
