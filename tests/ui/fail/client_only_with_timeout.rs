use drpc::drpc_module;

#[drpc_module(id = 5, client_only)]
trait Greeter {
    #[method(1, timeout = "5s")]
    fn hello(&self);
}

fn main() {}
