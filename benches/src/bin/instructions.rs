//! How many instructions a call of 64 B costs each side, counted by valgrind's callgrind: a figure that a noisy machine leaves
//! alone, and so the one to hold against the last.
//!
//! ```sh
//! cargo run --release -p drpc-bench --bin instructions             # fails where a side costs more than recorded
//! cargo run --release -p drpc-bench --bin instructions -- --record # writes the figures down
//! ```
//!
//! Each side is counted in a process of its own, over two numbers of calls; what is the same in both, as starting and
//! connecting, falls out. The other side pauses before each packet, so that the counted one always sleeps in between, as it does
//! where calls are rare. System calls count as nothing here: they are the kernel's.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use clap::{Parser, ValueEnum};
use drpc::{Client, Server, blocking, drpc_module, server::shutdown_signal};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

/// The figures of the last change that was meant to change them: a side and its instructions a call on each line.
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results/instructions.txt");

/// What a figure may grow by before it counts as a regression.
const TOLERANCE: f64 = 1.05;

/// The two numbers of calls.
const CALLS: [u64; 2] = [500, 2_500];

const SIZE: usize = 64;

/// How long the side that is not counted pauses: long enough for the other to go to sleep, at a fiftieth of its speed.
const PAUSE: Duration = Duration::from_micros(500);

#[derive(Parser)]
#[command(about = "Counts the instructions of a call")]
struct Args {
    /// Write the figures down, in place of comparing them.
    #[arg(long)]
    record: bool,
    /// What a process started by this one does.
    #[arg(long, hide = true, requires_all = ["socket", "calls"])]
    role: Option<Side>,
    #[arg(long, hide = true)]
    socket: Option<PathBuf>,
    #[arg(long, hide = true)]
    calls: Option<u64>,
    #[arg(long, hide = true)]
    pausing: bool,
}

/// The sides of a call.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    Server,
    ServerInThreads,
    ServerInSteps,
    BlockingClient,
    AsyncClient,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(bytes = "bytes", tag = "1")]
    body: Bytes,
}

struct Echo {
    pause: Duration,
}

#[drpc_module(id = 7)]
impl Echo {
    #[method(0)]
    async fn echo(&self, message: Message) -> Message {
        pause(self.pause);
        message
    }
}

fn pause(time: Duration) {
    if !time.is_zero() {
        thread::sleep(time);
    }
}

