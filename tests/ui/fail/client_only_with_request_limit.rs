use drpc::drpc_module;

#[drpc_module(id = 5, client_only)]
trait Greeter {
    #[method(1, request_limit = "64KiB")]
    fn hello(&self);
}

fn main() {}
