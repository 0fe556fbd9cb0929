use std::io;
use std::time::Duration;

use rustix::io::Errno;

use crate::observe::peer_log::{Line, PeerLog};

/// How long to wait before the next try to accept: the kernel is out of descriptors or memory, and asking again at
/// once would be a busy loop (S4).
#[derive(Default)]
pub(super) struct Backoff {
    wait: Duration,
    /// There is reason to try once more, without a pause.
    try_now: bool,
    log: PeerLog,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(5);
    pub(super) const LONGEST: Duration = Duration::from_millis(500);

    pub(super) fn wait(&self) -> Duration {
        if self.try_now { Duration::ZERO } else { self.wait }
    }

    /// What is wrong with a listening socket that has failed or was shut down, and of which nothing is to be accepted: it would wake for ever.
    pub(super) fn hung_up() -> io::Error {
        io::Error::other("the listening socket has hung up")
    }

    /// A connection was accepted.
    pub(super) fn reset(&mut self) {
        self.wait = Duration::ZERO;
    }

    /// Has the next try made at once: a session has given its descriptor back. If it fails, the pause is as long as it would have been: sessions may come and
    /// go as often as their clients like.
    pub(super) fn try_now(&mut self) {
        self.try_now = true;
    }

    /// No connection could be accepted; that is logged.
    pub(super) fn increase(&mut self, error: &io::Error) {
        self.try_now = false;
        // A client that gave up says nothing about the next one.
        if Errno::from_io_error(error) != Some(Errno::CONNABORTED) {
            self.wait = (self.wait * 2).clamp(Self::FIRST, Self::LONGEST);
        }
        if self.log.admits(Line::NotAccepted) {
            tracing::error!(%error, wait = ?self.wait, "could not accept a connection");
        }
    }
}
