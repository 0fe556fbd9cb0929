//! `drpc health`: whether a server serves.

use std::io::{self, Write};
use std::process::ExitCode;

use drpc::health::{HealthClient, ServingStatus};
use drpc::{AddedFields, Status};
use serde_json::json;

use crate::exit::{Failed, OTHERWISE, ended};
use crate::target::TargetArgs;

/// Ask whether a server, or one of its modules, serves, and print what it says.
///
/// Exit code: 0 if it serves, 1 if it does not or has no such module, 2 if the command line is wrong, 3 if it can't be asked or does
/// not answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc health /run/greeter.sock
  drpc health /run/greeter.sock greeter")]
pub(crate) struct HealthArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The module's name; without it, the server as a whole.
    #[arg(default_value = "", hide_default_value = true)]
    module: String,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &HealthArgs) -> ExitCode {
    let asked = ask(args);
    let has_none =
        matches!(&asked, Err(Failed::Call(error)) if error.status() == Some(Status::UNKNOWN_MODULE));
    let code = ended(asked.map(|status| told(args, status)));
    if has_none {
        note!("hint: the server has no health check; it needs `.health(…)` where it is built");
    }
    code
}

fn told(args: &HealthArgs, status: ServingStatus) -> ExitCode {
    // The exit code tells it, too.
    let module = Some(&args.module).filter(|module| !module.is_empty());
    let _ = match args.json {
        true => writeln!(io::stdout(), "{}", json!({ "module": module, "status": status.to_string() })),
        false => writeln!(io::stdout(), "{status}"),
    };
    match status {
        ServingStatus::Serving => return ExitCode::SUCCESS,
        ServingStatus::ServiceUnknown => {
            note!("hint: the server has no module `{}`", args.module);
        }
        _ => {}
    }
    ExitCode::from(OTHERWISE)
}

fn ask(args: &HealthArgs) -> Result<ServingStatus, Failed> {
    let client = args.target.find()?.client(AddedFields::ERROR).connect_blocking()?;
    Ok(HealthClient::new(client).check(&args.module)?.status())
}
