use drpc::drpc_module;
use self::other::{GreeterClient, Parrot};

mod other {
    pub struct GreeterClient;
    pub struct Parrot;
}

struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {
    let _ = (GreeterClient, Parrot);
}
