//! What a session does about what comes in and what goes out, whoever drives it: a task (`tokio/session.rs`), its own threads
//! (`blocking/session.rs`), or a step (`progress/session.rs`). Nothing here does I/O.

use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fmt, io};

use bytes::Bytes;
use rustix::io::Errno;

use super::config::Config;
use crate::descriptors::Arrived;
use crate::dispatch::processing::Processing;
use crate::handler::context::Context;
use crate::handler::failure::Escaped;
use crate::handler::failure::guard::guarded;
use crate::handler::session::{Listed, Session};
use crate::observe::metrics;
use crate::observe::peer_log::Line;
use crate::transport::OverLong;
use crate::wire::{
    Body, Call, CallFields, Codec, EnvelopeError, FrameError, Head, MessageTooLong, Part, Response,
    ResponseFields, Status, Wire,
};

/// What has come of one receive.
pub(super) enum Incoming {
    /// A client's message, whole.
    Message(Bytes),
    /// A part of a message.
    Part,
    /// The client has closed its end.
    Closed,
}

/// Takes what a receive gave: a packet (an empty one if it was received into [`Codec::rest`]), or `None` at end of file.
#[inline(always)]
pub(super) fn incoming(codec: &mut Codec, packet: Option<Bytes>) -> Result<Incoming, SessionFault> {
    let mid_message = codec.is_mid_message();
    let packet = match packet {
        None if mid_message => return Err(SessionFault::ClosedInMidMessage),
        None => return Ok(Incoming::Closed),
        // W9: an empty packet is a message on the plain wire alone.
        Some(packet) if packet.is_empty() && !mid_message && codec.wire() != Some(Wire::Plain) => {
            return Ok(Incoming::Closed);
        }
        Some(packet) => packet,
    };
    match codec.receive(packet) {
        Ok(Some(message)) => {
            let calls = Call::unpack(&message).filter(|_| codec.takes_packs());
            Ok(Incoming::Message(codec.unpack(message, calls)))
        }
        Ok(None) => Ok(Incoming::Part),
        Err(error) => Err(SessionFault::Frame(error)),
    }
}

/// What ends a session that can't receive: a packet that was too long is its client's fault, and answered.
pub(super) fn not_received(codec: &mut Codec, error: io::Error) -> SessionFault {
    match OverLong::len_of(&error) {
        Some(len) => SessionFault::Frame(codec.refuse_packet(len)),
        None => SessionFault::Io(error),
    }
}

/// The call that a message is, or the answer to one that is none (D1): the session goes on.
#[inline(always)]
pub(super) fn read_call(
    codec: &Codec,
    session: &Session,
    message: Bytes,
    arrived: Option<Box<Arrived>>,
) -> Result<Call, Response<Body>> {
    // W8: a peer of the other wire is named.
    let framed = codec.wire() == Some(Wire::Plain) && crate::wire::is_first_chunk(&message);
    metrics::received(message.len());
    match Call::decode(message) {
        Ok(call) => Ok(match arrived {
            None => call,
            Some(arrived) => with_descriptors(call, *arrived),
        }),
        Err(error) => Err(unreadable(session, &error, framed)),
    }
}

#[cold]
fn unreadable(session: &Session, error: &EnvelopeError, framed: bool) -> Response<Body> {
    metrics::call_unreadable();
    session.count_bad_call();
    let hint = if framed { ": peer speaks the chunked wire of DAOS 2.8" } else { "" };
    if session.may_log(Line::CallUnreadable) {
        tracing::warn!(session = session.id_without_span(), "{error}{hint}");
    }
    Response::unreadable_call()
}

/// A call with what came along with it.
#[cold]
fn with_descriptors(mut call: Call, arrived: Arrived) -> Call {
    metrics::descriptors_received(arrived.len());
    call.added.get_or_insert_default().descriptors.come(arrived);
    call
}

