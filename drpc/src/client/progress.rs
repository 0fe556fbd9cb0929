//! The client in steps: the one on tokio, on a runtime that is the caller's own loop.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Context, Poll, Waker, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt};

use super::builder::ClientBuilder;
use super::caller::{CallOptions, Caller};
use super::error::{CallError, CallErrorKind, ConnectError};
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

/// A client that you drive from a loop of your own: no runtime, no threads, and nothing that blocks.
///
/// It is a handle: clones share its connections, each with any number of calls in flight, and may call from any thread. A call returns a [`PendingCall`]: a future for
/// whatever polls futures, such as a handler of [`progress::Server`](crate::progress::Server); or give it a callback. Calls advance in
/// [`progress`](Self::progress), or in the steps of the server that [drives](crate::progress::Server::drive) the client.
///
/// Connections are made when calls need them, and the next call replaces one that broke ([`ClientBuilder::auto_reconnect`]). A call that finds no server, or a full
/// backlog, retries for as long as its time and [`ClientBuilder::connect_timeout`] allow. [`ClientBuilder::spin`] has no effect here.
///
/// When its last clone is dropped, it closes its connections, and drops the callbacks of calls in flight.
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
    /// Returns a builder with the default settings; [`ClientBuilder::connect_progress`] makes the client.
    pub fn builder(path: impl AsRef<Path>) -> ClientBuilder {
        ClientBuilder::new(path.as_ref())
    }

    /// Makes one step: sends, receives, connects, checks deadlines, and calls back, as far as that is possible now. Each connection gets at most 32 packets per step; the
    /// rest comes in the next.
    ///
    /// If there is nothing to do, it waits up to `timeout`, which the kernel rounds up to milliseconds; zero does not wait, and [`Duration::MAX`] waits indefinitely. It
    /// returns early at a signal, and when the [`waker`](Self::waker) is called.
    ///
    /// # Errors
    ///
    /// If polling fails. What goes wrong with a call is reported to that call.
    pub fn progress(&self, timeout: Duration) -> io::Result<()> {
        self.step(timeout)
    }

    /// When to call [`progress`](Self::progress) even if nothing happens, because a call times out or its next attempt is due; for programs that wait in another loop.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.steps.0.next_deadline()
    }

    /// Makes the [`progress`](Self::progress) that is running, or else the next one, return at once. It may be called from any thread; a loop can poll its futures with it.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.steps.0.waker().clone()
    }

    /// Calls a method with a marshalled body; returns the response, whatever its status.
    ///
    /// It fails with a [`CallError`] if there is no response. A response with a failing status is not an error.
    pub fn call_raw(
        &self,
        method: Method,
        body: impl Into<Body>,
        options: &CallOptions,
    ) -> PendingCall<Result<Response, CallError>> {
        let (body, options) = (body.into(), options.clone());
        self.pending(|client| async move { client.call_raw(method, body, &options).await })
    }

    /// Calls a [streaming](Method::streaming) method with a marshalled body; returns the stream of its items as they are, once the server has
    /// opened it.
    ///
    /// It fails as [`drpc::Client::open_raw`](crate::Client::open_raw).
    pub fn open_raw(
        &self,
        method: Method,
        body: impl Into<Body>,
        options: &CallOptions,
    ) -> PendingCall<Result<Streaming, CallError>> {
        let (body, options, steps) = (body.into(), options.clone(), self.steps.clone());
        self.pending(|client| async move {
            Ok(Streaming { stream: client.open_raw(method, body, &options).await?, steps })
        })
    }

    /// Makes many calls at once, like [`drpc::Client::batch`](crate::blocking::Client::batch): they are sent back to back on one connection, and there is one result per
    /// call, in the order of the calls.
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

    /// Like [`batch`](Self::batch), with marshalled bodies; returns the responses, whatever their statuses.
    pub fn batch_raw(
        &self,
        calls: impl IntoIterator<Item = (Method, impl Into<Body>)>,
        options: &CallOptions,
    ) -> PendingCall<Vec<Result<Response, CallError>>> {
        let calls = calls.into_iter().map(|(method, body)| (method, body.into()));
        let (calls, options) = (calls.collect::<Vec<_>>(), options.clone());
        self.pending(|client| async move { client.batch_raw(calls, &options).await })
    }

    /// Whether calls can be made: the client is connected, or connects by itself.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.client.is_connected()
    }

    /// Connects, so that no call has to, or connects again if the client was closed or its connections broke; does nothing if it is connected ([C2](crate::guide::rules#client)). Sequences start
    /// again at 1 ([C1](crate::guide::rules#client)).
    ///
    /// It tries once, or for as long as [`ClientBuilder::wait_until_ready`] says. Its error has the path, the system's error, and what to do ([C8](crate::guide::rules#client)).
    pub fn connect(&self) -> PendingCall<Result<(), ConnectError>> {
        self.pending(|client| async move { client.connect_patiently().await })
    }

    /// Closes the connections; calls in flight fail. Does nothing if it is closed ([C2](crate::guide::rules#client)).
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
    type Streaming<R> = Streaming<R>;
    type Upload<T, R> = Upload<T, R>;
    type Exchange<T, R> = (Sending<T>, Streaming<R>);

    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<R> {
        PendingCall { call: self.client.call(method, request, options), steps: self.steps.clone() }
    }

    fn open<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<Streaming<R>> {
        let (opening, steps) = (self.client.open(method, request, options), self.steps.clone());
        let call = Box::pin(async move { Ok(Streaming { stream: opening.await?, steps }) });
        PendingCall { call, steps: self.steps.clone() }
    }

    fn upload<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<Upload<T, R>> {
        let (opening, steps) = (self.client.upload(method, request, options), self.steps.clone());
        let call = Box::pin(async move { Ok(Upload { upload: opening.await?, steps }) });
        PendingCall { call, steps: self.steps.clone() }
    }

    fn exchange<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Self::Outcome<(Sending<T>, Streaming<R>)> {
        let (opening, steps) = (self.client.exchange(method, request, options), self.steps.clone());
        let call = Box::pin(async move {
            let (sending, stream) = opening.await?;
            let sending = Sending { sending, steps: steps.clone() };
            Ok((sending, Streaming { stream, steps }))
        });
        PendingCall { call, steps: self.steps.clone() }
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

/// A call of a progress [`Client`], and its future outcome.
///
/// ```no_run
/// use std::time::Duration;
///
/// use drpc::progress::Client;
/// use drpc::{CallOptions, Method};
///
/// let client = Client::builder("/run/greeter.sock").connect_progress()?;
/// client.call_raw(Method::new(5, 501, "hello"), "", &CallOptions::new()).when_done(|response| match response {
///     Ok(response) => println!("{}", response.status),
///     Err(error) => println!("{error}"),
/// });
/// client.progress(Duration::from_secs(1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is a future: nothing is sent before it is polled, or passed to [`when_done`](Self::when_done) or [`detach`](Self::detach), which send at once what they can.
///
/// Cancel safe: a call that is dropped before it was sent is not made; after that, its reply is dropped when it comes ([C4](crate::guide::rules#client)).
#[must_use = "nothing is sent before it is polled, or given a callback"]
pub struct PendingCall<T> {
    call: Pin<Box<dyn Future<Output = T> + Send>>,
    /// Its client lives as long as it does.
    steps: Arc<Steps>,
}

impl<T: Send + 'static> PendingCall<T> {
    /// Makes the call, and calls back with its outcome: in a step of the client, on its thread, and never before this returns.
    ///
    /// A callback that blocks holds up the loop; one that panics is logged, and ends nothing else. It is dropped without being called if the client's last clone is
    /// dropped; so a callback that holds a clone keeps the client alive until it was called.
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
    /// Makes the call without waiting for its outcome; a failure is logged. With [`CallOptions::no_response`] nothing waits for the reply either
    /// ([C6](crate::guide::rules#client)), and its absence is not a failure.
    pub fn detach(self) {
        self.when_done(|outcome| match outcome {
            Err(error) if error.kind() != CallErrorKind::Submitted => {
                tracing::warn!(%error, "a call that nobody waits for failed");
            }
            _ => {}
        });
    }
}

