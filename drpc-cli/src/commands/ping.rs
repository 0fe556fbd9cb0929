//! `drpc ping`: whether a server is up, who it is, and how long it takes to answer.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use drpc::health::{HealthClient, ServingStatus};
use drpc::reflection::{Catalogue, ReflectionClient};
use drpc::{AddedFields, Allow, CallError, CallOptions, Method, PeerCredentials, Wire};
use serde_json::{Value, json};

use crate::exit::{Failed, Interrupt, OTHERWISE, block_on, ended};
use crate::progress::Progress;
use crate::target::{Target, TargetArgs};
use crate::words::{self, count, printable};

/// Ask whether a server is up, which wire it speaks, who serves it, and how long it takes.
///
/// It works with every dRPC server, DAOS's too: a ping is the call by which clients find out the wire, an empty one of method 0 of module 0, and any
/// answer to it counts. What a health check and reflection tell is shown where the server has them. (A server that has a method of those IDs carries it out.)
///
/// Exit code: 0 if it answers, 1 if it answers that it does not serve, 2 if the command line is wrong, 3 if it can't be connected to or does not answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  drpc ping /run/greeter.sock
  drpc ping /run/daos_agent/daos_agent.sock -n 100 --json")]
pub(crate) struct PingArgs {
    #[command(flatten)]
    target: TargetArgs,
    /// How many pings to send, one after the other. Ctrl-c ends it before.
    #[arg(short = 'n', long, value_name = "PINGS", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Print one JSON object; times in microseconds.
    #[arg(long)]
    json: bool,
}

/// The call by which clients find out the wire: nothing is carried out by it, unless the server has such a method.
const PROBE: Method = Method::new(0, 0, "probe");

pub(crate) fn run(args: &PingArgs) -> ExitCode {
    ended(block_on(ping(args)).and_then(|answered| tell(args, &answered)))
}

async fn ping(args: &PingArgs) -> Result<Answered, Failed> {
    let target = args.target.find()?;
    let server = Arc::new(OnceLock::new());
    let noted = server.clone();
    // Whoever it is may serve: this only looks.
    let noting = Allow::when(move |session| {
        noted.get_or_init(|| session.peer().clone());
        true
    });
    let begun = Instant::now();
    let client = target.client(AddedFields::NONE).server(noting).connect().await?;
    let connecting = begun.elapsed();
    let wire = client.wire();
    let mut pings = Vec::new();
    let (mut interrupt, progress) = (Interrupt::listen()?, Progress::new(Some(args.count.into())));
    let pinging = async {
        for sent in 1..=u64::from(args.count) {
            let begun = Instant::now();
            client.call_raw(PROBE, "", &CallOptions::new()).await?;
            pings.push(begun.elapsed());
            progress.show(sent, || count(pings.len(), "ping"));
        }
        Ok::<(), Failed>(())
    };
    let was_interrupted = tokio::select! {
        pinged = pinging => pinged.map(|()| false)?,
        // What has been measured is told.
        () = interrupt.came() => true,
    };
    drop(progress);
    if pings.is_empty() {
        return Err(Failed::Interrupted);
    }
    pings.sort_unstable();
    let (mut health, mut catalogue) = (Told::NoAnswer, Told::NoAnswer);
    let asking = async {
        health = Told::of(HealthClient::new(client.clone()).check("").await);
        catalogue = Told::of(ReflectionClient::new(client).catalogue().await);
    };
    let interrupted = async {
        match was_interrupted {
            true => tokio::time::sleep(SHORTLY).await,
            false => interrupt.came().await,
        }
    };
    tokio::select! {
        () = asking => {}
        () = interrupted => {}
    }
    Ok(Answered {
        wire,
        server: server.get().cloned(),
        since: Since::of(catalogue.get(), &target),
        health: health.map(|reply| reply.status()),
        modules: catalogue.map(|catalogue| catalogue.modules.len()),
        connecting,
        pings,
    })
}

/// How long what else is asked for may take once it is interrupted.
const SHORTLY: Duration = Duration::from_millis(300);

/// What a module of the server's tells.
enum Told<T> {
    Is(T),
    /// It does not serve the module.
    HasNone,
    /// It does not answer; or nobody waited for it.
    NoAnswer,
}

impl<T> Told<T> {
    fn of(reply: Result<T, CallError>) -> Told<T> {
        match reply {
            Ok(reply) => Told::Is(reply),
            Err(error) if error.status().is_some() => Told::HasNone,
            Err(_) => Told::NoAnswer,
        }
    }

    fn get(&self) -> Option<&T> {
        match self {
            Told::Is(told) => Some(told),
            _ => None,
        }
    }

    fn map<U>(self, of: impl FnOnce(T) -> U) -> Told<U> {
        match self {
            Told::Is(told) => Told::Is(of(told)),
            Told::HasNone => Told::HasNone,
            Told::NoAnswer => Told::NoAnswer,
        }
    }
}

