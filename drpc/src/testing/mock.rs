use std::fmt::{self, Debug, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;

use crate::descriptors::Descriptors;
use crate::handler::context::Context;
use crate::handler::decoding::Decoding;
use crate::handler::failure::Failure;
use crate::handler::incoming::Incoming;
use crate::handler::method::Method;
use crate::handler::module::Module;
use crate::handler::payload::Payload;
use crate::handler::reply::{IntoReply, Reply, ReplyStream};
use crate::wire::{Body, Status};

/// A module with the answers that a test gives it, and a log of its calls: for tests of code that calls a server.
///
/// Each of [`on`](Self::on), [`reply`](Self::reply), [`stream`](Self::stream), [`fail`](Self::fail) and [`hang`](Self::hang) adds an answer for one method, by
/// its system-wide ID; [`times`](Self::times) and [`delay`](Self::delay) modify the preceding answer. A method may have
/// several answers: each is given as often as its `times` says, one after the other, and one without `times` from there on.
///
/// It is a handle: clones share one state, so that a test keeps one when a server takes another.
///
/// # Example
///
/// ```
/// # #[derive(Clone, PartialEq, prost::Message)]
/// # pub struct Hello { #[prost(string, tag = "1")] pub name: String }
/// # #[derive(Clone, PartialEq, prost::Message)]
/// # pub struct HelloResponse { #[prost(string, tag = "1")] pub greeting: String }
/// # #[drpc::drpc_module(id = 5, client_only)]
/// # pub trait Greeter { #[method(1)] fn hello(&self, req: Hello) -> HelloResponse; }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use drpc::testing::{self, MockModule};
/// use drpc::{Server, Status};
///
/// let mock = MockModule::new(5, "greeter")
///     .fail(501, Status::FAILURE).times(1)
///     .on(501, |req: Hello| Ok(HelloResponse { greeting: format!("Hello {}", req.name) })).times(1);
/// let client = testing::client_of(Server::builder().module(mock.clone()))?;
///
/// // What is to be tested: it tries again.
/// let greeter = GreeterClient::new(client);
/// let world = Hello { name: "World".into() };
/// assert!(greeter.hello(world.clone()).await.is_err());
/// assert_eq!(greeter.hello(world.clone()).await?.greeting, "Hello World");
///
/// mock.assert_requests(501, &[world.clone(), world]);
/// mock.verify();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MockModule {
    id: i32,
    name: Arc<str>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    answers: Vec<Answer>,
    calls: Vec<Logged>,
}

/// An answer that was added for a method.
struct Answer {
    method: i32,
    handler: Handler,
    /// Whether request or reply pass descriptors.
    fds: bool,
    delay: Duration,
    /// How often it is to be given; `None` for as often as it is asked for.
    times: Option<usize>,
    given: usize,
}

#[derive(Clone)]
enum Handler {
    Call(Arc<Mutex<Function>>),
    /// A reply, or a failure.
    Fixed(Status, Body),
    Stream(Arc<[Result<Body, Status>]>),
    Upload(Arc<Mutex<Uploaded>>),
    Hang,
}

/// What a handler answers; or, as the outer error, why the request can't be read.
type Function = dyn FnMut(Bytes, &Descriptors) -> Result<Result<Reply, Failure>, Failure> + Send;

/// As [`Function`], of the request and the items that followed it.
type Uploaded = dyn FnMut(Bytes, Vec<Bytes>) -> Result<Result<Reply, Failure>, Failure> + Send;

struct Logged {
    call: MockCall,
    problem: Option<&'static str>,
}

/// A call that a [`MockModule`] received.
///
/// ```
/// use drpc::testing::{self, MockModule};
/// use drpc::{CallOptions, Method, Server};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let mock = MockModule::new(5, "greeter").reply(501, ());
///     let client = testing::client_of(Server::builder().explicit_modules_only().module(mock.clone()))?;
///     client.call_raw(Method::new(5, 501, "hello"), "World", &CallOptions::new()).await?;
///
///     let calls = mock.calls();
///     assert_eq!((calls[0].method, &*calls[0].body), (501, &b"World"[..]));
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MockCall {
    /// The method, by its system-wide ID.
    pub method: i32,
    /// The call's sequence.
    pub sequence: i64,
    /// The request, marshalled.
    pub body: Bytes,
}

const UNEXPECTED: &str = "no answer was left for it";
const UNREADABLE: &str = "its body is not the request that its handler takes";
const PANICKED: &str = "its handler panicked; what it said stands where panics are reported";

