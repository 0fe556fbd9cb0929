use drpc::drpc_module;

#[derive(Default)]
struct Pools<S>(S);

#[drpc_module(id = 5, register)]
impl<S: Send + Sync + 'static> Pools<S> {
    #[method(1)]
    fn hello(&self) {}
}

fn main() {
    assert_eq!(PoolsMethod::Hello.id(), 501);
    let _ = drpc::Server::builder().module(Pools(1));
}
