//! A module that a server makes by itself, with a function.

use drpc::drpc_module;

#[derive(Debug)]
struct Greeter(String);

impl Greeter {
    fn from_env() -> Self {
        Greeter("Hello".into())
    }
}

#[drpc_module(id = 5, register = Greeter::from_env)]
impl Greeter {
    #[method(1)]
    fn hello(&self) -> drpc::Bytes {
        self.0.clone().into()
    }
}

struct Parrot;

#[drpc_module(id = 6)]
impl Parrot {
    #[method(1)]
    fn echo(&self) {}
}

fn main() {
    let made = |name: &str| {
        drpc::registry::declared_modules().find(|module| module.name() == name).unwrap().create()
    };
    assert_eq!(made("greeter").unwrap().id(), 5);
    assert!(made("parrot").is_none());
}
