//! Messages called like the types that generated code names.

macro_rules! messages {
    ($($name:ident)*) => {
        $(
            #[derive(Clone, PartialEq, ::prost::Message)]
            pub struct $name {}
        )*
    };
}

mod named {
    messages!(Incoming String Result Option Module Method Box Context Failure Caller Payload Some Kind);
}

use named::{Box, Caller, Context, Failure, Incoming, Kind, Method, Module, Option, Payload, Result, Some};

struct Greeter;

#[drpc::drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    async fn result(&self, _: Option) -> Result {
        Result {}
    }

    #[method(2)]
    fn option(&self, _: Module) -> Option {
        Option {}
    }

    #[method(3)]
    fn context(&self, _: Context) -> Method {
        Method {}
    }

    #[method(4)]
    async fn boxed(&self, _: &drpc::Context, _: Box) -> std::result::Result<Failure, drpc::Failure> {
        Ok(Failure {})
    }

    #[method(5)]
    fn other(&self, _: Caller) -> Payload {
        Payload {}
    }

    #[method(6)]
    fn some(&self, _: Some) -> Kind {
        Kind {}
    }

    #[method(7)]
    fn incoming(&self, _: Incoming) -> named::String {
        named::String {}
    }

    #[method(8)]
    fn string(&self, string: named::String) -> std::result::Result<named::String, drpc::Failure> {
        Ok(string)
    }
}

fn main() {
    assert_eq!(GreeterMethod::Result.id(), 501);
}
