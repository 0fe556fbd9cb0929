//! An engine, which a server starts.

use std::error::Error;

use clap::Parser;
use drpc_daos::engine;

fn main() -> Result<(), Box<dyn Error>> {
    engine::run(engine::Args::parse())
}
