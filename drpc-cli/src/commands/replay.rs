//! `drpc replay`: recorded calls, made again.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use drpc::testing::{RecordedPacket, Recording};
use drpc::wire::{Call, Response};
use drpc::{Bytes, Client};
use serde_json::{Value, json};

use super::count;
use crate::exit::{Failed, OTHERWISE, ended};
use crate::recording::{self, Conversations, Event, Peer, What};
use crate::schema::{Schema, SchemaArgs};

/// Make recorded calls again, and compare the replies with the recorded ones.
///
/// The sessions of the recording are played one after the other, each over a connection of its own, packet by packet as they were
/// recorded: a client's next packet is sent when as many have come from the server as had then.
///
/// Exit code: 0 if all replies are as recorded, 1 if some are not, 2 if the command line is wrong or the recording can't be read, 3 if the
/// server can't be connected to.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc replay traffic.jsonl /run/greeter.sock --registry proto/modules.toml
  drpc replay traffic.jsonl /run/greeter.sock --status-only    # bodies may differ: times, handles")]
pub(crate) struct ReplayArgs {
    /// The recording.
    recording: PathBuf,
    /// The server's socket.
    socket: PathBuf,
    /// Compare the replies' statuses alone.
    #[arg(long)]
    status_only: bool,
    /// How long connecting, and then each session, may take.
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Print the differences as JSON, one object in each line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    schema: SchemaArgs,
}

pub(crate) fn run(args: &ReplayArgs) -> ExitCode {
    ended(replay(args))
}

fn replay(args: &ReplayArgs) -> Result<ExitCode, Failed> {
    let schema = Schema::load(&args.schema)?;
    let sessions = sessions(recording::read(&args.recording)?);
    let builder = Client::builder(&args.socket).connect_timeout(args.timeout);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut out = io::stdout().lock();
    let (mut answered, mut different) = (0, 0);
    for (session, recorded) in &sessions {
        let playing = async { tokio::time::timeout(args.timeout, recorded.replay_calls(&builder)).await };
        let again = match runtime.block_on(playing) {
            Ok(again) => again?,
            Err(_) => {
                let waited = humantime::format_duration(args.timeout);
                eprintln!(
                    "hint: session {session} was given up after {waited}, in which some reply did not come"
                );
                Recording::new("given up", Vec::new())
            }
        };
        let (recorded, mut again) = (answers(recorded), answers(&again));
        answered += recorded.len();
        for (sequence, (call, before)) in recorded {
            let now = again.remove(&sequence).map(|(_, response)| response);
            if now.as_ref().is_some_and(|now| is_same(&before, now, args.status_only)) {
                continue;
            }
            different += 1;
            let difference =
                Difference { session: *session, call: &call, before: &before, now: now.as_ref() };
            match args.json {
                true => writeln!(out, "{}", difference.to_json(&schema))?,
                false => difference.write(&schema, &mut out)?,
            }
        }
    }
    let (sessions, calls) = (count(sessions.len(), "session"), count(answered, "answered call"));
    eprintln!("{sessions}, {calls}, {different} answered otherwise");
    Ok(if different > 0 { ExitCode::from(OTHERWISE) } else { ExitCode::SUCCESS })
}

/// The packets of each session.
fn sessions(events: Vec<Event>) -> BTreeMap<u64, Recording> {
    let mut sessions: BTreeMap<u64, Vec<RecordedPacket>> = BTreeMap::new();
    for event in events {
        if let Event::Packet { session, at_us, to, bytes, .. } = event {
            sessions.entry(session).or_default().push(RecordedPacket {
                direction: to.direction(),
                at: Duration::from_micros(at_us),
                bytes: Bytes::from(bytes),
            });
        }
    }
    let titled = |(session, packets)| (session, Recording::new(format!("session {session}"), packets));
    sessions.into_iter().map(titled).collect()
}

/// The responses of a session with their calls, by the calls' sequences.
fn answers(recording: &Recording) -> BTreeMap<i64, (Call, Response)> {
    let mut conversations = Conversations::default();
    let opened = Event::Opened { session: 1, at_us: 0, peer: None::<Peer> };
    conversations.take(&opened);
    let seen = recording.packets().iter().filter_map(|packet| {
        let (to, bytes) = (packet.direction.into(), packet.bytes.to_vec());
        conversations.take(&Event::Packet { session: 1, at_us: 0, to, bytes, descriptors: 0 })
    });
    let answers = seen.filter_map(|seen| match seen.what {
        What::Answer(answer) => answer.call.map(|(_, call)| (call.sequence, (call, answer.response))),
        _ => None,
    });
    answers.collect()
}

fn is_same(before: &Response, now: &Response, status_only: bool) -> bool {
    before.status == now.status && (status_only || before.body == now.body)
}

/// A reply that is another one than the recorded.
struct Difference<'a> {
    session: u64,
    call: &'a Call,
    before: &'a Response,
    /// `None` if there was no reply.
    now: Option<&'a Response>,
}

impl Difference<'_> {
    fn write(&self, schema: &Schema, out: &mut dyn Write) -> io::Result<()> {
        let Call { module, method, sequence, body, .. } = self.call;
        let name = schema.method(*module, *method);
        writeln!(out, "#{} seq={sequence} {name} {}", self.session, schema.request(*method, body))?;
        writeln!(out, "  recorded: {}", self.outcome(schema, self.before))?;
        let now = self.now.map_or_else(|| "no reply".to_owned(), |now| self.outcome(schema, now));
        writeln!(out, "  now:      {now}")
    }

    fn outcome(&self, schema: &Schema, response: &Response) -> String {
        format!("{} {}", response.status, schema.reply(self.call.method, response.status, &response.body))
    }

    fn to_json(&self, schema: &Schema) -> Value {
        let Call { module, method, sequence, body, .. } = self.call;
        let reply = |response: &Response| {
            let body = schema.reply(*method, response.status, &response.body);
            json!({ "status": response.status.to_string(), "body": body })
        };
        json!({
            "session": self.session, "sequence": sequence, "method": schema.method(*module, *method),
            "request": schema.request(*method, body),
            "recorded": reply(self.before), "now": self.now.map(reply),
        })
    }
}
