//! A daemon for systemd: it serves the socket that it is passed, or else a path of its own, and reports when it is ready.
//!
//! The units are in `examples/systemd`. Without systemd proper:
//!
//! ```sh
//! cargo build --bins
//! systemd-socket-activate --seqpacket -l /tmp/greeter.sock target/debug/activated &
//! target/debug/drpc call /tmp/greeter.sock 501 0a05576f726c64 --hex
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
        // Started by hand. Only here are mode and owner the program's to choose.
        false => builder.bind("/tmp/greeter.sock")?,
    };
    let shutdown = server.serve_until(stop).await?;
    if shutdown.stuck() > 0 {
        std::process::exit(1); // a handler blocks its thread: don't wait for it
    }
    Ok(())
}
