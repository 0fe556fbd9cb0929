//! The twin of `on_tokio` for builds without the client on tokio.

use std::future::Future;
use std::io;
use std::time::{Duration, Instant};

use super::runtime::Sleep;
use crate::transport::{Link, Socket};

#[derive(Clone, Copy)]
pub(super) enum Tokio {}

#[derive(Debug)]
pub(super) enum Task {}

impl Tokio {
    pub(super) fn is_running(self) -> bool {
        match self {}
    }

    pub(super) fn clock(self) -> fn() -> Instant {
        match self {}
    }

    pub(super) fn sleep_until(self, _: Instant) -> Sleep {
        match self {}
    }

    pub(super) fn spawn(self, _: impl Future<Output = ()> + Send + 'static) -> Task {
        match self {}
    }

    pub(super) fn link(self, _: Socket, _: Duration) -> io::Result<Link> {
        match self {}
    }
}

impl Task {
    pub(super) fn abort(&self) {
        match *self {}
    }
}
