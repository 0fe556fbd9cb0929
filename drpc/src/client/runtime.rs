//! On what the futures of a client wait: tokio, or the steps of a loop.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use super::on_tokio::{self, Tokio};
use super::reactor::{Reactor, SteppedTask};
use crate::transport::{Link, Socket};

#[derive(Clone)]
pub(super) enum Runtime {
    Tokio(Tokio),
    Steps(Arc<Reactor>),
}

/// A task that goes on by itself.
pub(super) enum Task {
    Tokio(on_tokio::Task),
    Steps(SteppedTask),
}

pub(super) type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Runtime {
    /// Whether tasks can be spawned on it here.
    pub(super) fn is_running(&self) -> bool {
        match self {
            Runtime::Tokio(tokio) => tokio.is_running(),
            Runtime::Steps(_) => true,
        }
    }

    /// Its clock.
    pub(super) fn clock(&self) -> fn() -> Instant {
        match self {
            Runtime::Tokio(tokio) => tokio.clock(),
            Runtime::Steps(_) => Instant::now,
        }
    }

    pub(super) fn sleep(&self, pause: Duration) -> Sleep {
        match self.clock()().checked_add(pause) {
            Some(at) => self.sleep_until(at),
            None => Box::pin(pending()),
        }
    }

    pub(super) fn sleep_until(&self, at: Instant) -> Sleep {
        match self {
            Runtime::Tokio(tokio) => tokio.sleep_until(at),
            Runtime::Steps(reactor) => reactor.sleep_until(at),
        }
    }

    /// What comes of a future by then, if there is such a time; `None` if it comes to nothing.
    pub(super) async fn by<T>(
        &self,
        at: Option<Instant>,
        mut future: Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        let mut over = at.map(|at| self.sleep_until(at));
        poll_fn(|context| match future.as_mut().poll(context) {
            Poll::Ready(outcome) => Poll::Ready(Some(outcome)),
            Poll::Pending => match &mut over {
                Some(over) => over.as_mut().poll(context).map(|()| None),
                None => Poll::Pending,
            },
        })
        .await
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> Task {
        match self {
            Runtime::Tokio(tokio) => Task::Tokio(tokio.spawn(task)),
            Runtime::Steps(reactor) => Task::Steps(reactor.spawn(Box::pin(task))),
        }
    }

    /// A socket that was connected, to be waited on. It spins, where there is a thread of its own to wait.
    pub(super) fn link(&self, socket: Socket, spin: Duration) -> io::Result<Link> {
        match self {
            Runtime::Tokio(tokio) => tokio.link(socket, spin),
            Runtime::Steps(reactor) => reactor.link(socket),
        }
    }
}

impl Task {
    /// Drops it where it waits.
    pub(super) fn abort(&self) {
        match self {
            Task::Tokio(task) => task.abort(),
            Task::Steps(task) => task.abort(),
        }
    }
}
