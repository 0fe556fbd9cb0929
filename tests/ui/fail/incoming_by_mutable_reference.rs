use drpc::{Incoming, drpc_module};
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1, stream)]
    async fn hello(&self, pieces: &mut Incoming<Hello>) {
        let _ = pieces;
    }
}

fn main() {}
