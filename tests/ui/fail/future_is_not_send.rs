use std::rc::Rc;

use drpc::drpc_module;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    async fn hello(&self) {
        let greeting = Rc::new("Hello");
        std::future::ready(()).await;
        println!("{greeting}");
    }
}

fn main() {}
