use std::error::Error;
use std::io::{self, Write};
use std::process::ExitCode;

use drpc::blocking::Client;
use drpc::wire::{Response, ResponseFields};
use drpc::{AddedFields, CallError, CallOptions, Method, Status};

use crate::args::CallArgs;
use crate::exit::{NOT_MADE, OTHERWISE, print_error};

pub(crate) fn run(args: &CallArgs) -> ExitCode {
    match call(args).and_then(|response| Ok(print(args, &response)?)) {
        Ok(code) => code,
        Err(error) => {
            print_error(&*error);
            ExitCode::from(NOT_MADE)
        }
    }
}

fn call(args: &CallArgs) -> Result<Response, Box<dyn Error>> {
    let added_fields = match args.no_added_fields {
        true => AddedFields::NONE,
        false => AddedFields::DEADLINE | AddedFields::ERROR,
    };
    let client = Client::builder(&args.socket)
        .wire(args.wire)
        .connect_timeout(args.timeout)
        .timeout(args.timeout)
        .added_fields(added_fields)
        .connect_blocking()?;
    let method = Method::new(args.module, args.method, "called by number");
    let response: Result<_, CallError> = client.call_raw(method, args.hex.0.clone(), &CallOptions::new());
    Ok(response?)
}

fn print(args: &CallArgs, response: &Response) -> io::Result<ExitCode> {
    let Response { status, sequence, body, added } = response;
    if status.is_success() {
        writeln!(io::stdout(), "{}", hex::encode(body))?;
    }
    let cause = added.as_ref().and_then(|added| added.cause);
    eprintln!(
        "status={} sequence={sequence}{}",
        status.name().map_or(status.code().to_string(), str::to_owned),
        cause.map(|cause| format!(" cause={cause}")).unwrap_or_default()
    );
    if let Some(added) = added {
        print_added(added);
    }
    match *status {
        Status::SUCCESS => return Ok(ExitCode::SUCCESS),
        Status::UNKNOWN_MODULE => eprintln!("hint: the server does not serve module {}", args.module),
        Status::UNKNOWN_METHOD => {
            eprintln!("hint: module {} of the server has no method {}", args.module, args.method);
            if (0..=99).contains(&args.method) {
                let id = i64::from(args.module) * 100 + i64::from(args.method);
                eprintln!(
                    "hint: method IDs are system-wide: number {} of module {} is {id}",
                    args.method, args.module
                );
            }
        }
        Status::FAILED_UNMARSHAL_PAYLOAD => {
            eprintln!("hint: the body given by --hex is not this method's request");
        }
        _ => {}
    }
    Ok(ExitCode::from(OTHERWISE))
}

/// What the server says of an error, a line each, without control characters.
fn print_added(added: &ResponseFields) {
    let ResponseFields { error, details, .. } = added;
    if !error.is_empty() {
        eprintln!("error: {}", error.replace(char::is_control, "\u{fffd}"));
    }
    if !details.is_empty() {
        eprintln!("details: {}", hex::encode(details));
    }
}
