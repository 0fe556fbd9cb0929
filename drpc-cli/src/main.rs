//! The `drpc` command. Data goes to stdout, all else to stderr.
//!
//! | exit code | meaning |
//! |---|---|
//! | 0 | the server answered SUCCESS, or serves; the registry is sound, or changed compatibly |
//! | 1 | the server answered another status, or does not serve; `registry check` found mistakes, `registry diff` a breaking change |
//! | 2 | the command line is wrong; a registry can't be read, or has mistakes and so can't be compared or printed |
//! | 3 | the call could not be made, or no response came; the output could not be written |

#[macro_use]
mod note;

mod args;
mod commands;
mod exit;
mod page;
mod printer;
mod progress;
mod recording;
mod schema;
mod target;
mod words;

use std::process::ExitCode;

use args::Command;

fn main() -> ExitCode {
    match args::parse().command {
        Command::Bench(args) => commands::bench::run(&args),
        Command::Call(args) => commands::call::run(&args),
        Command::Completions(args) => commands::completions::run(&args),
        Command::Describe(args) => commands::describe::describe(&args),
        Command::Grpc(command) => commands::grpc::run(&command),
        Command::Health(args) => commands::health::run(&args),
        Command::List(args) => commands::describe::list(&args),
        Command::Man(args) => commands::man::run(&args),
        Command::Ping(args) => commands::ping::run(&args),
        Command::Replay(args) => commands::replay::run(&args),
        Command::Serve(args) => commands::serve::run(&args),
        Command::Show(args) => commands::show::run(&args),
        Command::Top(args) => commands::top::run(&args),
        Command::Trace(args) => commands::trace::run(&args),
        Command::Registry(command) => commands::registry::run(&command),
    }
}
