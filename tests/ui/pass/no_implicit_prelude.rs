//! Generated code needs no prelude.

#![no_implicit_prelude]

struct Greeter;

impl ::std::default::Default for Greeter {
    fn default() -> Self {
        Greeter
    }
}

/// Greets people.
#[::drpc::drpc_module(id = 5, register)]
impl Greeter {
    #[method(1)]
    async fn hello(
        &self,
        context: &::drpc::Context,
        body: ::bytes::Bytes,
    ) -> ::std::result::Result<::bytes::Bytes, ::drpc::Failure> {
        let _ = context;
        ::std::result::Result::Ok(body)
    }

    #[method(2)]
    fn nothing(&self) {}
}

#[::drpc::drpc_module(id = 6, client_only)]
trait Parrot {
    #[method(1)]
    fn echo(&self, body: ::bytes::Bytes) -> ::bytes::Bytes;
}

fn main() {
    ::std::assert_eq!(GreeterMethod::Hello.id(), 501);
    ::std::assert_eq!(ParrotMethod::Echo.id(), 601);
}
