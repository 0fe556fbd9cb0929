//! A call that is a stream, one way or both: from what its handler answered with to the responses.

use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use futures_util::Stream;
use tracing::Span;

use super::processing::{Opened, Processing};
use crate::budget::Lease;
use crate::gather::Gatherer;
use crate::handler::control::{Halt, OpenStream};
use crate::handler::failure::guard::guarded;
use crate::handler::failure::{Escaped, Failure};
use crate::handler::inbox::{Due, End};
use crate::handler::incoming::poll_in_session;
use crate::handler::module::HandlerFuture;
use crate::handler::reply::{Reply, ReplyStream, Source};
use crate::handler::session::{Listed, Session};
use crate::observe::metrics;
use crate::observe::peer_log::Line;
use crate::observe::side::{Side, Way};
use crate::observe::stream::Tally;
use crate::wire::{Body, Gathered, Part, Response, ResponseFields, Status};

/// The responses that follow the one that opened a stream, up to the last one, which ends it: the handler's items, as far as the caller has
/// room, and the credit for the caller's own.
///
/// A handler's stream is dropped once its caller has left or given up. A handler that takes the caller's items is told so by them, and
/// finishes.
pub(crate) struct Outflow {
    call: Processing,
    stage: Stage,
    /// Ends as the handler's stream does.
    gatherer: Gatherer<Result<(), Failure>>,
    /// `None` once it has ended.
    open: Option<OpenStream>,
    /// The call's entry in its session's list.
    listed: Option<Listed>,
    /// The items that it sent.
    sent: Tally,
    _counted: metrics::OpenStream,
    _lease: Lease,
}

/// What the responses come from.
enum Stage {
    /// A handler that takes items.
    Handler(HandlerFuture<'static>),
    /// One that is carried out on another thread.
    Elsewhere(Arc<Outcome>),
    /// The handler's stream.
    Items(ReplyStream),
    Ended,
}

impl Outflow {
    pub(super) fn new(call: Processing, Opened { items, open, lease }: Opened) -> Self {
        Outflow {
            call,
            stage: items.into(),
            gatherer: Gatherer::default(),
            open: Some(open),
            listed: None,
            sent: Tally::of(Side::Server, Way::Sent),
            _counted: metrics::OpenStream::begin(Side::Server),
            _lease: lease,
        }
    }

    /// The same stream, of a call that is listed.
    pub(crate) fn listed(mut self: Box<Self>, listed: Option<Listed>) -> Box<Self> {
        self.listed = listed;
        self
    }

    /// A handler that takes items, to be carried out by a thread of its own, which it may block.
    pub(crate) fn take_handler(&mut self) -> Option<HandlerElsewhere> {
        let outcome = Arc::new(Outcome::default());
        match mem::replace(&mut self.stage, Stage::Elsewhere(outcome.clone())) {
            Stage::Handler(handler) => {
                let (layered, span) = (self.call.is_layered(), self.call.span());
                let session = self.call.context().session().clone();
                Some(HandlerElsewhere { handler: Some(handler), layered, span, session, outcome })
            }
            stage => {
                self.stage = stage;
                None
            }
        }
    }

    /// Ends the stream before its time; gives its last response.
    pub(crate) fn fail(&mut self, failure: Failure) -> Response<Body> {
        self.stop();
        self.call.failed(failure)
    }

    fn stop(&mut self) {
        let stage = mem::replace(&mut self.stage, Stage::Ended);
        self.call.drop_items(stage);
        if let Some(open) = self.open.take() {
            open.call().end_items(End::Answered);
            self.call.streamed(open.call().taken(), self.sent);
        }
        self.listed = None;
    }

    /// Whether nobody waits for the items any more.
    fn is_unwanted(&self) -> bool {
        let context = self.call.context();
        context.was_given_up() || context.session().caller_has_left()
    }

    /// What the caller is to be told of its own items.
    fn due(&self, context: &Context<'_>) -> Option<Response<Body>> {
        let fields = match self.open.as_ref()?.call().due(context)? {
            Due::Credit(credit) => {
                ResponseFields { credit: Some(credit), ..ResponseFields::of_part(Part::Credit) }
            }
            Due::Enough => ResponseFields::of_part(Part::Enough),
        };
        Some(self.part(fields, Body::new()))
    }

    fn part(&self, fields: ResponseFields, body: Body) -> Response<Body> {
        let (sequence, status) = (self.call.sequence(), Status::SUCCESS);
        Response { sequence, status, body, added: Some(fields.into()) }
    }

    /// Waits for a handler that takes items; gives the last response, unless it goes on with a stream.
    fn poll_handler(&mut self, context: &mut Context<'_>) -> Poll<Option<Response<Body>>> {
        let Outflow { call, stage, .. } = self;
        let polled = match stage {
            Stage::Handler(handler) => call.poll_part(|| poll_in_session(|| handler.as_mut().poll(context))),
            Stage::Elsewhere(outcome) => call.poll_part(|| outcome.poll(context)),
            Stage::Items(_) | Stage::Ended => return Poll::Ready(None),
        };
        let Poll::Ready(outcome) = polled else { return Poll::Pending };
        match outcome {
            Ok(Reply::Stream(items)) => {
                let handler = mem::replace(&mut self.stage, items.into());
                self.call.drop_items(handler);
                Poll::Ready(None)
            }
            outcome => {
                self.stop();
                Poll::Ready(Some(self.call.respond(outcome)))
            }
        }
    }

