//! `drpc call`: one method, or the same one many times.

use std::cell::Cell;
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use drpc::wire::{Response, ResponseFields};
use drpc::{AddedFields, Bytes, CallError, CallOptions, Client, Method, Status};
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::exit::{Failed, Interrupt, NOT_MADE, OTHERWISE, block_on, ended, print_error};
use crate::progress::Progress;
use crate::schema::{BodyType, Found, Schema, SchemaArgs, template};
use crate::target::TargetArgs;
use crate::words::{self, printable};

/// Call a method and print its reply.
///
/// Request and reply are JSON, by protobuf's mapping, where their types are known: from the server's reflection, or from the files named below.
/// The items of a stream are printed as they come, a line each, until it ends, or until ctrl-c, which gives it up. Many calls end at ctrl-c, too, and
/// what has come of them is summed up.
///
/// Exit code: 0 if the server answers SUCCESS, 1 if it answers another status, 2 if the command line or the request is wrong, 3 if the call can't be
/// made, or no response comes that can be read.
#[derive(Debug, clap::Args)]
#[command(
    allow_negative_numbers = true,
    after_help = "Examples:
  drpc call /run/greeter.sock greeter.hello '{\"name\": \"World\"}'
  drpc call /run/greeter.sock greeter.hello --template > request.json
  drpc call /run/greeter.sock greeter.hello @request.json
  drpc call /run/daos_agent/daos_agent.sock --daos sec_agent.request_creds
  drpc call /run/greeter.sock 501 0a05576f726c64 --hex
  drpc call /run/pools.sock pools.watch           # a stream, until ctrl-c
  cat requests.jsonl | drpc call /run/greeter.sock greeter.hello - --parallel 8"
)]
pub(crate) struct CallArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The method: greeter.hello, 501 (its system-wide ID), or 5.501 (after its module's).
    method: String,
    /// The request: JSON, @FILE, or - for standard input. A file may hold several, one behind the other: each is a call. With --hex, each line is one.
    /// Left out, it is empty.
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
    /// Make up to so many calls at a time; replies are printed in the order of the requests. Not for streams, which come one after the other.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000), hide_default_value = true)]
    parallel: u32,
    /// The method answers by a stream. That is known where names are, so say it of a number alone.
    #[arg(long)]
    stream: bool,
    /// Don't ask for the text and the cause of an error, nor tell the server how long the call may take: send byte for byte what DAOS's own clients
    /// send. Else that is asked and told by fields that are added to DAOS's; a server that does not know them skips them. Not for streams, which DAOS does not
    /// have.
    #[arg(long)]
    no_added_fields: bool,
    #[command(flatten)]
    schema: SchemaArgs,
}

pub(crate) fn run(args: &CallArgs) -> ExitCode {
    ended(block_on(call(args)))
}

