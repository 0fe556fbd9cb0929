//! `drpc trace`: between a client and a server, to see what they say to each other.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use drpc::Client;
use drpc::testing::{Proxy, Watched};

use crate::exit::{Failed, Interrupt, ended};
use crate::printer::Printer;
use crate::recording::{self, Event, FORMAT, FilterArgs, Lines, Peer};
use crate::schema::{Reflected, SchemaArgs};
use crate::target::ConfigArgs;
use crate::words::count;

/// Show every call and reply between clients and a server, as they pass.
///
/// It listens on LISTEN, for the clients to be pointed at, and connects each of them to TARGET. Bytes and file descriptors pass
/// unchanged, on either wire; the server sees this process as its client, with this process's user. It ends at ctrl-c. Lines are left out, and their number is
/// told, while nobody reads them; of a recording nothing is.
///
/// Names and types come from the files named below, and with --reflection from TARGET itself what these leave open; then a recording has them, too.
///
/// Exit code: 0 if it was ended by ctrl-c, 2 if the command line or the registry is wrong, 3 if it can't listen or write.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc trace /tmp/seen.sock /run/greeter.sock --reflection
  drpc trace /tmp/seen.sock /run/greeter.sock --failed --slower 10ms
  drpc trace /tmp/seen.sock /run/greeter.sock --reflection --record traffic.jsonl
  drpc trace /tmp/seen.sock /run/greeter.sock --json | jq 'select(.took_us > 1000)'")]
pub(crate) struct TraceArgs {
    /// The socket to listen on. It gets mode 0600; a stale one is replaced.
    listen: PathBuf,
    /// The server's socket: a path, an abstract name (@name), or the short name that the configuration file gives it.
    target: PathBuf,
    /// Also write all packets to a file, for `drpc show` and `drpc replay`. Filters don't apply to it.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Print JSON, one object in each line.
    #[arg(long)]
    json: bool,
    /// Print nothing: only record.
    #[arg(short, long, requires = "record")]
    quiet: bool,
    /// Before it begins, ask TARGET for names and types, over a connection of its own: else it sees no connection but its clients'.
    #[arg(long)]
    reflection: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    schema: SchemaArgs,
}

/// How many events may wait to be recorded and made lines of; then traffic waits for that.
const BACKLOG: usize = 4096;

/// How long a server may take to tell its names.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &TraceArgs) -> ExitCode {
    ended(trace(args).map(|()| ExitCode::SUCCESS))
}

fn trace(args: &TraceArgs) -> Result<(), Failed> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failed::Begin)?;
    let target = args.config.find(&args.target)?;
    let reflected = match args.reflection {
        true => runtime.block_on(reflection(&target.path)),
        false => None,
    };
    let begun = Begun { at: Instant::now(), epoch: SystemTime::now() };
    let mut first = vec![begun.event(&target.path)];
    first.extend(reflected.map(Event::Reflected));
    let schema = &recording::schema(target.schema(&args.schema)?, &first)?.unwrap_or_default();
    let filter = &args.filter.among(schema)?;
    // Before the record is begun, which may be of one that has this socket already.
    let (interrupt, proxy) = runtime.block_on(async {
        Ok::<_, Failed>((Interrupt::listen()?, Proxy::bind(&args.listen, &target.path)?))
    })?;
    let record = args.record.as_deref().map(create).transpose()?;
    note!("listening on {}, for {}; ctrl-c ends it", args.listen.display(), target.path.display());
    let (events, shown) = sync_channel(BACKLOG);
    let (stop, stopped) = tokio::sync::mpsc::channel(2);
    thread::scope(|scope| {
        let told = stop.clone();
        // Nobody waits for the traffic any more, if it is already over.
        let printer = (!args.quiet).then(|| {
            Printer::begin(if args.json { left_out_json } else { left_out }, move || {
                let _ = told.try_send(());
            })
        });
        let telling = scope.spawn(move || {
            let lines = Lines::new(schema, filter, args.json);
            let told = tell(args, lines, record, printer, first.into_iter().chain(shown));
            let _ = stop.try_send(());
            told
        });
        let relayed = runtime.block_on(relay(proxy, interrupt, events, begun, stopped));
        // With it the connections' ends are told of, and then the last sender is gone.
        drop(runtime);
        let told = telling.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        relayed.and(told)
    })
}

