//! A server that tells what it serves and what it is doing: for the `drpc` command's `list`, `describe`, `call`, `ping` and `top`.
//!
//! ```sh
//! cargo run --features reflection --bin reflecting -- /tmp/greeter.sock
//! drpc call /tmp/greeter.sock greeter.hello '{"name": "World"}'
//! ```

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use drpc::server::shutdown_signal;
use drpc::{Allow, Bytes, Failure, Order, Server, drpc_module};
use drpc_examples::hello::{Hello, HelloResponse};

#[derive(Parser)]
struct Args {
    /// Where to listen.
    socket: PathBuf,
}

/// Greets people.
struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    /// Greets a person by name.
    #[method(1, idempotent)]
    fn hello(&self, req: Hello) -> Result<HelloResponse, Failure> {
        if req.name.is_empty() {
            return Err("whom shall I greet?".into());
        }
        Ok(HelloResponse { greeting: format!("Hello {}", req.name) })
    }
}

/// What takes its time, for `drpc top` to show.
struct Interop;

#[drpc_module(id = 7)]
impl Interop {
    /// Sleeps as many milliseconds as the body's first four bytes say (little-endian), then echoes.
    #[method(2, timeout = "60s")]
    async fn sleep(&self, body: Bytes) -> Result<Bytes, Failure> {
        let (milliseconds, _) = body.split_first_chunk().ok_or("for how long?")?;
        tokio::time::sleep(Duration::from_millis(u32::from_le_bytes(*milliseconds).into())).await;
        Ok(body)
    }

    /// Only the user who runs the server sees this.
    #[method(3, allow = "owner")]
    fn panic(&self) {
        panic!("as it was asked to");
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::builder()
        .module(Greeter)
        .module(Interop)
        .rule("owner", Allow::same_user())
        .order(Order::Concurrent(16))
        .reflection(true)
        .message_descriptors(drpc::include_descriptors!())
        .bind(Args::parse().socket)?;
    println!("listening on {}", server.address());
    println!("{}", server.serve_until(shutdown_signal()).await?);
    Ok(())
}
