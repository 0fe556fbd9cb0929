//! `drpc top`: the sessions of a server, and what they are doing.

use std::cmp::{Ordering, Reverse};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use crossterm::cursor::{Hide, MoveTo, MoveToNextLine, Show};
use crossterm::style::Print;
use crossterm::terminal::{
    self, BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen,
};
use crossterm::{execute, queue};
use drpc::reflection::{CallInfo, ReflectionClient, SessionInfo};
use drpc::{AddedFields, CallError, Client, Status};
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use crate::exit::{Failed, Interrupt, block_on, ended};
use crate::target::TargetArgs;
use crate::words::{self, printable};

/// Watch the sessions of a server, and the calls that run in them.
///
/// The server tells of them by its reflection: of all sessions to root and to its own user, to any other user of their own. The session of this
/// command is not shown. On a terminal it is drawn anew in place; elsewhere each look is a line of JSON. Ctrl-c ends it.
///
/// Exit code: 0 if it was ended, 2 if the command line is wrong, 3 if the server can't be asked, or not any more.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc top /run/greeter.sock
  drpc top /run/greeter.sock --sort age --interval 200ms
  drpc top /run/greeter.sock --once              # a table, wherever it goes
  drpc top /run/greeter.sock | jq .calls_running # a line a second")]
pub(crate) struct TopArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How long to wait between two looks.
    #[arg(short, long, default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// Which sessions come first.
    #[arg(short, long, value_enum, default_value = "rate")]
    sort: Sort,
    /// Look twice, an interval apart, print a table of what happened between, and end.
    #[arg(long)]
    once: bool,
    /// Print JSON in any case, one object in each line.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Sort {
    /// Those with the most calls a second.
    Rate,
    /// Those with the most calls since they were opened.
    Calls,
    /// Those with the most calls that run.
    Running,
    /// Those with the call that has run longest.
    Age,
    /// Those that were opened last.
    Opened,
}

/// How many of the longest calls are shown below the sessions.
const LONGEST: usize = 10;

pub(crate) fn run(args: &TopArgs) -> ExitCode {
    ended(block_on(top(args)).map(|()| ExitCode::SUCCESS))
}

async fn top(args: &TopArgs) -> Result<(), Failed> {
    let target = args.target.find()?;
    let client = target.client(AddedFields::NONE).connect().await?;
    let reflection = ReflectionClient::new(client);
    let server = Server { name: args.target.socket.display().to_string(), since: None };
    let mut interrupt = Interrupt::listen()?;
    tokio::select! {
        ended = watch(args, server, &reflection) => ended,
        () = interrupt.came() => Ok(()),
    }
}

