//! The server: it keeps the system's pools on disk, starts the engines and restarts those that die, and answers what they ask (`srv`, `sec`).
//!
//! [`srv`] and [`sec`] are served to engines; [`control`] to administrators and agents. [`engines`] sees to the processes, [`store`] to the
//! database, and [`events`] hears of what an operator should know.

pub mod control;
pub mod engines;
pub mod events;
pub mod sec;
pub mod srv;
pub mod store;

use std::error::Error;
use std::path::PathBuf;
use std::{env, io};

use clap::Parser;
use drpc::Server;
use drpc::server::{remove_stale_sockets, shutdown_signal};

use self::engines::{Engines, Launch};
use self::events::Events;
use self::sec::Sec;
use self::srv::Srv;
use self::store::Store;
use crate::credential::Checker;
use crate::{log, registry};

/// The name of its socket for engines.
pub const SOCKET: &str = "daos_server.sock";

/// Serves modules `srv` and `sec` at `daos_server.sock`, and administrators at `daos_control.sock`, until SIGTERM or ctrl-c.
#[derive(Parser, Debug)]
#[command(name = "daos-server")]
pub struct Args {
    /// The folder of all sockets, the engines', too.
    #[arg(long)]
    socket_dir: PathBuf,
    /// The database of pools; it is made if it is not there.
    #[arg(long)]
    database: PathBuf,
    /// The system's name.
    #[arg(long, default_value = "daos_server")]
    system: String,
    /// How many engines to start.
    #[arg(long, default_value_t = 1)]
    engines: u32,
    /// The program of an engine; the `daos-engine` beside this program, unless it is given.
    #[arg(long)]
    engine: Option<PathBuf>,
    /// The RSA key to check credentials with, the public half of the agent's, as PEM.
    #[arg(long)]
    public_key: Option<PathBuf>,
    /// Properties of the system to set, as KEY=VALUE; they stay set.
    #[arg(long = "property", value_parser = key_and_value)]
    properties: Vec<(String, String)>,
    /// Arguments for each engine.
    #[arg(last = true)]
    engine_args: Vec<String>,
}

/// Runs a server.
///
/// # Errors
///
/// If it can't begin, or can't go on.
pub async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let stop = shutdown_signal();
    log::init();

    // S8
    let is_ours = |name: &str| name == SOCKET || (name.starts_with("daos_engine") && name.ends_with(".sock"));
    for socket in remove_stale_sockets(&args.socket_dir, is_ours)? {
        tracing::info!("removed {}, which a dead process had left", socket.display());
    }

    let checker = args.public_key.as_deref().map_or_else(|| Ok(Checker::default()), Checker::with_key)?;
    let store = Store::open(&args.database)?;
    store.set_properties(args.properties).await?;
    let events = Events::new(store.clone());
    let program = args.engine.map_or_else(beside_this_program, Ok)?;
    let launch = Launch { program, args: args.engine_args, socket_dir: args.socket_dir.clone() };
    let engines = Engines::new(args.engines, launch, store.clone(), events.clone());

    let server = Server::builder()
        .module(Srv::new(store.clone(), engines.clone(), events))
        .module(Sec::new(checker))
        .expect_modules(&[(registry::srv::ID, registry::srv::NAME), (registry::sec::ID, registry::sec::NAME)])
        .mode(0o600)
        .bind(args.socket_dir.join(SOCKET))?;
    let control = Server::builder()
        .module(control::Mgmt::new(args.system, store, engines.clone()))
        .mode(0o600)
        .bind(args.socket_dir.join(control::SOCKET))?;
    for server in [&server, &control] {
        tracing::info!("listening on {}", server.address());
    }

    let (serving, controlling) = (server.handle(), control.handle());
    let stopping = async {
        engines.run_until(stop).await;
        // Only now: the engines' last calls are still answered.
        controlling.shutdown();
        serving.shutdown();
    };
    let (served, controlled, ()) = tokio::join!(server.serve(), control.serve(), stopping);
    served.and(controlled)?;
    Ok(())
}

fn beside_this_program() -> io::Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name("daos-engine"))
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("there is no `=` in it: write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}