impl<T> Future for PendingCall<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut task::Context<'_>) -> Poll<T> {
        self.call.as_mut().poll(context)
    }
}

/// A stream that a server sends to a progress [`Client`]: as [`drpc::Streaming`](crate::Streaming), but its items come in the
/// client's steps.
///
/// ```no_run
/// use std::time::Duration;
///
/// use drpc::progress::Client;
/// use drpc::{CallOptions, Method};
///
/// let client = Client::builder("/run/events.sock").connect_progress()?;
/// let watch = Method::new(7, 704, "watch").streaming();
/// client.open_raw(watch, "", &CallOptions::new()).when_done(|opened| match opened {
///     Ok(events) => events.for_each(|event| match event {
///         Some(Ok(event)) => println!("{} bytes", event.len()),
///         Some(Err(error)) => println!("{error}"),
///         None => println!("that was all"),
///     }),
///     Err(error) => println!("{error}"),
/// });
/// client.progress(Duration::from_secs(1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is a [`Stream`], whose waker a step calls. Dropped before its end, it is given up, and the server told so.
pub struct Streaming<R = Bytes> {
    stream: handle::Streaming<R>,
    /// Its client lives as long as it does.
    steps: Arc<Steps>,
}

impl<R: Payload> Streaming<R> {
    /// Calls back with each item, or the error that ends the stream, and then, once, with `None`: in steps of the client, on its thread, and
    /// never before this returns.
    ///
    /// A callback that blocks holds up the loop; one that panics is logged, and ends the stream. It is dropped without that `None` if the
    /// client's last clone is dropped.
    pub fn for_each(self, mut callback: impl FnMut(Option<Result<R, CallError>>) + Send + 'static) {
        let Streaming { mut stream, steps } = self;
        let task = async move {
            in_a_step().await;
            loop {
                let item = stream.next().await;
                let is_last = item.is_none();
                if let Err(panic) = guarded(|| callback(item)) {
                    return tracing::error!("a callback panicked: {}", Escaped(&panic));
                }
                if is_last {
                    return;
                }
            }
        };
        steps.0.spawn(Box::pin(task));
    }
}

