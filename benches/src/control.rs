//! The talk between the measuring process and those it measures: lines on their stdin and stdout.
//!
//! ```text
//! server: ready            ◀ usage   usage {…}   ◀ usage   usage {…}   ◀ (end of file: exits)
//! client: ready (warm)     ◀ go      done {…}                          ◀ (end of file: exits)
//! ```

use std::io::{BufRead, Write, stdin, stdout};
use std::process::exit;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::job::Outcome;
use crate::usage::cpu_time;

/// Answers questions about this server's process from a thread of its own, which sleeps between them, and ends the process
/// when nobody is left who could ask.
pub(crate) fn answer_for_server() {
    thread::spawn(|| {
        for line in stdin().lines() {
            match line.as_deref() {
                Ok("usage") => say(&format!("usage {}", cpu_time().as_nanos())),
                _ => break,
            }
        }
        exit(0);
    });
}

/// Says that the server listens, or that the client is warm.
pub(crate) fn ready() {
    say("ready");
}

/// Waits, in a client, for the word to begin.
pub(crate) fn wait_for_go() -> Result<()> {
    let mut line = String::new();
    stdin().lock().read_line(&mut line).context("waiting for the word to begin")?;
    match line.trim_end() {
        "go" => Ok(()),
        "" => bail!("the benchmark is gone"),
        other => bail!("`go` expected, not `{other}`"),
    }
}

/// Says what the client has measured, and keeps its connections until the word to end.
pub(crate) fn done(outcome: &Outcome) -> Result<()> {
    say(&format!("done {}", serde_json::to_string(outcome)?));
    let mut line = String::new();
    stdin().lock().read_line(&mut line).context("waiting for the word to end")?;
    Ok(())
}

/// Ends this process with an error if it is not done in time: a system that hangs must not hold up the others.
pub(crate) fn watchdog(limit: Duration) {
    thread::spawn(move || {
        thread::sleep(limit);
        eprintln!("error: not done after {limit:?}");
        exit(1);
    });
}

fn say(line: &str) {
    // Nobody there to be told: the next read tells that.
    drop(writeln!(stdout().lock(), "{line}").and_then(|()| stdout().flush()));
}
