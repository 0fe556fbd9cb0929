use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Instant;

use tracing::field::{Empty, display};
use tracing::{Span, debug_span};

use super::end::End;
use super::metrics::{self, OpenStream};
use super::side::{Side, Way};
use super::stream::Tally;
use super::watch::{begun, is_watched, microseconds};
use crate::client::error::CallError;
use crate::handler::method::Method;
use crate::wire::{Response, Status};

/// What is seen of a call that a client makes, with all its attempts; `None` if nobody looks. Dropped before its end, it was given
/// up.
pub(crate) struct MadeCall(Option<Box<Observed>>);

struct Observed {
    span: Span,
    begun: Instant,
    counted: metrics::MadeCall,
}

type Outcome = Result<Response, CallError>;

impl MadeCall {
    #[inline]
    pub(crate) fn begin(method: &Method, path: &Path, request_bytes: usize) -> Self {
        MadeCall(if is_watched() { Observed::begin(method, path, request_bytes) } else { None })
    }

    /// Makes the call.
    #[inline]
    pub(crate) fn run(self, call: impl FnOnce() -> Outcome) -> Outcome {
        match self.0 {
            None => call(),
            Some(mut observed) => {
                let outcome = observed.span.in_scope(call);
                observed.end(&outcome);
                outcome
            }
        }
    }

    /// Makes the call, as a future.
    #[inline]
    pub(crate) async fn carry_out(self, mut call: Pin<&mut impl Future<Output = Outcome>>) -> Outcome {
        let Some(mut observed) = self.0 else { return call.await };
        let outcome = poll_fn(|context| {
            let _entered = observed.span.enter();
            call.as_mut().poll(context)
        });
        let outcome = outcome.await;
        observed.end(&outcome);
        outcome
    }

    /// Makes the call, which is to open a stream: then the call goes on.
    pub(crate) fn run_to_open(
        self,
        call: impl FnOnce() -> Outcome,
    ) -> Result<(Response, MadeStream), CallError> {
        match self.0 {
            None => Ok((call()?, MadeStream(None))),
            Some(observed) => {
                let outcome = observed.span.in_scope(call);
                observed.open(outcome)
            }
        }
    }

    /// Makes the call as a future, likewise.
    pub(crate) async fn carry_out_to_open(
        self,
        mut call: Pin<&mut impl Future<Output = Outcome>>,
    ) -> Result<(Response, MadeStream), CallError> {
        let Some(observed) = self.0 else { return Ok((call.await?, MadeStream(None))) };
        let outcome = poll_fn(|context| {
            let _entered = observed.span.enter();
            call.as_mut().poll(context)
        });
        let outcome = outcome.await;
        observed.open(outcome)
    }
}

/// What is seen of a stream that a client has opened; `None` if nobody looks, or once it has ended. Dropped before its end, it was given up.
pub(crate) struct MadeStream(Option<Arc<Mutex<Opened>>>);

/// What is seen of the items that go out, where the stream's other half is elsewhere.
pub(crate) struct SentItems(Weak<Mutex<Opened>>);

struct Opened {
    call: Box<Observed>,
    received: Tally,
    sent: Tally,
    _counted: OpenStream,
}

impl MadeStream {
    /// The half that sends.
    pub(crate) fn sending(&self) -> SentItems {
        SentItems(self.0.as_ref().map_or_else(Weak::new, Arc::downgrade))
    }

    /// An item of so many bytes has come.
    pub(crate) fn received(&self, bytes: usize) {
        if let Some(opened) = &self.0 {
            lock(opened).received.count(1, bytes);
        }
    }

    /// So many items, of so many bytes, were sent.
    pub(crate) fn sent(&self, items: usize, bytes: usize) {
        if let Some(opened) = &self.0 {
            lock(opened).sent.count(items, bytes);
        }
    }

    /// The server's items have come to their end.
    pub(crate) fn end(&mut self, error: Option<&CallError>) {
        if let Some(opened) = self.0.take() {
            lock(&opened).call.end_as(error.map_or(End::of_status(Status::SUCCESS), End::of_error));
        }
    }

    /// The caller's items have come to their reply.
    pub(crate) fn reply(&mut self, outcome: &Outcome) {
        if let Some(opened) = self.0.take() {
            lock(&opened).call.end(outcome);
        }
    }
}

impl SentItems {
    /// So many items, of so many bytes, were sent.
    pub(crate) fn count(&self, items: usize, bytes: usize) {
        if let Some(opened) = self.0.upgrade() {
            lock(&opened).sent.count(items, bytes);
        }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.received.record(&self.call.span);
        self.sent.record(&self.call.span);
    }
}

fn lock(opened: &Mutex<Opened>) -> MutexGuard<'_, Opened> {
    opened.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Observed {
    #[inline(never)]
    fn begin(method: &Method, path: &Path, request_bytes: usize) -> Option<Box<Self>> {
        let span = debug_span!(
            target: "drpc::client::call",
            "call",
            module = method.module(),
            method = method.id(),
            method_name = method.name(),
            address = %path.display(),
            request_bytes,
            status = Empty,
            reply_bytes = Empty,
            received_items = Empty,
            received_item_bytes = Empty,
            sent_items = Empty,
            sent_item_bytes = Empty,
            elapsed_us = Empty,
        );
        begun(&span)
            .map(|begun| Box::new(Observed { span, begun, counted: metrics::MadeCall::begin(*method) }))
    }

    fn end(&mut self, outcome: &Outcome) {
        match outcome {
            Ok(response) => self
                .span
                .record("status", display(response.status))
                .record("reply_bytes", response.body.len()),
            Err(error) => self.span.record("status", End::of_error(error).label()),
        };
        self.count(End::of_call(outcome));
    }

    fn end_as(&mut self, end: End) {
        self.span.record("status", end.label());
        self.count(end);
    }

    fn count(&mut self, end: End) {
        let elapsed = self.begun.elapsed();
        self.counted.end(end, elapsed);
        self.span.record("elapsed_us", microseconds(elapsed));
    }

    /// What goes on of a call that has opened a stream.
    fn open(mut self: Box<Self>, outcome: Outcome) -> Result<(Response, MadeStream), CallError> {
        match outcome {
            Ok(response) => {
                let opened = Opened {
                    call: self,
                    received: Tally::of(Side::Client, Way::Received),
                    sent: Tally::of(Side::Client, Way::Sent),
                    _counted: OpenStream::begin(Side::Client),
                };
                Ok((response, MadeStream(Some(Arc::new(Mutex::new(opened))))))
            }
            Err(error) => {
                self.end_as(End::of_error(&error));
                Err(error)
            }
        }
    }
}

/// The span of many calls that a client makes at once.
pub(crate) fn batch_span(path: &Path, calls: usize) -> Span {
    debug_span!(target: "drpc::client::call", "batch", address = %path.display(), calls)
}
