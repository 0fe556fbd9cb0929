use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use drpc::WireMode;

use crate::commands::bench::BenchArgs;
use crate::commands::registry::RegistryCommand;
use crate::commands::replay::ReplayArgs;
use crate::commands::serve::ServeArgs;
use crate::commands::show::ShowArgs;
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
    Health(HealthArgs),
    Replay(ReplayArgs),
    Serve(ServeArgs),
    Show(ShowArgs),
    Trace(TraceArgs),
    #[command(subcommand)]
    Registry(RegistryCommand),
}

/// Call a method by its number and print the reply's body as hex.
///
/// Exit code: 0 if the server answers SUCCESS, 1 if it answers another status, 2 if the command line is wrong, 3 if
/// the call can't be made or no response comes.
#[derive(Debug, clap::Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct CallArgs {
    /// The server's socket.
    pub(crate) socket: PathBuf,
    /// The module's ID.
    pub(crate) module: i32,
    /// The method's system-wide ID, such as 501 for method 1 of module 5.
    pub(crate) method: i32,
    /// The request's body, as hex digits.
    #[arg(long, value_name = "BODY", default_value = "", value_parser = parse_hex, hide_default_value = true)]
    pub(crate) hex: Body,
    /// The wire to speak: auto (ask the server), chunked (DAOS 2.8) or plain (DAOS 2.6).
    #[arg(long, default_value = "auto")]
    pub(crate) wire: WireMode,
    /// Don't ask for the text and the cause of an error, nor tell the server how long the call may take: send byte for byte what DAOS's
    /// own clients send. Else that is asked and told by fields that are added to DAOS's, which a server that does not know them skips.
    #[arg(long)]
    pub(crate) no_added_fields: bool,
    /// How long connecting, and then the call, may take.
    #[arg(long, default_value = "5s", value_parser = humantime::parse_duration)]
    pub(crate) timeout: Duration,
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

/// A call's body. (A bare `Vec<u8>` would be a list of arguments to clap.)
#[derive(Clone, Debug)]
pub(crate) struct Body(pub(crate) Vec<u8>);

fn parse_hex(digits: &str) -> Result<Body, hex::FromHexError> {
    hex::decode(digits).map(Body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }
}
