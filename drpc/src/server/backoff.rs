use std::io;
use std::time::Duration;

use rustix::io::Errno;

/// How long to wait before the next try to accept: the kernel is out of descriptors or memory, and asking again at
/// once would be a busy loop (S4).
#[derive(Default)]
pub(super) struct Backoff(Duration);

impl Backoff {
    const FIRST: Duration = Duration::from_millis(5);
    pub(super) const LONGEST: Duration = Duration::from_millis(500);

    pub(super) fn wait(&self) -> Duration {
        self.0
    }

    pub(super) fn increase(&mut self, error: &io::Error) {
        // A client that gave up says nothing about the next one.
        if Errno::from_io_error(error) != Some(Errno::CONNABORTED) {
            self.0 = (self.0 * 2).clamp(Self::FIRST, Self::LONGEST);
        }
    }
}
