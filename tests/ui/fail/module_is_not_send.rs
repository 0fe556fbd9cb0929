use std::rc::Rc;

use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter(Rc<u32>);

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {
        let _ = &self.0;
    }

    #[method(2)]
    async fn greet(&self, req: Hello) -> Hello {
        req
    }
}

fn main() {}
