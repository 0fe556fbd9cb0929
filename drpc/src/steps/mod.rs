//! What is driven in steps, by a loop of the caller's own: the parts that the server and the client have in common.

pub(crate) mod poller;
pub(crate) mod timers;
pub(crate) mod wakeup;

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Something that makes a step whenever its owner says so. Its descriptor can be read when there is something to do.
pub(crate) trait Stepped: AsFd + Send + Sync {
    /// When a step is due even if nothing happens.
    fn next_deadline(&self) -> Option<Instant>;

    /// Does what there is to do, after waiting for it up to `timeout`.
    fn step(&self, timeout: Duration) -> io::Result<()>;
}
