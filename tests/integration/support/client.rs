use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use drpc::progress::{self, PendingCall};
use drpc::wire::Response;
use drpc::{
    CallError, CallOptions, Caller, Client, ClientBuilder, ConnectError, Method, Payload, Sending, Stream,
    Streaming, Upload, Wire, blocking,
};
use futures_util::{StreamExt, stream};
use tokio::runtime::Runtime;
use tracing::dispatcher::{self, Dispatch};

use super::server::runtime;
use super::{Fake, PATIENCE, RawPeer, SOON, pair, patiently};

/// Which of the three clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Async,
    Blocking,
    /// [`progress::Client`], in a loop on a thread of its own.
    Progress,
}

/// Runs a test with each of the three clients: one suite, three drivers.
pub(crate) fn with_every_client(test: impl Fn(Kind)) {
    for kind in [Kind::Async, Kind::Blocking, Kind::Progress] {
        println!("with the {kind:?} client");
        test(kind);
    }
}

/// A client's settings, with a time-out so that no test hangs.
pub(crate) fn builder(path: &Path) -> ClientBuilder {
    Client::builder(path).timeout(PATIENCE)
}

impl Kind {
    pub(crate) fn connect(self, builder: ClientBuilder) -> Result<AnyClient, ConnectError> {
        match self {
            Kind::Async => {
                let runtime = Arc::new(runtime());
                let client = runtime.block_on(builder.connect())?;
                Ok(AnyClient::Async(client, runtime))
            }
            Kind::Blocking => Ok(AnyClient::Blocking(builder.connect_blocking()?)),
            Kind::Progress => {
                let client = builder.connect_progress()?;
                let stepped = AnyClient::Progress(client.clone(), Arc::new(Steps::of(client)));
                // The others are connected when they are made.
                stepped.reconnect()?;
                Ok(stepped)
            }
        }
    }

    /// Connects to a server of the chunked wire.
    pub(crate) fn connect_to(self, path: &Path) -> AnyClient {
        self.connect(builder(path)).expect("connects")
    }
}

/// Either client, with calls that block.
#[derive(Clone)]
pub(crate) enum AnyClient {
    // In this order: the client goes before its runtime.
    Async(Client, Arc<Runtime>),
    Blocking(blocking::Client),
    Progress(progress::Client, Arc<Steps>),
}

/// The steps of a client, on a thread that waits without end, so that whatever does not wake it makes its test fail; and where its calls
/// are waited for, on others.
pub(crate) struct Steps {
    runtime: Runtime,
    asked_to_stop: Arc<AtomicBool>,
    waker: Waker,
    stepping: Option<JoinHandle<()>>,
}

impl Steps {
    fn of(client: progress::Client) -> Steps {
        let asked_to_stop = Arc::new(AtomicBool::new(false));
        let (asked, waker) = (asked_to_stop.clone(), client.waker());
        let dispatch = dispatcher::get_default(Dispatch::clone);
        let stepping = thread::spawn(move || {
            let _logged = dispatcher::set_default(&dispatch);
            while !asked.load(Ordering::SeqCst) {
                client.progress(Duration::MAX).expect("makes a step");
            }
        });
        Steps { runtime: runtime(), asked_to_stop, waker, stepping: Some(stepping) }
    }

    fn wait<T>(&self, call: PendingCall<T>) -> T {
        self.runtime.block_on(call)
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.asked_to_stop.store(true, Ordering::SeqCst);
        self.waker.wake_by_ref();
        let stepped = self.stepping.take().map(JoinHandle::join);
        assert!(thread::panicking() || matches!(stepped, Some(Ok(()))), "the steps panicked");
    }
}

impl AnyClient {
    pub(crate) fn call(&self, module: i32, method: i32, body: &[u8]) -> Result<Response, CallError> {
        self.call_with(module, method, body, &CallOptions::new())
    }

    pub(crate) fn call_with(
        &self,
        module: i32,
        method: i32,
        body: &[u8],
        options: &CallOptions,
    ) -> Result<Response, CallError> {
        self.call_method(Method::new(module, method, "test"), body, options)
    }

    pub(crate) fn call_method(
        &self,
        method: Method,
        body: &[u8],
        options: &CallOptions,
    ) -> Result<Response, CallError> {
        let body = Bytes::copy_from_slice(body);
        match self {
            AnyClient::Async(client, runtime) => runtime.block_on(client.call_raw(method, body, options)),
            AnyClient::Blocking(client) => client.call_raw(method, body, options),
            AnyClient::Progress(client, steps) => steps.wait(client.call_raw(method, body, options)),
        }
    }

    /// As a generated stub calls.
    pub(crate) fn call_typed<Q: Payload, R: Payload>(
        &self,
        module: i32,
        method: i32,
        request: Q,
        options: &CallOptions,
    ) -> Result<R, CallError> {
        self.call_as(Method::new(module, method, "test"), request, options)
    }

    /// As a generated stub of that method calls.
    pub(crate) fn call_as<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<R, CallError> {
        match self {
            AnyClient::Async(client, runtime) => runtime.block_on(client.call(method, request, options)),
            AnyClient::Blocking(client) => client.call(method, request, options),
            AnyClient::Progress(client, steps) => steps.wait(client.call(method, request, options)),
        }
    }

