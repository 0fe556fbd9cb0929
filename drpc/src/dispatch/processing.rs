//! A call in progress: from its handler to its response.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};
use std::time::Duration;

use futures_util::Stream;
use tracing::Span;

use super::outflow::Outflow;
use super::passing::{self, Passing};
use crate::budget::Lease;
use crate::handler::context::Context;
use crate::handler::control::OpenStream;
use crate::handler::failure::guard::guarded;
use crate::handler::failure::{Escaped, Failure, chain};
use crate::handler::method::{Method, Streams};
use crate::handler::module::{HandlerFuture, Module, name_of};
use crate::handler::reply::{Reply, ReplyStream};
use crate::observe::peer_log::Line;
use crate::observe::server::ObservedCall;
use crate::observe::stream::Tally;
use crate::wire::{Body, CallFields, FailureCause, Part, Response, ResponseFields, Status};

/// A call in progress: the future that [`ModuleService::process`](crate::ModuleService::process) returns.
///
/// ```
/// use drpc::wire::{Call, Status};
/// use drpc::{Context, ModuleService, PeerCredentials, Session};
///
/// #[tokio::main]
/// async fn main() {
///     let service = ModuleService::new();
///     let session = Session::new(1, PeerCredentials::this_process());
///     let call = Call { module: 5, method: 501, sequence: 1, body: "".into(), added: None };
///
///     let processing = service.process(Context::new(session.into(), call.sequence), call);
///     assert!(processing.method().is_none());
///     assert_eq!(processing.await.status, Status::UNKNOWN_MODULE);
/// }
/// ```
#[must_use = "a handler does nothing unless it is polled"]
pub struct Processing {
    pub(super) handler: Handler,
    pub(super) module_id: i32,
    pub(super) module: Option<Arc<dyn Module>>,
    pub(super) method_id: i32,
    pub(super) method: Option<Method>,
    pub(super) sequence: i64,
    /// `None` if the call has no added fields.
    pub(super) asked: Option<Asked>,
    /// Whether there are layers around the handler.
    pub(super) layered: bool,
    pub(super) context: Context,
    pub(super) observed: ObservedCall,
    /// How many bytes of reply its handler has made.
    pub(super) made: usize,
}

/// How far a call's handler has come.
pub(super) enum Handler {
    Runs(HandlerFuture<'static>),
    /// There is none, and this is why.
    None(Failure),
    /// It has answered with a stream, which is to follow.
    Opened(Box<Opened>),
    Done,
}

/// What the caller asks for beside a reply (E5).
#[derive(Clone, Copy, Default)]
pub(super) struct Asked {
    /// To be told more of a failure than its status.
    error: bool,
    /// To be answered by a stream, or to send one.
    streams: Streams,
    /// To be told that controls are known, where they are.
    control: bool,
    /// To be told that packs are taken, where they are.
    packs: bool,
    passing: Passing,
}

impl Asked {
    #[cold]
    pub(super) fn by(added: &CallFields, context: &Context) -> Self {
        Asked {
            error: added.wants_error,
            streams: Streams::of(added.credit.is_some(), added.sends_items),
            control: added.asks_control && context.control().is_some(),
            packs: added.takes_packs && context.session().packs(),
            passing: Passing::of(added),
        }
    }

    /// Does what a call's added fields say before its handler begins, or says why that is not to begin (E5).
    #[cold]
    pub(super) fn heed(
        self,
        added: &CallFields,
        method: Method,
        context: &mut Context,
    ) -> Result<(), Failure> {
        if method.streams() != self.streams {
            return Err(self.unlike(method));
        }
        if !added.descriptors.is_none() {
            passing::check(method, &added.descriptors)?;
            *context = context.clone().with_descriptors(added.descriptors.clone());
        }
        if added.time_left == Some(Duration::ZERO) {
            let failure = Failure::from("the caller's time was over before its call began");
            return Err(failure.caused_by(FailureCause::TimedOut));
        }
        Ok(())
    }

    /// Tells the caller what it asks whether it is known.
    fn say_what_is_known(self, added: &mut Option<Box<ResponseFields>>) {
        if self.control || self.packs {
            let added = added.get_or_insert_default();
            (added.takes_control, added.takes_packs) = (self.control, self.packs);
        }
    }

