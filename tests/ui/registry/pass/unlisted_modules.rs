//! Modules of one's own, which the registry does not list.

use drpc::{Module, drpc_module};

const PROBE: i32 = 901;

struct Fixture;

#[drpc_module(id = 900, unlisted)]
impl Fixture {
    #[method(1)]
    fn hello(&self) {}

    #[method(id = 90002)]
    fn goodbye(&self) {}
}

struct Probe;

#[drpc_module(id = PROBE, unlisted)]
impl Probe {
    #[method(0)]
    fn ping(&self) {}
}

#[drpc_module(id = 902, client_only, unlisted)]
trait Other {
    #[method(0)]
    fn ping(&self);
}

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method]
    fn hello(&self) {}
}

fn main() {
    assert_eq!(FixtureMethod::Goodbye.id(), 90002);
    assert!(Fixture.is_unlisted() && Probe.is_unlisted() && !Greeter.is_unlisted());
}