/// The context of a call that begins now, under the server's limit for handlers, and its caller's (E5). It has waited for room since
/// `came`, if it had to. `now` reads the server's clock.
#[inline]
pub(super) fn context_of(
    session: &Arc<Session>,
    call: &mut Call,
    config: &Config,
    came: Option<Instant>,
    now: fn() -> Instant,
) -> Context {
    let context = Context::new(session.clone(), call.sequence);
    if call.added.is_some() || session.controls().is_some() {
        return context_of_added(context, call, config, came, now());
    }
    context.within(config.handler_timeout, None, now)
}

/// As [`context_of`], for a call that has added fields, or of a client that may say something of its calls. It loses the fields if the
/// server was told to ignore them.
#[cold]
fn context_of_added(
    context: Context,
    call: &mut Call,
    config: &Config,
    came: Option<Instant>,
    now: Instant,
) -> Context {
    if !config.added_fields
        && let Some(added) = call.added.take()
        && (added.takes_descriptors || !added.descriptors.is_none())
    {
        // What a method that passes descriptors was declared to need is none of what may be ignored.
        let CallFields { descriptors, takes_descriptors, .. } = *added;
        call.added = Some(Box::new(CallFields { descriptors, takes_descriptors, ..CallFields::default() }));
    }
    let (mut callers, mut trace) = (None, None);
    if config.takes_packs() && call.added.as_ref().is_some_and(|added| added.takes_packs) {
        context.session().may_pack();
    }
    let asks = |added: &CallFields| added.asks_control || added.credit.is_some() || added.sends_items;
    let controls = match call.added.as_deref().is_some_and(asks) {
        true => Some(context.session().controlled(config.streams())),
        false => context.session().controls(),
    };
    let (credit, takes_many) =
        call.added.as_ref().map_or((None, false), |added| (added.credit, added.takes_many));
    let control = controls.map(|controls| controls.begin(call.sequence, credit, takes_many));
    if let Some(added) = &mut call.added {
        trace = added.trace.take().map(Arc::new);
        if let Some(left) = &mut added.time_left {
            let waited = came.map_or(Duration::ZERO, |came| now.saturating_duration_since(came));
            *left = left.saturating_sub(waited);
            callers = Some(*left);
        }
    }
    let context = context.within(config.handler_timeout, callers, || now);
    let context = context.with_trace(trace);
    match control {
        Some(control) => context.with_control(control),
        None => context,
    }
}

/// Lists a call, whose handler waits, among those that its session carries out.
pub(super) fn list(processing: &Processing) -> Option<Listed> {
    let context = processing.context();
    processing.method().map(|method| context.session().call_waits(method, context.sequence()))
}

/// Tells that a session is closed because nothing came of it.
pub(super) fn log_idle(session: &Session) {
    tracing::debug!(session = session.id_without_span(), "the session has been idle for too long");
}

/// The head of a response. A reply that the wire can't carry becomes `FAILED_MARSHAL`: a failure of its call alone (D4).
#[inline]
pub(super) fn head_of(codec: &Codec, session: &Session, response: &mut Response<Body>) -> Head {
    let head = response.head();
    match codec.check(&head, &response.body) {
        Ok(len) => {
            metrics::sent(len);
            head
        }
        Err(error) => head_of_too_long(session, response, &error),
    }
}

/// A response that is not sent, or not as a whole.
pub(super) struct Unsent {
    pub(super) head: Head,
    pub(super) response: Response<Body>,
    /// How many of its packets were sent.
    pub(super) packets: u32,
}

#[cold]
fn head_of_too_long(session: &Session, response: &mut Response<Body>, error: &MessageTooLong) -> Head {
    metrics::reply_too_long();
    if session.may_log(Line::ReplyTooLong) {
        tracing::warn!(
            session = session.id_without_span(),
            sequence = response.sequence,
            "can't send the reply: {error}"
        );
    }
    // A failure has no body: it keeps its status, and loses what was added to it (E5).
    let status = if response.status.is_failure() { response.status } else { Status::FAILED_MARSHAL };
    if response.part().is_some() {
        // That was its end for the caller.
        session.give_up(response.sequence);
    }
    *response = Response::failure(response.sequence, status);
    let head = response.head();
    metrics::sent(head.len());
    head
}

