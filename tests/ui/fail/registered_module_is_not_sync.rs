use std::cell::RefCell;

use drpc::drpc_module;

#[derive(Default)]
struct Greeter(RefCell<u8>);

#[drpc_module(id = 5, register)]
impl Greeter {
    #[method(1)]
    async fn hello(&self) {
        *self.0.borrow_mut() += 1;
    }

    #[method(2)]
    fn goodbye(&self) {}
}

fn main() {
    assert_eq!(GreeterMethod::Hello.id(), 501);
}
