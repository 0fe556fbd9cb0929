//# errors: 2
use drpc::drpc_module;

#[drpc_module(id = 5, client_only, allow = "users")]
trait Greeter {
    #[method(1, allow = "admin")]
    fn hello(&self);
}

fn main() {}
