use drpc::drpc_module;

struct Pools<'a, S>(&'a S);

#[drpc_module(id = 5)]
impl<'a, S: Sync> Pools<'a, S> {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {}
