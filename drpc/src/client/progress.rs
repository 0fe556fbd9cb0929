//! The client in steps: the one on tokio, on a runtime that is the caller's own loop.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker, ready};
use std::time::{Duration, Instant};

use super::builder::ClientBuilder;
use super::caller::{CallOptions, Caller};
use super::error::{CallError, ConnectError};
use super::handle;
use super::pool::Pool;
use super::reactor::Reactor;
use super::reply::reply_of;
use super::runtime::Runtime;
use crate::handler::failure::Escaped;
use crate::handler::failure::guard::guarded;
use crate::handler::method::Method;
use crate::handler::payload::Payload;
use crate::steps::Stepped;
use crate::wire::{Body, Response};

/// A client that does its work in steps, whenever its owner says so: no runtime, no thread, and nothing that blocks.
///
/// It is a handle: clones share its connections, on each of which any number of calls may be in flight, and may call on any thread. A
/// call gives a [`PendingCall`]: a future, for whatever polls futures, such as a handler of [`progress::Server`](crate::progress::Server);
/// or given a callback. Either goes on in [`progress`](Self::progress), or in the steps of the server that
/// [drives](crate::progress::Server::drive) the client.
///
/// Connections are made when calls need them, a full backlog included, and one that broke is replaced by the next call
/// ([`ClientBuilder::auto_reconnect`]): one that finds no server tries again for as long as its time and
/// [`ClientBuilder::connect_timeout`] allow. [`ClientBuilder::spin`] has no meaning here.
///
/// Dropped with its last clone, it closes its connections, and drops the callbacks of calls that are under way.
///
/// # Example
///
/// ```
/// # use std::time::Duration;
/// # #[derive(Clone, PartialEq, prost::Message)] pub struct Hello { #[prost(string, tag = "1")] pub name: String }
/// # #[derive(Clone, PartialEq, prost::Message)] pub struct HelloResponse { #[prost(string, tag = "1")] pub greeting: String }
/// # struct Greeter;
/// # #[drpc::drpc_module(id = 5)]
/// # impl Greeter { #[method(1)] fn hello(&self, req: Hello) -> HelloResponse { HelloResponse { greeting: format!("Hello {}", req.name) } } }
/// # let directory = tempfile::tempdir()?;
/// # let path = directory.path().join("greeter.sock");
/// # let server = drpc::blocking::Server::builder().module(Greeter).bind_blocking(&path)?;
/// # let handle = server.handle();
/// # let serving = std::thread::spawn(move || server.serve());
/// use drpc::progress::Client;
///
/// let client = Client::builder(&path).timeout(Duration::from_secs(5)).connect_progress()?;
/// let greeter = GreeterClient::new(client.clone());
///
/// let (done, greetings) = std::sync::mpsc::channel();
/// greeter.hello(Hello { name: "World".into() }).when_done(move |reply| done.send(reply).unwrap());
/// let reply = loop {
///     client.progress(Duration::from_millis(10))?;
///     // and here the program's own work
///     if let Ok(reply) = greetings.try_recv() {
///         break reply?;
///     }
/// };
/// assert_eq!(reply.greeting, "Hello World");
/// # handle.shutdown();
/// # serving.join().unwrap()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Client {
    client: handle::Client,
    steps: Arc<Steps>,
}

/// The steps of a client's handles. Who makes one holds this, so that none is made while it is dropped.
struct Steps(Arc<Reactor>);

impl Drop for Steps {
    fn drop(&mut self) {
        // The tasks hold the client, and it the reactor.
        self.0.clear();
    }
}

impl Client {
    /// Begins to set a client up; [`ClientBuilder::connect_progress`] makes it.
    pub fn builder(path: impl AsRef<Path>) -> ClientBuilder {
        ClientBuilder::new(path.as_ref())
    }

    /// Makes one step: sends, receives, connects, looks at deadlines, and calls back, wherever that is possible now. A connection
    /// has its share of at most 32 packets; what is left is done in the next step.
    ///
    /// If there is nothing to do, it waits for it up to `timeout`, which the kernel rounds up to milliseconds; zero is not to wait,
    /// and [`Duration::MAX`] to wait for as long as it takes. It returns early at a signal, and when the [`waker`](Self::waker) is
    /// called.
    ///
    /// # Errors
    ///
    /// If the system can't say what is ready. What goes wrong with a call is told to that call.
    pub fn progress(&self, timeout: Duration) -> io::Result<()> {
        self.step(timeout)
    }