    /// Waits for items of the handler's stream, and room for them; gives those that come at once in one response, if its caller takes that.
    fn poll_items(&mut self, context: &mut Context<'_>) -> Poll<Option<Response<Body>>> {
        if self.is_unwanted() {
            self.stop();
            // The client counts on an end, but nobody failed.
            return Poll::Ready(Some(self.call.end_stream(Status::FAILURE)));
        }
        let Outflow { call, stage: Stage::Items(items), gatherer, open: Some(open), .. } = self else {
            return Poll::Ready(None);
        };
        let open = open.call();
        let polled = gatherer.poll(open.takes_many(), |gathered| {
            match open.may_send(gathered) {
                Ok(()) => {}
                Err(Halt::ForNow) => return Poll::Pending,
                Err(Halt::ForGood) => {
                    let failure = "the session ends, and the caller has no room for more of the stream";
                    return Poll::Ready(Err(Err(failure.into())));
                }
            }
            let item =
                ready!(call.poll_part(|| Pin::new(&mut *items).poll_next(context).map(Option::transpose)));
            Poll::Ready(match item {
                // They are announced by a call, and an item is none.
                Ok(Some(body)) if !body.descriptors().is_empty() => {
                    let failure =
                        "an item of a stream passes no descriptors: pass them by a call of another method";
                    Err(Err(failure.into()))
                }
                Ok(Some(body)) => Ok(body),
                Ok(None) => Err(Ok(())),
                Err(failure) => Err(Err(failure)),
            })
        });
        let response = match ready!(polled) {
            Ok(gathered) => {
                open.sent(&gathered);
                self.sent.count(gathered.len(), gathered.bytes());
                self.message_of(gathered)
            }
            Err(Ok(())) => {
                self.stop();
                self.call.end_stream(Status::SUCCESS)
            }
            Err(Err(failure)) => self.fail(failure),
        };
        Poll::Ready(Some(response))
    }

    fn message_of(&mut self, gathered: Gathered) -> Response<Body> {
        let (mut body, several) = gathered.into_body();
        match self.call.context().session().hold_reply(&mut body) {
            Ok(()) => {
                let part = if several { Part::Items } else { Part::Item };
                self.part(ResponseFields::of_part(part), body)
            }
            Err(over) => self.fail(Failure::marshal(over)),
        }
    }
}

impl Stream for Outflow {
    type Item = Response<Body>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Response<Body>>> {
        let this = &mut *self;
        let Some(open) = &this.open else { return Poll::Ready(None) };
        // Asked first of all: it registers the waker.
        if open.call().is_held(context) && !this.is_unwanted() {
            return Poll::Pending;
        }
        if let Some(due) = this.due(context) {
            return Poll::Ready(Some(due));
        }
        let polled = match this.poll_handler(context) {
            Poll::Ready(None) => this.poll_items(context),
            polled => polled,
        };
        match polled {
            // Some of the caller's items may have been taken.
            Poll::Pending => this.due(context).map_or(Poll::Pending, |due| Poll::Ready(Some(due))),
            polled => polled,
        }
    }
}

/// What is left of it is dropped where it waits, in a session that is cut.
impl Drop for Outflow {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A handler that is carried out on a thread of its own.
pub(crate) struct HandlerElsewhere {
    /// `None` once it is done.
    handler: Option<HandlerFuture<'static>>,
    layered: bool,
    span: Span,
    session: Arc<Session>,
    outcome: Arc<Outcome>,
}

impl HandlerElsewhere {
    /// Carries it out as far as it goes; its stream has what it comes to.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(mut handler) = self.handler.take() else { return Poll::Ready(()) };
        let _entered = self.span.enter();
        let outcome = match guarded(|| handler.as_mut().poll(context)) {
            Ok(Poll::Pending) => {
                self.handler = Some(handler);
                return Poll::Pending;
            }
            Ok(Poll::Ready(outcome)) => outcome,
            Err(panic) => Err(Failure::panicked(panic, self.layered)),
        };
        self.outcome.put(handler, outcome);
        Poll::Ready(())
    }
}

/// One that is not done is dropped where it waits, in a session that is cut: a panic of its code ends nothing (S10).
impl Drop for HandlerElsewhere {
    fn drop(&mut self) {
        let _entered = self.span.enter();
        if let Some(handler) = self.handler.take()
            && let Err(panic) = guarded(|| drop(handler))
            && self.session.may_log(Line::Panicked)
        {
            let session = self.session.id_without_span();
            tracing::error!(session, "the handler panicked as it was dropped: {}", Escaped(&panic));
        }
    }
}

/// What came of a handler elsewhere, which is dropped with its call.
#[derive(Default)]
struct Outcome(Mutex<State>);

#[derive(Default)]
struct State {
    done: Option<(HandlerFuture<'static>, Result<Reply, Failure>)>,
    waker: Option<Waker>,
}

impl Outcome {
    fn put(&self, handler: HandlerFuture<'static>, outcome: Result<Reply, Failure>) {
        let mut state = self.state();
        state.done = Some((handler, outcome));
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }

    fn poll(&self, context: &Context<'_>) -> Poll<Result<Reply, Failure>> {
        let mut state = self.state();
        match state.done.take() {
            Some((handler, outcome)) => {
                drop(state);
                drop(handler);
                Poll::Ready(outcome)
            }
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<ReplyStream> for Stage {
    fn from(stream: ReplyStream) -> Self {
        match stream.0 {
            Source::Handler(handler) => Stage::Handler(handler),
            source => Stage::Items(ReplyStream(source)),
        }
    }
}
