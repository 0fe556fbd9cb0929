use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::time;

use super::runtime::Sleep;
use crate::transport::{AsyncSocket, Link, Socket};

/// The runtime of tokio that the caller is in.
#[derive(Clone, Copy)]
pub(super) struct Tokio;

pub(super) type Task = tokio::task::AbortHandle;

impl Tokio {
    pub(super) fn is_running(self) -> bool {
        Handle::try_current().is_ok()
    }

    /// The runtime's clock, which a test may have paused.
    pub(super) fn clock(self) -> fn() -> Instant {
        || time::Instant::now().into_std()
    }

    pub(super) fn sleep_until(self, at: Instant) -> Sleep {
        Box::pin(time::sleep_until(at.into()))
    }

    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub(super) fn spawn(self, task: impl Future<Output = ()> + Send + 'static) -> Task {
        tokio::spawn(task).abort_handle()
    }

    pub(super) fn link(self, socket: Socket, spin: Duration) -> io::Result<Link> {
        Ok(Link::Socket(AsyncSocket::new(socket)?.spinning(spin)))
    }
}
