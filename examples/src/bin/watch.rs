//! Streams: a listing, and events with a snapshot first, so that nothing is missed in between.
//!
//! ```sh
//! cargo run --bin watch
//! ```

use std::error::Error;
use std::sync::{Mutex, PoisonError};

use drpc::{Client, Context, Events, Failure, Server, Slow, Stream, blocking, drpc_module};
use drpc_examples::hello::Hello;
use drpc_examples::registry;
use futures_util::{StreamExt, stream};

/// A module that knows of pools; of each its name alone.
struct Pools {
    names: Mutex<Vec<String>>,
    /// Holds the last 64 for readers that are slow.
    created: Events<String>,
}

impl Pools {
    fn names(&self) -> Vec<String> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[drpc_module(id = registry::pools::ID)]
impl Pools {
    /// Every pool, one after the other. However many there are, a reader has no more than it has room for.
    #[method(1, stream)]
    fn list(&self) -> impl Stream<Item = Result<Hello, Failure>> {
        stream::iter(self.names()).map(|name| Ok(Hello { name }))
    }

    /// The pools that there are, and then each that is created, until the server shuts down.
    #[method(2, stream)]
    fn watch(&self, context: &Context) -> impl Stream<Item = Result<Hello, Failure>> {
        // What is created in between comes twice rather than never; a reader that is too slow gets an error, and begins anew.
        let names = self.created.subscribe(Slow::Ends).starting_with(|| self.names());
        names.map(|told| Ok(Hello { name: told?.event })).take_until(context.cancelled())
    }

    /// Makes a pool.
    #[method(3)]
    fn create(&self, pool: Hello) {
        self.names.lock().unwrap_or_else(PoisonError::into_inner).push(pool.name.clone());
        self.created.send(pool.name);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("drpc-watch-{}.sock", std::process::id()));
    let names = Mutex::new(vec!["home".to_owned(), "tank".to_owned()]);
    let server = Server::builder().module(Pools { names, created: Events::new(64) }).bind(&path)?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    let pools = PoolsClient::new(Client::connect(&path).await?);
    let mut watching = pools.watch().await?;
    for _ in 0..2 {
        let pool = watching.next().await.ok_or("the stream goes on")??;
        println!("there is {}", pool.name);
    }
    pools.create(Hello { name: "scratch".into() }).await?;
    let pool = watching.next().await.ok_or("the stream goes on")??;
    println!("created: {}", pool.name);

    // From a thread, without a runtime: an iterator.
    let listing = tokio::task::spawn_blocking(move || {
        let pools = PoolsClient::new(blocking::Client::connect(&path)?);
        let names: Result<Vec<_>, _> = pools.list()?.map(|pool| pool.map(|pool| pool.name)).collect();
        Ok::<_, Box<dyn Error + Send + Sync>>(names?)
    });
    println!("all: {}", listing.await?.map_err(|error| error.to_string())?.join(", "));

    handle.shutdown();
    println!("shut down, and the stream has ended: {}", watching.next().await.is_none());
    serving.await??;
    Ok(())
}
