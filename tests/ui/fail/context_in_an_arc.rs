use std::sync::Arc;

use drpc::{Context, drpc_module};

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self, _: Arc<Context>) {}
}

fn main() {}
