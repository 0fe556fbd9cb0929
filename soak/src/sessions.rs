//! The sessions that come and go: of ten, one is killed in mid message, one never reads, and eight behave.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Stdio;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use drpc::{CallOptions, Caller, Client, ClientBuilder, Method, Upload, Wire, blocking, progress};
use futures_util::StreamExt;
use tokio::process::Command;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;

use crate::Error;
use crate::body::{LONGEST_PLAIN, body};
use crate::raw;
use crate::restarts::Restarts;

/// How many sessions there are at once.
const AT_ONCE: usize = 64;

/// How many calls a session makes that behaves.
const CALLS: usize = 10;

pub(crate) const ECHO: Method = Method::new(7, 700, "echo");
const SLOW_ECHO: Method = Method::new(7, 701, "slow_echo");
const NUMBERS: Method = Method::new(7, 703, "numbers").streaming();
const TAKE: Method = Method::new(7, 704, "take").client_streaming();

/// How long a call may take that is sure to be answered.
const PATIENCE: Duration = Duration::from_secs(60);

/// A client's settings, so that a reply that is lost is an error.
pub(crate) fn builder(socket: &Path) -> ClientBuilder {
    Client::builder(socket).timeout(PATIENCE)
}

/// What a wave is made of.
#[derive(Clone, Copy)]
pub(crate) struct Wave {
    pub(crate) sessions: usize,
    /// Of streams alone, which are opened and dropped.
    pub(crate) streams: bool,
}

/// What became of a wave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) sessions: usize,
    /// Those that were interrupted by a restart.
    pub(crate) interrupted: usize,
    pub(crate) calls: usize,
}

/// Runs the sessions of a wave; `done` tells how many have ended. An error is that of the first that went wrong.
pub(crate) async fn wave(
    socket: PathBuf,
    Wave { sessions, streams }: Wave,
    restarts: Arc<Restarts>,
    done: watch::Sender<usize>,
) -> Result<Tally, Error> {
    let permits = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    let mut tally = Tally::default();
    for number in 0..sessions {
        let permit = permits.clone().acquire_owned().await?;
        let (socket, restarts) = (socket.clone(), restarts.clone());
        running.spawn(async move {
            let began = restarts.mark();
            let result = session(number, streams, &socket).await;
            drop(permit);
            match result {
                Ok(calls) => Ok(Tally { sessions: 1, interrupted: 0, calls }),
                Err(_) if restarts.since(began) => Ok(Tally { sessions: 1, interrupted: 1, calls: 0 }),
                Err(error) => {
                    Err(Error::from(format!("session {number} ({}): {error}", kind(number, streams))))
                }
            }
        });
        while let Some(ended) = running.try_join_next() {
            tally.add(ended??);
            done.send_replace(tally.sessions);
        }
    }
    while let Some(ended) = running.join_next().await {
        tally.add(ended??);
        done.send_replace(tally.sessions);
    }
    Ok(tally)
}