/// Looks again and again. Dropped, it gives the terminal back as it was.
async fn watch(
    args: &TopArgs,
    mut server: Server,
    reflection: &ReflectionClient<Client>,
) -> Result<(), Failed> {
    let as_json = args.json || !args.once && !io::stdout().is_terminal();
    let mut screen = (!args.once && !as_json).then(Screen::open).transpose().map_err(Failed::Output)?;
    let mut ticks = tokio::time::interval(args.interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<Look> = None;
    loop {
        ticks.tick().await;
        let now = Look::take(reflection).await.map_err(unreflected)?;
        // Over another connection it may be another server.
        if before.as_ref().is_none_or(|before| before.own != now.own) {
            server.since = reflection.catalogue().await.map_err(unreflected)?.serving_since();
        }
        let figures = Figures::of(before.as_ref(), &now, args.sort);
        let drawn = match &mut screen {
            Some(screen) => screen.draw(&server, &figures),
            None if args.once && before.is_none() => Ok(()),
            None if as_json => writeln!(io::stdout(), "{}", words::json(&figures.to_json())),
            None => write!(io::stdout(), "{}", figures.table(&server, usize::MAX)),
        };
        drawn.map_err(Failed::Output)?;
        if args.once && before.is_some() {
            return Ok(());
        }
        before = Some(now);
    }
}

/// What is said of the server above its sessions.
struct Server {
    name: String,
    since: Option<SystemTime>,
}

/// The sessions at one time.
struct Look {
    at: Instant,
    time: SystemTime,
    sessions: Vec<SessionInfo>,
    /// The session of this command.
    own: Option<SessionKey>,
}

/// What tells a session from any other, also from those of a server that was there before.
type SessionKey = (u64, Option<SystemTime>);

fn key(session: &SessionInfo) -> SessionKey {
    (session.id, session.opened_at())
}

impl Look {
    async fn take(reflection: &ReflectionClient<Client>) -> Result<Look, CallError> {
        let (at, time) = (Instant::now(), SystemTime::now());
        let mut sessions: Vec<SessionInfo> = Vec::new();
        loop {
            let page = reflection.sessions(sessions.last().map_or(0, |last| last.id)).await?;
            let is_last = page.sessions.is_empty() || !page.has_more;
            sessions.extend(page.sessions);
            if is_last {
                break;
            }
        }
        let own = sessions.iter().find(|session| session.is_own).map(key);
        sessions.retain(|session| !session.is_own);
        Ok(Look { at, time, sessions, own })
    }
}

/// What is shown of a look.
struct Figures<'a> {
    time: SystemTime,
    /// In the order that was asked for.
    rows: Vec<Row<'a>>,
}

struct Row<'a> {
    session: &'a SessionInfo,
    /// Calls a second since the look before; nothing in the first.
    rate: Option<f64>,
}

impl<'a> Figures<'a> {
    fn of(before: Option<&Look>, now: &'a Look, sort: Sort) -> Self {
        let done_before: Option<(f64, HashMap<SessionKey, u64>)> = before.map(|before| {
            let done = before.sessions.iter().map(|session| (key(session), session.calls_done));
            (now.at.duration_since(before.at).as_secs_f64(), done.collect())
        });
        let rows = now.sessions.iter().map(|session| {
            let rate = done_before.as_ref().map(|(seconds, done)| {
                // One that was not there has done all its calls since.
                let before = done.get(&key(session)).copied().unwrap_or_default();
                session.calls_done.saturating_sub(before) as f64 / seconds
            });
            Row { session, rate }
        });
        let mut rows: Vec<_> = rows.collect();
        // Those that are alike stay in the order in which they were opened.
        rows.sort_by(|one, other| sort.order(one, other));
        Figures { time: now.time, rows }
    }

    fn calls_running(&self) -> u64 {
        self.rows.iter().map(|row| u64::from(row.session.calls_running)).sum()
    }

    fn rate(&self) -> Option<f64> {
        // Not `sum`: that of no floats is -0.0.
        self.rows.iter().try_fold(0.0, |sum, row| Some(sum + row.rate?))
    }

    /// The calls that have run longest, with their sessions.
    fn longest(&self) -> Vec<(&CallInfo, &SessionInfo)> {
        let calls = self
            .rows
            .iter()
            .flat_map(|Row { session, .. }| session.running.iter().map(move |call| (call, *session)));
        let mut calls: Vec<_> = calls.collect();
        calls.sort_by_key(|(call, _)| Reverse(call.age_us));
        calls.truncate(LONGEST);
        calls
    }

