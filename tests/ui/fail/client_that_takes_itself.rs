use drpc::drpc_module;

#[drpc_module(id = 5, client_only)]
trait Greeter {
    #[method(1)]
    fn hello(&self, req: Self);
}

fn main() {}
