//! Handlers and parameters called like what is generated.
#![allow(clippy::wrong_self_convention, clippy::should_implement_trait, reason = "nobody else writes such names")]

use drpc::{Context, drpc_module};
use drpc_tests::messages::Hello;

#[derive(Default)]
struct Greeter;

#[drpc_module(id = 5, register)]
impl Greeter {
    #[method(1)]
    fn id(&self) {}

    #[method(2)]
    fn name(&self) {}

    #[method(3)]
    fn handle_call(&self, body: Hello) -> Hello {
        body
    }

    #[method(4)]
    fn method(&self, method: Hello) {
        drop(method);
    }

    #[method(5)]
    fn from_id(&self, self_: Hello) {
        drop(self_);
    }

    #[method(6, name = "raw")]
    fn raw_(&self, caller: Hello) {
        drop(caller);
    }

    #[method(7)]
    fn self_(&self, options: Hello) {
        drop(options);
    }

    #[method(8)]
    fn default(&self, request: Hello, context: &Context) {
        drop(request);
        let _ = context;
    }

    #[method(9)]
    fn clone(&self) {}

    #[method(10)]
    fn call(&self) {}
}

fn main() {
    assert_eq!(GreeterMethod::Id.id(), 501);
    assert_eq!(GreeterMethod::Raw.name(), "raw");
    assert_eq!(drpc::Module::id(&Greeter), 5);
}