    /// So many lines at most; the sessions that come last are left out.
    fn table(&self, server: &Server, height: usize) -> String {
        let mut text = self.heading(server);
        let longest = self.longest();
        // A heading, and an empty line above it.
        let below = if longest.is_empty() { 0 } else { longest.len() + 2 };
        let room = height.saturating_sub(3 + below).max(1);
        text.push_str(
            "\n SESSION      PID PROCESS               UID  OPEN FOR      CALLS   CALLS/S RUNNING\n",
        );
        for Row { session, rate } in self.rows.iter().take(room) {
            let SessionInfo { id, uid, pid, calls_done, calls_running, .. } = session;
            let pid = pid.map_or("-".to_owned(), |pid| pid.to_string());
            let process = printable(&session.process);
            let open = session.opened_at().map_or("-".to_owned(), |time| age_at(self.time, time));
            let rate = shown_rate(*rate);
            let _ = writeln!(
                text,
                "{id:>8} {pid:>8} {process:<16} {uid:>8} {open:>9} {calls_done:>10} {rate:>9} {calls_running:>7}"
            );
        }
        if !longest.is_empty() {
            text.push_str("\n SESSION  RUNS FOR METHOD\n");
        }
        for (call, session) in longest {
            let (age, method) = (format!("{:.1?}", call.age()), printable(&method_name(call)));
            let _ = writeln!(text, "{:>8} {age:>9} {method}", session.id);
        }
        text
    }

    fn heading(&self, server: &Server) -> String {
        let up = server.since.map_or("-".to_owned(), |since| age_at(self.time, since));
        let (sessions, running, rate) = (self.rows.len(), self.calls_running(), shown_rate(self.rate()));
        format!("{}  up {up}  sessions {sessions}  calls running {running}  calls/s {rate}\n", server.name)
    }

    fn to_json(&self) -> Value {
        let call = |call: &CallInfo| {
            json!({
                "method": method_name(call),
                "module_id": call.module,
                "method_id": call.method,
                "sequence": call.sequence,
                "age_us": call.age_us,
            })
        };
        let session = |Row { session, rate }: &Row<'_>| {
            json!({
                "id": session.id,
                "pid": session.pid,
                "process": session.process,
                "uid": session.uid,
                "gid": session.gid,
                "opened_at": session.opened_at().map(|time| humantime::format_rfc3339_millis(words::time(time)).to_string()),
                "calls_done": session.calls_done,
                "calls_per_second": rate,
                "calls_running": session.calls_running,
                "running": session.running.iter().map(call).collect::<Vec<_>>(),
            })
        };
        json!({
            "time": humantime::format_rfc3339_millis(self.time).to_string(),
            "calls_running": self.calls_running(),
            "calls_per_second": self.rate(),
            "sessions": self.rows.iter().map(session).collect::<Vec<_>>(),
        })
    }
}

impl Sort {
    fn order(self, one: &Row<'_>, other: &Row<'_>) -> Ordering {
        let (a, b) = (one.session, other.session);
        let oldest = |session: &SessionInfo| session.running.iter().map(|call| call.age_us).max();
        match self {
            Sort::Rate => other.rate.unwrap_or_default().total_cmp(&one.rate.unwrap_or_default()),
            Sort::Calls => b.calls_done.cmp(&a.calls_done),
            Sort::Running => b.calls_running.cmp(&a.calls_running),
            Sort::Age => oldest(b).cmp(&oldest(a)),
            Sort::Opened => b.id.cmp(&a.id),
        }
    }
}

fn method_name(call: &CallInfo) -> String {
    format!("{}.{}", call.module_name, call.method_name)
}

fn shown_rate(rate: Option<f64>) -> String {
    rate.map_or("-".to_owned(), |rate| format!("{rate:.1}"))
}

/// In the largest two units: `3h 4m`.
fn age_at(now: SystemTime, time: SystemTime) -> String {
    let age = now.duration_since(time).unwrap_or_default();
    let text = humantime::format_duration(Duration::from_secs(age.as_secs())).to_string();
    text.split(' ').take(2).collect::<Vec<_>>().join(" ")
}

/// The terminal, drawn on in place until this is dropped.
struct Screen(io::Stdout);

impl Screen {
    fn open() -> io::Result<Screen> {
        // Made first, so that what is begun is also ended.
        let mut screen = Screen(io::stdout());
        execute!(screen.0, EnterAlternateScreen, Hide)?;
        Ok(screen)
    }

