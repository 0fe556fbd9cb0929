use std::time::Instant;

use tracing::field::{Empty, display};
use tracing::span::Entered;
use tracing::{Span, debug_span};

use super::end::End;
use super::metrics::{ModuleMetrics, ServedCall};
use super::stream::Tally;
use super::watch::{begun, is_watched, microseconds};
use crate::handler::method::Method;
use crate::wire::{Body, Response};

/// A call that has come, as far as it is known.
pub(crate) struct Called<'a> {
    pub(crate) module: i32,
    /// The name and the figures of the module, if there is one.
    pub(crate) found_module: Option<(&'a str, &'a ModuleMetrics)>,
    pub(crate) method: i32,
    pub(crate) found_method: Option<Method>,
    pub(crate) sequence: i64,
    pub(crate) request_bytes: usize,
    /// How many descriptors came with it.
    pub(crate) descriptors: usize,
}

/// What is seen of a call while it is carried out; `None` if nobody looks. If its handler is dropped, it ends without a status.
pub(crate) struct ObservedCall(Option<Observed>);

struct Observed {
    span: Span,
    begun: Instant,
    counted: ServedCall,
}

impl ObservedCall {
    #[inline]
    pub(crate) fn begin<'a>(called: impl FnOnce() -> Called<'a>) -> Self {
        ObservedCall(if is_watched() { Observed::begin(&called()) } else { None })
    }

    /// What is seen of it from now on is another's.
    pub(crate) fn take(&mut self) -> Self {
        ObservedCall(self.0.take())
    }

    /// Makes what follows part of the call, until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Entered<'_>> {
        self.0.as_ref().map(|observed| observed.span.enter())
    }

    /// The span of the call, for what goes on elsewhere.
    pub(crate) fn span(&self) -> Span {
        self.0.as_ref().map_or_else(Span::none, |observed| observed.span.clone())
    }

    /// The call was a stream, through which these items have gone.
    #[cold]
    pub(crate) fn streamed(&self, tally: &Tally) {
        if let Some(observed) = &self.0 {
            tally.record(&observed.span);
        }
    }

    /// The call's handler has answered, or was cut off.
    #[inline]
    pub(crate) fn end(&mut self, response: &Response<Body>) {
        if let Some(observed) = &mut self.0 {
            observed.end(response);
        }
    }
}

impl Observed {
    #[inline(never)]
    fn begin(called: &Called<'_>) -> Option<Self> {
        let span = debug_span!(
            target: "drpc::server::call",
            "call",
            module = called.module,
            module_name = called.found_module.map(|(name, _)| name),
            method = called.method,
            method_name = called.found_method.map(Method::name),
            sequence = called.sequence,
            request_bytes = called.request_bytes,
            request_descriptors = (called.descriptors > 0).then_some(called.descriptors),
            status = Empty,
            reply_bytes = Empty,
            reply_descriptors = Empty,
            received_items = Empty,
            received_item_bytes = Empty,
            sent_items = Empty,
            sent_item_bytes = Empty,
            elapsed_us = Empty,
        );
        let number = i64::from(called.method) - i64::from(called.module) * 100;
        begun(&span).map(|begun| {
            let counted = ServedCall::begin(called.found_module, number, called.found_method);
            Observed { span, begun, counted }
        })
    }

    fn end(&mut self, response: &Response<Body>) {
        let elapsed = self.begun.elapsed();
        self.counted.end(End::of_status(response.status), elapsed);
        self.span
            .record("status", display(response.status))
            .record("reply_bytes", response.body.len())
            .record("elapsed_us", microseconds(elapsed));
        if response.body.has_descriptors() {
            self.span.record("reply_descriptors", response.body.descriptors().len());
        }
    }
}
