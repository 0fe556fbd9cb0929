//! What can be seen of sessions and calls from outside: spans of `tracing`, and figures for a recorder of [`metrics`].
//!
//! The guide's chapter on observability lists them all. A span whose level is disabled is not built, and no clock is read for it.

mod client;
mod end;
#[cfg(feature = "metrics")]
pub(crate) mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "no_metrics.rs"]
pub(crate) mod metrics;

use std::time::{Duration, Instant};

use tracing::field::{Empty, display};
use tracing::level_filters::{LevelFilter, STATIC_MAX_LEVEL};
use tracing::span::Entered;
use tracing::{Level, Span, debug_span, info_span};

pub(crate) use self::client::{MadeCall, batch_span};
use self::end::End;
use self::metrics::ServedCall;
use crate::failure::guard::name_of;
use crate::router::Entry;
use crate::wire::{Body, Response};
use crate::{Address, Method, PeerCredentials};

/// The span of a session. What it logs, and the spans of its calls, are in it.
pub(crate) fn session_span(id: u64, peer: &PeerCredentials, address: Option<&Address>) -> Span {
    info_span!(
        target: "drpc::server::session",
        parent: None,
        "session",
        session = id,
        uid = peer.uid(),
        pid = peer.pid(),
        gid = peer.gid(),
        address = address.map(display),
    )
}

/// A call that has come, as far as it is known.
pub(crate) struct Called<'a> {
    pub(crate) module: i32,
    pub(crate) entry: Option<&'a Entry>,
    pub(crate) method: i32,
    pub(crate) found: Option<Method>,
    pub(crate) sequence: i64,
    pub(crate) request_bytes: usize,
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

    /// Makes what follows part of the call, until the guard is dropped.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Entered<'_>> {
        self.0.as_ref().map(|observed| observed.span.enter())
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
            module_name = called.entry.map(|entry| name_of(&*entry.module)),
            method = called.method,
            method_name = called.found.map(Method::name),
            sequence = called.sequence,
            request_bytes = called.request_bytes,
            status = Empty,
            reply_bytes = Empty,
            elapsed_us = Empty,
        );
        begun(&span).map(|begun| Observed { span, begun, counted: ServedCall::begin(called) })
    }

    fn end(&mut self, response: &Response<Body>) {
        let elapsed = self.begun.elapsed();
        self.counted.end(End::of_status(response.status), elapsed);
        self.span
            .record("status", display(response.status))
            .record("reply_bytes", response.body.len())
            .record("elapsed_us", microseconds(elapsed));
    }
}

/// Whether anyone may want to see calls: what the macros of tracing look at first, and all that a call costs if not.
#[inline]
fn is_watched() -> bool {
    metrics::ON || (Level::DEBUG <= STATIC_MAX_LEVEL && Level::DEBUG <= LevelFilter::current())
}

/// The time, if anyone does want to see the call of this span.
fn begun(span: &Span) -> Option<Instant> {
    (metrics::ON || !span.is_disabled()).then(Instant::now)
}

fn microseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX)
}
