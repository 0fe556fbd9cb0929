//! What is served.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use drpc::{Bytes, Cancelled, Context, Failure, ModuleService, Stream, Submitted, drpc_module};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Hello {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

impl prost::Name for Hello {
    const NAME: &'static str = "Hello";
    const PACKAGE: &'static str = "hello";
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HelloResponse {
    #[prost(string, tag = "1")]
    pub(crate) greeting: String,
}

impl prost::Name for HelloResponse {
    const NAME: &'static str = "HelloResponse";
    const PACKAGE: &'static str = "hello";
}

#[derive(Debug, PartialEq, thiserror::Error, drpc::Failure)]
pub(crate) enum PoolError {
    #[error("{pool} is full: {used} bytes are used")]
    Full { pool: String, used: u64 },
}

/// Tells when it is dropped.
struct Told(mpsc::UnboundedSender<Option<Cancelled>>);

impl Drop for Told {
    fn drop(&mut self) {
        let _ = self.0.send(None);
    }
}

/// Answers, and does not answer, in every way.
pub(crate) struct Greeter {
    /// Told why a handler that waits was cancelled, and when it is over.
    pub(crate) told: mpsc::UnboundedSender<Option<Cancelled>>,
    /// How often `flaky` was called.
    pub(crate) calls: AtomicUsize,
}

#[drpc_module(id = 5, remote)]
impl Greeter {
    #[method(1)]
    fn hello(&self, request: Hello) -> HelloResponse {
        HelloResponse { greeting: format!("Hello {}", request.name) }
    }

    #[method(2)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    #[method(3)]
    fn whoami(&self, context: &Context) -> Bytes {
        context.peer().to_string().into()
    }

    #[method(4)]
    fn fill(&self, request: Hello) -> Result<(), PoolError> {
        Err(PoolError::Full { pool: request.name, used: 7 })
    }

    /// Waits until nobody waits for it.
    #[method(5)]
    async fn wait(&self, context: &Context) {
        context.cancelled().await;
        let _ = self.told.send(context.cancellation());
    }

    /// Never ends by itself.
    #[method(6, timeout = "20ms")]
    async fn stuck(&self) {
        let _told = Told(self.told.clone());
        std::future::pending::<()>().await;
    }

    #[method(7)]
    fn submit(&self) -> Submitted {
        Submitted
    }

    #[method(8, allow = "admin")]
    fn destroy(&self) {}

    /// The trace context, and whether there is a deadline.
    #[method(9)]
    fn context(&self, context: &Context) -> Bytes {
        let trace = context.trace_context().map(|trace| format!("{trace} {}", trace.state()));
        let left = context.deadline().map(|at| at > Instant::now());
        format!("{trace:?} {left:?}").into()
    }

    #[method(10)]
    fn panics(&self) {
        panic!("on purpose");
    }

    #[method(11, allow = "users")]
    fn local(&self) {}

    #[method(12, idempotent)]
    fn count(&self) -> Bytes {
        self.calls.fetch_add(1, Ordering::Relaxed).to_string().into()
    }

    /// Greets each of the names that commas part; at one that is empty the stream fails.
    #[method(13, stream)]
    fn greet_each(&self, request: Hello) -> impl Stream<Item = Result<HelloResponse, Failure>> {
        let names: Vec<String> = request.name.split(',').map(str::to_owned).collect();
        stream::iter(names).map(|name| match name.is_empty() {
            true => Err(PoolError::Full { pool: "tank".into(), used: 7 }.into()),
            false => Ok(HelloResponse { greeting: format!("Hello {name}") }),
        })
    }

    /// Items without end, of so many bytes as the request has, which it counts; tells when nobody wants them any more.
    #[method(14, stream)]
    fn endless(&self, item: Bytes) -> impl Stream<Item = Result<Bytes, Failure>> {
        let told = Told(self.told.clone());
        stream::repeat_with(move || {
            let _told = &told;
            self.calls.fetch_add(1, Ordering::Relaxed);
            Ok(item.clone())
        })
    }

    #[method(15, stream)]
    async fn refuse(
        &self,
        request: Hello,
    ) -> Result<impl Stream<Item = Result<Bytes, Failure>> + use<>, PoolError> {
        match request.name.as_str() {
            "" => Ok(stream::empty()),
            _ => Err(PoolError::Full { pool: request.name, used: 7 }),
        }
    }

    /// One greeting, and another once it is cancelled, which says why. A name makes it go on after that.
    #[method(16, stream)]
    fn until_cancelled(
        &self,
        context: &Context,
        request: Hello,
    ) -> impl Stream<Item = Result<HelloResponse, Failure>> {
        let told = Told(self.told.clone());
        let first = stream::iter([Ok(HelloResponse { greeting: "Hello".into() })]);
        let last = stream::once(async move {
            let _told = told;
            context.cancelled().await;
            Ok(HelloResponse { greeting: format!("{:?}", context.cancellation()) })
        });
        let more = if request.name.is_empty() {
            stream::empty().left_stream()
        } else {
            stream::pending().right_stream()
        };
        first.chain(last).chain(more)
    }
}

/// The service of one greeter, and what it tells.
pub(crate) fn modules() -> (ModuleService, mpsc::UnboundedReceiver<Option<Cancelled>>) {
    let (told, hears) = mpsc::unbounded_channel();
    let mut modules = ModuleService::new();
    modules.register(Arc::new(Greeter { told, calls: AtomicUsize::new(0) })).unwrap();
    modules.define_rule("admin", drpc::Allow::root().or(drpc::Allow::certificate("CN=admin")));
    modules.define_rule("users", drpc::Allow::uids(0..100_000));
    (modules, hears)
}
