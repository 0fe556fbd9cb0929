//! The crate by way of a module of one's own.

mod rpc {
    pub use drpc::*;
}

struct Greeter;

#[rpc::drpc_module(id = 5, crate = crate::rpc)]
impl Greeter {
    #[method(1)]
    async fn hello(&self, _: &rpc::Context) -> Result<(), rpc::Failure> {
        Ok(())
    }
}

fn main() {
    assert_eq!(GreeterMethod::Hello.id(), 501);
}
