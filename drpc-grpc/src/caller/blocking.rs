use std::future::Future;
use std::sync::Arc;
use std::{fmt, io};

use drpc::{Bytes, CallError, CallOptions, Caller, ConnectError, Method, Payload};
use futures_util::stream;
use tokio::runtime::{Builder, Runtime};

use crate::{GrpcCaller as AsyncCaller, GrpcCallerBuilder, Tls};

/// [`GrpcCaller`](crate::GrpcCaller) for threads: a call blocks until its reply is there.
///
/// ```no_run
/// # #[drpc::drpc_module(id = 5, client_only)] pub trait Greeter { #[method(1)] fn hello(&self); }
/// use drpc_grpc::{Tls, blocking::GrpcCaller};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let tls = Tls::from_files("admin.pem", "admin.key", "ca.pem")?;
///     GreeterClient::new(GrpcCaller::connect("https://host-3:7443", tls)?).hello()?;
///     Ok(())
/// }
/// ```
///
/// One thread of its own does the network's work, of all clones.
#[derive(Clone)]
pub struct GrpcCaller {
    caller: AsyncCaller,
    runtime: Arc<OwnRuntime>,
}

/// Ends in the background: it may be dropped anywhere.
#[derive(Debug)]
struct OwnRuntime(Option<Runtime>);

impl GrpcCaller {
    /// Connects to a host, with the defaults of [`GrpcCallerBuilder`].
    ///
    /// # Errors
    ///
    /// Those of [`GrpcCaller::connect`](crate::GrpcCaller::connect), and the system's if there is no thread to be had.
    pub fn connect(address: impl Into<String>, tls: Tls) -> Result<Self, ConnectError> {
        Self::of(AsyncCaller::builder(address).tls(tls))
    }

    /// Connects, with these settings.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect).
    ///
    /// # Panics
    ///
    /// Within an async runtime, which it would block.
    pub fn of(settings: GrpcCallerBuilder) -> Result<Self, ConnectError> {
        let runtime =
            Builder::new_multi_thread().worker_threads(1).thread_name("drpc-grpc").enable_all().build();
        let runtime = runtime.map_err(|error: io::Error| ConnectError::remote(settings.address(), error))?;
        let caller = runtime.block_on(settings.connect())?;
        Ok(GrpcCaller { caller, runtime: OwnRuntime(Some(runtime)).into() })
    }
}

impl Caller for GrpcCaller {
    type Outcome<R> = Result<R, CallError>;

    type Streaming<R> = Streaming<R>;

    type Upload<T, R> = Upload<T, R>;

    type Exchange<T, R> = Exchange<T, R>;

    /// # Panics
    ///
    /// Within an async runtime, which it would block.
    fn call<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<R, CallError> {
        self.runtime.block_on(self.caller.call(method, request, options))
    }

    /// # Panics
    ///
    /// Within an async runtime, which it would block.
    fn open<Q: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<Streaming<R>, CallError> {
        let items = self.runtime.block_on(self.caller.open(method, request, options))?;
        Ok(Streaming { items, runtime: self.runtime.clone() })
    }

    /// # Panics
    ///
    /// Within an async runtime, which it would block.
    fn upload<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<Upload<T, R>, CallError> {
        let upload = self.runtime.block_on(self.caller.upload(method, request, options))?;
        Ok(Upload { upload, runtime: self.runtime.clone() })
    }

    /// # Panics
    ///
    /// Within an async runtime, which it would block.
    fn exchange<Q: Payload, T: Payload, R: Payload>(
        &self,
        method: Method,
        request: Q,
        options: &CallOptions,
    ) -> Result<Exchange<T, R>, CallError> {
        let (sending, items) = self.runtime.block_on(self.caller.exchange(method, request, options))?;
        Ok(Exchange { items, sending: Some(sending), runtime: self.runtime.clone() })
    }
}

/// A stream that a host sends to a blocking [`GrpcCaller`]: an iterator, which blocks its thread until the next item is there. The first error is the last thing
/// that comes.
///
/// ```no_run
/// # #[drpc::drpc_module(id = 7, client_only)]
/// # pub trait Clock { #[method(4, stream)] fn ticks(&self) -> impl drpc::Stream<Item = Result<bytes::Bytes, drpc::Failure>>; }
/// use drpc_grpc::{Tls, blocking::GrpcCaller};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let tls = Tls::from_files("admin.pem", "admin.key", "ca.pem")?;
///     for tick in ClockClient::new(GrpcCaller::connect("https://host-3:7443", tls)?).ticks()? {
///         println!("{} bytes", tick?.len());
///     }
///     Ok(())
/// }
/// ```
///
/// It shares its caller's connection. Dropped before its end, it is given up, and the server told so.
#[derive(Debug)]
pub struct Streaming<R = Bytes> {
    items: drpc::Streaming<R>,
    runtime: Arc<OwnRuntime>,
}

impl<R: Payload> Iterator for Streaming<R> {
    type Item = Result<R, CallError>;

    /// # Panics
    ///
    /// Within an async runtime, which it would block.
    fn next(&mut self) -> Option<Result<R, CallError>> {
        self.runtime.block_on(self.items.next())
    }
}

