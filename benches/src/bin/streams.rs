//! How many items of 64 B a second come on one stream, go on one, and go on one that sends each by itself, beside how many calls a second one
//! connection makes with 16 in flight: of each server, with the async client, in one process. Beside them it measures streams from the servers
//! of peers that have them: with the feature `grpc` tonic's, with `peers` ttrpc's and zlink's, too.
//!
//! ```sh
//! cargo run --release -p drpc-bench --bin streams
//! ```

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use drpc::{Client, Failure, Incoming, Order, Server, ServerBuilder, Stream, drpc_module};
use futures_util::stream::{self, StreamExt};
use tokio::runtime::Runtime;

/// How long each is measured.
const WINDOW: Duration = Duration::from_secs(2);

/// How many calls are in flight.
const IN_FLIGHT: usize = 16;

const SIZE: usize = 64;

struct Echo;

#[drpc_module(id = 7)]
impl Echo {
    #[method(0)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    /// The same item again and again.
    #[method(1, stream)]
    fn repeat(&self, item: Bytes) -> impl Stream<Item = Result<Bytes, Failure>> + use<> {
        stream::repeat_with(move || Ok(item.clone()))
    }

    /// Takes items.
    #[method(2, stream)]
    async fn take(&self, mut items: Incoming<Bytes>) -> Result<(), Failure> {
        while let Some(item) = items.next().await {
            item?;
        }
        Ok(())
    }
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let builder = || Server::builder().module(Echo).order(Order::Concurrent(IN_FLIGHT));
    println!(
        "{:12} {:>12} {:>12} {:>12} {:>12} {:>22}",
        "server", "received/s", "sent/s", "singly/s", "calls/s", "ratios"
    );
    for (name, serve) in [
        ("tokio", on_tokio as fn(ServerBuilder, &Path, &AtomicBool) -> Result<()>),
        ("threads", in_threads),
        ("steps", in_steps),
    ] {
        let socket = folder.path().join(name);
        let stop = Arc::new(AtomicBool::new(false));
        let serving = thread::spawn({
            let (builder, socket, stop) = (builder(), socket.clone(), stop.clone());
            move || serve(builder, &socket, &stop)
        });
        let measured = measure(&socket);
        stop.store(true, Ordering::Relaxed);
        serving.join().expect("a server does not panic")?;
        let Measured { received, sent, singly, calls } = measured?;
        println!(
            "{name:12} {received:12.0} {sent:12.0} {singly:12.0} {calls:12.0} {:8.2} {:6.2} {:6.2}",
            received / calls,
            sent / calls,
            singly / calls
        );
    }
    #[cfg(feature = "grpc")]
    println!("{:12} {:12.0}", "tonic", over_tonic::received(&folder.path().join("tonic"))?);
    #[cfg(feature = "peers")]
    {
        println!("{:12} {:12.0}", "ttrpc", over_ttrpc::received(&folder.path().join("ttrpc"))?);
        println!("{:12} {:12.0}", "zlink", over_zlink::received(&folder.path().join("zlink"))?);
    }
    Ok(())
}

/// What there was of each in a second.
struct Measured {
    received: f64,
    sent: f64,
    singly: f64,
    calls: f64,
}

fn measure(socket: &Path) -> Result<Measured> {
    let runtime = runtime()?;
    let client =
        Client::builder(socket).wait_until_ready(Duration::from_secs(10)).server_answers_in_order(false);
    let client = runtime.block_on(client.connect())?;
    let echo = EchoClient::new(client);
    let received = runtime.block_on(runtime.spawn({
        let echo = echo.clone();
        async move {
            let items = echo.repeat(vec![7; SIZE].into()).await?;
            rate_of(items).await
        }
    }))??;
    let sent = runtime.block_on(runtime.spawn({
        let echo = echo.clone();
        async move {
            let (items, item) = (echo.take().await?, Bytes::from(vec![7; SIZE]));
            let (begun, mut count) = (Instant::now(), 0u32);
            let in_time = std::iter::from_fn(|| {
                count += 1;
                // The clock is looked at seldom.
                (count % 100 > 0 || begun.elapsed() < WINDOW).then(|| item.clone())
            });
            items.finish_with(stream::iter(in_time)).await?;
            anyhow::Ok(f64::from(count) / begun.elapsed().as_secs_f64())
        }
    }))??;
    let singly = runtime.block_on(runtime.spawn({
        let echo = echo.clone();
        async move {
            let (mut items, item) = (echo.take().await?, Bytes::from(vec![7; SIZE]));
            let (begun, mut count) = (Instant::now(), 0u32);
            while begun.elapsed() < WINDOW {
                for _ in 0..100 {
                    items.send(item.clone()).await?;
                }
                count += 100;
            }
            items.finish().await?;
            anyhow::Ok(f64::from(count) / begun.elapsed().as_secs_f64())
        }
    }))??;
    let callers = (0..IN_FLIGHT).map(|_| {
        let echo = echo.clone();
        runtime.spawn(async move {
            let (begun, mut count) = (Instant::now(), 0u32);
            while begun.elapsed() < WINDOW {
                echo.echo(vec![7; SIZE].into()).await?;
                count += 1;
            }
            anyhow::Ok(f64::from(count) / begun.elapsed().as_secs_f64())
        })
    });
    let callers: Vec<_> = callers.collect();
    let mut calls = 0.0;
    for caller in callers {
        calls += runtime.block_on(caller)??;
    }
    Ok(Measured { received, sent, singly, calls })
}