fn tell(args: &PingArgs, answered: &Answered) -> Result<ExitCode, Failed> {
    let written = match args.json {
        true => writeln!(io::stdout(), "{}", answered.to_json()),
        false => write!(io::stdout(), "{answered}"),
    };
    written.map_err(Failed::Output)?;
    Ok(match answered.health {
        Told::Is(ServingStatus::NotServing) => ExitCode::from(OTHERWISE),
        _ => ExitCode::SUCCESS,
    })
}

/// What came of it.
struct Answered {
    wire: Option<Wire>,
    server: Option<PeerCredentials>,
    since: Option<Since>,
    health: Told<ServingStatus>,
    /// How many modules may be called.
    modules: Told<usize>,
    connecting: Duration,
    /// The shortest first; at least one.
    pings: Vec<Duration>,
}

/// Since when a server is there.
struct Since {
    time: SystemTime,
    /// It says so itself. Else it is since when its socket file is there.
    is_told: bool,
}

impl Since {
    fn of(catalogue: Option<&Catalogue>, target: &Target) -> Option<Since> {
        let told = catalogue.and_then(Catalogue::serving_since);
        let told = told.map(|time| Since { time: words::time(time), is_told: true });
        told.or_else(|| {
            let time = fs::metadata(&target.known.path).and_then(|file| file.modified()).ok()?;
            Some(Since { time: words::time(time), is_told: false })
        })
    }
}

impl Answered {
    fn min(&self) -> Duration {
        self.pings[0]
    }

    fn median(&self) -> Duration {
        self.pings[self.pings.len() / 2]
    }

    fn max(&self) -> Duration {
        self.pings[self.pings.len() - 1]
    }

    /// What the server's process is called, if it can be known.
    fn process(&self) -> Option<String> {
        let pid = self.server.as_ref()?.pid()?;
        let name = fs::read(format!("/proc/{pid}/comm")).ok()?;
        Some(printable(&String::from_utf8_lossy(name.trim_ascii_end())))
    }

    fn to_json(&self) -> Value {
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        let server = self.server.as_ref();
        json!({
            "wire": match self.wire {
                Some(Wire::Chunked) => Some("chunked"),
                Some(Wire::Plain) => Some("plain"),
                None => None,
            },
            "pid": server.and_then(PeerCredentials::pid),
            "process": self.process(),
            "uid": server.map(PeerCredentials::uid),
            "gid": server.map(PeerCredentials::gid),
            "since": self.since.as_ref().map(|since| humantime::format_rfc3339_seconds(since.time).to_string()),
            "since_is_of_socket_file": self.since.as_ref().map(|since| !since.is_told),
            "health": self.health.get().map(|status| status.to_string()),
            "modules": self.modules.get(),
            "connect_us": us(self.connecting),
            "pings": self.pings.len(),
            "min_us": us(self.min()),
            "median_us": us(self.median()),
            "max_us": us(self.max()),
        })
    }
}

impl fmt::Display for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "it is up")?;
        match self.wire {
            Some(Wire::Chunked) => writeln!(f, "  wire        chunked (DAOS 2.8)")?,
            Some(Wire::Plain) => writeln!(f, "  wire        plain (DAOS 2.6)")?,
            None => {}
        }
        if let Some(server) = &self.server {
            let process = self.process().map(|name| format!(" ({name})")).unwrap_or_default();
            writeln!(f, "  served by   {server}{process}")?;
        }
        if let Some(Since { time, is_told }) = &self.since {
            let age = time.elapsed().unwrap_or_default();
            let age = humantime::format_duration(Duration::from_secs(age.as_secs()));
            let what = if *is_told { "" } else { ": the age of its socket file" };
            let time = humantime::format_rfc3339_seconds(*time);
            writeln!(f, "  since       {time}, {age} ago{what}")?;
        }
        match &self.health {
            Told::Is(status) => writeln!(f, "  health      {status}")?,
            Told::HasNone => writeln!(f, "  health      unknown: it has no health check")?,
            Told::NoAnswer => writeln!(f, "  health      unknown: it did not say in time")?,
        }
        match &self.modules {
            Told::Is(modules) => writeln!(f, "  modules     {modules}, by its reflection")?,
            Told::HasNone => writeln!(f, "  modules     unknown: it has no reflection")?,
            Told::NoAnswer => writeln!(f, "  modules     unknown: it did not say in time")?,
        }
        writeln!(f, "  connecting  {:.1?}", self.connecting)?;
        let (pings, min, median, max) =
            (count(self.pings.len(), "ping"), self.min(), self.median(), self.max());
        writeln!(f, "  {pings:<11} min {min:.1?}, median {median:.1?}, max {max:.1?}")
    }
}