/// A stream that a blocking [`GrpcCaller`] sends to a host, and then its reply: as [`drpc::Upload`], for threads.
///
/// ```no_run
/// # #[drpc::drpc_module(id = 8, client_only)]
/// # pub trait Store { #[method(1, stream)] fn upload(&self, pieces: drpc::Incoming<bytes::Bytes>) -> bytes::Bytes; }
/// use drpc_grpc::{Tls, blocking::GrpcCaller};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let tls = Tls::from_files("admin.pem", "admin.key", "ca.pem")?;
///     let store = StoreClient::new(GrpcCaller::connect("https://host-3:7443", tls)?);
///     let reply = store.upload()?.finish_with(["one", "two"].map(bytes::Bytes::from))?;
///     println!("{} bytes", reply.len());
///     Ok(())
/// }
/// ```
///
/// It shares its caller's connection. **Dropped before it was finished, the call is given up**: the handler is told that these were not all.
#[derive(Debug)]
pub struct Upload<T = Bytes, R = Bytes> {
    upload: drpc::Upload<T, R>,
    runtime: Arc<OwnRuntime>,
}

impl<T: Payload, R: Payload> Upload<T, R> {
    /// Sends an item, once there is room for it.
    ///
    /// # Errors
    ///
    /// Those of [`drpc::Upload::send`].
    ///
    /// # Panics
    ///
    /// Within an async runtime, which it would block.
    pub fn send(&mut self, item: T) -> Result<(), CallError> {
        self.runtime.block_on(self.upload.send(item))
    }

    /// Sends all of these, and waits for the reply; ends before if the server takes no more.
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send), but for [`NotTaken`](drpc::CallErrorKind::NotTaken), and of [`finish`](Self::finish).
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub fn finish_with(self, items: impl IntoIterator<Item = T>) -> Result<R, CallError> {
        self.runtime.block_on(self.upload.finish_with(stream::iter(items)))
    }

    /// Says that these were all the items, and waits for the reply.
    ///
    /// # Errors
    ///
    /// [`CallError`] if the call failed, or there is no reply.
    ///
    /// # Panics
    ///
    /// As [`send`](Self::send).
    pub fn finish(self) -> Result<R, CallError> {
        self.runtime.block_on(self.upload.finish())
    }
}

/// A stream that a blocking [`GrpcCaller`] sends to a host, and one that it receives, on the same call: as `drpc::blocking::Exchange`.
///
/// ```no_run
/// # #[drpc::drpc_module(id = 8, client_only)]
/// # pub trait Store { #[method(2, stream)] fn turn(&self, pieces: drpc::Incoming<bytes::Bytes>) -> impl drpc::Stream<Item = Result<bytes::Bytes, drpc::Failure>>; }
/// use drpc_grpc::{Tls, blocking::GrpcCaller};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let tls = Tls::from_files("admin.pem", "admin.key", "ca.pem")?;
///     let mut turn = StoreClient::new(GrpcCaller::connect("https://host-3:7443", tls)?).turn()?;
///     for piece in ["one", "two"] {
///         turn.send(piece.into())?;
///         println!("{:?}", turn.next().transpose()?);
///     }
///     turn.finish()?;
///     assert!(turn.next().is_none());
///     Ok(())
/// }
/// ```
///
/// It is an iterator of what the host sends. A handler that waits for its own items to be taken waits for its caller, and its caller for it, if that only sends: then take some,
/// or set an [`item_timeout`](CallOptions::item_timeout).
///
/// It shares its caller's connection. Dropped before its end, it is given up, and the server told so.
#[derive(Debug)]
pub struct Exchange<T = Bytes, R = Bytes> {
    // Dropped first: the whole call is given up, and not its items alone.
    items: drpc::Streaming<R>,
    /// `None` once it is finished.
    sending: Option<drpc::Sending<T>>,
    runtime: Arc<OwnRuntime>,
}

impl<T: Payload, R: Payload> Exchange<T, R> {
    /// Sends an item, once there is room for it.
    ///
    /// # Errors
    ///
    /// Those of [`drpc::Sending::send`].
    ///
    /// # Panics
    ///
    /// Within an async runtime, which it would block.
    pub fn send(&mut self, item: T) -> Result<(), CallError> {
        match &mut self.sending {
            Some(sending) => self.runtime.block_on(sending.send(item)),
            None => Err(CallError::not_taken()),
        }
    }

    /// Says that these were all the items; what the server sends may still come.
    ///
    /// # Errors
    ///
    /// None; it may be called where an exchange over a socket may, too.
    pub fn finish(&mut self) -> Result<(), CallError> {
        if let Some(sending) = self.sending.take() {
            sending.finish();
        }
        Ok(())
    }
}

impl<T, R: Payload> Iterator for Exchange<T, R> {
    type Item = Result<R, CallError>;

    /// # Panics
    ///
    /// Within an async runtime, which it would block.
    fn next(&mut self) -> Option<Result<R, CallError>> {
        self.runtime.block_on(self.items.next())
    }
}

impl OwnRuntime {
    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.0.as_ref().expect("it is there until it is dropped").block_on(future)
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for GrpcCaller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.caller, f)
    }
}