    /// When [`progress`](Self::progress) is to be called even if nothing happens, for one whose loop waits elsewhere: a call's time is
    /// over then, or its next attempt is due.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.steps.0.next_deadline()
    }

    /// Makes the [`progress`](Self::progress) that is under way, or else the next one, return at once. It may be called on any thread, and is what
    /// a loop polls its futures with.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.steps.0.waker().clone()
    }

    /// Calls a method with a marshalled body; gives the response, whatever its status.
    ///
    /// Its error is a [`CallError`] if there is no response. A response with a failing status is none.
    pub fn call_raw(
        &self,
        method: Method,
        body: impl Into<Body>,
        options: &CallOptions,
    ) -> PendingCall<Result<Response, CallError>> {
        let (body, options) = (body.into(), options.clone());
        self.pending(|client| async move { client.call_raw(method, body, &options).await })
    }

    /// Makes many calls at once, as [`drpc::Client::batch`](crate::blocking::Client::batch) does: they go out one behind the other on one
    /// connection, and their replies are given in the same order.
    pub fn batch<Q: Payload, R: Payload>(
        &self,
        calls: impl IntoIterator<Item = (impl Into<Method>, Q)>,
        options: &CallOptions,
    ) -> PendingCall<Vec<Result<R, CallError>>> {
        let calls = calls.into_iter().map(|(method, request)| (method.into(), request.into_body()));
        let (calls, options) = (calls.collect::<Vec<_>>(), options.clone());
        self.pending(|client| async move {
            let responses = client.batch_raw(calls, &options).await;
            let limit = client.reply_limit();
            responses.into_iter().map(|response| reply_of(response?, limit)).collect()
        })
    }

    /// As [`batch`](Self::batch), with marshalled bodies; gives the responses, whatever their statuses.
    pub fn batch_raw(
        &self,
        calls: impl IntoIterator<Item = (Method, impl Into<Body>)>,
        options: &CallOptions,
    ) -> PendingCall<Vec<Result<Response, CallError>>> {
        let calls = calls.into_iter().map(|(method, body)| (method, body.into()));
        let (calls, options) = (calls.collect::<Vec<_>>(), options.clone());
        self.pending(|client| async move { client.batch_raw(calls, &options).await })
    }

    /// Whether calls can be made: the client is connected, or will connect by itself.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.is_connected()
    }

    /// Connects, so that no call has to, or connects again if the client was closed or its connections broke; does nothing if it is
    /// connected (C2). Sequences start again at 1 (C1).
    ///
    /// It tries once, or for as long as [`ClientBuilder::wait_until_ready`] says. Its error has the path, what the system said, and what
    /// to do (C8).
    pub fn connect(&self) -> PendingCall<Result<(), ConnectError>> {
        self.pending(|client| async move { client.connect_patiently().await })
    }

    /// Closes the connections; calls under way fail. Does nothing if it is closed (C2).
    pub fn close(&self) {
        self.client.close();
    }

    fn pending<T, F: Future<Output = T> + Send + 'static>(
        &self,
        call: impl FnOnce(handle::Client) -> F,
    ) -> PendingCall<T> {
        PendingCall { call: Box::pin(call(self.client.clone())), steps: self.steps.clone() }
    }
}

impl Caller for Client {
    type Outcome<R> = PendingCall<Result<R, CallError>>;

    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<R> {
        PendingCall { call: self.client.call(method, request, options), steps: self.steps.clone() }
    }
}

impl Stepped for Client {
    fn next_deadline(&self) -> Option<Instant> {
        self.steps.0.next_deadline()
    }

    fn step(&self, timeout: Duration) -> io::Result<()> {
        self.steps.0.step(timeout)
    }
}

/// The descriptor to wait on in another loop: it can be read when [`progress`](Client::progress) has something to do. Beside it, see
/// [`next_deadline`](Client::next_deadline).
impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.steps.0.as_fd()
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.fmt(f)
    }
}

/// A call of the [`Client`] in steps, and what will come of it.
///
/// It is a future: nothing is sent before it is polled, or given to [`when_done`](Self::when_done) or [`detach`](Self::detach), each of
/// which sends what it can at once.
///
/// Cancel safe: a call that is dropped before it was sent is not made; after that, its reply is dropped when it comes (C4).
#[must_use = "nothing is sent before it is polled, or given a callback"]
pub struct PendingCall<T> {
    call: Pin<Box<dyn Future<Output = T> + Send>>,
    /// Its client lives as long as it does.
    steps: Arc<Steps>,
}

impl<T: Send + 'static> PendingCall<T> {
    /// Makes the call, and calls back with what came of it: in a step of the client, on its thread, and never before this returns.
    ///
    /// A callback that blocks holds up the loop; one that panics is logged, and ends nothing else. It is dropped uncalled if the client is
    /// dropped with its last clone; so one that holds a clone keeps the client until it has been called.
    pub fn when_done(self, callback: impl FnOnce(T) + Send + 'static) {
        let mut call = self.call;
        let task = async move {
            let mut is_begun = false;
            let mut outcome = None;
            let outcome = poll_fn(|context| {
                let is_first = !mem::replace(&mut is_begun, true);
                if outcome.is_none() {
                    outcome = Some(ready!(call.as_mut().poll(context)));
                }
                if is_first {
                    context.waker().wake_by_ref();
                    return Poll::Pending;
                }
                outcome.take().map_or(Poll::Pending, Poll::Ready)
            });
            let outcome = outcome.await;
            if let Err(panic) = guarded(|| callback(outcome)) {
                tracing::error!("a callback panicked: {}", Escaped(&panic));
            }
        };
        self.steps.0.spawn(Box::pin(task));
    }
}

impl<R: Send + 'static> PendingCall<Result<R, CallError>> {
    /// Makes the call, and leaves it to itself; if it fails, that is logged. With [`CallOptions::no_response`] nobody waits for the
    /// reply either (C6).
    pub fn detach(self) {
        self.when_done(|outcome| {
            if let Err(error) = outcome {
                tracing::warn!(%error, "a call that nobody waits for failed");
            }
        });
    }
}

impl<T> Future for PendingCall<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<T> {
        self.call.as_mut().poll(context)
    }
}

impl<T> fmt::Debug for PendingCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingCall").finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Makes the client in steps. It connects when a call needs it to: nothing is waited for here.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the path can't be one of a socket, or the system is out of descriptors.
    pub fn connect_progress(self) -> Result<Client, ConnectError> {
        let path = self.checked_path()?;
        let reactor = Reactor::new().map_err(|cause| ConnectError::io(path, cause))?;
        let pool = Pool::unconnected(self.limit());
        let client = handle::Client::new(self, pool, Runtime::Steps(reactor.clone()));
        Ok(Client { client, steps: Arc::new(Steps(reactor)) })
    }
}
