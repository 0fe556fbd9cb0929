//! `drpc bench`: how many calls a server answers, and how fast.

mod files;
mod load;
mod report;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use drpc::{AddedFields, Bytes, CallOptions, Client, ConnectError, Method};
use hdrhistogram::serialization::V2DeflateSerializer;
use serde_json::Value;

use files::HdrLog;
use load::{Counts, Limit, Load, Run, histogram};
use report::Report;

use crate::exit::{Failed, Interrupt, OTHERWISE, ended};
use crate::progress::Progress;
use crate::schema::{Found, Schema, SchemaArgs};
use crate::target::{Target, TargetArgs};
use crate::words;

/// Measure how many calls a server answers, and how fast.
///
/// In a closed loop each call begins when the one before it has ended, so a server that stalls is asked for less. With --rate, calls begin
/// at fixed times whatever became of those before, and a call's latency counts from the time at which it was due: a stall is charged for
/// every call that it kept waiting.
///
/// Exit code: 0 if all calls were answered SUCCESS, 1 if some were not, 2 if the command line is wrong, 3 if the server can't be connected to.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc bench /run/greeter.sock greeter.hello --data '{\"name\": \"World\"}'
  drpc bench /run/greeter.sock 501 -c 8 -i 16 --duration 30s --svg latency.svg
  drpc bench /run/greeter.sock 700 --size 65536 --rate 5000 --hdr latency.hlog --json")]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// The method, by name (greeter.hello) or ID (501).
    method: String,
    /// How many connections to make.
    #[arg(short, long, default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// How many calls to have in flight on each connection.
    #[arg(short, long, default_value = "1", value_parser = clap::value_parser!(u16).range(1..))]
    in_flight: u16,
    /// The request: JSON by protobuf's mapping, or hex digits; or @FILE.
    #[arg(long, value_name = "REQUEST", default_value = "", hide_default_value = true)]
    data: String,
    /// A request of so many zero bytes.
    #[arg(long, value_name = "BYTES", conflicts_with = "data")]
    size: Option<usize>,
    /// How long to measure.
    #[arg(short, long, default_value = "10s", value_parser = words::duration)]
    duration: Duration,
    /// How many calls to measure, instead of a time.
    #[arg(short = 'n', long, value_name = "CALLS", conflicts_with = "duration")]
    count: Option<u64>,
    /// How many calls are to begin each second, over all connections.
    #[arg(short, long, value_name = "CALLS", value_parser = rate)]
    rate: Option<f64>,
    /// How long to call before the measurement begins.
    #[arg(long, default_value = "1s", value_parser = words::duration)]
    warm_up: Duration,
    /// Print the figures as one JSON object; latencies in nanoseconds.
    #[arg(long)]
    json: bool,
    /// Write the latencies to a log for the tools of HDR histograms, a histogram for each second.
    #[arg(long, value_name = "FILE")]
    hdr: Option<PathBuf>,
    /// Draw the latencies by percentile.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    schema: SchemaArgs,
}

pub(crate) fn run(args: &BenchArgs) -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().map_err(Failed::Begin);
    ended(runtime.and_then(|runtime| runtime.block_on(bench(args))))
}

async fn bench(args: &BenchArgs) -> Result<ExitCode, Failed> {
    let target = args.target.find()?;
    let schema = names(args, &target).await?;
    let found = schema.find_method(&args.method)?;
    let Found { module_id, method_id: id, .. } = found;
    let body = match args.size {
        Some(size) => Bytes::from(vec![0; size]),
        None => request(&schema, id, &args.data()?)?,
    };
    let method = Method::new(module_id, id, "measured");
    let title = title(args, &schema.method(module_id, id), body.len());
    let options = CallOptions::new().timeout(args.target.timeout);
    let load = Load { method, body, options, in_flight: usize::from(args.in_flight), rate: args.rate };
    let Measured { report, hdr, svg } = measure(args, &target, &load, title).await?;
    // First of all what was measured: whatever becomes of the files, it is not measured in vain.
    let told = tell(args, &report).map_err(Failed::Output);
    if let Some(hint) = found.hint().filter(|_| report.counts.errors.contains_key(UNKNOWN_METHOD)) {
        note!("{hint}");
    }
    hdr?;
    if let (Some(mut file), Some(path)) = (svg, &args.svg) {
        let written = files::svg(&report).and_then(|svg| file.write_all(svg.as_bytes()));
        written.map_err(|source| Failed::File { path: path.clone(), source })?;
    }
    told
}