    fn draw(&mut self, server: &Server, figures: &Figures<'_>) -> io::Result<()> {
        let (width, height) = terminal::size()?;
        let text = figures.table(server, usize::from(height));
        queue!(self.0, BeginSynchronizedUpdate, MoveTo(0, 0))?;
        for line in text.lines().take(usize::from(height).saturating_sub(1)) {
            let line: String = line.chars().take(usize::from(width)).collect();
            queue!(self.0, Print(line), Clear(ClearType::UntilNewLine), MoveToNextLine(1))?;
        }
        queue!(self.0, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        self.0.flush()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = execute!(self.0, Show, LeaveAlternateScreen);
    }
}

fn interval(text: &str) -> Result<Duration, String> {
    match words::duration(text) {
        Ok(Duration::ZERO) => Err("expected a time above 0, such as 500ms".to_owned()),
        parsed => parsed,
    }
}

/// Of a call of reflection.
fn unreflected(error: CallError) -> Failed {
    match error.status() {
        Some(Status::UNKNOWN_MODULE) => Failed::NoReflection(""),
        _ => Failed::Call(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(id: u64, calls_done: u64, ages_us: &[u64]) -> SessionInfo {
        let running = ages_us.iter().map(|age_us| CallInfo { age_us: *age_us, ..Default::default() });
        let calls_running = ages_us.len() as u32;
        SessionInfo { id, calls_done, calls_running, running: running.collect(), ..Default::default() }
    }

    fn look(at: Instant, sessions: Vec<SessionInfo>) -> Look {
        Look { at, time: SystemTime::now(), sessions, own: None }
    }

    #[test]
    fn rates_and_orders_are_those_between_two_looks() {
        let begun = Instant::now();
        let before = look(begun, vec![session(1, 10, &[]), session(2, 900, &[])]);
        let sessions = vec![session(1, 30, &[7]), session(2, 900, &[9, 1]), session(3, 4, &[])];
        let now = look(begun + Duration::from_secs(2), sessions);
        let rows = |sort| Figures::of(Some(&before), &now, sort).rows;
        let ids = |sort| rows(sort).iter().map(|row| row.session.id).collect::<Vec<_>>();
        let rates: Vec<_> = rows(Sort::Rate).iter().map(|row| (row.session.id, row.rate.unwrap())).collect();
        assert_eq!(rates, [(1, 10.0), (3, 2.0), (2, 0.0)]);
        assert_eq!(ids(Sort::Calls), [2, 1, 3]);
        assert_eq!(ids(Sort::Running), [2, 1, 3]);
        assert_eq!(ids(Sort::Age), [2, 1, 3]);
        assert_eq!(ids(Sort::Opened), [3, 2, 1]);
        assert_eq!(Figures::of(None, &now, Sort::Rate).rate(), None);
    }

    /// A server that was started anew counts its sessions anew.
    #[test]
    fn a_session_of_another_server_has_done_all_its_calls_since() {
        let begun = Instant::now();
        let opened = |id, opened_at_unix_ms, calls_done| SessionInfo {
            opened_at_unix_ms,
            ..session(id, calls_done, &[])
        };
        let before = look(begun, vec![opened(1, 1000, 900)]);
        let now = look(begun + Duration::from_secs(2), vec![opened(1, 5000, 10)]);
        assert_eq!(Figures::of(Some(&before), &now, Sort::Rate).rate(), Some(5.0));
    }

    #[test]
    fn a_small_terminal_shows_those_that_come_first() {
        let now = look(Instant::now(), (1..=50).map(|id| session(id, id, &[id])).collect());
        let figures = Figures::of(None, &now, Sort::Calls);
        let text = figures.table(&Server { name: "s.sock".into(), since: None }, 24);
        assert_eq!(text.lines().count(), 24);
        let first_words: Vec<_> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(first_words[2..5], ["50", "49", "48"]);
        // The calls that have run longest are there, whatever comes first.
        assert_eq!(first_words.iter().filter(|word| **word == "50").count(), 2);
    }
}
