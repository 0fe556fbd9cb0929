//! The agent of a node.

use std::error::Error;

use clap::Parser;
use drpc_daos::agent;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    agent::run(agent::Args::parse()).await
}
