use drpc::drpc_module;

struct Pools<S>(S);

#[drpc_module(id = 5)]
impl Pools<S> {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
