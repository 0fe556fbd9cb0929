use std::fmt;
use std::ops::BitOr;
use std::sync::Arc;

use super::caller::CallOptions;
use crate::wire::{CallFields, TraceContext};

/// Which fields beyond DAOS's own a client sends ([E5](crate::guide::rules#envelope)): see [the chapter](crate::guide::added_fields).
///
/// The client decides, since it knows its server; the server answers in kind. DAOS's own peers ignore them.
///
/// # Example
///
/// ```
/// use drpc::{AddedFields, Client};
///
/// let builder = Client::builder("/run/greeter.sock").added_fields(AddedFields::DEADLINE | AddedFields::ERROR);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddedFields {
    deadline: bool,
    error: bool,
    trace: bool,
    cancel: bool,
    packs: bool,
}

impl AddedFields {
    /// None of them: byte for byte what DAOS's own clients send.
    pub const NONE: AddedFields =
        AddedFields { deadline: false, error: false, trace: false, cancel: false, packs: false };

    /// How long the caller will still wait, for calls that have a limit.
    pub const DEADLINE: AddedFields = AddedFields { deadline: true, ..AddedFields::NONE };

    /// Asks for the text, the details and the cause of an error: see
    /// [`CallError::peer_text`](crate::CallError::peer_text), [`details`](crate::CallError::details) and
    /// [`failure_cause`](crate::CallError::failure_cause).
    pub const ERROR: AddedFields = AddedFields { error: true, ..AddedFields::NONE };

    /// The caller's trace context, if there is one: from [`CallOptions::trace_context`], or from
    /// [`ClientBuilder::trace_context`](crate::ClientBuilder::trace_context).
    pub const TRACE: AddedFields = AddedFields { trace: true, ..AddedFields::NONE };

    /// Tells the server of a call that is dropped or times out while it is carried out, so that its
    /// [`Context::cancelled`](crate::Context::cancelled) ends at once, and not only when the connection goes.
    ///
    /// Calls ask the server whether it knows this until it has said so once on their connection. Another server is told nothing.
    pub const CANCEL: AddedFields = AddedFields { cancel: true, ..AddedFields::NONE };

    /// Sends short calls that are made at about the same time on one connection in one packet, a *pack*, and takes their replies so, once the server has
    /// said that it knows packs. Many calls in flight become several times faster; a call that is alone is as fast as without.
    ///
    /// A call that is made while others are in flight is sent after one turn of the runtime, with those that were made meanwhile. A reply waits for those
    /// of its pack at most as long as the server is quick with them (50 µs), and never for a method that was slow the last time, or waits for something.
    pub const PACKS: AddedFields = AddedFields { packs: true, ..AddedFields::NONE };

    /// All of them.
    pub const ALL: AddedFields =
        AddedFields { deadline: true, error: true, trace: true, cancel: true, packs: true };

    /// The fields of a call, but for its time. Nothing is looked at if the client sends none.
    pub(super) fn of_call(self, options: &CallOptions, tracer: Option<&Tracer>) -> Option<Box<CallFields>> {
        if (AddedFields { packs: false, ..self }) == AddedFields::NONE {
            return None;
        }
        let trace = || match options.trace() {
            Some(trace) => Some(trace.clone()),
            None => tracer.and_then(|tracer| (tracer.0)()),
        };
        let fields = CallFields {
            wants_error: self.error,
            trace: self.trace.then(trace).flatten(),
            asks_control: self.cancel,
            ..CallFields::default()
        };
        Some(fields.into())
    }

    /// Whether calls may go in packs.
    pub(super) fn packs(self) -> bool {
        self.packs
    }

    /// Whether the time that a call has left is sent.
    pub(super) fn tell_time(self) -> bool {
        self.deadline
    }
}

/// Both.
impl BitOr for AddedFields {
    type Output = AddedFields;

    fn bitor(self, other: AddedFields) -> AddedFields {
        AddedFields {
            deadline: self.deadline | other.deadline,
            error: self.error | other.error,
            trace: self.trace | other.trace,
            cancel: self.cancel | other.cancel,
            packs: self.packs | other.packs,
        }
    }
}

/// Tells where a call stands in a trace.
#[derive(Clone)]
pub(super) struct Tracer(pub(super) Arc<dyn Fn() -> Option<TraceContext> + Send + Sync>);

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tracer")
    }
}
