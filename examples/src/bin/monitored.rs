//! A server whose calls are counted for Prometheus, and whose log says which call each line is of.
//!
//! ```sh
//! cargo run -p drpc-examples --features metrics --bin monitored -- --socket /tmp/greeter.sock &
//! cargo run --bin drpc -- call /tmp/greeter.sock 501 0a05576f726c64 --hex
//! cargo run --bin drpc -- health /tmp/greeter.sock greeter
//! curl http://127.0.0.1:9464/metrics
//! ```

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process;

use clap::Parser;
use drpc::health::Health;
use drpc::server::shutdown_signal;
use drpc::{Failure, Server, drpc_module};
use drpc_examples::hello::{Hello, HelloResponse};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use tracing::level_filters::LevelFilter;

/// Serves a greeter, and its figures to Prometheus.
#[derive(Parser)]
struct Args {
    /// Where the greeter listens.
    #[arg(long)]
    socket: PathBuf,
    /// Where Prometheus finds the figures, over HTTP.
    #[arg(long, default_value = "127.0.0.1:9464")]
    metrics: SocketAddr,
}

#[derive(Default)]
struct Greeter;

#[drpc_module(id = 5)]
impl Greeter {
    /// Greets a person by name.
    #[method(1)]
    async fn hello(&self, req: Hello) -> Result<HelloResponse, Failure> {
        if req.name.is_empty() {
            return Err("whom shall I greet?".into());
        }
        // The line shows the spans that it is in: the session and the call.
        tracing::info!("greeting {}", req.name);
        Ok(HelloResponse { greeting: format!("Hello {}", req.name) })
    }
}

/// The upper bounds of the buckets in which calls are counted by their time, in seconds: from 10 µs up.
const BUCKETS: [f64; 10] = [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 1.0];

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    // Calls have spans from DEBUG on.
    tracing_subscriber::fmt().with_max_level(LevelFilter::DEBUG).with_writer(std::io::stderr).init();

    // Before the server: what is counted before there is a recorder is lost.
    PrometheusBuilder::new()
        .with_http_listener(args.metrics)
        .set_buckets_for_metric(Matcher::Suffix("_call_seconds".into()), &BUCKETS)?
        .install()?;
    // `drpc health SOCKET` asks for it.
    let health = Health::new();
    let server = Server::builder().module(Greeter).health(&health).bind(&args.socket)?;
    println!("listening on {}, figures on http://{}/metrics", args.socket.display(), args.metrics);

    let shutdown = server.serve_until(shutdown_signal()).await?;
    if shutdown.stuck() > 0 {
        // The runtime would wait for the threads that handlers block.
        process::exit(1);
    }
    Ok(())
}
