//# errors: 2
use drpc::{Failure, Incoming, Stream, drpc_module};
use drpc_tests::messages::Hello;
use futures_util::stream;

struct NoError;
struct NoErrorEither;
struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1, stream)]
    fn list(&self) -> impl Stream<Item = Result<Hello, NoError>> {
        stream::empty()
    }

    #[method(2, stream)]
    fn again(&self) -> impl Stream<Item = Result<Hello, NoError>> {
        stream::empty()
    }

    #[method(3, stream)]
    fn echo(&self, _hellos: Incoming<Hello>) -> Result<impl Stream<Item = Result<Hello, NoErrorEither>>, Failure> {
        Ok(stream::empty())
    }
}

fn main() {}
