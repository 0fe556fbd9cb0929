//! Which modules other hosts may reach, the registry says.

use drpc::{Module, drpc_module};

struct Parrot;

#[drpc_module(id = 7)]
impl Parrot {
    #[method(0)]
    fn echo(&self) {}
}

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {
    assert!(Parrot.is_remote());
    assert!(!Greeter.is_remote());
}
