//! A client process that opens a pool, and dies.

use std::error::Error;
use std::path::PathBuf;

use clap::Parser;
use drpc::blocking::Client;
use drpc_daos::contract::MgmtClient;
use drpc_daos::messages::mgmt::PoolMonitorReq;

/// Tells the agent of a pool handle, and exits without closing it.
#[derive(Parser, Debug)]
#[command(name = "daos-client")]
pub(crate) struct Args {
    /// The agent's socket.
    #[arg(long)]
    agent: PathBuf,
    /// The pool.
    #[arg(long)]
    pool: String,
    /// The handle.
    #[arg(long)]
    handle: String,
}

pub(crate) fn run(args: Args) -> Result<(), Box<dyn Error>> {
    let agent = MgmtClient::new(Client::connect(args.agent)?);
    agent.notify_pool_connect(PoolMonitorReq {
        sys: "daos_server".into(),
        pool_uuid: args.pool,
        pool_handle_uuid: args.handle,
        jobid: "demo".into(),
    })?;
    Ok(())
}
