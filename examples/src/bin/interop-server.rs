//! A server for interoperability tests: module 0 greets, module 7 does what a test may want of a server.
//!
//! ```sh
//! cargo run --bin interop-server -- --socket /tmp/interop.sock
//! ```

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use clap::{Parser, ValueEnum};
use drpc::server::shutdown_signal;
use drpc::{Context, Failure, Order, Server, Status, WireMode, drpc_module};
use drpc_examples::hello::{Hello, HelloResponse};
use drpc_examples::registry;

/// DAOS's test module.
#[derive(Default)]
struct Test;

#[drpc_module(id = registry::test::ID, register)]
impl Test {
    /// Greets a person by name.
    #[method(0)]
    fn greeting(&self, hello: Hello) -> HelloResponse {
        HelloResponse { greeting: format!("Hello {}", hello.name) }
    }
}

/// What a test may want of a server.
#[derive(Default)]
struct Interop;

#[drpc_module(id = registry::interop::ID, register)]
impl Interop {
    /// Returns the body as it came.
    #[method(0)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    /// Answers FAILURE.
    #[method(1)]
    fn fail(&self) -> Result<(), Failure> {
        Err(Failure::with_message(Status::FAILURE, "asked to fail"))
    }

    /// Sleeps as many milliseconds as the body's first four bytes say (little-endian u32), then echoes.
    #[method(2)]
    async fn sleep(&self, body: Bytes) -> Result<Bytes, Failure> {
        let millis = body.first_chunk().ok_or("the body is shorter than the four bytes of a u32")?;
        tokio::time::sleep(Duration::from_millis(u32::from_le_bytes(*millis).into())).await;
        Ok(body)
    }

    /// Panics.
    #[method(3)]
    fn panic(&self) {
        panic!("asked to panic");
    }

    /// Returns `uid=… gid=… pid=…` of its caller as text.
    #[method(4)]
    fn whoami(&self, context: &Context) -> Bytes {
        let peer = context.peer();
        format!("uid={} gid={} pid={}", peer.uid(), peer.gid(), peer.pid().unwrap_or_default()).into()
    }
}

/// Serves modules 0 and 7 until SIGTERM or ctrl-c.
#[derive(Parser)]
struct Args {
    /// The socket to listen on.
    #[arg(long)]
    socket: PathBuf,
    /// The wire to speak: auto, chunked or plain.
    #[arg(long, default_value = "auto")]
    wire: WireMode,
    /// The socket's mode, in octal; 0600 unless set. An abstract name (`@name`) has none.
    #[arg(long, value_parser = |mode: &str| u32::from_str_radix(mode, 8))]
    mode: Option<u32>,
    /// In which order the calls of one session are carried out.
    #[arg(long, value_enum, default_value_t)]
    order: OrderArg,
}

#[derive(Clone, Copy, Default, ValueEnum)]
enum OrderArg {
    #[default]
    Serial,
    Concurrent,
}

impl From<OrderArg> for Order {
    fn from(order: OrderArg) -> Self {
        match order {
            OrderArg::Serial => Order::Serial,
            OrderArg::Concurrent => Order::Concurrent(64),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(tracing::Level::WARN).init();

    let stop = shutdown_signal();
    let mut server = Server::builder();
    if let Some(mode) = args.mode {
        server = server.mode(mode);
    }
    let server = server
        .wire(args.wire)
        .order(args.order.into())
        .expect_modules(&[
            (registry::test::ID, registry::test::NAME),
            (registry::interop::ID, registry::interop::NAME),
        ])
        .bind(&args.socket)?;
    println!("listening on {}", args.socket.display());
    server.serve_until(stop).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_contract_is_kept() {
        drpc::contract::assert_kept("contract.txt", drpc::include_descriptors!());
    }
}
