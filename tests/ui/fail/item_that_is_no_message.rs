//# errors: 2
use drpc::{Failure, Incoming, Stream, drpc_module};
use futures_util::stream;

struct Piece;
struct Event;
struct Store;

#[drpc_module(id = 5)]
impl Store {
    #[method(1, stream)]
    fn upload(&self, _pieces: Incoming<Piece>) {}

    #[method(2, stream)]
    fn watch(&self) -> impl Stream<Item = Result<Event, Failure>> {
        stream::empty()
    }
}

fn main() {
    let _ = (StoreMethod::Watch, StoreMethod::ALL);
}