/// Many calls of a packet each, at once, again and again: each of the server's threads comes to keep as many buffers as it may. A
/// measurement after this does not depend on how many it happened to keep before.
pub(crate) async fn fill_the_pools(socket: &Path) -> Result<(), Error> {
    const SESSIONS: usize = 256;
    const ROUNDS: usize = 8;
    let body = Bytes::from(vec![7; 131_000]);
    let mut running = JoinSet::<Result<(), Error>>::new();
    for _ in 0..SESSIONS {
        let (client, body) = (builder(socket).connect().await?, body.clone());
        running.spawn(async move {
            for _ in 0..ROUNDS {
                let response = client.call_raw(SLOW_ECHO, body.clone(), &CallOptions::new()).await?;
                check(&response.body, &body)?;
            }
            Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.sessions += other.sessions;
        self.interrupted += other.interrupted;
        self.calls += other.calls;
    }
}

/// What a session does, by its number.
fn kind(number: usize, streams: bool) -> &'static str {
    if streams {
        return [
            "drops streams",
            "drops uploads",
            "drops streams, blocking",
            "drops uploads, blocking",
            "drops streams, in steps",
            "drops uploads, in steps",
        ][number % 6];
    }
    match (number % 10, number / 10 % 4) {
        (0, 0 | 1) => "closes in mid message",
        (0, 2) => "exits in mid message",
        (0, _) => "stalls in mid message",
        (1, _) => "never reads",
        (2, _) => "half-closes",
        (3, 0 | 1) => "gives calls up",
        (3, 2) => "drops streams",
        (3, _) => "drops uploads",
        (4, _) => "leaves without waiting",
        (5 | 6, _) => "blocking",
        _ => "async",
    }
}

/// One session; gives how many calls were answered right.
async fn session(number: usize, streams: bool, socket: &Path) -> Result<usize, Error> {
    let wire = if number.is_multiple_of(3) { Wire::Plain } else { Wire::Chunked };
    match kind(number, streams) {
        "closes in mid message" => on_a_thread(socket, raw::close_in_mid_message).await,
        "exits in mid message" => exit_in_mid_message(socket).await,
        "stalls in mid message" => on_a_thread(socket, raw::stall_in_mid_message).await,
        "never reads" => on_a_thread(socket, raw::never_read).await,
        "half-closes" => on_a_thread(socket, raw::half_close).await,
        "gives calls up" => give_calls_up(number, socket).await,
        "drops streams" => drop_streams(number, socket).await,
        "drops uploads" => drop_uploads(number, socket).await,
        "drops streams, blocking" => {
            on_a_thread(socket, move |socket| drop_streams_blocking(number, socket)).await
        }
        "drops uploads, blocking" => {
            on_a_thread(socket, move |socket| drop_uploads_blocking(number, socket)).await
        }
        "drops streams, in steps" => {
            on_a_thread(socket, move |socket| drop_streams_in_steps(number, socket)).await
        }
        "drops uploads, in steps" => {
            on_a_thread(socket, move |socket| drop_uploads_in_steps(number, socket)).await
        }
        "leaves without waiting" => leave_without_waiting(number, socket).await,
        "blocking" => on_a_thread(socket, move |socket| call_blocking(number, socket, wire)).await,
        _ => call(number, socket, wire).await,
    }
}

/// Runs a session that blocks on a thread of its own, which takes what the thread has kept along when it ends.
async fn on_a_thread(
    socket: &Path,
    session: impl FnOnce(&Path) -> Result<usize, Error> + Send + 'static,
) -> Result<usize, Error> {
    let socket = socket.to_owned();
    let (done, result) = oneshot::channel();
    thread::Builder::new().spawn(move || done.send(session(&socket)))?;
    result.await?
}

async fn exit_in_mid_message(socket: &Path) -> Result<usize, Error> {
    let status =
        Command::new(std::env::current_exe()?).arg("die").arg(socket).stderr(Stdio::null()).status().await?;
    if status.success() { Ok(0) } else { Err(format!("it ended with {status}").into()) }
}

async fn call(number: usize, socket: &Path, wire: Wire) -> Result<usize, Error> {
    let client = builder(socket).wire(wire).connect().await?;
    for call in 0..CALLS {
        let body = body(number, call, longest(wire));
        let response = client.call_raw(ECHO, body.clone(), &CallOptions::new()).await?;
        check(&response.body, &body)?;
    }
    Ok(CALLS)
}

fn call_blocking(number: usize, socket: &Path, wire: Wire) -> Result<usize, Error> {
    let client = builder(socket).wire(wire).connect_blocking()?;
    for call in 0..CALLS {
        let body = body(number, call, longest(wire));
        let response = client.call_raw(ECHO, body.clone(), &CallOptions::new())?;
        check(&response.body, &body)?;
    }
    Ok(CALLS)
}

/// Every other call is given up before its reply can come; those between must be answered right (C4).
async fn give_calls_up(number: usize, socket: &Path) -> Result<usize, Error> {
    let client = builder(socket).connect().await?;
    let soon = CallOptions::new().timeout(Duration::from_millis(1));
    for call in 0..CALLS / 2 {
        let body = body(number, call, usize::MAX);
        match client.call_raw(SLOW_ECHO, "slow", &soon).await {
            Err(error) if error.is_timeout() => {}
            Err(error) => return Err(error.into()),
            // A machine that is busy may let the reply be there before the time-out is looked at.
            Ok(response) => check(&response.body, b"slow")?,
        }
        let response = client.call_raw(ECHO, body.clone(), &CallOptions::new()).await?;
        check(&response.body, &body)?;
    }
    Ok(CALLS / 2)
}

/// Opens streams, and drops each at another moment, its last at the session's end; the calls between go on.
async fn drop_streams(number: usize, socket: &Path) -> Result<usize, Error> {
    let client = builder(socket).connect().await?;
    let options = CallOptions::new().stream_credit(8, 1 << 20);
    let mut last = None;
    for call in 0..CALLS {
        let mut numbers = client.open_raw(NUMBERS, "", &options).await?;
        for expected in 0..((number + call) % 25) as u64 {
            let came = numbers.next().await.ok_or("a stream ended that has no end")??;
            check(&came, &expected.to_le_bytes())?;
        }
        last = Some(numbers);
        let body = body(number, call, usize::MAX);
        let response = client.call_raw(ECHO, body.clone(), &CallOptions::new()).await?;
        check(&response.body, &body)?;
    }
    drop(client);
    drop(last);
    Ok(CALLS)
}

/// Sends streams, and drops each at another moment, unless it is finished.
async fn drop_uploads(number: usize, socket: &Path) -> Result<usize, Error> {
    let client = builder(socket).connect().await?;
    for call in 0..CALLS {
        let mut upload: Upload<Bytes, Bytes> = client.upload(TAKE, (), &CallOptions::new()).await?;
        let numbers = ((number + call) * 37 % 400) as u64;
        for sent in 0..numbers {
            upload.send(Bytes::copy_from_slice(&sent.to_le_bytes())).await?;
        }
        if call % 3 == 0 {
            check(&upload.finish().await?, &numbers.to_le_bytes())?;
        }
        let body = body(number, call, usize::MAX);
        let response = client.call_raw(ECHO, body.clone(), &CallOptions::new()).await?;
        check(&response.body, &body)?;
    }
    Ok(CALLS)
}

fn drop_streams_blocking(number: usize, socket: &Path) -> Result<usize, Error> {
    let client = builder(socket).connect_blocking()?;
    for call in 0..CALLS {
        let numbers = client.open_raw(NUMBERS, "", &CallOptions::new().stream_credit(8, 1 << 20))?;
        for (came, expected) in numbers.zip(0..((number + call) % 25) as u64) {
            check(&came?, &expected.to_le_bytes())?;
        }
    }
    Ok(CALLS)
}

fn drop_uploads_blocking(number: usize, socket: &Path) -> Result<usize, Error> {
    let client = builder(socket).connect_blocking()?;
    for call in 0..CALLS {
        let mut upload: blocking::Upload<Bytes, Bytes> = client.upload(TAKE, (), &CallOptions::new())?;
        let numbers = ((number + call) * 37 % 400) as u64;
        for sent in 0..numbers {
            upload.send(Bytes::copy_from_slice(&sent.to_le_bytes()))?;
        }
        if call % 3 == 0 {
            check(&upload.finish()?, &numbers.to_le_bytes())?;
        }
    }
    Ok(CALLS)
}

fn drop_streams_in_steps(number: usize, socket: &Path) -> Result<usize, Error> {
    let client = builder(socket).connect_progress()?;
    let options = CallOptions::new().stream_credit(8, 1 << 20);
    for call in 0..CALLS {
        let mut numbers = in_steps(&client, client.open_raw(NUMBERS, "", &options))??;
        for expected in 0..((number + call) % 25) as u64 {
            let came = in_steps(&client, numbers.next())?.ok_or("a stream ended that has no end")??;
            check(&came, &expected.to_le_bytes())?;
        }
    }
    Ok(CALLS)
}

fn drop_uploads_in_steps(number: usize, socket: &Path) -> Result<usize, Error> {
    let client = builder(socket).connect_progress()?;
    for call in 0..CALLS {
        let opening = client.upload(TAKE, (), &CallOptions::new());
        let mut upload: progress::Upload<Bytes, Bytes> = in_steps(&client, opening)??;
        let numbers = ((number + call) * 37 % 400) as u64;
        for sent in 0..numbers {
            in_steps(&client, upload.send(Bytes::copy_from_slice(&sent.to_le_bytes())))??;
        }
        if call % 3 == 0 {
            check(&in_steps(&client, upload.finish())??, &numbers.to_le_bytes())?;
        }
    }
    Ok(CALLS)
}

/// Waits for a future, in steps of the client.
fn in_steps<T>(client: &progress::Client, future: impl Future<Output = T>) -> io::Result<T> {
    let (mut future, waker) = (pin!(future), client.waker());
    loop {
        if let Poll::Ready(outcome) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Ok(outcome);
        }
        client.progress(Duration::MAX)?;
    }
}

/// Calls without waiting for a response, and closes at once (C6, S6).
async fn leave_without_waiting(number: usize, socket: &Path) -> Result<usize, Error> {
    let client = builder(socket).connect().await?;
    for call in 0..CALLS {
        client.call_raw(ECHO, body(number, call, usize::MAX), &CallOptions::new().no_response()).await?;
    }
    Ok(0)
}

fn longest(wire: Wire) -> usize {
    if wire == Wire::Plain { LONGEST_PLAIN } else { usize::MAX }
}

/// Checks that the reply is the one to this call.
pub(crate) fn check(came: &Bytes, expected: &[u8]) -> Result<(), Error> {
    if came == expected {
        return Ok(());
    }
    Err(format!(
        "the reply is not the one to its call: {} bytes in place of {}, or others of that length",
        came.len(),
        expected.len()
    )
    .into())
}
