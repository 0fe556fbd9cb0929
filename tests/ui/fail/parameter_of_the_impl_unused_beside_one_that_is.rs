use drpc::drpc_module;
use drpc_tests::messages::Hello;

struct Greeter<T>(T);

#[drpc_module(id = 5)]
impl<T: From<U> + Send + Sync + 'static, U> Greeter<T>
where
    U: Send + Sync + 'static,
    T: Clone,
{
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<Hello, drpc::Failure> {
        Ok(req)
    }
}

fn main() {
    let _ = drpc::Server::builder().module(Greeter(1_u64));
}
