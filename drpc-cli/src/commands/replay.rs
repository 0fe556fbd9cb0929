//! `drpc replay`: recorded calls, made again.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use drpc::testing::{RecordedPacket, Recording};
use drpc::wire::{Call, Part, Response};
use drpc::{Bytes, Client, ClientBuilder};
use serde_json::{Value, json};

use crate::exit::{Failed, Lasting, OTHERWISE, ended};
use crate::progress::Progress;
use crate::recording::{self, Answer, Conversations, Event, Peer, To, What};
use crate::schema::{Schema, SchemaArgs};
use crate::target::ConfigArgs;
use crate::words::{self, count};

/// Make recorded calls again, and compare the replies with the recorded ones.
///
/// The sessions of the recording are played one after the other, each over a connection of its own, the client's packets as they were
/// recorded: the next one is sent when the server has answered all that it had answered then, by as many items of a stream. File descriptors are not
/// kept in a recording, so a call that passed some is made without.
///
/// Names and types come from the files named below, else from the recording, if it was made with --reflection, else from the server's own reflection.
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
    /// The server's socket: a path, an abstract name (@name), or the short name that the configuration file gives it.
    socket: PathBuf,
    /// Compare the replies' statuses alone.
    #[arg(long)]
    status_only: bool,
    /// How long connecting, and then each session, may take.
    #[arg(long, default_value = "30s", value_parser = words::duration)]
    timeout: Duration,
    /// Print the differences as JSON, one object in each line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: ConfigArgs,
    #[command(flatten)]
    schema: SchemaArgs,
}

/// How long a server may take to tell its names.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) fn run(args: &ReplayArgs) -> ExitCode {
    ended(replay(args))
}

fn replay(args: &ReplayArgs) -> Result<ExitCode, Failed> {
    let target = args.config.find(&args.socket)?;
    let events = recording::read(&args.recording)?;
    let known = recording::schema(target.schema(&args.schema)?, &events)?;
    let passed = descriptors(&events);
    let sessions = sessions(events);
    let builder = Client::builder(&target.path).connect_timeout(args.timeout);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failed::Begin)?;
    let schema = match known {
        Some(schema) => schema,
        None => runtime.block_on(reflection(builder.clone().timeout(PATIENCE.min(args.timeout))))?,
    };
    let mut out = Lasting(io::stdout().lock());
    let (mut answered, mut different) = (0, 0);
    let progress = Progress::new(Some(sessions.len() as u64));
    for (played, (session, recorded)) in (0..).zip(&sessions) {
        progress.show(played, || format!("{played} of {}", count(sessions.len(), "session")));
        let begun = Instant::now();
        let again = runtime.block_on(recorded.replay_calls_within(&builder, args.timeout))?;
        let is_out_of_time = begun.elapsed() >= args.timeout;
        let mut is_missing = false;
        let (recorded, mut again) = (answers(recorded), answers(&again));
        answered += recorded.len();
        for (sequence, (call, before)) in recorded {
            let now = again.remove(&sequence).map(|(_, responses)| responses).unwrap_or_default();
            let Some(place) = first_difference(&before, &now, args.status_only) else { continue };
            different += 1;
            let (before, now) = (before.get(place), now.get(place));
            is_missing |= now.is_none();
            let difference = Difference { session: *session, call: &call, place, before, now };
            match args.json {
                true => writeln!(out, "{}", words::json(&difference.to_json(&schema)))?,
                false => difference.write(&schema, &mut out)?,
            }
        }
        if is_out_of_time && is_missing {
            let waited = humantime::format_duration(args.timeout);
            note!("hint: session {session} was given up after {waited}, in which some reply did not come");
        }
    }
    drop(progress);
    let (sessions, calls) = (count(sessions.len(), "session"), count(answered, "answered call"));
    note!("{sessions}, {calls}, {different} answered otherwise");
    if different > 0 && passed > 0 {
        let descriptors = count(passed, "file descriptor");
        note!("hint: calls that passed {descriptors} were made without: a recording does not keep them");
    }
    Ok(if different > 0 { ExitCode::from(OTHERWISE) } else { ExitCode::SUCCESS })
}

/// What the server tells of its names and types. Without them differences are shown in numbers.
async fn reflection(builder: ClientBuilder) -> Result<Schema, Failed> {
    let client = builder.connect().await?;
    Ok(Schema::of_server(&client, "").await.ok().flatten().unwrap_or_default())
}