/// How many items of a stream without end come in a second.
async fn rate_of<T, E: Error + Send + Sync + 'static>(
    mut items: impl Stream<Item = Result<T, E>> + Unpin,
) -> Result<f64> {
    let (begun, mut count) = (Instant::now(), 0u32);
    while begun.elapsed() < WINDOW {
        // The clock is looked at seldom.
        for _ in 0..100 {
            items.next().await.context("the stream has no end")??;
        }
        count += 100;
    }
    Ok(f64::from(count) / begun.elapsed().as_secs_f64())
}

/// A runtime of one thread, as each side has.
fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()
}

fn on_tokio(builder: ServerBuilder, socket: &Path, stop: &AtomicBool) -> Result<()> {
    runtime()?.block_on(async {
        let server = builder.bind(socket)?;
        let stopped = async {
            while !stop.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        server.serve_until(stopped).await?;
        Ok(())
    })
}

fn in_threads(builder: ServerBuilder, socket: &Path, stop: &AtomicBool) -> Result<()> {
    let server = builder.bind_blocking(socket)?;
    let handle = server.handle();
    thread::scope(|scope| {
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(10));
            }
            handle.shutdown();
        });
        server.serve()
    })?;
    Ok(())
}

fn in_steps(builder: ServerBuilder, socket: &Path, stop: &AtomicBool) -> Result<()> {
    let mut server = builder.bind_progress(socket)?;
    while !server.is_drained() {
        server.progress(Duration::from_millis(10))?;
        if stop.load(Ordering::Relaxed) {
            server.begin_shutdown();
        }
    }
    Ok(())
}

/// gRPC's server streaming, on a Unix socket as ours.
#[cfg(feature = "grpc")]
mod over_tonic {
    use hyper_util::rt::TokioIo;
    use tokio::net::{UnixListener, UnixStream};
    use tokio_stream::wrappers::UnixListenerStream;
    use tonic::transport::{Endpoint, Server};
    use tonic::{Request, Response, Status};
    use tower::service_fn;

    use super::*;

    #[allow(unreachable_pub, clippy::doc_markdown, clippy::missing_errors_doc, reason = "generated")]
    mod proto {
        tonic::include_proto!("streams");
    }

    use proto::Item;
    use proto::streams_client::StreamsClient;
    use proto::streams_server::{Streams, StreamsServer};

    struct Service;

    #[tonic::async_trait]
    impl Streams for Service {
        type RepeatStream = stream::BoxStream<'static, Result<Item, Status>>;

        async fn repeat(&self, request: Request<Item>) -> Result<Response<Self::RepeatStream>, Status> {
            let item = request.into_inner();
            Ok(Response::new(stream::repeat_with(move || Ok(item.clone())).boxed()))
        }
    }

    /// How many items come in a second.
    pub(super) fn received(socket: &Path) -> Result<f64> {
        let (serving, calling) = (runtime()?, runtime()?);
        let listener = serving.block_on(async { UnixListener::bind(socket) })?;
        let server = Server::builder().add_service(StreamsServer::new(Service));
        let serve = serving.spawn(server.serve_with_incoming(UnixListenerStream::new(listener)));
        let socket = socket.to_owned();
        let received = calling.block_on(calling.spawn(async move {
            // The address is not used, but must be there.
            let channel = Endpoint::from_static("http://localhost")
                .connect_with_connector(service_fn(move |_| {
                    let socket = socket.clone();
                    async move { UnixStream::connect(socket).await.map(TokioIo::new) }
                }))
                .await?;
            let item = Item { body: vec![7; SIZE].into() };
            let items = StreamsClient::new(channel).repeat(item).await?.into_inner();
            rate_of(items).await
        }))?;
        serve.abort();
        received
    }
}

