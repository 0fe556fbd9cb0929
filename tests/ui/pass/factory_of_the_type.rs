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

struct Cage<T>(T);

#[drpc_module(id = Self::ID, register = Self::of_a_bird)]
impl Cage<u8> {
    const ID: i32 = 7;

    fn of_a_bird() -> Self {
        Cage(1)
    }

    #[method(1)]
    fn open(&self) {
        let _ = self.0;
    }
}

struct Nest;

impl Default for Nest {
    fn default() -> Self {
        Nest
    }
}

#[drpc_module(id = 8, register = <Nest as Default>::default)]
impl Nest {
    #[method(1)]
    fn rest(&self) {}
}

fn main() {
    assert_eq!(CageMethod::Open.id(), 701);
    assert!(drpc::registry::declared_modules().all(|module| module.create().is_some()));
}
