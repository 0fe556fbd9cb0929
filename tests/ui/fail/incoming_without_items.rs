use drpc::{Incoming, drpc_module};

struct Store;

#[drpc_module(id = 5)]
impl Store {
    #[method(1, stream)]
    fn upload(&self, pieces: Incoming) {
        drop(pieces);
    }
}

fn main() {}
