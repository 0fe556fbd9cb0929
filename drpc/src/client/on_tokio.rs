use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_channel::mpsc;
use futures_util::Stream;
use tokio::runtime::Handle;
use tokio::time;

use super::carried::{Outgoing, Told};
use super::error::CallError;
use super::runtime::Sleep;
use crate::transport::{AsyncSocket, Link, Socket};
use crate::wire::{Body, Response};

/// The runtime of tokio that the caller is in.
#[derive(Clone, Copy)]
pub(super) struct Tokio;

pub(super) type Task = tokio::task::AbortHandle;

/// The responses of a stream that something else than this crate's sockets carries.
pub(super) struct Carried(Pin<Box<dyn Stream<Item = Result<Response, CallError>> + Send>>);

/// The way of items to who carries them. Dropped before its end, that is told that these were not all.
pub(super) struct CarriedItems {
    /// One waits there at most.
    items: mpsc::Sender<Body>,
    told: Arc<Told>,
    /// How long one may be.
    limit: usize,
}

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

impl Carried {
    pub(super) fn new(responses: impl Stream<Item = Result<Response, CallError>> + Send + 'static) -> Self {
        Carried(Box::pin(responses))
    }

    pub(super) fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Response, CallError>>> {
        self.0.as_mut().poll_next(context)
    }
}

impl CarriedItems {
    pub(super) fn new(limit: usize) -> (Self, Outgoing) {
        let (items, carries) = mpsc::channel(0);
        let told = Arc::<Told>::default();
        (CarriedItems { items, told: told.clone(), limit }, Outgoing::new(carries, told))
    }

    /// Waits until the item before is on its way; false if no more are taken.
    pub(super) fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        self.items.poll_ready(context).map(|ready| ready.is_ok())
    }

    /// Waits until no more are taken.
    pub(super) fn poll_end(&self, context: &Context<'_>) -> Poll<()> {
        self.told.sender.register(context.waker());
        if self.items.is_closed() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Hands an item over.
    pub(super) fn send(&mut self, item: Body) -> Result<(), CallError> {
        if item.len() > self.limit {
            return Err(CallError::too_long(item.len(), self.limit).of_item());
        }
        self.items.start_send(item).map_err(|_| CallError::not_taken())
    }

    /// These were all.
    pub(super) fn end(&self) {
        self.told.are_all.store(true, Ordering::Release);
    }
}
