//! `drpc call`: one method, or the same one many times.

use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::process::ExitCode;
use std::time::Instant;

use drpc::wire::{Response, ResponseFields};
use drpc::{AddedFields, Bytes, CallError, CallOptions, Client, ConnectError, Method, Status};
use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::exit::{OTHERWISE, NOT_MADE, UNUSABLE, print_error};
use crate::schema::{BodyError, BodyType, Found, Schema, SchemaArgs, SchemaError, UnknownName, template};
use crate::target::{ConfigError, TargetArgs};

/// Call a method and print its reply.
///
/// Request and reply are JSON, by protobuf's mapping, where their types are known: from the server's reflection, or from the files named below.
///
/// Exit code: 0 if the server answers SUCCESS, 1 if it answers another status, 2 if the command line or the request is wrong, 3 if the call can't be
/// made, or no response comes that can be read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc call /run/greeter.sock greeter.hello '{\"name\": \"World\"}'
  drpc call /run/greeter.sock greeter.hello --template > request.json
  drpc call /run/greeter.sock greeter.hello @request.json
  drpc call /run/daos_agent/daos_agent.sock --daos sec_agent.request_creds
  drpc call /run/greeter.sock 501 --hex 0a05576f726c64
  cat requests.jsonl | drpc call /run/greeter.sock greeter.hello - --parallel 8")]
pub(crate) struct CallArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The method: greeter.hello, 501 (its system-wide ID), or 5.501 (after its module's).
    method: String,
    /// The request: JSON, @FILE, or - for standard input. A file may hold several, one behind the other: each is a call. Left out, it is empty.
    request: Option<String>,
    /// Print an empty request, with every field, and call nothing.
    #[arg(long, conflicts_with_all = ["hex", "raw", "repeat", "parallel"])]
    template: bool,
    /// Request and reply are hex digits.
    #[arg(long, conflicts_with = "raw")]
    hex: bool,
    /// Request and reply are bytes: give the request as @FILE or -.
    #[arg(long)]
    raw: bool,
    /// Make each call so many times.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), hide_default_value = true)]
    repeat: u32,
    /// Make up to so many calls at a time; replies are printed in the order of the requests.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000), hide_default_value = true)]
    parallel: u32,
    /// Don't ask for the text and the cause of an error, nor tell the server how long the call may take: send byte for byte what DAOS's own clients
    /// send. Else that is asked and told by fields that are added to DAOS's; a server that does not know them skips them.
    #[arg(long)]
    no_added_fields: bool,
    #[command(flatten)]
    schema: SchemaArgs,
}

pub(crate) fn run(args: &CallArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(Failed::Runtime).and_then(|runtime| runtime.block_on(call(args)));
    outcome.unwrap_or_else(|error| {
        print_error(&error);
        ExitCode::from(match error {
            Failed::Connect(_) | Failed::Runtime(_) | Failed::Output(_) => NOT_MADE,
            _ => UNUSABLE,
        })
    })
}

async fn call(args: &CallArgs) -> Result<ExitCode, Failed> {
    let target = args.target.find()?;
    let fields = match args.no_added_fields {
        true => AddedFields::NONE,
        false => AddedFields::DEADLINE | AddedFields::ERROR,
    };
    let from_files = target.schema(&args.schema)?;
    if args.template
        && let Some(schema) = &from_files
    {
        return print_template(schema.find_method(&args.method)?);
    }
    let client = target.client(fields).connect().await?;
    let schema = match from_files {
        Some(schema) => schema,
        // Whoever gives a number and digits needs no names.
        None if (args.hex || args.raw) && !args.template && is_numeric(&args.method) => Schema::default(),
        None => Schema::of_server(&client).await?.unwrap_or_default(),
    };
    let found = schema.find_method(&args.method)?;
    if args.template {
        return print_template(found);
    }
    let requests = read_requests(args, found)?;
    let calls = requests.len() as u64 * u64::from(args.repeat);
    let output = Output { args, found, is_alone: calls == 1 };
    let begun = Instant::now();
    let all = (0..args.repeat).flat_map(|_| requests.iter().cloned());
    let method = Method::new(found.module_id, found.method_id, "called by the tool");
    let mut responses = stream::iter(all)
        .map(|body| make(&client, method, body))
        .buffered(args.parallel as usize);
    let (mut worst, mut failed) = (0, 0_u64);
    while let Some(response) = responses.next().await {
        let code = output.print(response)?;
        worst = worst.max(code);
        failed += u64::from(code != 0);
    }
    if calls > 1 {
        eprintln!("calls={calls} failed={failed} elapsed={}", humantime::format_duration(rounded(begun)));
    }
    Ok(ExitCode::from(worst))
}

async fn make(client: &Client, method: Method, body: Bytes) -> Result<Response, CallError> {
    client.call_raw(method, body, &CallOptions::new()).await
}

fn rounded(begun: Instant) -> std::time::Duration {
    std::time::Duration::from_micros(begun.elapsed().as_micros() as u64)
}