    /// The failure of a call whose method has other streams.
    #[cold]
    pub(super) fn unlike(self, method: Method) -> Failure {
        let text = match (self.streams.replies(), self.streams.requests()) {
            (false, _) if method.is_streaming() => {
                "the method gives a stream, and its caller does not ask for one"
            }
            (_, false) if method.is_client_streaming() => {
                "the method takes a stream of items, and its caller sends none"
            }
            (_, true) if !method.is_client_streaming() => {
                "the caller sends a stream of items, and the method takes one request"
            }
            _ => "the caller asks for a stream, and the method gives one reply",
        };
        text.into()
    }
}

/// A stream that a handler answered with.
pub(super) struct Opened {
    pub(super) items: ReplyStream,
    pub(super) open: OpenStream,
    /// That it is counted.
    pub(super) lease: Lease,
}

impl Processing {
    /// The method that was called, if there is one.
    #[must_use]
    pub fn method(&self) -> Option<Method> {
        self.method
    }

    pub(super) fn sequence(&self) -> i64 {
        self.sequence
    }

    /// The call's context.
    #[must_use]
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The response to the call if its handler has had its [time](Context::deadline), for who enforces it.
    ///
    /// # Panics
    ///
    /// If there has been a response.
    pub fn cut_off(&mut self) -> Response<Body> {
        let cause = "the handler took too long, for its server or its caller, and was cut off";
        self.failed(Failure::with_message(Status::FAILURE, cause).caused_by(FailureCause::TimedOut))
    }

    /// The responses that are to follow the one that was given, if that has opened a stream: an item each, and the last one, which is no
    /// [`part`](crate::wire::Response::part) and ends it by its status. For who carries the call, in a context [with a stream](Context::with_polled_stream).
    ///
    /// What the items come from is dropped with it.
    ///
    /// ```
    /// use drpc::wire::{Call, CallFields, Credit};
    /// use drpc::{Context, Failure, ModuleService, PeerCredentials, Session, Stream, drpc_module};
    /// use futures_util::{StreamExt, stream};
    ///
    /// struct Clock;
    ///
    /// #[drpc_module(id = 7)]
    /// impl Clock {
    ///     #[method(4, stream)]
    ///     fn ticks(&self) -> impl Stream<Item = Result<bytes::Bytes, Failure>> {
    ///         stream::iter(["tick", "tack"].map(|tick| Ok(tick.into())))
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut service = ModuleService::new();
    /// service.register(Clock)?;
    /// let session = Session::new(1, PeerCredentials::this_process());
    /// let context = Context::new(session.into(), 1).with_polled_stream();
    /// let asks = CallFields { credit: Some(Credit::default()), ..CallFields::default() };
    /// let call = Call { module: 7, method: 704, sequence: 1, body: "".into(), added: Some(asks.into()) };
    ///
    /// let mut processing = service.process(context, call);
    /// let opened = (&mut processing).await;
    /// assert!(opened.part().is_some());
    /// let responses = processing.take_items().expect("it has opened one");
    /// assert_eq!(responses.filter(|response| std::future::ready(response.part().is_some())).count().await, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn take_items(&mut self) -> Option<impl Stream<Item = Response<Body>> + Send + Unpin + use<>> {
        self.take_stream()
    }

    /// The IDs of the module and the method that were called.
    pub(crate) fn ids(&self) -> (i32, i32) {
        (self.module_id, self.method_id)
    }

    /// How many bytes of reply the handler has made, also if there was no room for them.
    pub(crate) fn made(&self) -> usize {
        self.made
    }

    /// Whether it is the call that a client of this crate asks with which wire is spoken (W8).
    fn is_probe(&self) -> bool {
        self.ids() == (0, 0) && self.module.is_none()
    }

    /// Polls the handler alone: what it gives is for [`respond`](Self::respond) or [`failed`](Self::failed).
    #[inline]
    pub(crate) fn poll_handler(&mut self, context: &mut task::Context<'_>) -> Poll<Result<Reply, Failure>> {
        let Processing { handler, observed, layered, .. } = self;
        match handler {
            Handler::Runs(handler) => {
                let _entered = observed.enter();
                try_guarded(*layered, || Ok(handler.as_mut().poll(context)))
                    .unwrap_or_else(|failure| Poll::Ready(Err(failure)))
            }
            _ => self.poll_without_handler(),
        }
    }

    #[cold]
    fn poll_without_handler(&mut self) -> Poll<Result<Reply, Failure>> {
        match mem::replace(&mut self.handler, Handler::Done) {
            Handler::None(failure) => Poll::Ready(Err(failure)),
            _ => panic!("a response is asked for once"),
        }
    }

    /// The response to the call, whose handler came to this.
    #[inline(always)]
    pub(crate) fn respond(&mut self, outcome: Result<Reply, Failure>) -> Response<Body> {
        match outcome {
            Ok(Reply::Success(body)) => self.succeed(Status::SUCCESS, body),
            Ok(Reply::Submitted) => self.succeed(Status::SUBMITTED, Body::new()),
            Ok(Reply::Stream(items)) => self.open(items),
            Err(failure) => self.failed(failure),
        }
    }

