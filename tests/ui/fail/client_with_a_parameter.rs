use drpc::drpc_module;

#[drpc_module(id = 5, client_only)]
trait Greeter<T> {
    #[method(1)]
    fn hello(&self);
}

fn main() {}