    /// Opens a stream.
    pub(crate) fn open<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<AnyStreaming<R>, CallError> {
        Ok(match self {
            AnyClient::Async(client, runtime) => {
                let stream = runtime.block_on(client.open(method, request, options))?;
                AnyStreaming::Async(stream, runtime.clone())
            }
            AnyClient::Blocking(client) => AnyStreaming::Blocking(client.open(method, request, options)?),
            AnyClient::Progress(client, steps) => {
                let stream = steps.wait(client.open(method, request, options))?;
                AnyStreaming::Progress(stream, steps.clone())
            }
        })
    }

    /// Opens a stream to the server, which replies once.
    pub(crate) fn upload<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<AnyUpload<T, R>, CallError> {
        Ok(match self {
            AnyClient::Async(client, runtime) => {
                let upload = runtime.block_on(client.upload(method, request, options))?;
                AnyUpload::Async(upload, runtime.clone())
            }
            AnyClient::Blocking(client) => AnyUpload::Blocking(client.upload(method, request, options)?),
            AnyClient::Progress(client, steps) => {
                let upload = steps.wait(client.upload(method, request, options))?;
                AnyUpload::Progress(upload, steps.clone())
            }
        })
    }

    /// Opens a stream both ways.
    pub(crate) fn exchange<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<AnyExchange<T, R>, CallError> {
        Ok(match self {
            AnyClient::Async(client, runtime) => {
                let (sending, streaming) = runtime.block_on(client.exchange(method, request, options))?;
                AnyExchange::Async(Some(sending), streaming, runtime.clone())
            }
            AnyClient::Blocking(client) => AnyExchange::Blocking(client.exchange(method, request, options)?),
            AnyClient::Progress(client, steps) => {
                let (sending, streaming) = steps.wait(client.exchange(method, request, options))?;
                AnyExchange::Progress(Some(sending), streaming, steps.clone())
            }
        })
    }

    /// Calls the echo method and checks the reply.
    #[track_caller]
    pub(crate) fn assert_served(&self) {
        let response = self.call(7, 700, b"are you there?").expect("is served");
        assert!(response.status.is_success());
        assert_eq!(response.body, "are you there?");
    }

    /// Calls a method with many requests at once.
    pub(crate) fn batch_as<Q: Payload + Sync, R: Payload>(
        &self,
        method: Method,
        requests: Vec<Q>,
        options: &CallOptions,
    ) -> Vec<Result<R, CallError>> {
        let calls = requests.into_iter().map(|request| (method, request));
        match self {
            AnyClient::Async(client, runtime) => runtime.block_on(client.batch(calls, options)),
            AnyClient::Blocking(client) => client.batch(calls, options),
            AnyClient::Progress(client, steps) => steps.wait(client.batch(calls, options)),
        }
    }

    /// Calls a method with many bodies at once.
    pub(crate) fn batch(
        &self,
        method: Method,
        bodies: &[&[u8]],
        options: &CallOptions,
    ) -> Vec<Result<Response, CallError>> {
        let calls = bodies.iter().map(|body| (method, Bytes::copy_from_slice(body)));
        match self {
            AnyClient::Async(client, runtime) => runtime.block_on(client.batch_raw(calls, options)),
            AnyClient::Blocking(client) => client.batch_raw(calls, options),
            AnyClient::Progress(client, steps) => steps.wait(client.batch_raw(calls, options)),
        }
    }

    pub(crate) fn close(&self) {
        match self {
            AnyClient::Async(client, _) => client.close(),
            AnyClient::Blocking(client) => client.close(),
            AnyClient::Progress(client, _) => client.close(),
        }
    }

    pub(crate) fn reconnect(&self) -> Result<(), ConnectError> {
        match self {
            AnyClient::Async(client, runtime) => runtime.block_on(client.reconnect()),
            AnyClient::Blocking(client) => client.reconnect(),
            AnyClient::Progress(client, steps) => steps.wait(client.connect()),
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        match self {
            AnyClient::Async(client, _) => client.is_connected(),
            AnyClient::Blocking(client) => client.is_connected(),
            AnyClient::Progress(client, _) => client.is_connected(),
        }
    }
}

/// A stream of either client, as an iterator that blocks.
pub(crate) enum AnyStreaming<R> {
    Async(Streaming<R>, Arc<Runtime>),
    Blocking(blocking::Streaming<R>),
    Progress(progress::Streaming<R>, Arc<Steps>),
}

impl<R: Payload> Iterator for AnyStreaming<R> {
    type Item = Result<R, CallError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            AnyStreaming::Async(stream, runtime) => runtime.block_on(stream.next()),
            AnyStreaming::Blocking(stream) => stream.next(),
            AnyStreaming::Progress(stream, steps) => steps.runtime.block_on(StreamExt::next(stream)),
        }
    }
}

/// A stream that either client sends, with calls that block.
pub(crate) enum AnyUpload<T, R> {
    Async(Upload<T, R>, Arc<Runtime>),
    Blocking(blocking::Upload<T, R>),
    Progress(progress::Upload<T, R>, Arc<Steps>),
}