impl MockModule {
    /// A module without answers: any call is answered `UNKNOWN_METHOD`, and [`verify`](Self::verify) reports it.
    #[must_use]
    pub fn new(id: i32, name: &str) -> Self {
        MockModule { id, name: name.into(), state: Arc::default() }
    }

    /// Answers a method by a function. `Q` and `R` are messages, or [`Bytes`] for raw bodies. A request that can't be read is answered
    /// `FAILED_UNMARSHAL_PAYLOAD` ([D4](crate::guide::rules#dispatch)).
    #[must_use]
    pub fn on<Q: Payload, R: IntoReply>(
        self,
        method: i32,
        mut handler: impl FnMut(Q) -> Result<R, Failure> + Send + 'static,
    ) -> Self {
        let function = move |body, descriptors: &Descriptors| {
            let request = Q::from_message(body, descriptors, &mut Decoding::of_reply(usize::MAX))?;
            Ok(handler(request).map(R::into_reply))
        };
        let fds = Q::WITH_FDS || R::Received::WITH_FDS;
        self.answer(method, Handler::Call(Arc::new(Mutex::new(function))), fds)
    }

    /// Answers a method by this reply, or by [`Submitted`](crate::Submitted), whatever the request.
    #[must_use]
    pub fn reply<R: IntoReply>(self, method: i32, reply: R) -> Self {
        let reply = reply.into_reply();
        let fixed = Handler::Fixed(reply.status(), reply.into_body());
        self.answer(method, fixed, R::Received::WITH_FDS)
    }

    /// Answers a method by this status. [`Status::SUCCESS`] and [`Status::SUBMITTED`] become FAILURE: they are no
    /// failures.
    #[must_use]
    pub fn fail(self, method: i32, status: Status) -> Self {
        let status = if status.is_failure() { status } else { Status::FAILURE };
        self.answer(method, Handler::Fixed(status, Body::new()), false)
    }

    /// Answers a [streaming](crate::guide::streams) method by these items, whatever the request. The first status among them ends the
    /// stream; [`Status::SUCCESS`] and [`Status::SUBMITTED`] become FAILURE.
    #[must_use]
    pub fn stream<R: Payload>(self, method: i32, items: impl IntoIterator<Item = Result<R, Status>>) -> Self {
        let items = items.into_iter().map(|item| item.map(Payload::into_body));
        self.answer(method, Handler::Stream(items.collect()), false)
    }

    /// Answers a method that takes a [stream](crate::guide::streams) by a function of its request and all of the items. A request or an item that can't be read is
    /// answered `FAILED_UNMARSHAL_PAYLOAD`; a caller that did not send all gets no answer of the function's.
    ///
    /// ```
    /// use drpc::testing::{self, MockModule};
    /// use drpc::{Bytes, CallOptions, Caller, Method, Server, Upload};
    ///
    /// #[tokio::main]
    /// async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let mock = MockModule::new(8, "store").upload(801, |(), pieces: Vec<Bytes>| Ok(Bytes::from(pieces.concat())));
    ///     let client = testing::client_of(Server::builder().explicit_modules_only().module(mock))?;
    ///     let method = Method::new(8, 801, "upload").client_streaming();
    ///     let mut upload: Upload<Bytes, Bytes> = client.upload(method, (), &CallOptions::new()).await?;
    ///     upload.send("one".into()).await?;
    ///     upload.send("two".into()).await?;
    ///     assert_eq!(upload.finish().await?, "onetwo");
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn upload<Q: Payload, T: Payload, R: IntoReply>(
        self,
        method: i32,
        mut handler: impl FnMut(Q, Vec<T>) -> Result<R, Failure> + Send + 'static,
    ) -> Self {
        let function = move |body, items: Vec<Bytes>| {
            let request = Q::from_body(body)?;
            let items = items.into_iter().map(T::from_body).collect::<Result<_, _>>()?;
            Ok(handler(request, items).map(R::into_reply))
        };
        self.answer(method, Handler::Upload(Arc::new(Mutex::new(function))), false)
    }

    /// Never answers a method.
    #[must_use]
    pub fn hang(self, method: i32) -> Self {
        self.answer(method, Handler::Hang, false)
    }

    /// How often the preceding answer is given: no more, and, checked by [`verify`](Self::verify), no less.
    ///
    /// # Panics
    ///
    /// If there is no preceding answer.
    #[must_use]
    #[track_caller]
    pub fn times(self, times: usize) -> Self {
        self.last("times", |answer| answer.times = Some(times));
        self
    }

