//! IDs at the ends of what there is.

use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = -3)]
impl Greeter {
    #[method(0)]
    fn hello(&self) {}

    #[method(99)]
    fn goodbye(&self) {}

    #[method(id = -299)]
    fn wave(&self) {}
}

struct Lowest;

#[drpc_module(id = -21_474_836i32)]
impl Lowest {
    #[method(0x63)]
    fn hello(&self) {}
}

fn main() {
    assert_eq!(GreeterMethod::Hello.id(), -300);
    assert_eq!(GreeterMethod::Goodbye.id(), -201);
    assert_eq!(GreeterMethod::try_from(-299), Ok(GreeterMethod::Wave));
    assert_eq!(LowestMethod::Hello.id(), -2_147_483_501);
}
