//! The agent: one on each node, for whoever runs there. It says who a client process is (`sec_agent`), how to reach the system, and sees to it
//! that what a process leaves open is closed (`mgmt`).
//!
//! [`credentials`] and [`sec_agent`](self::sec_agent) are module 1; [`attach`], [`processes`] and [`mgmt`] module 2. Both ask the server, by [`uplink`].

pub mod attach;
pub mod credentials;
pub mod mgmt;
pub mod processes;
pub mod sec_agent;
pub mod uplink;
mod users;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use drpc::Server;
use drpc::server::shutdown_signal;

use self::attach::AttachInfo;
use self::credentials::Credentials;
use self::mgmt::Mgmt;
use self::processes::Processes;
use self::sec_agent::SecAgent;
use self::uplink::Uplink;
use crate::credential::Signer;
use crate::server::control;
use crate::{log, registry};

/// The name of its socket.
pub const SOCKET: &str = "daos_agent.sock";

/// Serves modules `sec_agent` and `mgmt` at `daos_agent.sock` until SIGTERM or ctrl-c.
#[derive(Parser, Debug)]
#[command(name = "daos-agent")]
pub struct Args {
    /// The folder of all sockets, the server's, too.
    #[arg(long)]
    socket_dir: PathBuf,
    /// The name of the system that it belongs to.
    #[arg(long, default_value = "daos_server")]
    system: String,
    /// The RSA key to sign credentials with, as PEM; without one they are digests.
    #[arg(long)]
    key: Option<PathBuf>,
    /// How long credentials, and the way to the system, are good for.
    #[arg(long, default_value = "5m", value_parser = humantime::parse_duration)]
    cache_lifetime: Duration,
}

/// Runs an agent.
///
/// # Errors
///
/// If it can't begin, or can't go on.
pub async fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let stop = shutdown_signal();
    log::init();
    let signer = args.key.as_deref().map_or_else(|| Ok(Signer::default()), Signer::with_key)?;
    let server = Arc::new(Uplink::new(args.socket_dir.join(control::SOCKET)));

    let agent = Server::builder()
        .module(SecAgent::new(Credentials::new(signer, args.cache_lifetime)))
        .module(Mgmt::new(
            args.system.clone(),
            AttachInfo::new(server.clone(), args.system.clone(), args.cache_lifetime),
            Processes::new(server, args.system),
        ))
        .expect_modules(&[
            (registry::sec_agent::ID, registry::sec_agent::NAME),
            (registry::mgmt::ID, registry::mgmt::NAME),
        ])
        .mode(0o666)
        .bind(args.socket_dir.join(SOCKET))?;
    tracing::info!("listening on {}", agent.address());
    agent.serve_until(stop).await?;
    Ok(())
}