/// Goes on in a step, and not where the task is begun.
async fn in_a_step() {
    let mut is_begun = false;
    poll_fn(|context| {
        if mem::replace(&mut is_begun, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<R: Payload> Stream for Streaming<R> {
    type Item = Result<R, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.stream.poll_next_unpin(context)
    }
}

impl<R> fmt::Debug for Streaming<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

/// A stream that a progress [`Client`] sends, and then its reply: as [`drpc::Upload`](crate::Upload), but items go out in the client's steps.
///
/// ```no_run
/// # #[derive(Clone, PartialEq, prost::Message)] pub struct Piece { #[prost(bytes = "bytes", tag = "1")] pub bytes: drpc::Bytes }
/// # #[derive(Clone, PartialEq, prost::Message)] pub struct Stored { #[prost(uint64, tag = "1")] pub bytes: u64 }
/// # #[drpc::drpc_module(id = 8, client_only)]
/// # pub trait Store { #[method(1, stream)] fn upload(&self, pieces: drpc::Incoming<Piece>) -> Stored; }
/// use std::time::Duration;
///
/// use drpc::progress::Client;
/// use futures_util::stream;
///
/// let client = Client::builder("/run/store.sock").connect_progress()?;
/// let pieces = ["one", "two"].map(|text| Piece { bytes: text.into() });
/// StoreClient::new(client.clone()).upload().when_done(|upload| match upload {
///     Ok(upload) => upload.finish_with(stream::iter(pieces)).when_done(|stored| println!("{stored:?}")),
///     Err(error) => println!("{error}"),
/// });
/// client.progress(Duration::from_secs(1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Upload<T = Bytes, R = Bytes> {
    upload: handle::Upload<T, R>,
    /// Its client lives as long as it does.
    steps: Arc<Steps>,
}

impl<T: Payload, R: Payload> Upload<T, R> {
    /// Sends an item, once there is room for it. Cancel safe.
    ///
    /// # Errors
    ///
    /// Those of [`drpc::Upload::send`](crate::Upload::send).
    pub async fn send(&mut self, item: T) -> Result<(), CallError> {
        self.upload.send(item).await
    }

    /// Sends all of these, and waits for the reply; ends before if the server takes no more.
    pub fn finish_with(
        self,
        items: impl Stream<Item = T> + Send + 'static,
    ) -> PendingCall<Result<R, CallError>> {
        PendingCall { call: Box::pin(self.upload.finish_with(items)), steps: self.steps }
    }

    /// Says that these were all the items, and waits for the reply.
    pub fn finish(self) -> PendingCall<Result<R, CallError>> {
        PendingCall { call: Box::pin(self.upload.finish()), steps: self.steps }
    }
}

impl<T, R> fmt::Debug for Upload<T, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.upload.fmt(f)
    }
}

