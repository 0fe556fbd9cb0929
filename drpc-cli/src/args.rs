use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use drpc::WireMode;

use crate::commands::bench::BenchArgs;
use crate::commands::call::CallArgs;
use crate::commands::describe::{DescribeArgs, ListArgs};
use crate::commands::ping::PingArgs;
use crate::commands::registry::RegistryCommand;
use crate::commands::replay::ReplayArgs;
use crate::commands::serve::ServeArgs;
use crate::commands::show::ShowArgs;
use crate::commands::top::TopArgs;
use crate::commands::trace::TraceArgs;

/// Talk to dRPC servers.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Bench(BenchArgs),
    Call(CallArgs),
    Describe(DescribeArgs),
    Health(HealthArgs),
    List(ListArgs),
    Ping(PingArgs),
    Replay(ReplayArgs),
    Serve(ServeArgs),
    Show(ShowArgs),
    Top(TopArgs),
    Trace(TraceArgs),
    #[command(subcommand)]
    Registry(RegistryCommand),
}

/// Ask whether a server, or one of its modules, serves, and print what it says.
///
/// Exit code: 0 if it serves, 1 if it does not or has no such module, 2 if the command line is wrong, 3 if it can't be asked or does
/// not answer.
#[derive(Debug, clap::Args)]
pub(crate) struct HealthArgs {
    /// The server's socket.
    pub(crate) socket: PathBuf,
    /// The module's name; without it, the server as a whole.
    #[arg(default_value = "", hide_default_value = true)]
    pub(crate) module: String,
    /// The wire to speak: auto (ask the server), chunked (DAOS 2.8) or plain (DAOS 2.6).
    #[arg(long, default_value = "auto")]
    pub(crate) wire: WireMode,
    /// How long connecting, and then the answer, may take.
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }
}
