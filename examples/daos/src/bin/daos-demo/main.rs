//! The whole story in one command: a server, an engine and an agent, a client that is vouched for, a pool, and an engine that is killed.
//!
//! ```sh
//! cargo run --bin daos-demo
//! ```
//!
//! It needs no other program to be built: it is all of them, by the name that it is called by.

mod client;
mod story;

use std::error::Error;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::{env, io};

use clap::Parser;
use drpc_daos::node::{self, Programs};
use drpc_daos::{agent, engine, server};
use tempfile::TempDir;
use tokio::runtime::Runtime;

fn main() -> Result<(), Box<dyn Error>> {
    let called = env::args_os().next().unwrap_or_default();
    match Path::new(&called).file_name().and_then(|name| name.to_str()) {
        Some("daos-agent") => Runtime::new()?.block_on(agent::run(agent::Args::parse())),
        Some("daos-server") => Runtime::new()?.block_on(server::run(server::Args::parse())),
        Some("daos-engine") => engine::run(engine::Args::parse()),
        Some("daos-client") => client::run(client::Args::parse()),
        _ => {
            let names = tempfile::Builder::new().prefix("drpc-daos-names-").tempdir()?;
            story::play(&programs(&names)?, &names.path().join("daos-client"))
        }
    }
}

/// This program, by the others' names.
fn programs(names: &TempDir) -> io::Result<Programs> {
    let this = env::current_exe()?;
    for name in ["daos-agent", "daos-server", "daos-engine", "daos-client"] {
        symlink(&this, names.path().join(name))?;
    }
    Ok(node::beside(&names.path().join("daos-client")))
}
