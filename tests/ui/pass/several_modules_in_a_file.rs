//! Several modules in a file.

use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

struct Parrot;

#[drpc_module(id = 6)]
impl Parrot {
    #[method(1)]
    fn hello(&self) {}
}

/// An impl without the attribute.
impl Parrot {
    #[allow(clippy::unused_self, reason = "it is no handler")]
    fn name(&self) -> &'static str {
        "Polly"
    }
}

fn main() {
    assert_eq!(GreeterMethod::Hello.id() + 100, ParrotMethod::Hello.id());
    assert_eq!(Parrot.name(), "Polly");
    assert_eq!(drpc::Module::name(&Parrot), "parrot");
}
