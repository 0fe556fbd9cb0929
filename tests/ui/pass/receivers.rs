//! The ways to take `self`.
#![allow(clippy::needless_arbitrary_self_type, reason = "it is what this is about")]

use std::rc;
use std::sync::{self, Arc};

use drpc::{Context, drpc_module};

type Shared = Arc<Greeter>;

mod reexported {
    pub(super) use std::sync::Arc as Counted;
}

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn reference(&self) {}

    #[method(2)]
    fn typed_reference(self: &Self) {}

    #[method(3)]
    fn by_its_name(self: &Greeter) {}

    #[method(4)]
    async fn shared(self: Arc<Self>, context: &Context) {
        let _ = (self, context);
    }

    #[method(5)]
    async fn shared_by_path(self: std::sync::Arc<Greeter>) {}

    #[method(6)]
    async fn shared_by_reference(self: &Arc<Self>) {}

    #[method(7)]
    async fn shared_by_module(self: sync::Arc<Self>) {}

    #[method(8)]
    async fn shared_by_alias(self: Shared) {}

    #[method(9)]
    async fn shared_by_another_name(self: reexported::Counted<Self>) {}

    #[method(10)]
    async fn with_a_lifetime<'a>(&'a self, _: &'a Context) {}

    #[method(11)]
    async fn mutable_binding(mut self: Arc<Self>) {
        self = Arc::new(Greeter);
        drop(self);
    }

    fn helper(self: rc::Rc<Self>) -> usize {
        rc::Rc::strong_count(&self)
    }
}

fn main() {
    assert_eq!(rc::Rc::new(Greeter).helper(), 1);
    assert_eq!(GreeterMethod::ALL.len(), 11);
}
