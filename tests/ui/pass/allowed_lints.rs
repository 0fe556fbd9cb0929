//! Lints that the user allows on a handler.

use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    #[allow(non_snake_case, clippy::unused_self)]
    fn sayHello(&self, #[allow(unused_variables)] req: Hello) {}

    #[method(3)]
    #[expect(clippy::unused_self, reason = "what is said here counts")]
    fn expected(&self) {}

    #[method(2)]
    #[allow(non_snake_case)]
    fn greet(&self, reqBody: Hello) {
        drop(reqBody);
    }
}

fn main() {
    assert_eq!(GreeterMethod::SayHello.name(), "sayHello");
}
