use drpc::drpc_module;

#[drpc_module(id = 5, client-only)]
trait Greeter {
    #[method(1)]
    fn hello(&self);
}

fn main() {}