/// What is sent in place of a response whose descriptors the kernel does not pass; `None` if that is not what is wrong.
#[cold]
pub(super) fn without_descriptors(
    session: &Session,
    response: &Response<Body>,
    error: &io::Error,
) -> Option<Response<Body>> {
    let is_theirs = io::ErrorKind::PermissionDenied == error.kind()
        || matches!(Errno::from_io_error(error), Some(Errno::TOOMANYREFS | Errno::INVAL | Errno::BADF));
    if !response.body.has_descriptors() || !is_theirs {
        return None;
    }
    if session.may_log(Line::DescriptorsRefused) {
        tracing::warn!(
            session = session.id_without_span(),
            sequence = response.sequence,
            descriptors = response.body.descriptors().len(),
            "can't pass a reply's descriptors: {error}"
        );
    }
    let failure =
        ResponseFields::new(format!("the reply's descriptors can't be passed: {error}"), Bytes::new());
    Some(Response { added: Some(failure.into()), ..Response::failure(response.sequence, Status::FAILURE) })
}

/// S6: a client that has left needs no reply, and no further items. What it sent before is still executed.
#[cold]
pub(super) fn give_up_sending(session: &Session, response: &Response<Body>) {
    if matches!(response.part(), Some(Part::Item | Part::Items)) {
        session.give_up(response.sequence);
    }
}

/// Drops a reply that was sent, or is not to be. Its bytes may be a stranger's, whose panic ends nothing (S10).
pub(super) fn drop_reply(session: &Session, reply: impl Sized) {
    if let Err(panic) = guarded(|| drop(reply))
        && session.may_log(Line::Panicked)
    {
        let session = session.id_without_span();
        tracing::error!(session, "a reply panicked as it was dropped: {}", Escaped(&panic));
    }
}

/// How many bytes of a handler's a response keeps, to be counted while it waits.
pub(super) fn bytes_of(response: &Response<Body>) -> usize {
    let added = response.added.as_deref().map_or(0, |added| added.error.len() + added.details.len());
    response.body.len() + added
}

/// What the peer is told of a fault of its own, where it can be told in its own terms.
///
/// As DAOS 2.8 does: a packet with a header is answered with sequence -1, one too short for a header is not (V).
pub(super) fn refusal(fault: &SessionFault) -> Option<Response<Body>> {
    match fault {
        SessionFault::Frame(FrameError::ShortPacket { .. } | FrameError::OtherWire { .. }) => None,
        SessionFault::Frame(_) => Some(Response::unreadable_call()),
        _ => None,
    }
}

pub(super) fn log_opened(session: &Session) {
    tracing::debug!(session = session.id_without_span(), peer = %session.peer(), "session opened");
}

pub(super) fn log_closed(session: &Session, fault: Option<&SessionFault>) {
    match fault {
        None => tracing::debug!(session = session.id_without_span(), "session closed"),
        Some(fault) if session.may_log(Line::SessionFaulted) => {
            let session_id = session.id_without_span();
            tracing::warn!(session = session_id, peer = %session.peer(), "session closed: {fault}");
        }
        Some(_) => {}
    }
}

/// What ends a session before its client does.
#[derive(Debug)]
pub(super) enum SessionFault {
    Frame(FrameError),
    HalfMessage,
    ClosedInMidMessage,
    /// Nothing of a reply was taken in the time that a session may be idle.
    ReplyUnread,
    /// Too much waits behind a reply that is not taken.
    RepliesUnread {
        bytes: usize,
        limit: usize,
    },
    Io(io::Error),
}

impl fmt::Display for SessionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionFault::Frame(error) => write!(f, "{error}"),
            SessionFault::HalfMessage => f.write_str("the rest of a message did not come in time"),
            SessionFault::ClosedInMidMessage => f.write_str("the client closed in mid message"),
            SessionFault::ReplyUnread => f.write_str("the client did not read its reply in time"),
            SessionFault::RepliesUnread { bytes, limit } => write!(
                f,
                "the client does not read its replies: {bytes} bytes of them wait, and at most {limit} may"
            ),
            SessionFault::Io(error) => write!(f, "{error}"),
        }
    }
}

impl From<io::Error> for SessionFault {
    fn from(error: io::Error) -> Self {
        SessionFault::Io(error)
    }
}
