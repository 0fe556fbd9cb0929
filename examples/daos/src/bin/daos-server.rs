//! The server of a node.

use std::error::Error;

use clap::Parser;
use drpc_daos::server;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    server::run(server::Args::parse()).await
}
