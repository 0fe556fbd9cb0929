use drpc::drpc_module;

struct Greeter<T>(T);

#[drpc_module(id = 5)]
impl<T: Send + Sync + 'static> Greeter<T> {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
