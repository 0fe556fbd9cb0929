//! IDs that agree with the registry.

use drpc::drpc_module;

const PARROT: i32 = 7;

struct Greeter;

#[drpc_module(id = 5, name = "greeter")]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}

    #[method(id = 503)]
    fn goodbye(&self) {}
}

struct Parrot;

#[drpc_module(id = PARROT)]
impl Parrot {
    #[method(0)]
    fn echo(&self) {}
}

fn main() {
    assert_eq!(GreeterMethod::Goodbye.id(), 503);
    assert_eq!(ParrotMethod::Echo.id(), 700);
}