    /// How long the preceding answer is delayed, by tokio's clock: with paused time it takes no time.
    ///
    /// # Panics
    ///
    /// If there is no preceding answer.
    #[must_use]
    #[track_caller]
    pub fn delay(self, delay: Duration) -> Self {
        self.last("delay", |answer| answer.delay = delay);
        self
    }

    /// The calls that came in so far, in their order.
    #[must_use]
    pub fn calls(&self) -> Vec<MockCall> {
        self.state().calls.iter().map(|logged| logged.call.clone()).collect()
    }

    /// The requests of one method that came in so far.
    ///
    /// # Panics
    ///
    /// If a body is no such request.
    #[must_use]
    #[track_caller]
    pub fn requests<Q: Payload>(&self, method: i32) -> Vec<Q> {
        let calls = self.calls().into_iter().filter(|call| call.method == method);
        let mut requests = Vec::new();
        for (place, call) in calls.enumerate() {
            match Q::from_body(call.body.clone()) {
                Ok(request) => requests.push(request),
                Err(error) => panic!(
                    "call {} of method {method} is no `{}`: {error}: {}",
                    place + 1,
                    std::any::type_name::<Q>(),
                    hex(&call.body)
                ),
            }
        }
        requests
    }

    /// Checks that the requests of one method that came in are these, in this order.
    ///
    /// # Panics
    ///
    /// If they are not; it says where they begin to differ, what was expected, and what came.
    #[track_caller]
    pub fn assert_requests<Q: Payload + PartialEq + Debug>(&self, method: i32, expected: &[Q]) {
        let came = self.requests::<Q>(method);
        let Some(place) = (0..expected.len().max(came.len())).find(|&at| expected.get(at) != came.get(at))
        else {
            return;
        };
        panic!(
            "{self}: method {method} got other requests than expected, from call {} on\n  expected: {}\n       got: {}\n\
             in all, {} calls were expected and {} came",
            place + 1,
            or_none(expected.get(place)),
            or_none(came.get(place)),
            expected.len(),
            came.len(),
        );
    }

    /// Checks that every answer with [`times`](Self::times) was given as often as that, that every call had an answer, and that no
    /// handler panicked or got what it could not read.
    ///
    /// # Panics
    ///
    /// If any of this is not so; the message has what was expected, what came, and all calls.
    #[track_caller]
    pub fn verify(&self) {
        let state = self.state();
        let mut problems = String::new();
        for answer in &state.answers {
            if let Some(times) = answer.times.filter(|times| *times != answer.given) {
                let (method, given) = (answer.method, answer.given);
                let _ = write!(problems, "\n  method {method}: expected {}, got {given}", calls(times));
            }
        }
        for (place, logged) in state.calls.iter().enumerate() {
            if let Some(problem) = logged.problem {
                let _ = write!(problems, "\n  call {} (method {}): {problem}", place + 1, logged.call.method);
            }
        }
        if problems.is_empty() {
            return;
        }
        let _ = write!(problems, "\nthe calls that came in, in order:");
        for (place, Logged { call, .. }) in state.calls.iter().enumerate() {
            let _ = write!(problems, "\n  {}. {call}", place + 1);
        }
        if state.calls.is_empty() {
            problems.push_str(" none");
        }
        // A test that panics here may still look at the mock.
        drop(state);
        panic!("{self} was not called as expected:{problems}");
    }

    fn answer(self, method: i32, handler: Handler, fds: bool) -> Self {
        let answer = Answer { method, handler, fds, delay: Duration::ZERO, times: None, given: 0 };
        self.state().answers.push(answer);
        self
    }

    #[track_caller]
    fn last(&self, what: &str, change: impl FnOnce(&mut Answer)) {
        match self.state().answers.last_mut() {
            Some(answer) => change(answer),
            None => panic!("`{what}` is about the answer before it, and there is none: call `on` first"),
        }
    }

    /// Logs a call, and chooses its answer.
    fn take(&self, call: MockCall) -> Taken {
        let mut state = self.state();
        let fits = |answer: &&mut Answer| {
            answer.method == call.method && answer.times.is_none_or(|times| answer.given < times)
        };
        let answer = state.answers.iter_mut().find(fits).map(|answer| {
            answer.given += 1;
            (answer.handler.clone(), answer.delay)
        });
        let is_known = state.answers.iter().any(|answer| answer.method == call.method);
        let problem = answer.is_none().then_some(UNEXPECTED);
        state.calls.push(Logged { call, problem });
        Taken { place: state.calls.len() - 1, answer, is_known }
    }

