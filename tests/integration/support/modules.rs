use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use drpc::{Context, Failure, Incoming, Method, Module, Payload, Reply, Stream, drpc_module};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

/// A module written by hand, of handlers that a test gives.
pub(crate) struct Handlers {
    id: i32,
    name: &'static str,
    methods: BTreeMap<i32, Handler>,
}

type Handler = Box<dyn Fn(Context, Bytes) -> BoxFuture<'static, Result<Bytes, Failure>> + Send + Sync>;

impl Handlers {
    pub(crate) fn new(id: i32, name: &'static str) -> Handlers {
        Handlers { id, name, methods: BTreeMap::new() }
    }

    /// A method by its system-wide ID.
    pub(crate) fn on<F, R>(mut self, method: i32, handler: F) -> Handlers
    where
        F: Fn(Context, Bytes) -> R + Send + Sync + 'static,
        R: Future<Output = Result<Bytes, Failure>> + Send + 'static,
    {
        self.methods.insert(method, Box::new(move |context, body| handler(context, body).boxed()));
        self
    }
}

#[drpc::async_trait]
impl Module for Handlers {
    fn id(&self) -> i32 {
        self.id
    }

    fn name(&self) -> &str {
        self.name
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        self.methods.contains_key(&id).then(|| Method::new(self.id, id, "scripted"))
    }

    async fn handle_call(
        self: Arc<Self>,
        context: Context,
        method: Method,
        body: Bytes,
    ) -> Result<Reply, Failure> {
        match self.methods.get(&method.id()) {
            Some(handler) => handler(context, body).await.map(Reply::from),
            None => Err(Failure::unknown_method()),
        }
    }
}

/// `hello.Hello` (P).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Hello {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

/// `hello.HelloResponse` (P).
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct HelloResponse {
    #[prost(string, tag = "1")]
    pub(crate) greeting: String,
}

/// Module 0 of the vectors' servers: greeting 0 (V).
pub(crate) fn greeting() -> Handlers {
    Handlers::new(0, "test").on(0, |_, body| async move {
        let Hello { name } = Payload::from_body(body)?;
        Ok(HelloResponse { greeting: format!("Hello {name}") }.into_body().into_bytes())
    })
}

/// Module 7 of the vectors' servers: 700 echoes, 701 answers FAILURE (V).
pub(crate) fn interop() -> Handlers {
    echo().on(701, |_, _| async { Err(Failure::from("as it is meant to")) })
}

/// Module 7 with its echo alone, to add more to it.
pub(crate) fn echo() -> Handlers {
    Handlers::new(7, "interop").on(700, |_, body| async { Ok(body) })
}

/// Module 7: 700 echoes at once, 705 once the gate lets it through.
pub(crate) fn gated(gate: &Gate) -> Handlers {
    let gate = gate.clone();
    echo().on(705, move |_, body| {
        let gate = gate.clone();
        async move {
            gate.pass().await;
            Ok(body)
        }
    })
}

/// Holds handlers up until the test lets them go on, and tells how many have come.
#[derive(Clone)]
pub(crate) struct Gate(Arc<(Semaphore, Semaphore)>);

impl Gate {
    pub(crate) fn new() -> Gate {
        Gate(Arc::new((Semaphore::new(0), Semaphore::new(0))))
    }

    /// In a handler: says that it is here, and waits to be let through.
    pub(crate) async fn pass(&self) {
        self.arrive();
        self.through().await;
    }

    /// In a handler: says that it is here.
    pub(crate) fn arrive(&self) {
        self.0.0.add_permits(1);
    }

    /// In a handler: waits to be let through.
    pub(crate) async fn through(&self) {
        self.0.1.acquire().await.expect("open").forget();
    }

    /// Lets so many handlers through.
    pub(crate) fn open(&self, handlers: usize) {
        self.0.1.add_permits(handlers);
    }

    /// Waits until so many more handlers are here.
    pub(crate) async fn arrived(&self, handlers: u32) {
        super::patiently("handlers", self.0.0.acquire_many(handlers)).await.expect("open").forget();
    }

    /// How many handlers are here that were not waited for.
    pub(crate) fn unnoticed(&self) -> usize {
        self.0.0.available_permits()
    }
}

/// A module of streams: whatever comes is sent back, or its bytes are counted.
pub(crate) struct Items;

#[drpc_module(id = 9)]
impl Items {
    #[method(1, stream)]
    fn echo(&self, _request: Bytes, items: Incoming<Bytes>) -> impl Stream<Item = Result<Bytes, Failure>> {
        items
    }

    #[method(2, stream)]
    async fn count(&self, _request: Bytes, mut items: Incoming<Bytes>) -> Result<Bytes, Failure> {
        let mut bytes = 0;
        while let Some(item) = items.next().await {
            bytes += item?.len();
        }
        Ok(bytes.to_string().into())
    }

    #[method(3, stream)]
    fn refuse(&self, _request: Bytes, _items: Incoming<Bytes>) -> Result<Bytes, Failure> {
        Err(Failure::from("as it is meant to"))
    }
}
