//! What callers may take up.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use drpc::{CallError, CallErrorKind, FailureCause, ModuleService, Status, drpc_module};
use drpc_grpc::{GrpcCaller, GrpcServer};
use futures_util::future::join_all;
use tokio::net::TcpStream;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::modules::{GreeterClient, modules};
use crate::{PATIENCE, Running};

/// Goes on when its caller has left.
struct Stubborn {
    begun: mpsc::UnboundedSender<()>,
    over: Arc<Notify>,
}

#[drpc_module(id = 9, remote)]
impl Stubborn {
    #[method(1)]
    async fn go_on(&self) {
        let _ = self.begun.send(());
        self.over.notified().await;
    }

    #[method(2)]
    fn hello(&self) {}
}

/// Calls until it is answered: something that ends by itself has to end before.
async fn soon<F: Future<Output = Result<(), CallError>>>(call: impl Fn() -> F) {
    let answered = async {
        while call().await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, answered).await.unwrap();
}

#[tokio::test]
async fn a_call_over_the_limit_is_not_begun_and_one_that_was_dropped_counts_until_it_is_over() {
    let (begun, mut begins) = mpsc::unbounded_channel();
    let over = Arc::new(Notify::new());
    let mut modules = ModuleService::new();
    modules.register(Stubborn { begun, over: over.clone() }).unwrap();
    let server = Running::of(GrpcServer::builder(modules).insecure_loopback().call_limit(1)).await;
    let stubborn = StubbornClient::new(server.caller().await);
    stubborn.hello().await.unwrap();

    let call = tokio::spawn(stubborn.go_on());
    begins.recv().await.unwrap();
    for is_dropped in [false, true] {
        if is_dropped {
            call.abort();
        }
        let error = stubborn.hello().await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (CallErrorKind::Status, Some(Status::FAILURE)), "{error}");
        assert!(error.peer_text().is_some_and(|text| text.contains("no more than 1 at a time")), "{error}");
    }
    over.notify_one();
    soon(|| stubborn.hello()).await;
    server.stop().await;
}

#[tokio::test]
async fn a_connection_over_the_limit_is_closed() {
    let server = Running::of(GrpcServer::builder(modules().0).insecure_loopback().connection_limit(1)).await;
    let first = server.greeter().await;
    first.submit().await.unwrap();
    let second = GrpcCaller::builder(server.http()).insecure_loopback().connect_lazy().unwrap();
    let second = GreeterClient::new(second);
    let error = second.submit().await.unwrap_err();
    let kinds = [CallErrorKind::Connect, CallErrorKind::Disconnected];
    assert!(kinds.contains(&error.kind()), "{error:?}");
    first.submit().await.unwrap();
    drop(first);
    soon(|| second.submit()).await;
}

async fn read_exact(stream: &TcpStream, mut bytes: &mut [u8]) {
    while !bytes.is_empty() {
        stream.readable().await.unwrap();
        match stream.try_read(bytes) {
            Ok(0) => panic!("it has closed"),
            Ok(read) => bytes = &mut bytes[read..],
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::WouldBlock),
        }
    }
}

#[tokio::test]
async fn a_connection_is_told_how_many_calls_it_may_have_under_way() {
    const STREAMS: [u8; 2] = [0, 3];
    let server = Running::start(modules().0).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let begin = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    assert_eq!(stream.try_write(begin).unwrap(), begin.len());
    let mut head = [0; 9];
    timeout(PATIENCE, read_exact(&stream, &mut head)).await.unwrap();
    let mut settings = vec![0; usize::from(head[2])];
    read_exact(&stream, &mut settings).await;
    let streams = settings.chunks(6).find(|setting| setting[..2] == STREAMS).unwrap();
    assert_eq!(streams[2..], 256_u32.to_be_bytes());
}

/// Counts the lines of a log.
struct Lines(Arc<AtomicUsize>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_caller_that_is_denied_without_end_does_not_fill_the_log() {
    let lines = Arc::<AtomicUsize>::default();
    let _logged = tracing::subscriber::set_default(Lines(lines.clone()));
    let server = Running::start(modules().0).await;
    for _ in 0..2 {
        // One that connects anew has had its share.
        let greeter = server.greeter().await;
        for _ in 0..10 {
            for outcome in join_all((0..100).map(|_| greeter.destroy())).await {
                assert_eq!(outcome.unwrap_err().failure_cause(), Some(FailureCause::Denied));
            }
        }
    }
    // A hundred at once, and ten a second.
    let lines = lines.load(Ordering::Relaxed);
    assert!((100..1000).contains(&lines), "{lines} lines of 2000 calls");
}

#[tokio::test]
async fn who_watches_a_servers_health_is_told_of_its_end_and_does_not_hold_it_up() {
    let settings = GrpcServer::builder(modules().0).insecure_loopback().drain_timeout(PATIENCE * 10);
    let server = Running::of(settings).await;
    let channel = Endpoint::from_shared(server.http()).unwrap().connect().await.unwrap();
    let watched = HealthClient::new(channel).watch(HealthCheckRequest::default()).await.unwrap();
    let mut watched = watched.into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    timeout(PATIENCE, server.stop()).await.unwrap();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
    assert_eq!(watched.message().await.unwrap_err().code(), tonic::Code::Unavailable);
}
