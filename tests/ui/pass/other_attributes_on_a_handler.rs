//! Other attributes stay on the handler.

use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter;

#[drpc_module(id = 5)]
#[allow(clippy::unused_async)]
impl Greeter {
    const GREETING: &'static str = "Hello";

    #[method(1)]
    #[must_use]
    #[inline]
    pub(crate) async fn hello(&self) -> Hello {
        Hello { name: Self::GREETING.to_owned() }
    }
}

fn main() {
    drop(Greeter.hello());
}
