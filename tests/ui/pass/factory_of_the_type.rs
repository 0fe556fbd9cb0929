//! A factory that is named by way of `Self`.

use drpc::drpc_module;

struct Greeter(u8);

#[drpc_module(id = 5, register = Self::new)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {
        let _ = self.0;
    }

    fn new() -> Self {
        Greeter(1)
    }
}

struct Parrot;

impl Parrot {
    const MAKE: fn() -> Parrot = || Parrot;
}

#[drpc_module(id = 6, register = Parrot::MAKE)]
impl Parrot {
    #[method(1)]
    fn echo(&self) {}
}

fn main() {
    assert!(drpc::registry::declared_modules().all(|module| module.create().is_some()));
}
