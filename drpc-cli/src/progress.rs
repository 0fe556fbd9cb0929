//! How far something has come, on standard error where that is a terminal: of what takes longer than a second.

use std::cell::Cell;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long nothing is shown.
const PATIENCE: Duration = Duration::from_secs(1);

/// Gone from the terminal when dropped.
pub(crate) struct Progress {
    bar: ProgressBar,
    due: Cell<Option<Instant>>,
}

impl Progress {
    /// Of so much; `None` if nobody knows of how much.
    pub(crate) fn new(length: Option<u64>) -> Self {
        let template = if length.is_some() { "{bar:40} {percent:>3}% {msg}" } else { "{spinner} {msg}" };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden()).with_style(style);
        Progress { bar, due: Cell::new(Some(Instant::now() + PATIENCE)) }
    }

    /// Now at so much of it.
    pub(crate) fn show(&self, position: u64, message: impl FnOnce() -> String) {
        if self.due.get().is_some_and(|due| Instant::now() >= due) {
            self.due.set(None);
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        if !self.bar.is_hidden() {
            self.bar.set_message(message());
            self.bar.set_position(position);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
