//! How the tool ends: its exit codes, and what it says of errors.

use std::error::Error;
use std::future::Future;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use drpc::{BindError, CallError, ConnectError};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_default};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::recording::ReadError;
use crate::schema::{SchemaError, UnknownName};
use crate::target::ConfigError;

/// The answer is another one than was hoped for: a status other than SUCCESS, a mistake, a difference.
pub(crate) const OTHERWISE: u8 = 1;
/// What was given is not fit for what is asked: the command line, as clap has it, or a file.
pub(crate) const UNUSABLE: u8 = 2;
/// It could not be done: there is no answer, or the output can't be written.
pub(crate) const NOT_MADE: u8 = 3;

/// Why a command that deals with servers came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Schema(#[from] SchemaError),
    #[error(transparent)]
    Name(#[from] UnknownName),
    #[error(transparent)]
    Recording(#[from] ReadError),
    /// What was given is not fit for what is asked.
    #[error("{0}")]
    Given(String),
    /// And what to do instead.
    #[error("the server has no reflection; it needs `.reflection(true)` where it is built{0}")]
    NoReflection(&'static str),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Call(#[from] CallError),
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("can't begin")]
    Begin(#[source] io::Error),
    #[error("interrupted before there was an answer")]
    Interrupted,
    #[cfg(feature = "grpc")]
    #[error(transparent)]
    Gateway(#[from] drpc_grpc::ServeError),
    #[error("can't serve any more")]
    Serve(#[source] io::Error),
    #[error("can't write {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("can't write the output")]
    Output(#[from] io::Error),
}

impl Failed {
    fn code(&self) -> u8 {
        match self {
            Failed::Schema(SchemaError::Reflection { .. }) => NOT_MADE,
            Failed::Config(_)
            | Failed::Schema(_)
            | Failed::Name(_)
            | Failed::Recording(_)
            | Failed::Given(_) => UNUSABLE,
            _ => NOT_MADE,
        }
    }
}

/// The exit code of what a command came to; says why, if that is nothing.
pub(crate) fn ended(outcome: Result<ExitCode, Failed>) -> ExitCode {
    match outcome {
        Ok(code) => code,
        // Who read has seen enough.
        Err(Failed::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failed) => {
            print_error(&failed);
            ExitCode::from(failed.code())
        }
    }
}

/// Runs what waits for a server, on this thread.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T, Failed>>) -> Result<T, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(Failed::Begin)?.block_on(future)
}

/// Ctrl-c, or a polite request to end.
///
/// A second one ends the process as if it were not handled: what waits may wait for ever, for a reader who does not read.
pub(crate) struct Interrupt {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupt {
    /// From here on neither ends the process by itself: call it before there is anything to interrupt.
    pub(crate) fn listen() -> Result<Self, Failed> {
        let listen = |kind| signal(kind).map_err(Failed::Begin);
        let (interrupt, terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
        let came = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first one that comes finds that none came before.
            register_conditional_default(signal, came.clone()).map_err(Failed::Begin)?;
            register(signal, came.clone()).map_err(Failed::Begin)?;
        }
        Ok(Self { interrupt, terminate })
    }

    pub(crate) async fn came(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => (),
            _ = self.terminate.recv() => (),
        }
    }
}

/// What is written to it is written where somebody reads, and else of no matter: the exit code tells, too.
pub(crate) struct Lasting<W>(pub(crate) W);

impl<W: Write> Write for Lasting<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(bytes.len()),
            written => written,
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            flushed => flushed,
        }
    }
}

/// Says why there is no answer, and the causes of that.
pub(crate) fn print_error(error: &dyn Error) {
    note!("drpc: {error}");
    let mut said = error.to_string();
    for cause in std::iter::successors(error.source(), |error| (*error).source()) {
        let cause = cause.to_string();
        if !said.contains(&cause) {
            note!("  because: {cause}");
            said.push_str(&cause);
        }
    }
}
