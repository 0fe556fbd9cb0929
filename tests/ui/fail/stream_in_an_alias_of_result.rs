//# errors: 2
use drpc::{Failure, Stream, drpc_module};
use drpc_tests::messages::Hello;
use futures_util::stream;

type Res<T> = Result<T, Failure>;

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1, stream)]
    fn list(&self) -> Res<impl Stream<Item = Result<Hello, Failure>>> {
        Ok(stream::empty())
    }

    #[method(2)]
    fn find(&self) -> Res<impl std::fmt::Debug> {
        Ok(Hello::default())
    }
}

fn main() {
    let _ = GreeterMethod::ALL;
}
