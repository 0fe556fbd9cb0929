use std::error::Error;
use std::process::ExitCode;

use drpc::blocking::Client;
use drpc::health::{HealthClient, ServingStatus};
use drpc::{CallError, Status};

use crate::args::HealthArgs;
use crate::exit::{NOT_MADE, OTHERWISE, print_error};

pub(crate) fn run(args: &HealthArgs) -> ExitCode {
    let status = match check(args) {
        Ok(status) => status,
        Err(error) => {
            print_error(&*error);
            if error.downcast_ref::<CallError>().and_then(CallError::status) == Some(Status::UNKNOWN_MODULE) {
                eprintln!("hint: the server has no health check; it needs `.health(…)` where it is built");
            }
            return ExitCode::from(NOT_MADE);
        }
    };
    println!("{status}");
    match status {
        ServingStatus::Serving => return ExitCode::SUCCESS,
        ServingStatus::ServiceUnknown => {
            eprintln!("hint: the server has no module `{}`", args.module);
        }
        _ => {}
    }
    ExitCode::from(OTHERWISE)
}

fn check(args: &HealthArgs) -> Result<ServingStatus, Box<dyn Error>> {
    let client = Client::builder(&args.socket)
        .wire(args.wire)
        .connect_timeout(args.timeout)
        .timeout(args.timeout)
        .connect_blocking()?;
    Ok(HealthClient::new(client).check(&args.module)?.status())
}