async fn call(args: &CallArgs) -> Result<ExitCode, Failed> {
    let target = args.target.find()?;
    let fields = match args.no_added_fields {
        true => AddedFields::NONE,
        false => AddedFields::DEADLINE | AddedFields::ERROR,
    };
    let from_files = target.known.schema(&args.schema)?;
    let is_complete = from_files.as_ref().is_some_and(|schema| !schema.leaves_open(&args.method));
    if let (true, Some(schema)) = (args.template, &from_files)
        && !schema.modules().is_empty()
    {
        let found = schema.find_method(&args.method)?;
        if is_complete {
            return print_template(found);
        }
    }
    let client = target.client(fields).connect().await?;
    let schema = match from_files {
        Some(schema) if is_complete => schema,
        Some(schema) if (args.hex || args.raw) && schema.find_method(&args.method).is_ok() => schema,
        // Whoever gives a number and digits needs no names.
        None if (args.hex || args.raw) && !args.template && is_numeric(&args.method) => Schema::default(),
        from_files => target.completed(from_files, &client).await?,
    };
    let found = schema.find_method(&args.method)?;
    if args.template {
        return print_template(found);
    }
    if found.info.is_some_and(|info| info.items.is_some()) {
        let problem = format!("`{}` takes a stream, which this command does not send", args.method);
        return Err(Failed::Given(problem));
    }
    let requests = requests(args, found)?;
    let expected = requests.count();
    let output = Output { args, found, is_alone: expected == Some(1) };
    let begun = Instant::now();
    let method = Method::new(found.module_id, found.method_id, "called by the tool");
    if args.stream || found.info.is_some_and(|info| info.is_stream) {
        for (option, is_given) in
            [("--parallel", args.parallel > 1), ("--no-added-fields", args.no_added_fields)]
        {
            if is_given {
                let problem = format!("{option} is not for a method that answers by a stream");
                return Err(Failed::Given(problem));
            }
        }
        let output = Output { is_alone: false, ..output };
        return print_streams(&client, method.streaming(), requests, &output).await;
    }
    let mut responses =
        pin!(requests.stream().map(|body| make(&client, method, body)).buffered(args.parallel as usize));
    let (mut worst, mut calls, mut failed) = (0, 0_u64, 0_u64);
    // One alone is ended by the signal itself.
    let mut interrupt = (!output.is_alone).then(Interrupt::listen).transpose()?;
    // On a terminal the replies themselves tell.
    let progress = (!io::stdout().is_terminal()).then(|| Progress::new(expected));
    loop {
        let response = tokio::select! {
            response = responses.next() => response,
            () = came(&mut interrupt) => None,
        };
        let Some(response) = response else { break };
        let code = match output.print(response?) {
            // Who read has seen enough, and what comes of the calls is still told by the exit code.
            Err(Failed::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => 0,
            code => code?,
        };
        worst = worst.max(code);
        calls += 1;
        failed += u64::from(code != 0);
        if let Some(progress) = &progress {
            progress.show(calls, || format!("{calls} calls"));
        }
    }
    drop(progress);
    if worst == NOT_MADE && !target.hint().is_empty() {
        note!("{}", target.hint().trim_start());
    }
    if !output.is_alone {
        note!("calls={calls} failed={failed} elapsed={}", humantime::format_duration(rounded(begun)));
    }
    Ok(ExitCode::from(worst))
}

/// Ctrl-c, where it is listened to.
async fn came(interrupt: &mut Option<Interrupt>) {
    match interrupt {
        Some(interrupt) => interrupt.came().await,
        None => std::future::pending().await,
    }
}

/// Makes a call, if there is a body for it.
async fn make(
    client: &Client,
    method: Method,
    body: Result<Bytes, Failed>,
) -> Result<Result<Response, CallError>, Failed> {
    Ok(client.call_raw(method, body?, &CallOptions::new()).await)
}

/// Prints the items of one stream after the other, until the last has ended or ctrl-c comes.
async fn print_streams(
    client: &Client,
    method: Method,
    requests: Requests,
    output: &Output<'_>,
) -> Result<ExitCode, Failed> {
    let mut interrupt = Interrupt::listen()?;
    // Of the streams that have ended, and of the one that is being printed.
    let worst = Cell::new(0);
    let printing = async {
        let mut bodies = requests.stream();
        while let Some(body) = bodies.next().await {
            print_items(client, method, body?, output, &worst).await?;
        }
        Ok(())
    };
    let printed = tokio::select! {
        printed = printing => printed,
        () = interrupt.came() => Ok(()),
    };
    match printed {
        // Who read has seen enough.
        Err(Failed::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {}
        printed => printed?,
    }
    Ok(ExitCode::from(worst.get()))
}

async fn print_items(
    client: &Client,
    method: Method,
    body: Bytes,
    output: &Output<'_>,
    worst: &Cell<u8>,
) -> Result<(), Failed> {
    let worse = |code: u8| worst.set(worst.get().max(code));
    let patience = output.args.target.timeout;
    // A stream may take as long as it likes; to open it may not.
    let options = CallOptions::new().timeout(Duration::MAX);
    let mut items = match tokio::time::timeout(patience, client.open_raw(method, body, &options)).await {
        Ok(Ok(items)) => items,
        Ok(Err(error)) => {
            worse(failed(&error));
            return Ok(());
        }
        Err(_) => {
            note!("drpc: no stream was opened within {}", humantime::format_duration(patience));
            worse(NOT_MADE);
            return Ok(());
        }
    };
    while let Some(item) = items.next().await {
        worse(match item {
            Ok(body) => output.print_body(&body)?,
            Err(error) => failed(&error),
        });
    }
    Ok(())
}

/// Says why a stream was not opened, or ended; gives the exit code for it.
fn failed(error: &CallError) -> u8 {
    print_error(error);
    if error.status().is_some() { OTHERWISE } else { NOT_MADE }
}

fn rounded(begun: Instant) -> Duration {
    Duration::from_micros(begun.elapsed().as_micros() as u64)
}

fn is_numeric(method: &str) -> bool {
    method.split('.').all(|part| part.parse::<i32>().is_ok())
}

fn print_template(found: Found<'_>) -> Result<ExitCode, Failed> {
    match found.info.map(|info| &info.request) {
        Some(BodyType::Message(message)) => print_line(&pretty(&template(message)))?,
        Some(BodyType::Nothing) => print_line("{}")?,
        _ => {
            let problem = "the type of the request is not known: name it by --contract or --proto, or switch on the server's reflection";
            return Err(Failed::Given(problem.to_owned()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The bodies to send.
enum Requests {
    Known {
        bodies: Vec<Bytes>,
        repeat: u32,
    },
    /// As standard input gives them.
    Coming(mpsc::Receiver<Result<Bytes, Failed>>),
}

impl Requests {
    /// How many there are, if that is known.
    fn count(&self) -> Option<u64> {
        match self {
            Requests::Known { bodies, repeat } => Some(bodies.len() as u64 * u64::from(*repeat)),
            Requests::Coming(_) => None,
        }
    }

    fn stream(self) -> BoxStream<'static, Result<Bytes, Failed>> {
        match self {
            Requests::Known { bodies, repeat } => {
                stream::iter((0..repeat).flat_map(move |_| bodies.clone()).map(Ok)).boxed()
            }
            Requests::Coming(mut coming) => stream::poll_fn(move |context| coming.poll_recv(context)).boxed(),
        }
    }
}

fn requests(args: &CallArgs, found: Found<'_>) -> Result<Requests, Failed> {
    let request = args.request.as_deref().unwrap_or_default();
    let known = found.info.map_or(&BodyType::Unknown, |info| &info.request);
    let is_json = !args.hex && !args.raw;
    if request == "-" && is_json && args.repeat == 1 {
        return Ok(Requests::Coming(read_input(known.clone(), args.parallel as usize)));
    }
    let bytes = match request.strip_prefix('@') {
        Some(path) => fs::read(path).map_err(|cause| unfit(format!("can't read it from {path}: {cause}")))?,
        None if request == "-" => {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map_err(no_input)?;
            bytes
        }
        None if args.raw && !request.is_empty() => {
            return Err(unfit("with --raw, give it as @FILE or -"));
        }
        None => request.as_bytes().to_vec(),
    };
    let bodies: Vec<Bytes> = match (args.raw, args.hex) {
        (true, _) => vec![bytes.into()],
        _ if args.request.is_none() => vec![Bytes::new()],
        (_, true) => lines_of_digits(&bytes)?,
        _ => documents(&bytes[..], known).collect::<Result<_, _>>()?,
    };
    // Of standard input it is no mistake: whatever writes there may have had nothing to ask for.
    if bodies.is_empty() && request != "-" {
        return Err(unfit("it is empty; leave it out for an empty one"));
    }
    Ok(Requests::Known { bodies, repeat: args.repeat })
}

/// A body for each line that has digits.
fn lines_of_digits(text: &[u8]) -> Result<Vec<Bytes>, Failed> {
    let lines = text
        .split(|byte| *byte == b'\n')
        .map(|line| line.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<u8>>());
    let decoded = lines.filter(|digits| !digits.is_empty()).map(hex::decode);
    let bodies = decoded.map(|body| body.map(Bytes::from));
    bodies.collect::<Result<_, _>>().map_err(|cause| unfit(format!("hex digits were expected: {cause}")))
}

/// Reads requests as they come, on a thread that this may hold up, and no further ahead than calls are made.
fn read_input(known: BodyType, ahead: usize) -> mpsc::Receiver<Result<Bytes, Failed>> {
    let (sender, receiver) = mpsc::channel(ahead);
    thread::spawn(move || {
        let input = io::stdin().lock();
        let _ = documents(input, &known).try_for_each(|body| sender.blocking_send(body));
    });
    receiver
}

/// The bodies of JSON documents, one behind the other.
fn documents(input: impl Read, known: &BodyType) -> impl Iterator<Item = Result<Bytes, Failed>> {
    let values = serde_json::Deserializer::from_reader(input).into_iter::<Value>().enumerate();
    values.map(|(place, value)| match value {
        Ok(value) => known
            .bytes_of(&value)
            .map_err(|error| Failed::Given(format!("{}: {error}", request_name(place + 1)))),
        Err(cause) if cause.is_io() => Err(no_input(cause.into())),
        Err(cause) => Err(unfit(format!("it is no JSON: {cause}"))),
    })
}

/// A first one may be the only one.
fn request_name(number: usize) -> String {
    if number == 1 { "the request".to_owned() } else { format!("request {number}") }
}

fn unfit(problem: impl std::fmt::Display) -> Failed {
    Failed::Given(format!("the request: {problem}"))
}

fn no_input(cause: io::Error) -> Failed {
    unfit(format!("can't read it from standard input: {cause}"))
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
        self.print_body(&response.body)
    }

    fn print_body(&self, body: &[u8]) -> Result<u8, Failed> {
        let known = self.found.info.map_or(&BodyType::Unknown, |info| &info.reply);
        match known {
            _ if self.args.raw => io::stdout().lock().write_all(body)?,
            BodyType::Message(_) | BodyType::Nothing if !self.args.hex => match known.to_json(body) {
                Ok(value) if self.is_alone && io::stdout().is_terminal() => print_line(&pretty(&value))?,
                Ok(value) => print_line(&words::json(&value))?,
                Err(error) => {
                    note!("drpc: the reply can't be read: {error}");
                    note!("its bytes: {}", hex::encode(body));
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
        note!("status={name}{cause}");
        if let Some(added) = added {
            print_added(added);
        }
        let Found { module_id, method_id, .. } = self.found;
        match *status {
            Status::UNKNOWN_MODULE => note!("hint: the server does not serve module {module_id}"),
            Status::UNKNOWN_METHOD => {
                note!("hint: module {module_id} of the server has no method {method_id}");
                if let Some(hint) = self.found.hint() {
                    note!("{hint}");
                }
            }
            Status::FAILED_UNMARSHAL_PAYLOAD => note!("hint: the body is not this method's request"),
            _ => {}
        }
    }
}

/// What the server says of an error, a line each, without control characters.
fn print_added(added: &ResponseFields) {
    let ResponseFields { error, details, .. } = added;
    if !error.is_empty() {
        note!("error: {}", printable(error));
    }
    if !details.is_empty() {
        note!("details: {}", hex::encode(details));
    }
}

fn pretty(value: &Value) -> String {
    words::escaped(&format!("{value:#}"))
}

fn print_line(text: &str) -> io::Result<()> {
    writeln!(io::stdout().lock(), "{text}")
}
