use clap::{Parser, Subcommand};

use crate::commands::bench::BenchArgs;
use crate::commands::call::CallArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::describe::{DescribeArgs, ListArgs};
use crate::commands::grpc::GrpcCommand;
use crate::commands::health::HealthArgs;
use crate::commands::man::ManArgs;
use crate::commands::ping::PingArgs;
use crate::commands::registry::RegistryCommand;
use crate::commands::replay::ReplayArgs;
use crate::commands::serve::ServeArgs;
use crate::commands::show::ShowArgs;
use crate::commands::top::TopArgs;
use crate::commands::trace::TraceArgs;

/// Talk to dRPC servers.
#[derive(Debug, Parser)]
#[command(name = "drpc", version)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Bench(BenchArgs),
    Call(CallArgs),
    Completions(CompletionsArgs),
    Describe(DescribeArgs),
    Health(HealthArgs),
    List(ListArgs),
    Man(ManArgs),
    Ping(PingArgs),
    Replay(ReplayArgs),
    Serve(ServeArgs),
    Show(ShowArgs),
    Top(TopArgs),
    Trace(TraceArgs),
    #[command(subcommand)]
    Grpc(GrpcCommand),
    #[command(subcommand)]
    Registry(RegistryCommand),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }
}
