//! Messages called like type parameters that generated code might have.

use drpc::drpc_module;

mod messages {
    macro_rules! messages {
        ($($name:ident)*) => {
            $(
                #[derive(Clone, PartialEq, prost::Message)]
                pub(super) struct $name {}
            )*
        };
    }
    messages!(A C D E F M R T U);
}
use messages::{A, C, D, E, F, M, R, T, U};

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn a(&self, req: C) -> C {
        req
    }

    #[method(2)]
    async fn b(&self, _: A) -> Result<E, drpc::Failure> {
        Ok(E {})
    }

    #[method(3)]
    async fn c(&self, _: F) -> M {
        M {}
    }

    #[method(4)]
    fn d(&self, _: R) -> std::io::Result<T> {
        Ok(T {})
    }
}

#[drpc_module(id = 6, client_only)]
trait Remote {
    #[method(1)]
    fn a(&self, req: D) -> C;

    #[method(2)]
    fn b(&self, req: U) -> Result<T, E>;
}

fn main() {
    assert_eq!(GreeterMethod::ALL.len(), RemoteMethod::ALL.len() + 2);
}
