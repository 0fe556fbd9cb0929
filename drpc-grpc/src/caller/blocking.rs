use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::{fmt, io};

use drpc::{Bytes, CallError, CallOptions, Caller, ConnectError, Method, Payload};
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

    /// There is none: what a caller sends as a stream does not go over gRPC yet.
    type Upload<T, R> = Infallible;

    /// As that.
    type Exchange<T, R> = Infallible;

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

    /// Nothing is sent, and the error, of the kind [`NoStream`](drpc::CallErrorKind::NoStream), says so.
    fn upload<Q: Payload, T: Payload, R: Payload>(
        &self,
        _: Method,
        _: Q,
        _: &CallOptions,
    ) -> Result<Infallible, CallError> {
        Err(CallError::no_streams_over("gRPC"))
    }

    /// As [`upload`](Self::upload).
    fn exchange<Q: Payload, T: Payload, R: Payload>(
        &self,
        _: Method,
        _: Q,
        _: &CallOptions,
    ) -> Result<Infallible, CallError> {
        Err(CallError::no_streams_over("gRPC"))
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