/// A stream that a progress [`Client`] sends, of a call that is answered by a [`Streaming`]: as [`drpc::Sending`](crate::Sending), but items go out in the
/// client's steps.
///
/// ```no_run
/// # #[derive(Clone, PartialEq, prost::Message)] pub struct Number { #[prost(uint64, tag = "1")] pub number: u64 }
/// # #[drpc::drpc_module(id = 7, client_only)]
/// # pub trait Squares { #[method(6, stream)] fn square(&self, numbers: drpc::Incoming<Number>) -> impl drpc::Stream<Item = Result<Number, drpc::Failure>>; }
/// use std::time::Duration;
///
/// use drpc::progress::Client;
/// use futures_util::stream;
///
/// let client = Client::builder("/run/squares.sock").connect_progress()?;
/// SquaresClient::new(client.clone()).square().when_done(|opened| match opened {
///     Ok((numbers, squares)) => {
///         squares.for_each(|square| println!("{square:?}"));
///         let all = stream::iter((1..=3).map(|number| Number { number }));
///         numbers.finish_with(all).when_done(|sent| println!("{sent:?}"));
///     }
///     Err(error) => println!("{error}"),
/// });
/// client.progress(Duration::from_secs(1))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Sending<T = Bytes> {
    sending: handle::Sending<T>,
    /// Its client lives as long as it does.
    steps: Arc<Steps>,
}

impl<T: Payload> Sending<T> {
    /// Sends an item, once there is room for it. Cancel safe.
    ///
    /// # Errors
    ///
    /// Those of [`drpc::Sending::send`](crate::Sending::send).
    pub async fn send(&mut self, item: T) -> Result<(), CallError> {
        self.sending.send(item).await
    }

    /// Sends all of these, and says that they were all; ends before if the server takes no more.
    pub fn finish_with(
        self,
        items: impl Stream<Item = T> + Send + 'static,
    ) -> PendingCall<Result<(), CallError>> {
        PendingCall { call: Box::pin(self.sending.finish_with(items)), steps: self.steps }
    }

    /// These were all the items: the server's handler sees the end.
    pub fn finish(self) {
        self.sending.finish();
    }
}

impl<T> fmt::Debug for Sending<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.sending.fmt(f)
    }
}

impl<T> fmt::Debug for PendingCall<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingCall").finish_non_exhaustive()
    }
}

impl ClientBuilder {
    /// Makes a progress client. It connects when a call needs it, so this does not wait.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the path is not valid for a socket, or the system is out of descriptors.
    pub fn connect_progress(self) -> Result<Client, ConnectError> {
        let path = self.checked_path()?;
        let reactor = Reactor::new().map_err(|cause| ConnectError::io(path, cause))?;
        let pool = Pool::unconnected(self.limit());
        let client = handle::Client::new(self, pool, Runtime::Steps(reactor.clone()));
        Ok(Client { client, steps: Arc::new(Steps(reactor)) })
    }
}