impl<T: Payload, R: Payload> AnyUpload<T, R> {
    pub(crate) fn send(&mut self, item: T) -> Result<(), CallError> {
        match self {
            AnyUpload::Async(upload, runtime) => runtime.block_on(upload.send(item)),
            AnyUpload::Blocking(upload) => upload.send(item),
            AnyUpload::Progress(upload, steps) => steps.runtime.block_on(upload.send(item)),
        }
    }

    pub(crate) fn finish(self) -> Result<R, CallError> {
        match self {
            AnyUpload::Async(upload, runtime) => runtime.block_on(upload.finish()),
            AnyUpload::Blocking(upload) => upload.finish(),
            AnyUpload::Progress(upload, steps) => steps.wait(upload.finish()),
        }
    }

    pub(crate) fn finish_with<I>(self, items: I) -> Result<R, CallError>
    where
        I: IntoIterator<Item = T, IntoIter: Send + 'static>,
    {
        match self {
            AnyUpload::Async(upload, runtime) => runtime.block_on(upload.finish_with(stream::iter(items))),
            AnyUpload::Blocking(upload) => upload.finish_with(items),
            AnyUpload::Progress(upload, steps) => steps.wait(upload.finish_with(stream::iter(items))),
        }
    }
}

impl<T: Payload, R: Payload> AnyUpload<T, R> {
    /// As [`finish_with`](Self::finish_with), of a client that does not block.
    pub(crate) fn finish_with_stream(
        self,
        items: impl Stream<Item = T> + Send + 'static,
    ) -> Result<R, CallError> {
        match self {
            AnyUpload::Async(upload, runtime) => {
                runtime.block_on(patiently("the end of a stream", upload.finish_with(items)))
            }
            AnyUpload::Blocking(_) => panic!("a blocking client sends no `Stream`"),
            AnyUpload::Progress(upload, steps) => {
                steps.runtime.block_on(patiently("the end of a stream", upload.finish_with(items)))
            }
        }
    }
}

/// A stream both ways of either client, with calls that block.
pub(crate) enum AnyExchange<T, R> {
    Async(Option<Sending<T>>, Streaming<R>, Arc<Runtime>),
    Blocking(blocking::Exchange<T, R>),
    Progress(Option<progress::Sending<T>>, progress::Streaming<R>, Arc<Steps>),
}

impl<T: Payload, R: Payload> AnyExchange<T, R> {
    pub(crate) fn send(&mut self, item: T) -> Result<(), CallError> {
        match self {
            AnyExchange::Async(sending, _, runtime) => {
                runtime.block_on(sending.as_mut().expect("goes on").send(item))
            }
            AnyExchange::Blocking(exchange) => exchange.send(item),
            AnyExchange::Progress(sending, _, steps) => {
                steps.runtime.block_on(sending.as_mut().expect("goes on").send(item))
            }
        }
    }

    pub(crate) fn finish(&mut self) {
        match self {
            AnyExchange::Async(sending, ..) => sending.take().expect("goes on").finish(),
            AnyExchange::Blocking(exchange) => exchange.finish().expect("is sent"),
            AnyExchange::Progress(sending, ..) => sending.take().expect("goes on").finish(),
        }
    }
}

impl<T: Payload, R: Payload> Iterator for AnyExchange<T, R> {
    type Item = Result<R, CallError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            AnyExchange::Async(_, streaming, runtime) => runtime.block_on(streaming.next()),
            AnyExchange::Blocking(exchange) => exchange.next(),
            AnyExchange::Progress(_, streaming, steps) => steps.runtime.block_on(StreamExt::next(streaming)),
        }
    }
}

/// For a call that is to time out.
pub(crate) fn soon() -> CallOptions {
    CallOptions::new().timeout(SOON)
}

/// Waits until a call with these options, which nobody answers, finds its time over.
pub(crate) fn until_over(options: &CallOptions) {
    let fake = Fake::listen();
    let (client, _server) = pair(Kind::Blocking, &fake, |builder| builder);
    assert!(client.call_with(7, 700, b"", options).unwrap_err().is_timeout());
}

pub(crate) fn without_response() -> CallOptions {
    CallOptions::new().no_response()
}

/// Calls a method of module 7 through a clone of the client, for a task of its own.
pub(crate) fn call(
    client: &Client,
    method: i32,
    body: impl Into<Bytes>,
) -> impl Future<Output = Result<Response, CallError>> + Send + 'static {
    let (client, body) = (client.clone(), body.into());
    async move { client.call_raw(Method::new(7, method, "test"), body, &CallOptions::new()).await }
}

/// One call, which the test answers once it is there, by its sequence.
pub(crate) fn answered(
    client: &AnyClient,
    server: &RawPeer,
    wire: Wire,
    answer: impl FnOnce(i64),
) -> Result<Response, CallError> {
    thread::scope(|scope| {
        let calling = scope.spawn(|| client.call(7, 700, b""));
        answer(server.recv_call(wire).unwrap().sequence);
        calling.join().unwrap()
    })
}
