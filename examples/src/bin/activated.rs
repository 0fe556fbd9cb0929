//! A daemon as systemd likes it: on the socket that it is passed, or on a path of its own; it says when it is ready.
//!
//! The units are in `examples/systemd`. Without systemd proper:
//!
//! ```sh
//! cargo build --bins
//! systemd-socket-activate --seqpacket -l /tmp/greeter.sock target/debug/activated &
//! target/debug/drpc call /tmp/greeter.sock 5 501 --hex 0a05576f726c64
//! ```

use std::error::Error;

use drpc::server::{is_socket_activated, shutdown_signal};
use drpc::{Failure, Server, drpc_module};
use drpc_examples::hello::{Hello, HelloResponse};

#[derive(Default)]
struct Greeter;

#[drpc_module(id = 5, register)]
impl Greeter {
    /// Greets a person by name.
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<HelloResponse, Failure> {
        Ok(HelloResponse { greeting: format!("Hello {}", req.name) })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();

    let stop = shutdown_signal();
    let builder = Server::builder().notify_systemd();
    let server = match is_socket_activated() {
        true => builder.listen_systemd()?,
        // Only where nobody else has made the socket are its mode and owner ours to choose.
        false => builder.mode(0o660).bind("/run/greeter.sock")?,
    };
    tracing::info!("listening on {}", server.address());
    server.serve_until(stop).await?;
    Ok(())
}
