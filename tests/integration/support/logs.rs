use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

use tracing::{Dispatch, Subscriber};
use tracing_subscriber::fmt::MakeWriter;

use super::PATIENCE;

/// What is logged, to be looked at.
#[derive(Clone, Default)]
pub(crate) struct Logs(Arc<Shared>);

#[derive(Default)]
struct Shared {
    text: Mutex<String>,
    grown: Condvar,
}

impl Logs {
    /// Collects what is logged on this thread for as long as the guard lives, and by the servers and clients that it starts.
    pub(crate) fn of_this_thread() -> (Logs, tracing::subscriber::DefaultGuard) {
        let logs = Logs::default();
        let guard = tracing::dispatcher::set_default(&logs.dispatch());
        (logs, guard)
    }

    /// Collects what is logged in the whole process, for a test that is isolated.
    pub(crate) fn of_this_process() -> Logs {
        let logs = Logs::default();
        tracing::dispatcher::set_global_default(logs.dispatch()).expect("the first of this process");
        logs
    }

    fn dispatch(&self) -> Dispatch {
        asked(tracing_subscriber::fmt().with_ansi(false).with_writer(self.clone()).finish())
    }

    #[track_caller]
    pub(crate) fn assert_contain(&self, needle: &str) {
        let text = self.text();
        assert!(text.contains(needle), "`{needle}` is not in the log:\n{text}");
    }

    #[track_caller]
    pub(crate) fn assert_lack(&self, needle: &str) {
        let text = self.text();
        assert!(!text.contains(needle), "`{needle}` is in the log:\n{text}");
    }

    /// How many lines have it.
    pub(crate) fn count(&self, needle: &str) -> usize {
        self.text().lines().filter(|line| line.contains(needle)).count()
    }

    /// Waits until something is logged.
    pub(crate) fn wait_for(&self, needle: &str) {
        let waited = self.0.grown.wait_timeout_while(self.text(), PATIENCE, |text| !text.contains(needle));
        let (text, result) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!result.timed_out(), "`{needle}` was not logged:\n{text}");
    }

    fn text(&self) -> MutexGuard<'_, String> {
        self.0.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A subscriber that is asked about each span and event.
///
/// Of a single subscriber tracing asks nothing: a thread that logs to none and comes by first decides for all.
pub(super) fn asked(subscriber: impl Subscriber + Send + Sync) -> Dispatch {
    static SECOND: OnceLock<Dispatch> = OnceLock::new();
    SECOND.get_or_init(|| Dispatch::new(tracing_subscriber::registry()));
    Dispatch::new(subscriber)
}

impl io::Write for Logs {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.text().push_str(&String::from_utf8_lossy(line));
        self.0.grown.notify_all();
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Logs {
    type Writer = Logs;

    fn make_writer(&'a self) -> Logs {
        self.clone()
    }
}
