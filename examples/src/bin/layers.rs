//! Layers around the handlers: two of `tower`'s, and one of our own that logs how long calls take.
//!
//! ```sh
//! cargo run --bin layers
//! ```

use std::error::Error;
use std::time::{Duration, Instant};

use drpc::middleware::{Dispatch, Request};
use drpc::{Client, Server, drpc_module};
use drpc_examples::hello::{Hello, HelloResponse};
use tower::buffer::BufferLayer;
use tower::limit::RateLimitLayer;
use tower::timeout::TimeoutLayer;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

/// A module that greets, and takes its time.
struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    /// Greets a person by name.
    #[method(1)]
    async fn hello(&self, req: Hello) -> HelloResponse {
        if req.name == "Godot" {
            std::future::pending::<()>().await;
        }
        HelloResponse { greeting: format!("Hello {}", req.name) }
    }
}

/// Tells how each call went, and how long it took.
fn timed(
    handlers: Dispatch,
) -> impl Service<Request, Response = drpc::Reply, Error = drpc::Failure, Future: Send> + Clone {
    service_fn(move |request: Request| {
        let handlers = handlers.clone();
        async move {
            let (name, start) = (request.method().name(), Instant::now());
            let result = handlers.oneshot(request).await;
            match &result {
                Ok(reply) => println!("{name}: {} after {:?}", reply.status(), start.elapsed()),
                Err(failure) => println!("{name}: {failure} after {:?}", start.elapsed()),
            }
            result
        }
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("drpc-layers-{}.sock", std::process::id()));
    // A rate limit can't be cloned for each call, so a buffer stands in front of it.
    let rate = ServiceBuilder::new()
        .layer(BufferLayer::new(64))
        .layer(RateLimitLayer::new(1000, Duration::from_secs(1)));
    let server = Server::builder()
        .module(Greeter)
        .layer(tower::layer::layer_fn(timed)) // the outermost: it sees the time-outs, too
        .layer(TimeoutLayer::new(Duration::from_millis(300)))
        .layer(rate)
        .bind(&path)?;
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    let greeter = GreeterClient::new(Client::connect(&path).await?);
    println!("called: {}", greeter.hello(Hello { name: "World".into() }).await?.greeting);
    let error = greeter.hello(Hello { name: "Godot".into() }).await.expect_err("he does not come");
    println!("called: {error}");

    handle.shutdown();
    serving.await??;
    Ok(())
}
