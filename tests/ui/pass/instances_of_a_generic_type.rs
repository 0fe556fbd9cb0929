//! Two instances of one type, each a module.

use drpc::{Module, drpc_module};

#[derive(Default)]
struct Store<T>(T);

#[drpc_module(id = 5, name = "strings", prefix = Strings, register)]
impl Store<String> {
    #[method(1)]
    fn hello(&self) {
        let _ = &self.0;
    }
}

#[drpc_module(id = 6, name = "numbers", prefix = Numbers, register)]
impl Store<u32> {
    #[method(1)]
    fn goodbye(&self) {}
}

fn main() {
    assert_eq!(Store(String::new()).name(), "strings");
    assert_eq!(Store(1_u32).id(), 6);
    assert_eq!(StringsMethod::Hello.id() + 100, NumbersMethod::Goodbye.id());
    let _ = |numbers: NumbersClient<drpc::blocking::Client>| numbers.goodbye();
}
