//! IDs that the registry knows by the name.

use drpc::drpc_module;

struct Greeter;

#[drpc_module]
impl Greeter {
    #[method]
    fn hello(&self) {}

    #[method]
    fn goodbye(&self) {}
}

struct Polly;

#[drpc_module(name = "parrot")]
impl Polly {
    #[method(name = "echo")]
    fn repeat(&self) {}
}

fn main() {
    assert_eq!(GreeterMethod::Hello.id(), 501);
    assert_eq!(GreeterMethod::Goodbye.id(), 503);
    assert_eq!(PollyMethod::Repeat.method(), drpc::Method::new(7, 700, "echo"));
}
