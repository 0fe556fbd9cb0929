use std::env;

use clap::builder::{OsStr, Resettable};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

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
use crate::schema;

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

/// The command line, with what the environment says where it says nothing; ends the process if it is wrong, or asks for help.
///
/// A variable that is empty says nothing. And files of names and types go together, so those of the environment are not added to any that the command line
/// names.
pub(crate) fn parse() -> Args {
    let is_empty = |arg: &Arg| arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
    let command = without_environment(Args::command(), is_empty);
    let matches = command.clone().get_matches();
    if !names_files(&matches) {
        return read(command, matches);
    }
    let command = without_environment(command, |arg| schema::OPTIONS.contains(&arg.get_id().as_str()));
    let matches = command.clone().get_matches();
    read(command, matches)
}

fn read(mut command: clap::Command, matches: ArgMatches) -> Args {
    Args::from_arg_matches(&matches).unwrap_or_else(|error| error.format(&mut command).exit())
}

/// The command, with the environment passed over for some of its arguments.
fn without_environment(command: clap::Command, is_meant: impl Fn(&Arg) -> bool + Copy) -> clap::Command {
    let passed_over = move |arg: Arg| match is_meant(&arg) {
        true => arg.env(Resettable::<OsStr>::Reset),
        false => arg,
    };
    let subcommands = |subcommand| without_environment(subcommand, is_meant);
    command.mut_args(passed_over).mut_subcommands(subcommands)
}

/// Whether the command line itself names files of names and types.
fn names_files(matches: &ArgMatches) -> bool {
    let Some((_, of_command)) = matches.subcommand() else { return false };
    let is_named = |option: &&str| {
        let is_option = of_command.try_contains_id(option).is_ok();
        is_option && of_command.value_source(option) == Some(ValueSource::CommandLine)
    };
    schema::OPTIONS.iter().any(is_named) || names_files(of_command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_sound() {
        <Args as clap::CommandFactory>::command().debug_assert();
    }
}
