use drpc::drpc_module;

struct Pools<S>(S);

impl<S> Pools<S> {
    const ID: i32 = 5;
}

#[drpc_module(id = Self::ID)]
impl<S: Send + Sync + 'static> Pools<S> {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