const UNKNOWN_METHOD: &str = "UNKNOWN_METHOD";

impl BenchArgs {
    /// The request as it is given, or as the file has it.
    fn data(&self) -> Result<String, Failed> {
        match self.data.strip_prefix('@') {
            Some(path) => fs::read_to_string(path).map(|text| text.trim().to_owned()).map_err(|cause| {
                Failed::Given(format!("the request in --data: can't read it from {path}: {cause}"))
            }),
            None => Ok(self.data.clone()),
        }
    }
}

/// What names and types are needed, over a connection that is not measured.
async fn names(args: &BenchArgs, target: &Target) -> Result<Schema, Failed> {
    let from_files = target.known.schema(&args.schema)?;
    let is_json = is_json(&args.data()?);
    let is_enough = match &from_files {
        Some(schema) if is_json => !schema.leaves_open(&args.method),
        Some(schema) => !schema.modules().is_empty(),
        None => args.method.split('.').all(|part| part.parse::<i32>().is_ok()) && !is_json,
    };
    if is_enough {
        return Ok(from_files.unwrap_or_default());
    }
    let client = target.client(AddedFields::NONE).connect().await?;
    target.completed(from_files, &client).await
}

fn is_json(data: &str) -> bool {
    data.trim_start().starts_with('{')
}

/// JSON, or hex digits, as bytes.
fn request(schema: &Schema, method: i32, data: &str) -> Result<Bytes, Failed> {
    let value = match is_json(data) {
        true => serde_json::from_str(data).map_err(|error| unsendable(&error))?,
        false => Value::String(data.to_owned()),
    };
    schema.to_request(method, &value).map_err(|error| unsendable(&error))
}

fn unsendable(error: &dyn std::error::Error) -> Failed {
    Failed::Given(format!("the request in --data can't be sent: {error}"))
}

/// What is measured, in a line.
fn title(args: &BenchArgs, method: &str, size: usize) -> String {
    let (connections, in_flight) = (args.connections, args.in_flight);
    let pace = match args.rate {
        Some(rate) => format!("{rate} calls/s"),
        None => "closed loop".to_owned(),
    };
    format!("{method}, body of {size} bytes, {connections} × {in_flight} calls in flight, {pace}")
}

fn tell(args: &BenchArgs, report: &Report) -> io::Result<ExitCode> {
    match args.json {
        true => writeln!(io::stdout(), "{}", words::json(&report.to_json()))?,
        false => write!(io::stdout(), "{report}")?,
    }
    if report.counts.not_begun > 0 {
        let (late, calls) = (report.counts.not_begun, report.counts.calls);
        note!(
            "hint: {late} calls that were due could not begin, beside {calls} that did: the server, or this machine, does not keep up"
        );
        note!(
            "hint: latencies would only grow with time; ask for a lower --rate, or for more --connections or --in-flight"
        );
    }
    Ok(if report.errors() > 0 { ExitCode::from(OTHERWISE) } else { ExitCode::SUCCESS })
}

/// From one call in some twenty minutes to more than any machine makes.
fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (1e-3..=1e9).contains(&rate) => Ok(rate),
        _ => Err("expected a number from 0.001 to 1000000000, such as 5000 or 0.5".to_owned()),
    }
}