/// ttrpc's, which has no limit to what is on its way but its queues.
#[cfg(feature = "peers")]
mod over_ttrpc {
    use std::pin::pin;

    use async_trait::async_trait;
    use ttrpc::r#async::{Client, Server, ServerStreamSender, TtrpcContext};
    use ttrpc::context;

    use super::*;

    #[allow(
        unreachable_pub,
        rust_2018_idioms,
        missing_docs,
        clippy::all,
        clippy::doc_markdown,
        clippy::semicolon_if_nothing_returned,
        clippy::uninlined_format_args,
        reason = "generated"
    )]
    mod proto {
        include!(concat!(env!("OUT_DIR"), "/ttrpc/streams/modules.rs"));
    }

    use proto::streams::Item;
    use proto::streams_ttrpc::{self, StreamsClient};

    struct Service;

    #[async_trait]
    impl streams_ttrpc::Streams for Service {
        async fn repeat(
            &self,
            _: &TtrpcContext,
            item: Item,
            items: ServerStreamSender<Item>,
        ) -> ttrpc::Result<()> {
            loop {
                items.send(&item).await?;
            }
        }
    }

    /// How many items come in a second.
    pub(super) fn received(socket: &Path) -> Result<f64> {
        let url = format!("unix://{}", socket.to_str().context("the socket's path is not UTF-8")?);
        let (serving, calling) = (runtime()?, runtime()?);
        let service = streams_ttrpc::create_streams(Arc::new(Service));
        let mut server = Server::new().bind(&url)?.register_service(service);
        serving.block_on(server.start())?;
        calling.block_on(calling.spawn(async move {
            let client = StreamsClient::new(Client::connect(&url).await?);
            let item = Item { body: vec![7; SIZE].into(), ..Item::default() };
            let items = client.repeat(context::with_timeout(0), &item).await?;
            let items = stream::try_unfold(items, async |mut items| {
                Ok::<_, ttrpc::Error>(items.recv().await?.map(|item| (item, items)))
            });
            rate_of(pin!(items)).await
        }))?
    }
}

/// Varlink's `more`: each item is a reply that says that others follow.
#[cfg(feature = "peers")]
mod over_zlink {
    use std::pin::pin;

    use futures_util::future::select;
    use serde::{Deserialize, Serialize};
    use tokio::sync::oneshot;
    use zlink::tokio::unix;
    use zlink::{Reply, ReplyError, Server, introspect, proxy, service};

    use super::*;

    #[derive(Clone, Debug, Serialize, Deserialize, introspect::Type)]
    struct Item {
        body: String,
    }

    #[derive(Debug, ReplyError, introspect::ReplyError)]
    #[zlink(interface = "org.example.Streams")]
    enum StreamsError {
        Refused,
    }

    struct Service;

    #[service(interface = "org.example.Streams")]
    impl Service {
        #[zlink(more)]
        async fn repeat(
            &self,
            _more: bool,
            body: String,
        ) -> impl futures_util::Stream<Item = Reply<Item>> + Unpin {
            let item = Item { body };
            stream::repeat_with(move || Reply::new(Some(item.clone())).set_continues(Some(true)))
        }
    }

    #[proxy("org.example.Streams")]
    trait StreamsProxy {
        #[zlink(more)]
        async fn repeat(
            &mut self,
            body: &str,
        ) -> zlink::Result<impl futures_util::Stream<Item = zlink::Result<Result<Item, StreamsError>>>>;
    }

    /// How many items come in a second.
    pub(super) fn received(socket: &Path) -> Result<f64> {
        let (serving, calling) = (runtime()?, runtime()?);
        let listener = serving.block_on(async { unix::bind(socket) })?;
        let (stop, stopped) = oneshot::channel::<()>();
        // Its future stays on one thread.
        thread::spawn(move || {
            serving.block_on(select(pin!(Server::new(listener, Service).run()), stopped));
        });
        let socket = socket.to_owned();
        let received = calling.block_on(calling.spawn(async move {
            let mut connection = unix::connect(&socket).await?;
            let body = "7".repeat(SIZE);
            let items = connection.repeat(&body).await?;
            let items = items.map(|item| Ok::<_, zlink::Error>(item?.expect("no item is refused")));
            rate_of(pin!(items)).await
        }))?;
        drop(stop);
        received
    }
}
