use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::Pin;
use std::time::Instant;

use tracing::field::{Empty, display};
use tracing::{Span, debug_span};

use super::end::End;
use super::metrics;
use super::watch::{begun, is_watched, microseconds};
use crate::client::error::CallError;
use crate::handler::method::Method;
use crate::wire::Response;

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
                observed.end(outcome)
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
        observed.end(outcome)
    }
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
            elapsed_us = Empty,
        );
        begun(&span)
            .map(|begun| Box::new(Observed { span, begun, counted: metrics::MadeCall::begin(*method) }))
    }

    fn end(&mut self, outcome: Outcome) -> Outcome {
        let elapsed = self.begun.elapsed();
        self.counted.end(End::of_call(&outcome), elapsed);
        match &outcome {
            Ok(response) => self
                .span
                .record("status", display(response.status))
                .record("reply_bytes", response.body.len()),
            Err(_) => self.span.record("status", End::of_call(&outcome).label()),
        };
        self.span.record("elapsed_us", microseconds(elapsed));
        outcome
    }
}

/// The span of many calls that a client makes at once.
pub(crate) fn batch_span(path: &Path, calls: usize) -> Span {
    debug_span!(target: "drpc::client::call", "batch", address = %path.display(), calls)
}
