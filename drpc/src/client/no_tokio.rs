//! The twin of `on_tokio` for builds without the client on tokio.

use std::future::Future;
use std::io;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::error::CallError;
use super::runtime::Sleep;
use crate::transport::{Link, Socket};
use crate::wire::{Body, Response};

#[derive(Clone, Copy)]
pub(super) enum Tokio {}

#[derive(Debug)]
pub(super) enum Task {}

pub(super) enum Carried {}

pub(super) enum CarriedItems {}

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

impl Carried {
    pub(super) fn poll_next(&mut self, _: &mut Context<'_>) -> Poll<Option<Result<Response, CallError>>> {
        match *self {}
    }
}

impl CarriedItems {
    pub(super) fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<bool> {
        match *self {}
    }

    pub(super) fn poll_end(&self, _: &Context<'_>) -> Poll<()> {
        match *self {}
    }

    pub(super) fn send(&mut self, _: Body) -> Result<(), CallError> {
        match *self {}
    }

    pub(super) fn end(&self) {
        match *self {}
    }
}
