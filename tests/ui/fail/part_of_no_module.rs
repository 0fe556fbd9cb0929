use drpc::drpc_module;

struct Pools;

#[drpc_module(part)]
impl Pools {
    #[method]
    fn create(&self) {}
}

fn main() {
    Pools.create();
}