    /// Runs the function that answers a call.
    fn run(
        &self,
        place: usize,
        function: impl FnOnce() -> Result<Result<Reply, Failure>, Failure>,
    ) -> Result<Reply, Failure> {
        // Taken back below, unless it panics.
        self.set_problem(place, Some(PANICKED));
        let result = function();
        self.set_problem(place, result.is_err().then_some(UNREADABLE));
        result?
    }

    fn set_problem(&self, place: usize, problem: Option<&'static str>) {
        self.state().calls[place].problem = problem;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that was logged.
struct Taken {
    /// Its place in the log.
    place: usize,
    answer: Option<(Handler, Duration)>,
    /// Whether its method has answers at all.
    is_known: bool,
}

#[async_trait::async_trait]
impl Module for MockModule {
    fn id(&self) -> i32 {
        self.id
    }

    fn name(&self) -> &str {
        &self.name
    }

    /// Every method, so that a call that nobody expected is logged too.
    fn get_method(&self, id: i32) -> Option<Method> {
        let method = Method::new(self.id, id, "mocked");
        let state = self.state();
        let mut answers = state.answers.iter().filter(|answer| answer.method == id);
        let method = match answers.clone().any(|answer| matches!(answer.handler, Handler::Stream(_))) {
            true => method.streaming(),
            false => method,
        };
        let method = match answers.clone().any(|answer| matches!(answer.handler, Handler::Upload(_))) {
            true => method.client_streaming(),
            false => method,
        };
        Some(if answers.any(|answer| answer.fds) { method.fds() } else { method })
    }

    async fn handle_call(
        self: Arc<Self>,
        context: Context,
        method: Method,
        body: Bytes,
    ) -> Result<Reply, Failure> {
        let descriptors = context.descriptors();
        let call = MockCall { method: method.id(), sequence: context.sequence(), body: body.clone() };
        let taken = self.take(call);
        let (handler, delay) = match taken.answer {
            Some(answer) => answer,
            None if taken.is_known => return Err("the mock has no answer left for this method".into()),
            None => return Err(Failure::unknown_method()),
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        match handler {
            Handler::Fixed(Status::SUBMITTED, _) => Ok(Reply::Submitted),
            Handler::Fixed(Status::SUCCESS, body) => Ok(Reply::Success(body)),
            Handler::Fixed(status, _) => Err(Failure::new(status)),
            Handler::Stream(items) => {
                let items: Vec<_> = items.iter().map(|item| item.clone().map_err(Failure::new)).collect();
                Ok(Reply::Stream(ReplyStream::new(stream::iter(items))))
            }
            Handler::Upload(function) => {
                let mock = self.clone();
                Reply::taking(&context, method, |mut incoming: Incoming<Bytes>| async move {
                    let mut items = Vec::new();
                    while let Some(item) = incoming.next().await {
                        items.push(item?);
                    }
                    mock.run(taken.place, || {
                        function.lock().unwrap_or_else(PoisonError::into_inner)(body, items)
                    })
                })
            }
            Handler::Hang => std::future::pending().await,
            Handler::Call(function) => self.run(taken.place, || {
                function.lock().unwrap_or_else(PoisonError::into_inner)(body, &descriptors)
            }),
        }
    }
}

impl fmt::Display for MockModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "mock module {} ({})", self.id, self.name)
    }
}

impl fmt::Debug for MockModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockModule").field("id", &self.id).field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Display for MockCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MockCall { method, sequence, body } = self;
        write!(f, "method {method}, sequence {sequence}, body of {} bytes: {}", body.len(), hex(body))
    }
}

/// The first bytes of a body.
fn hex(body: &[u8]) -> String {
    let mut text: String = body.iter().take(32).map(|byte| format!("{byte:02x}")).collect();
    if body.len() > 32 {
        text.push('…');
    }
    text
}

fn calls(count: usize) -> String {
    match count {
        0 => "no call".to_owned(),
        1 => "1 call".to_owned(),
        _ => format!("{count} calls"),
    }
}

fn or_none<T: Debug>(value: Option<&T>) -> String {
    value.map_or_else(|| "no call".to_owned(), |value| format!("{value:?}"))
}
