use std::cell::RefCell;

use drpc::drpc_module;

struct Greeter(RefCell<u8>);

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    async fn hello(&self) {
        *self.0.borrow_mut() += 1;
    }

    #[method(2)]
    fn goodbye(&self) {}
}

fn main() {}