fn main() -> Result<ExitCode> {
    let args = Args::parse();
    if let (Some(role), Some(socket), Some(calls)) = (args.role, args.socket, args.calls) {
        let pause = if args.pausing { PAUSE } else { Duration::ZERO };
        play(role, &socket, calls, pause)?;
        return Ok(ExitCode::SUCCESS);
    }
    let recorded = if args.record { BTreeMap::new() } else { recorded()? };
    let mut figures = String::new();
    let mut grown = false;
    for side in Side::value_variants() {
        let [few, many] = CALLS.map(|calls| count(*side, calls));
        let per_call = (many? - few?) / (CALLS[1] - CALLS[0]);
        let before = recorded.get(side.name()).copied();
        let worse = before.is_some_and(|before| per_call as f64 > before as f64 * TOLERANCE);
        grown |= worse;
        let verdict = match before {
            Some(before) => format!("recorded {before}{}", if worse { ", GROWN" } else { "" }),
            None => "not recorded".to_owned(),
        };
        println!("{:17} {per_call:6} instructions a call ({verdict})", side.name());
        figures += &format!("{} {per_call}\n", side.name());
    }
    if args.record {
        fs::write(RECORDED, figures).context(RECORDED)?;
        println!("written to {RECORDED}");
    }
    if grown {
        eprintln!("a call costs over 5 % more than recorded: find out why, or accept it with --record");
    }
    Ok(if grown { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// The figures that are written down.
fn recorded() -> Result<BTreeMap<String, u64>> {
    let text = fs::read_to_string(RECORDED).context(RECORDED)?;
    let figure = |line: &str| {
        let (side, figure) = line.split_once(' ').context("a side and a number")?;
        anyhow::Ok((side.to_owned(), figure.parse()?))
    };
    text.lines().map(|line| figure(line).with_context(|| format!("{RECORDED}: {line}"))).collect()
}

/// The instructions of one side's process that made or took so many calls.
fn count(side: Side, calls: u64) -> Result<u64> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("socket");
    let counts = folder.path().join("counts");
    let (server, caller) = if side.is_server() { (side, Side::BlockingClient) } else { (Side::Server, side) };
    let server = start(server, &socket, calls, side.is_server().then_some(&*counts))?;
    let client = start(caller, &socket, calls, (!side.is_server()).then_some(&*counts))?;
    end(client)?;
    rustix::process::kill_process(rustix::process::Pid::from_child(&server), rustix::process::Signal::TERM)?;
    end(server)?;
    let counts = fs::read_to_string(&counts).context("what callgrind wrote")?;
    let total =
        counts.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    Ok(total.context("callgrind wrote no total")?.trim().parse()?)
}

/// Starts one side, under callgrind if its instructions are wanted, and waits until it says that it is ready.
fn start(side: Side, socket: &Path, calls: u64, counts: Option<&Path>) -> Result<Child> {
    let program = std::env::current_exe()?;
    let mut command = match counts {
        None => {
            let mut command = Command::new(program);
            command.arg("--pausing");
            command
        }
        Some(counts) => {
            let mut command = Command::new("valgrind");
            command.args(["--quiet", "--tool=callgrind"]);
            command.arg(format!("--callgrind-out-file={}", counts.display())).arg(program);
            command
        }
    };
    command.arg("--role").arg(side.name()).arg("--socket").arg(socket);
    command.args(["--calls", &calls.to_string()]).stdout(Stdio::piped());
    let mut child = command.spawn().context("starting valgrind, which this needs: install it")?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
    ensure!(line == "ready\n", "the {} ended before it was ready", side.name());
    Ok(child)
}

fn end(mut child: Child) -> Result<()> {
    let status = child.wait()?;
    if !status.success() {
        bail!("a process ended with {status}");
    }
    Ok(())
}

/// What a process under the counter, or opposite to it, does.
fn play(side: Side, socket: &Path, calls: u64, pause_for: Duration) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let message = Message { body: vec![7; SIZE].into() };
    match side {
        Side::Server => runtime.block_on(async {
            let server = Server::builder().module(Echo { pause: pause_for }).bind(socket)?;
            println!("ready");
            server.serve_until(shutdown_signal()).await?;
            Ok(())
        }),
        Side::ServerInThreads => {
            let server = Server::builder().module(Echo { pause: pause_for }).bind_blocking(socket)?;
            let handle = server.handle();
            on_term(move || handle.shutdown())?;
            println!("ready");
            server.serve()?;
            Ok(())
        }
        Side::ServerInSteps => {
            let mut server = Server::builder().module(Echo { pause: pause_for }).bind_progress(socket)?;
            let (waker, ended) = (server.waker(), Arc::new(AtomicBool::new(false)));
            let end = ended.clone();
            on_term(move || {
                end.store(true, Ordering::Relaxed);
                waker.wake_by_ref();
            })?;
            println!("ready");
            while !ended.load(Ordering::Relaxed) {
                server.progress(Duration::MAX)?;
            }
            Ok(())
        }
        Side::BlockingClient => {
            let echo = EchoClient::new(blocking::Client::connect(socket)?);
            println!("ready");
            for _ in 0..calls {
                pause(pause_for);
                ensure!(echo.echo(message.clone())? == message, "the echo is another");
            }
            Ok(())
        }
        Side::AsyncClient => {
            let socket = socket.to_owned();
            let call = async move {
                let echo = EchoClient::new(Client::connect(socket).await?);
                println!("ready");
                for _ in 0..calls {
                    ensure!(echo.echo(message.clone()).await? == message, "the echo is another");
                }
                anyhow::Ok(())
            };
            // Spawned, as a daemon's calls are: the future of `block_on` is scheduled at greater cost.
            runtime.block_on(async { tokio::spawn(call).await? })
        }
    }
}

/// Does something when this process is asked to end.
fn on_term(act: impl Fn() + Send + 'static) -> Result<()> {
    let mut signals = Signals::new([SIGTERM])?;
    thread::spawn(move || signals.forever().for_each(|_| act()));
    Ok(())
}

impl Side {
    fn is_server(self) -> bool {
        matches!(self, Side::Server | Side::ServerInThreads | Side::ServerInSteps)
    }

    fn name(self) -> &'static str {
        match self {
            Side::Server => "server",
            Side::ServerInThreads => "server-in-threads",
            Side::ServerInSteps => "server-in-steps",
            Side::BlockingClient => "blocking-client",
            Side::AsyncClient => "async-client",
        }
    }
}
