use std::io;
use std::time::Duration;

use rustix::io::Errno;

use crate::observe::peer_log::{Line, PeerLog};

/// How long to wait before the next try to accept: the kernel is out of descriptors or memory, and asking again at
/// once would be a busy loop (S4).
#[derive(Default)]
pub(super) struct Backoff {
    wait: Duration,
    log: PeerLog,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(5);
    pub(super) const LONGEST: Duration = Duration::from_millis(500);

    pub(super) fn wait(&self) -> Duration {
        self.wait
    }

    /// A connection was accepted, or there is reason to think that one can be.
    pub(super) fn reset(&mut self) {
        self.wait = Duration::ZERO;
    }

    /// No connection could be accepted; that is logged.
    pub(super) fn increase(&mut self, error: &io::Error) {
        // A client that gave up says nothing about the next one.
        if Errno::from_io_error(error) != Some(Errno::CONNABORTED) {
            self.wait = (self.wait * 2).clamp(Self::FIRST, Self::LONGEST);
        }
        if self.log.admits(Line::NotAccepted) {
            tracing::error!(%error, wait = ?self.wait, "could not accept a connection");
        }
    }
}