    #[inline(always)]
    fn succeed(&mut self, status: Status, mut body: Body) -> Response<Body> {
        self.made = body.len();
        if let Err(over) = self.context.session().hold_reply(&mut body) {
            return self.failed(Failure::marshal(over));
        }
        let mut response = Response { sequence: self.sequence, status, body, added: None };
        if (self.asked.is_some() || response.body.has_descriptors())
            && let Err(failure) = self.add_to(&mut response)
        {
            return self.failed(failure);
        }
        self.observed.end(&response);
        response
    }

    /// Adds to the response what its caller has asked for, or says why it can't be sent.
    #[cold]
    fn add_to(&self, response: &mut Response<Body>) -> Result<(), Failure> {
        let asked = self.asked.unwrap_or_default();
        asked.passing.answer(self.method, response)?;
        asked.say_what_is_known(&mut response.added);
        Ok(())
    }

    /// The response to the call, if its handler failed so; it is logged.
    pub(crate) fn failed(&mut self, mut failure: Failure) -> Response<Body> {
        if matches!(self.handler, Handler::Runs(_)) {
            failure = failure.caused_by(FailureCause::Handler);
        }
        self.log_failure(&failure);
        if failure.is_of_a_bad_call() {
            self.context.session().count_bad_call();
        }
        let status = failure.status();
        let asked = self.asked.unwrap_or_default();
        let mut added = asked.error.then(|| self.told_of(&failure));
        asked.say_what_is_known(&mut added);
        let response = Response { added, ..Response::failure(self.sequence, status) };
        self.observed.end(&response);
        if let Err(panic) = guarded(|| drop(failure)) {
            self.log_drop("its failure", &panic);
        }
        response
    }

    /// What the caller is told of a failure, which is counted until it is sent: where there is no room for them, without details.
    #[cold]
    fn told_of(&self, failure: &Failure) -> Box<ResponseFields> {
        let mut told = Box::new(failure.as_fields());
        self.context.session().hold_details(&mut told);
        told
    }

    /// The first response of a stream, which says no more than that it is open. Its items are for [`take_stream`](Self::take_stream).
    #[cold]
    fn open(&mut self, items: ReplyStream) -> Response<Body> {
        let asked = self.asked.unwrap_or_default();
        let control = self.context.control().filter(|_| asked.streams != Streams::Neither);
        let credit = control.and_then(|control| control.window());
        let takes_many = credit.is_some() && control.is_some_and(|control| control.may_come_as_many());
        let open = match control {
            Some(control) => control.open(),
            None => Err("it answers with a stream, and there is none to be had here".into()),
        };
        let held = open.and_then(|open| {
            let lease = self.context.session().hold_stream();
            lease.map(|lease| (open, lease)).map_err(|over| over.to_string().into())
        });
        match held {
            Ok((open, lease)) => {
                let opened = Handler::Opened(Box::new(Opened { items, open, lease }));
                if let Handler::Runs(handler) = mem::replace(&mut self.handler, opened) {
                    self.drop_handler(handler);
                }
                let added = ResponseFields { credit, takes_many, ..ResponseFields::of_part(Part::Opened) };
                Response { sequence: self.sequence, added: Some(added.into()), ..Response::default() }
            }
            Err(failure) => self.failed(failure),
        }
    }

    /// What is to follow the response that was given, if that has opened a stream.
    #[inline]
    pub(crate) fn take_stream(&mut self) -> Option<Box<Outflow>> {
        match self.handler {
            Handler::Opened(_) => self.outflow(),
            _ => None,
        }
    }

    #[cold]
    fn outflow(&mut self) -> Option<Box<Outflow>> {
        let Handler::Opened(stream) = mem::replace(&mut self.handler, Handler::Done) else { return None };
        let rest = Processing {
            handler: Handler::Done,
            module_id: self.module_id,
            module: self.module.take(),
            method_id: self.method_id,
            method: self.method,
            sequence: self.sequence,
            asked: self.asked,
            layered: self.layered,
            context: self.context.clone(),
            observed: self.observed.take(),
            made: 0,
        };
        Some(Box::new(Outflow::new(rest, *stream)))
    }

