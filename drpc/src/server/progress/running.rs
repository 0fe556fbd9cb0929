//! The calls whose handlers wait for something.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Instant;

use futures_util::stream::{Stream, StreamExt};
use futures_util::task::AtomicWaker;

use super::shared::Due;
use crate::dispatch::outflow::Outflow;
use crate::dispatch::processing::Processing;
use crate::handler::session::Listed;
use crate::server::permits::Permit;
use crate::server::protocol;
use crate::steps::timers::{Key, Timers};
use crate::wire::{Body, Response};

/// A call that is carried out, within the time that the server gives a handler.
pub(super) struct Running {
    session: u64,
    processing: Processing,
    cut_off: Option<CutOff>,
    /// The call's entry in its session's list.
    listed: Option<Listed>,
    /// That it may run.
    _permit: Permit,
}

/// When the handler is cut off, and whom to wake then.
struct CutOff {
    timer: Key,
    task: Arc<AtomicWaker>,
}

/// A call that is done.
pub(super) struct Finished {
    pub(super) session: u64,
    /// Of module and method.
    pub(super) ids: (i32, i32),
    /// How many bytes of reply the handler has made.
    pub(super) made: usize,
    pub(super) response: Response<Body>,
    /// What the response has opened, if it has.
    pub(super) stream: Option<Streaming>,
    /// The timer that is of no more use.
    pub(super) timer: Option<Key>,
}

impl Running {
    pub(super) fn new(
        session: u64,
        processing: Processing,
        permit: Permit,
        timers: &mut Timers<Due>,
    ) -> Self {
        let cut_off = processing.context().deadline().map(|deadline| {
            let task = Arc::new(AtomicWaker::new());
            CutOff { timer: timers.set(deadline, Due::Handler(task.clone())), task }
        });
        Running { session, cut_off, listed: protocol::list(&processing), _permit: permit, processing }
    }
}

impl Running {
    pub(super) fn session(&self) -> u64 {
        self.session
    }

    /// The timer that is of no more use once this is dropped.
    pub(super) fn timer(&self) -> Option<Key> {
        self.cut_off.as_ref().map(|cut_off| cut_off.timer)
    }
}

impl Future for Running {
    type Output = Finished;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Finished> {
        let _entered = self.processing.context().session().enter();
        let response = match (Pin::new(&mut self.processing).poll(context), &self.cut_off) {
            (Poll::Ready(response), _) => response,
            (Poll::Pending, Some(CutOff { timer: (deadline, _), .. })) if *deadline <= Instant::now() => {
                self.processing.cut_off()
            }
            (Poll::Pending, cut_off) => {
                if let Some(cut_off) = cut_off {
                    cut_off.task.register(context.waker());
                }
                return Poll::Pending;
            }
        };
        let listed = self.listed.take();
        let stream =
            self.processing.take_stream().map(|stream| Streaming::new(self.session, stream.listed(listed)));
        let (ids, made) = (self.processing.ids(), self.processing.made());
        Poll::Ready(Finished { session: self.session, ids, made, response, stream, timer: self.timer() })
    }
}

/// A stream of a session.
pub(super) struct Streaming {
    session: u64,
    stream: Box<Outflow>,
}

impl Streaming {
    pub(super) fn new(session: u64, stream: Box<Outflow>) -> Self {
        Streaming { session, stream }
    }

    pub(super) fn session(&self) -> u64 {
        self.session
    }
}

impl Stream for Streaming {
    type Item = (u64, Response<Body>);

    fn poll_next(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        let session = self.session;
        self.stream.poll_next_unpin(context).map(|response| Some((session, response?)))
    }
}