/// What a measurement leaves.
struct Measured {
    report: Report,
    /// Whether all of the log could be written.
    hdr: Result<(), Failed>,
    /// To be drawn to.
    svg: Option<File>,
}

/// How long calls may take that are in flight when it is interrupted.
const GRACE: Duration = Duration::from_secs(1);

/// How often the progress is shown.
const TICK: Duration = Duration::from_millis(100);

/// How long a span of the HDR log is.
const SPAN: Duration = Duration::from_secs(1);

async fn measure(args: &BenchArgs, target: &Target, load: &Load, title: String) -> Result<Measured, Failed> {
    let clients = connect(args, target).await?;
    let mut hdr_file = args.hdr.as_deref().map(create).transpose()?.map(BufWriter::new);
    let svg = args.svg.as_deref().map(create).transpose()?;

    if !args.warm_up.is_zero() {
        let mut run = Run::begin(&clients, load, Limit::Time(args.warm_up));
        while !run.wait(args.warm_up).await {}
    }

    let mut serializer = V2DeflateSerializer::new();
    let hdr_failed = |source| Failed::File { path: args.hdr.clone().unwrap_or_default(), source };
    let mut hdr = match &mut hdr_file {
        Some(file) => {
            let begun = HdrLog::begin(file, &mut serializer, &title, SystemTime::now());
            Some(begun.map_err(hdr_failed)?)
        }
        None => None,
    };
    let mut written = Ok(());
    let mut interrupt = Interrupt::listen()?;
    let limit = args.count.map_or(Limit::Time(args.duration), Limit::Calls);
    let progress = progress(limit);
    let (mut latencies, mut counts) = (histogram(), Counts::default());
    let (mut span, mut span_begun) = (histogram(), Duration::ZERO);
    let mut run = Run::begin(&clients, load, limit);
    loop {
        let ended = tokio::select! {
            ended = run.wait(TICK) => ended,
            () = interrupt.came() => {
                run.stop();
                run.wait(GRACE.min(args.target.timeout)).await;
                true
            }
        };
        let elapsed = run.elapsed();
        run.collect(&mut span, &mut counts);
        show_progress(&progress, limit, elapsed, counts.calls);
        if ended || elapsed - span_begun >= SPAN {
            if let Some(hdr) = &mut hdr {
                written = written.and_then(|()| hdr.write(&span, span_begun, elapsed - span_begun));
            }
            // It grows as it must.
            let _ = latencies.add(&span);
            span.reset();
            span_begun = elapsed;
        }
        if ended {
            drop(progress);
            let report = Report { title, elapsed, counts, latencies };
            drop(hdr);
            if let Some(mut file) = hdr_file {
                written = written.and_then(|()| file.flush());
            }
            return Ok(Measured { report, hdr: written.map_err(hdr_failed), svg });
        }
    }
}

/// Connects once for each connection, so that the calls need not.
async fn connect(args: &BenchArgs, target: &Target) -> Result<Vec<Client>, ConnectError> {
    let mut clients = Vec::new();
    for _ in 0..args.connections {
        let client = target
            .client(AddedFields::NONE)
            .connections(1)
            .server_answers_in_order(args.in_flight == 1)
            .connect()
            .await?;
        clients.push(client);
    }
    Ok(clients)
}

/// Makes a file, before anything is measured in vain.
fn create(path: &Path) -> Result<File, Failed> {
    File::create(path).map_err(|source| Failed::File { path: path.to_owned(), source })
}

fn progress(limit: Limit) -> Progress {
    Progress::new(Some(match limit {
        Limit::Calls(calls) => calls,
        Limit::Time(time) => time.as_millis() as u64,
    }))
}

fn show_progress(progress: &Progress, limit: Limit, elapsed: Duration, calls: u64) {
    let position = match limit {
        Limit::Calls(_) => calls,
        Limit::Time(_) => elapsed.as_millis() as u64,
    };
    progress.show(position, || format!("{:.0} calls/s", calls as f64 / elapsed.as_secs_f64()));
}