/// An empty file, at whose end is written, wherever that is: should somebody begin it anew meanwhile, no hole comes of it.
fn create(path: &Path) -> Result<BufWriter<File>, Failed> {
    let open = || {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        if file.metadata()?.is_file() {
            file.set_len(0)?;
        }
        Ok(BufWriter::new(file))
    };
    open().map_err(|source| Failed::File { path: path.to_owned(), source })
}

fn left_out(lines: usize) -> String {
    format!("… {} left out, which nobody read in time\n", count(lines, "line"))
}

fn left_out_json(lines: usize) -> String {
    format!("{{\"event\":\"left out\",\"lines\":{lines}}}\n")
}

/// What the server tells of its names and types. Without them a trace has numbers, rather than not begin.
async fn reflection(target: &Path) -> Option<Reflected> {
    let builder = Client::builder(target).connect_timeout(PATIENCE).timeout(PATIENCE);
    let asked =
        async { Reflected::ask(&builder.connect().await?, "").await?.ok_or(Failed::NoReflection("")) };
    asked
        .await
        .inspect_err(|failed: &Failed| note!("drpc: warning: numbers are shown, no names: {failed}"))
        .ok()
}

/// Relays until ctrl-c, or until nobody is told anything any more.
async fn relay(
    proxy: Proxy,
    mut interrupt: Interrupt,
    events: SyncSender<Event>,
    begun: Begun,
    mut stopped: tokio::sync::mpsc::Receiver<()>,
) -> Result<(), Failed> {
    let proxy = proxy.watch(move |watched| {
        if let Some(event) = event_of(&watched, begun) {
            // If nobody is told of it any more, the relay is about to be ended.
            let _ = events.send(event);
        }
    });
    tokio::select! {
        served = proxy.serve() => served.map_err(Failed::Serve),
        () = interrupt.came() => Ok(()),
        _ = stopped.recv() => Ok(()),
    }
}

/// Records events and has them shown until there are no more. A thread of its own does it, and does not wait for a reader who does not read: else the traffic
/// would wait with it, and what has passed would be missing in the record.
fn tell(
    args: &TraceArgs,
    mut lines: Lines<'_>,
    mut record: Option<BufWriter<File>>,
    mut printer: Option<Printer>,
    events: impl Iterator<Item = Event>,
) -> Result<(), Failed> {
    for event in events {
        if let (Some(record), Some(path)) = (&mut record, &args.record) {
            let failed = |source| Failed::File { path: path.clone(), source };
            record.write_all(event.to_line().as_bytes()).map_err(failed)?;
            // What has happened is in the file, whatever becomes of this process.
            record.flush().map_err(failed)?;
        }
        if let Some(printer) = &mut printer {
            let mut text = Vec::new();
            lines.write(&event, &mut text).map_err(Failed::Output)?;
            if !text.is_empty() {
                printer.print(text);
            }
        }
    }
    printer.map_or(Ok(()), Printer::finish).map_err(Failed::Output)
}

/// When a trace began, by two clocks.
#[derive(Clone, Copy)]
struct Begun {
    at: Instant,
    epoch: SystemTime,
}

impl Begun {
    fn event(&self, target: &Path) -> Event {
        let epoch = self.epoch.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Event::Begun {
            format: FORMAT,
            target: target.display().to_string(),
            epoch_us: epoch.as_micros() as u64,
        }
    }

    fn elapsed_us(&self) -> u64 {
        self.at.elapsed().as_micros() as u64
    }
}

/// The event of what a proxy saw, if this knows what it is.
fn event_of(watched: &Watched<'_>, begun: Begun) -> Option<Event> {
    let at_us = begun.elapsed_us();
    Some(match watched {
        Watched::Opened { session, peer } => {
            Event::Opened { session: *session, at_us, peer: peer.map(Peer::of) }
        }
        Watched::Packet { session, packet, descriptors } => Event::Packet {
            session: *session,
            at_us,
            to: packet.direction.into(),
            bytes: packet.bytes.to_vec(),
            descriptors: *descriptors,
        },
        Watched::Closed { session, error } => {
            Event::Closed { session: *session, at_us, error: error.map(ToString::to_string) }
        }
        _ => return None,
    })
}