    /// Runs what polls the handler's stream, or a handler that takes one, as part of the call.
    pub(super) fn poll_part<T>(
        &self,
        poll: impl FnOnce() -> Poll<Result<T, Failure>>,
    ) -> Poll<Result<T, Failure>> {
        let _entered = self.observed.enter();
        try_guarded(self.layered, || Ok(poll()))
            .unwrap_or_else(|failure| Poll::Ready(Err(failure)))
            .map_err(|failure| failure.caused_by(FailureCause::Handler))
    }

    /// Whether there are layers around the handler.
    pub(super) fn is_layered(&self) -> bool {
        self.layered
    }

    /// Makes what a handler does elsewhere part of the call.
    pub(super) fn span(&self) -> Span {
        self.observed.span()
    }

    /// The call was a stream, through which these items have gone.
    pub(super) fn streamed(&self, received: Option<Tally>, sent: Tally) {
        received.iter().chain([&sent]).for_each(|tally| self.observed.streamed(tally));
    }

    /// The last response of a stream that ended by itself, or was given up by its caller.
    pub(super) fn end_stream(&mut self, status: Status) -> Response<Body> {
        let response = Response { sequence: self.sequence, status, ..Response::default() };
        self.observed.end(&response);
        response
    }

    #[inline]
    fn drop_handler(&self, handler: HandlerFuture<'static>) {
        if let Err(panic) = guarded(|| drop(handler)) {
            self.log_drop("the handler", &panic);
        }
    }

    /// Drops what a stream's items come from, which may panic (S10).
    pub(super) fn drop_items<T>(&self, items: T) {
        if let Err(panic) = guarded(|| drop(items)) {
            self.log_drop("the stream", &panic);
        }
    }

    fn log_failure(&self, failure: &Failure) {
        let _entered = self.observed.enter();
        if self.is_probe() {
            return tracing::debug!("a client asks which wire is spoken here");
        }
        if !self.context.session().may_log(Line::CallFailed) {
            return;
        }
        // What the session's span says is not said again.
        let session = Some(self.context.session()).filter(|session| session.span().is_disabled());
        let peer = session.map(|session| session.peer());
        let text = failure.to_string();
        let causes = guarded(|| causes(failure));
        let causes = causes.unwrap_or_else(|panic| Some(format!("it panicked as it was shown: {panic}")));
        let cause = causes.as_deref().map(|causes| tracing::field::display(Escaped(causes)));
        tracing::warn!(
            module = self.module_id,
            module_name = self.module.as_deref().map(name_of),
            method = self.method_id,
            method_name = self.method.map(Method::name),
            session = session.map(|session| session.id()),
            uid = peer.filter(|peer| peer.remote().is_none()).map(|peer| peer.uid()),
            pid = peer.and_then(|peer| peer.pid()),
            remote = peer.and_then(|peer| peer.remote()).map(tracing::field::display),
            sequence = self.sequence,
            status = %failure.status(),
            cause,
            "call failed: {}",
            Escaped(&text)
        );
    }

    /// Tells of a panic of what was dropped.
    #[cold]
    fn log_drop(&self, what: &str, panic: &str) {
        let _entered = self.observed.enter();
        if !self.context.session().may_log(Line::Panicked) {
            return;
        }
        tracing::error!(
            module = self.module_id,
            method = self.method_id,
            session = self.context.session().id_without_span(),
            sequence = self.sequence,
            "{what} panicked as it was dropped: {}",
            Escaped(panic)
        );
    }
}

impl Future for Processing {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<Response<Body>> {
        self.poll_handler(context).map(|outcome| self.respond(outcome))
    }
}

/// A handler that is cut off may panic as it is dropped where it waits (S10).
impl Drop for Processing {
    fn drop(&mut self) {
        match mem::replace(&mut self.handler, Handler::Done) {
            Handler::Runs(handler) => self.drop_handler(handler),
            Handler::Opened(stream) => self.drop_items(stream.items),
            Handler::None(_) | Handler::Done => {}
        }
    }
}

impl fmt::Debug for Processing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processing")
            .field("module", &self.module_id)
            .field("method", &self.method_id)
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

/// Runs what belongs to a module, or to the layers around it; its panic is the failure of its call (S10).
#[inline]
pub(super) fn try_guarded<T>(layered: bool, run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    guarded(run).unwrap_or_else(|panic| Err(Failure::panicked(panic, layered)))
}

/// What the sources of a failure say, where they do not only repeat it.
fn causes(failure: &Failure) -> Option<String> {
    let sources = chain(failure).skip(1).map(ToString::to_string);
    let mut said = failure.to_string();
    let causes: Vec<_> = sources
        .filter(|text| {
            let new = *text != said;
            said.clone_from(text);
            new
        })
        .collect();
    (!causes.is_empty()).then(|| causes.join(": "))
}
