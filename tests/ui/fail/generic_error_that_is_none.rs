use drpc::drpc_module;

trait Store: Send + Sync + 'static {
    type Error;
}

struct Pools<S>(S);

#[drpc_module(id = 5)]
impl<S: Store> Pools<S> {
    #[method(1)]
    fn hello(&self) -> Result<(), S::Error> {
        todo!()
    }
}

fn main() {}
