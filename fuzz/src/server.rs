//! The three servers, in every setting that is fuzzed: each on a thread of its own, for as long as the process lives.

use std::future::poll_fn;
use std::sync::LazyLock;
use std::task::Poll;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use drpc::{Failure, Order, Server, ServerBuilder, Stream, Wire, WireMode, drpc_module};
use futures_util::{StreamExt, stream};

use crate::socket::Name;

/// What a server is told to speak.
pub(crate) const MODES: [WireMode; 3] =
    [WireMode::Auto, WireMode::Fixed(Wire::Chunked), WireMode::Fixed(Wire::Plain)];

pub(crate) const ORDERS: [Order; 2] = [Order::Serial, Order::Concurrent(4)];

/// The longest message that the servers take, in bytes.
pub(crate) const LIMIT: usize = 1 << 16;

/// The names of the servers by tokio, in threads, and in steps.
pub(crate) fn servers(mode: usize, order: usize) -> &'static [(&'static str, Name); 3] {
    static SERVERS: LazyLock<Vec<[(&'static str, Name); 3]>> = LazyLock::new(|| {
        let settings = MODES.into_iter().flat_map(|mode| ORDERS.map(|order| (mode, order)));
        settings.map(|(mode, order)| start(mode, order)).collect()
    });
    &SERVERS[mode * ORDERS.len() + order]
}

fn start(mode: WireMode, order: Order) -> [(&'static str, Name); 3] {
    let builder = |name: &Name| {
        let builder = Server::builder().explicit_modules_only().module(Fuzzed);
        let builder: ServerBuilder =
            builder.wire(mode).order(order).message_limit(LIMIT).request_limit(LIMIT);
        (builder, name.path())
    };
    let by_tokio = Name::new();
    let (settings, path) = builder(&by_tokio);
    let server = settings.bind(path).expect("binds");
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(server.serve()).expect("serves");
    });
    let in_threads = Name::new();
    let (settings, path) = builder(&in_threads);
    let server = settings.bind_blocking(path).expect("binds");
    thread::spawn(move || server.serve().expect("serves"));
    let in_steps = Name::new();
    let (settings, path) = builder(&in_steps);
    let mut server = settings.bind_progress(path).expect("binds");
    thread::spawn(move || {
        loop {
            server.progress(Duration::MAX).expect("makes a step");
        }
    });
    [("tokio", by_tokio), ("threads", in_threads), ("steps", in_steps)]
}

/// What is costly to decode, and to nest.
#[derive(Clone, PartialEq, prost::Message)]
struct Costly {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    many: Vec<Costly>,
    #[prost(message, optional, boxed, tag = "3")]
    within: Option<Box<Costly>>,
}

struct Fuzzed;

#[drpc_module(id = 7)]
impl Fuzzed {
    #[method(0)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    #[method(1)]
    fn fail(&self) -> Result<(), Failure> {
        Err("as it is meant to".into())
    }

    #[method(2)]
    fn decode(&self, request: Costly) -> Costly {
        Costly { name: request.name, many: Vec::new(), within: None }
    }

    /// Not ready at once: it joins the calls that run.
    #[method(3)]
    async fn wait(&self, body: Bytes) -> Bytes {
        yield_once().await;
        body
    }

    /// As many items as the body has bytes, each with that many; the first is not ready at once.
    #[method(5, stream)]
    fn pour(&self, body: Bytes) -> impl Stream<Item = Result<Bytes, Failure>> + use<> {
        let len = body.len();
        stream::iter(0..len).then(move |item| async move {
            if item == 0 {
                yield_once().await;
            }
            Ok(Bytes::from(vec![7; len]))
        })
    }

    /// A reply that is too long.
    #[method(4)]
    fn swell(&self) -> Bytes {
        vec![0; LIMIT + 1].into()
    }
}

async fn yield_once() {
    let mut asked = false;
    poll_fn(|context| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