/// How many file descriptors passed to the server.
fn descriptors(events: &[Event]) -> usize {
    let passed = |event: &Event| match event {
        Event::Packet { to: To::Server, descriptors, .. } => *descriptors,
        _ => 0,
    };
    events.iter().map(passed).sum()
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

/// The responses of a session with their calls, by the calls' sequences. A stream's are its opening, its items and its end.
fn answers(recording: &Recording) -> BTreeMap<i64, (Call, Vec<Response>)> {
    let mut conversations = Conversations::default();
    let opened = Event::Opened { session: 1, at_us: 0, peer: None::<Peer> };
    conversations.take(&opened);
    let seen = recording.packets().iter().flat_map(|packet| {
        let (to, bytes) = (packet.direction.into(), packet.bytes.to_vec());
        conversations.take(&Event::Packet { session: 1, at_us: 0, to, bytes, descriptors: 0 })
    });
    let mut answers = BTreeMap::new();
    for seen in seen {
        if let What::Answer(Answer { asked: Some(asked), response }) = seen.what
            // How much room a server makes, and when, is no part of its answer.
            && !matches!(response.part(), Some(Part::Credit | Part::Enough))
        {
            let (_, responses) =
                answers.entry(asked.call.sequence).or_insert_with(|| (asked.call, Vec::new()));
            responses.push(response);
        }
    }
    answers
}

/// The place of the first response that is another one, or missing, or there beyond the others.
///
/// Of a call that was not answered for the last time while it was recorded, what comes beyond is of no matter: how many items of a stream come by a certain time
/// differs from run to run.
fn first_difference(before: &[Response], now: &[Response], status_only: bool) -> Option<usize> {
    let is_over = before.last().is_none_or(|last| last.part().is_none());
    let now = if is_over { now } else { &now[..now.len().min(before.len())] };
    let is_same = |(before, now): (&Response, &Response)| {
        before.status == now.status && before.part() == now.part() && (status_only || before.body == now.body)
    };
    let same = before.iter().zip(now).take_while(|both| is_same(*both)).count();
    (same < before.len().max(now.len())).then_some(same)
}

/// A response that is another one than the recorded.
struct Difference<'a> {
    session: u64,
    call: &'a Call,
    /// Which of the call's responses it is: of a stream, number 0 opens it.
    place: usize,
    /// `None` if no more came.
    before: Option<&'a Response>,
    now: Option<&'a Response>,
}

impl Difference<'_> {
    fn write(&self, schema: &Schema, out: &mut dyn Write) -> io::Result<()> {
        let Call { module, method, sequence, body, .. } = self.call;
        let name = schema.method(*module, *method);
        let request = words::json(&schema.request(*method, body));
        writeln!(out, "#{} seq={sequence} {name} {request}", self.session)?;
        writeln!(out, "  recorded: {}", self.outcome(schema, self.before))?;
        writeln!(out, "  now:      {}", self.outcome(schema, self.now))
    }

    fn outcome(&self, schema: &Schema, response: Option<&Response>) -> String {
        let Some(response) = response else { return "no reply".to_owned() };
        let body = words::json(&schema.reply(self.call.method, response.status, &response.body));
        match response.part() {
            Some(Part::Opened) => "opened".to_owned(),
            Some(_) => format!("item {} {body}", self.place),
            None => format!("{} {body}", response.status),
        }
    }

    fn to_json(&self, schema: &Schema) -> Value {
        let Call { module, method, sequence, body, .. } = self.call;
        let reply = |response: &Response| {
            let body = schema.reply(*method, response.status, &response.body);
            let item = (response.part() == Some(Part::Item)).then_some(self.place);
            json!({ "status": response.status.to_string(), "item": item, "body": body })
        };
        json!({
            "session": self.session, "sequence": sequence, "method": schema.method(*module, *method),
            "request": schema.request(*method, body),
            "recorded": self.before.map(reply), "now": self.now.map(reply),
        })
    }
}

#[cfg(test)]
mod tests {
    use drpc::Status;
    use drpc::wire::ResponseFields;

    use super::*;

    fn response(part: Option<Part>, body: &'static str) -> Response {
        let added = Some(ResponseFields { part, ..ResponseFields::default() }.into());
        Response { sequence: 1, status: Status::SUCCESS, body: body.into(), added }
    }

    #[test]
    fn streams_differ_where_the_first_of_their_responses_does() {
        let opened = response(Some(Part::Opened), "");
        let item = |body| response(Some(Part::Item), body);
        let end = response(None, "");
        let recorded = [opened.clone(), item("a"), item("b"), end.clone()];
        let now = |responses: &[Response], status_only| first_difference(&recorded, responses, status_only);
        assert_eq!(now(&recorded, false), None);
        assert_eq!(now(&[opened.clone(), item("a"), item("c"), end.clone()], false), Some(2));
        assert_eq!(now(&[opened.clone(), item("a"), item("c"), end.clone()], true), None);
        assert_eq!(now(&[opened.clone(), item("a"), end.clone()], true), Some(2));
        assert_eq!(now(&[opened, item("a"), item("b")], false), Some(3));
        assert_eq!(now(&[], false), Some(0));
        assert_eq!(first_difference(&recorded[..2], &recorded, false), None);
        assert_eq!(first_difference(&recorded[..3], &recorded[..2], false), Some(2));
    }
}
