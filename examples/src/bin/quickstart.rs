//! The whole way of a call in one process: a module, a server on a real socket, and a client that calls it.
//!
//! ```sh
//! cargo run --bin quickstart
//! ```

use std::error::Error;

use drpc::{Client, Failure, Server, drpc_module};
use drpc_examples::hello::{Hello, HelloResponse};

/// A module that greets.
#[derive(Default)]
struct Greeter;

// `register` lets every server in this program find the module. The ID is checked against proto/modules.toml.
#[drpc_module(id = 5, register)]
impl Greeter {
    /// Greets a person by name.
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<HelloResponse, Failure> {
        if req.name.is_empty() {
            return Err("whom shall I greet?".into());
        }
        Ok(HelloResponse { greeting: format!("Hello {}", req.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::temp_dir().join(format!("drpc-quickstart-{}.sock", std::process::id()));

    let server = Server::builder().bind(&path)?;
    println!("listening on {}", path.display());
    for module in server.modules().modules() {
        println!("serving module {} ({})", module.id(), module.name());
    }
    let handle = server.handle();
    let serving = tokio::spawn(server.serve());

    let greeter = GreeterClient::new(Client::connect(&path).await?);
    let reply = greeter.hello(Hello { name: "World".into() }).await?;
    println!("called {} ({}): {}", GreeterMethod::Hello, GreeterMethod::Hello.id(), reply.greeting);

    let error = greeter.hello(Hello::default()).await.expect_err("nobody has no name");
    println!("called it without a name: {error}");

    handle.shutdown();
    serving.await??;
    println!("shut down; the socket is gone: {}", !path.exists());
    Ok(())
}