fn is_numeric(method: &str) -> bool {
    method.split('.').all(|part| part.parse::<i32>().is_ok())
}

fn print_template(found: Found<'_>) -> Result<ExitCode, Failed> {
    match found.info.map(|info| &info.request) {
        Some(BodyType::Message(message)) => print_line(&pretty(&template(message)))?,
        Some(BodyType::Nothing) => print_line("{}")?,
        _ => return Err(Failed::NoTemplate),
    }
    Ok(ExitCode::SUCCESS)
}

/// The bodies to send.
fn read_requests(args: &CallArgs, found: Found<'_>) -> Result<Vec<Bytes>, Failed> {
    let Some(request) = args.request.as_deref() else { return Ok(vec![Bytes::new()]) };
    let bytes = match request.strip_prefix('@') {
        Some(path) => {
            fs::read(path).map_err(|cause| Failed::Request(format!("can't read the request from {path}: {cause}")))?
        }
        None if request == "-" => {
            let mut bytes = Vec::new();
            let read = io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|cause| Failed::Request(format!("can't read the request from standard input: {cause}")))?;
            bytes
        }
        None if args.raw => return Err(Failed::Request("with --raw, give the request as @FILE or -".to_owned())),
        None => request.as_bytes().to_vec(),
    };
    if args.raw {
        return Ok(vec![bytes.into()]);
    }
    if args.hex {
        let digits: Vec<u8> = bytes.into_iter().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let body = hex::decode(digits).map_err(|cause| Failed::Request(format!("the request: {cause}")))?;
        return Ok(vec![body.into()]);
    }
    let known = found.info.map_or(&BodyType::Unknown, |info| &info.request);
    let values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
    let body = |value: Result<Value, serde_json::Error>| {
        let value = value.map_err(|cause| Failed::Request(format!("the request is no JSON: {cause}")))?;
        Ok(known.from_json(&value)?)
    };
    values.map(body).collect()
}

/// Where what comes back goes: replies to standard output, all else to standard error.
struct Output<'a> {
    args: &'a CallArgs,
    found: Found<'a>,
    is_alone: bool,
}

impl Output<'_> {
    /// Prints what a call came to; gives the exit code for it.
    fn print(&self, response: Result<Response, CallError>) -> Result<u8, Failed> {
        let response = match response {
            Ok(response) => response,
            Err(error) => {
                print_error(&error);
                return Ok(NOT_MADE);
            }
        };
        if !response.status.is_success() {
            self.print_failure(&response);
            return Ok(OTHERWISE);
        }
        let known = self.found.info.map_or(&BodyType::Unknown, |info| &info.reply);
        let body = &response.body;
        match known {
            _ if self.args.raw => io::stdout().lock().write_all(body)?,
            BodyType::Message(_) | BodyType::Nothing if !self.args.hex => match known.to_json(body) {
                Ok(value) if self.is_alone && io::stdout().is_terminal() => print_line(&pretty(&value))?,
                Ok(value) => print_line(&value.to_string())?,
                Err(error) => {
                    eprintln!("drpc: the reply can't be read: {error}");
                    eprintln!("its bytes: {}", hex::encode(body));
                    return Ok(NOT_MADE);
                }
            },
            _ => print_line(&hex::encode(body))?,
        }
        Ok(0)
    }

    fn print_failure(&self, response: &Response) {
        let Response { status, added, .. } = response;
        let name = status.name().map_or(status.code().to_string(), str::to_owned);
        let cause = added.as_ref().and_then(|added| added.cause);
        let cause = cause.map(|cause| format!(" cause={cause}")).unwrap_or_default();
        eprintln!("status={name}{cause}");
        if let Some(added) = added {
            print_added(added);
        }
        let Found { module_id, method_id, .. } = self.found;
        match *status {
            Status::UNKNOWN_MODULE => eprintln!("hint: the server does not serve module {module_id}"),
            Status::UNKNOWN_METHOD => {
                eprintln!("hint: module {module_id} of the server has no method {method_id}");
                if (0..=99).contains(&method_id) && module_id != 0 {
                    let id = i64::from(module_id) * 100 + i64::from(method_id);
                    eprintln!("hint: method IDs are system-wide: number {method_id} of module {module_id} is {id}");
                }
            }
            Status::FAILED_UNMARSHAL_PAYLOAD => eprintln!("hint: the body is not this method's request"),
            _ => {}
        }
    }
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

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string())
}

fn print_line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}

#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Name(#[from] UnknownName),
    #[error("the request: {0}")]
    Body(#[from] BodyError),
    #[error("{0}")]
    Request(String),
    #[error("the type of the request is not known: name it by --contract or --proto, or switch on the server's reflection")]
    NoTemplate,
    #[error("can't write the output: {0}")]
    Output(#[from] io::Error),
    #[error("can't start: {0}")]
    Runtime(io::Error),
}
