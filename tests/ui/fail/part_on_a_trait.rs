use drpc::drpc_module;

#[drpc_module(part)]
trait Pools {
    #[method]
    fn create(&self);
}

fn main() {}
