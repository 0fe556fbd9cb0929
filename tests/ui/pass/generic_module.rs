//! A module that is generic over what its handlers work with.

use drpc::{Failure, Module, drpc_module};
use drpc_tests::messages::{Hello, HelloResponse};

trait Store: Send + Sync + 'static {
    type Error: std::error::Error + Send + Sync;

    fn get(&self) -> Result<String, Self::Error>;
}

#[derive(Clone)]
struct Memory;

impl Store for Memory {
    type Error = std::io::Error;

    fn get(&self) -> Result<String, std::io::Error> {
        Ok("x".into())
    }
}

struct Pools<S, const N: usize>
where
    S: Store,
{
    store: S,
}

/// Pools.
#[drpc_module(id = 5)]
impl<S: Store, const N: usize> Pools<S, N>
where
    S: Clone,
{
    /// Gets.
    #[method(1)]
    async fn get(&self, _req: Hello) -> Result<HelloResponse, S::Error> {
        Ok(HelloResponse { greeting: self.store.get()? })
    }

    #[method(2)]
    fn count(&self) -> Result<(), Failure> {
        if N == 0 { Err("none".into()) } else { Ok(()) }
    }

    #[method(3)]
    async fn shared(self: std::sync::Arc<Self>) -> anyhow::Result<HelloResponse>
    where
        S::Error: 'static,
    {
        Ok(HelloResponse { greeting: self.store.get()? })
    }
}

struct Boxed<S: ?Sized>(Box<S>);

#[drpc_module(id = 6)]
impl<S: Store<Error = std::io::Error> + ?Sized> Boxed<S> {
    #[method(1)]
    fn get(&self) -> std::io::Result<HelloResponse> {
        Ok(HelloResponse { greeting: self.0.get()? })
    }
}

struct WithDefault<S = Memory>(S);

#[drpc_module(id = 7)]
impl<S> WithDefault<S>
where
    S: Fn() -> String + Send + Sync + 'static,
    for<'a> &'a S: Sized,
{
    #[method(1)]
    fn get(&self) -> HelloResponse {
        HelloResponse { greeting: (self.0)() }
    }
}

fn main() {
    let _ = drpc::Server::builder().module(Pools::<Memory, 3> { store: Memory });
    assert_eq!(Boxed::<dyn Store<Error = std::io::Error>>(Box::new(Memory)).id(), 6);
    assert_eq!(WithDefault(String::new).id(), 7);
    assert_eq!(PoolsMethod::Get.id(), 501);
    let _ = |pools: PoolsClient<drpc::blocking::Client>| pools.get(Hello::default());
}
