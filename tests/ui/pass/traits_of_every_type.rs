//! Traits that every type has, with functions called like ours.

use drpc::{Failure, drpc_module};
use drpc_tests::messages::Hello;

trait Named {
    fn name(&self) -> u8 {
        1
    }

    fn id(&self) -> u8 {
        2
    }

    fn method(&self) -> u8 {
        3
    }

    fn failure(&self) -> u8 {
        4
    }

    fn pad(&self) -> u8 {
        5
    }
}

impl<T: ?Sized> Named for T {}

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<Hello, Failure> {
        Ok(req)
    }

    #[method(2)]
    fn fails(&self) -> Result<(), std::io::Error> {
        Err(std::io::ErrorKind::NotFound.into())
    }
}

fn main() {
    let greeter = &Greeter;
    assert_eq!(Named::name(greeter) + Named::id(greeter) + Named::method(greeter), 6);
    assert_eq!(Named::failure(greeter) + Named::pad(greeter), 9);
    assert_eq!(GreeterMethod::Hello.to_string(), "hello");
}
