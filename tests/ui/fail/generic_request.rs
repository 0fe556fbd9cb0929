use drpc::drpc_module;

struct Pools<S>(S);

#[drpc_module(id = 5)]
impl<S: prost::Message + Default + Sync + 'static> Pools<S> {
    #[method(1)]
    fn hello(&self, _: S) {}
}

fn main() {}
