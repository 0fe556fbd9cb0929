//! Constants, which a pattern would match, called like what generated code binds.

#![allow(non_upper_case_globals, dead_code, reason = "nobody else writes such names")]

macro_rules! constants {
    ($($name:ident)*) => {
        $(const $name: u8 = 0;)*
    };
}

constants!(this reply request error body context method id caller options f unknown module details status field_0 e r);

#[derive(Debug, thiserror::Error, drpc::Failure)]
#[error("{name}")]
struct Missing {
    name: String,
}

struct Greeter;

#[::drpc::drpc_module(id = 5, register = make)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, asked: ::drpc_tests::messages::Hello) -> Result<::drpc::Bytes, Missing> {
        Err(Missing { name: asked.name })
    }
}

fn make() -> Greeter {
    Greeter
}

fn main() {
    assert_eq!(GreeterMethod::Hello.id(), 501);
}
