//! Streams over gRPC come to what they come to over a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use drpc::{
    Bytes, CallErrorKind, CallOptions, Failure, FailureCause, ModuleService, Status, Stream, drpc_module,
};
use drpc_grpc::{GrpcCaller, GrpcServer};
use futures_util::stream;

use crate::Running;
use crate::modules::{GreeterClient, Hello, PoolError, modules};

fn names(names: &str) -> Hello {
    Hello { name: names.into() }
}

#[tokio::test]
async fn items_come_in_order_and_then_the_end() {
    let server = Running::start(modules().0).await;
    let greeter = server.greeter().await;
    let mut greetings = greeter.greet_each(names("a,b,c")).await.unwrap();
    for name in ["a", "b", "c"] {
        assert_eq!(greetings.next().await.unwrap().unwrap().greeting, format!("Hello {name}"));
    }
    assert!(greetings.next().await.is_none() && greetings.next().await.is_none());
    assert!(greeter.refuse(Hello::default()).await.unwrap().next().await.is_none());
    server.stop().await;
}

#[tokio::test]
async fn a_stream_that_fails_gives_status_text_details_and_cause() {
    let server = Running::start(modules().0).await;
    let greeter = server.greeter().await;
    let mut greetings = greeter.greet_each(names("a,,c")).await.unwrap();
    greetings.next().await.unwrap().unwrap();
    let in_it = greetings.next().await.unwrap().unwrap_err();
    assert!(greetings.next().await.is_none());
    let before_it = greeter.refuse(names("tank")).await.unwrap_err();
    for error in [in_it, before_it] {
        assert_eq!((error.kind(), error.status()), (CallErrorKind::Status, Some(Status::FAILURE)));
        assert_eq!(error.peer_text(), Some("tank is full: 7 bytes are used"));
        assert_eq!(error.details(), Some(PoolError::Full { pool: "tank".into(), used: 7 }));
        assert_eq!(error.failure_cause(), Some(FailureCause::Handler));
    }
}

#[tokio::test]
async fn a_stream_that_is_dropped_is_dropped_where_it_comes_from() {
    let (modules, mut hears) = modules();
    let server = Running::start(modules).await;
    let greeter = server.greeter().await;
    let mut items = greeter.endless("x".into()).await.unwrap();
    items.next().await.unwrap().unwrap();
    drop(items);
    assert_eq!(hears.recv().await, Some(None));
}

/// Counts what it gives.
struct Source(Arc<AtomicUsize>);

#[drpc_module(id = 6, remote)]
impl Source {
    #[method(1, stream)]
    fn items(&self) -> impl Stream<Item = Result<Bytes, Failure>> {
        stream::repeat_with(|| {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(vec![7; 64 << 10].into())
        })
    }

    #[method(2)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }
}

#[tokio::test]
async fn who_does_not_read_stops_its_own_stream_alone() {
    let given = Arc::new(AtomicUsize::new(0));
    let mut modules = ModuleService::new();
    modules.register(Source(given.clone())).unwrap();
    let server = Running::start(modules).await;
    // All are on one connection.
    let source = SourceClient::new(server.caller().await);
    let mut streams = Vec::new();
    for _ in 0..4 {
        streams.push(source.items().await.unwrap());
    }
    for _ in 0..50 {
        let body = Bytes::from(vec![7; 100_000]);
        assert!(source.echo(body.clone()).await.unwrap() == body);
    }
    // HTTP/2's window of 2 MiB is 32 items, and some are on their way.
    let unread = given.load(Ordering::Relaxed);
    assert!(unread <= 4 * 64, "{unread} items were taken from the streams");
    for stream in &mut streams {
        for _ in 0..200 {
            assert_eq!(stream.next().await.unwrap().unwrap().len(), 64 << 10);
        }
    }
    assert!(given.load(Ordering::Relaxed) >= 800);
}

#[tokio::test]
async fn an_item_over_the_limit_ends_its_stream() {
    let settings = GrpcServer::builder(modules().0).insecure_loopback().message_limit(1000);
    let server = Running::of(settings).await;
    let greeter = server.greeter().await;
    let mut items = greeter.endless(vec![7; 900].into()).await.unwrap();
    items.next().await.unwrap().unwrap();

    let careful = GrpcCaller::builder(server.http()).insecure_loopback().message_limit(950);
    let greeter = GreeterClient::new(careful.connect().await.unwrap());
    let long = names(&"x".repeat(949 - 3));
    let error = greeter.greet_each(long).await.unwrap().next().await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (CallErrorKind::Disconnected, false), "{error:?}");
    assert!(error.to_string().contains("more than the 950 bytes"), "{error}");
    let greeter = server.greeter().await;
    let long = names(&"x".repeat(1000 - 3));
    let error = greeter.greet_each(long).await.unwrap().next().await.unwrap().unwrap_err();
    assert_eq!(error.status(), Some(Status::FAILED_MARSHAL), "{error:?}");
}

#[tokio::test]
async fn time_is_that_of_the_whole_of_an_item_or_of_the_opening() {
    let (modules, mut hears) = modules();
    let server = Running::start(modules).await;
    let greeter = server.greeter().await;
    let soon = Duration::from_millis(300);
    let whole = || CallOptions::new().deadline(Instant::now() + soon);
    let of_an_item = || CallOptions::new().item_timeout(soon);
    let ways: [&dyn Fn() -> CallOptions; 3] =
        [&whole, &of_an_item, &|| whole().item_timeout(Duration::from_secs(60))];
    for options in ways {
        let mut greetings = greeter.clone().with(options()).until_cancelled(Hello::default()).await.unwrap();
        greetings.next().await.unwrap().unwrap();
        let error = greetings.next().await.unwrap().unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::Timeout, "{error}");
        assert!(greetings.next().await.is_none());
        assert_eq!(hears.recv().await, Some(None));
    }
    // That of the opening is over once it is open.
    let patient = CallOptions::new().timeout(soon);
    let mut items = greeter.with(patient).endless(vec![7; 1000].into()).await.unwrap();
    let begun = Instant::now();
    while begun.elapsed() < soon {
        items.next().await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_server_that_stops_tells_streams_and_cuts_those_that_go_on() {
    let (modules, mut hears) = modules();
    let settings = GrpcServer::builder(modules).insecure_loopback().drain_timeout(Duration::from_millis(50));
    let server = Running::of(settings).await;
    let greeter = server.greeter().await;
    let mut ends = greeter.until_cancelled(Hello::default()).await.unwrap();
    let mut goes_on = greeter.until_cancelled(names("on")).await.unwrap();
    for stream in [&mut ends, &mut goes_on] {
        stream.next().await.unwrap().unwrap();
    }
    server.stop().await;
    for stream in [&mut ends, &mut goes_on] {
        assert_eq!(stream.next().await.unwrap().unwrap().greeting, "Some(ShuttingDown)");
        assert_eq!(hears.recv().await, Some(None));
    }
    assert!(ends.next().await.is_none());
    let error = goes_on.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::Disconnected, "{error}");
}

#[tokio::test]
async fn a_call_that_does_not_end_is_cut_when_its_server_stops() {
    let settings = GrpcServer::builder(forever()).insecure_loopback().drain_timeout(Duration::ZERO);
    let server = Running::of(settings).await;
    let caller = ForeverClient::new(server.caller().await);
    let call = tokio::spawn(caller.wait());
    // It is answered after the other has begun.
    caller.begun().await.unwrap();
    server.stop().await;
    assert_eq!(call.await.unwrap().unwrap_err().kind(), CallErrorKind::Disconnected);
}

#[derive(Default)]
struct Forever(tokio::sync::Notify);

#[drpc_module(id = 8, remote)]
impl Forever {
    #[method(1)]
    async fn wait(&self) {
        self.0.notify_one();
        std::future::pending::<()>().await;
    }

    #[method(2)]
    async fn begun(&self) {
        self.0.notified().await;
    }
}

fn forever() -> ModuleService {
    let mut modules = ModuleService::new();
    modules.register(Forever::default()).unwrap();
    modules
}

#[test]
fn a_thread_iterates() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (modules, mut hears) = modules();
    let server = runtime.block_on(Running::start(modules));
    let settings = GrpcCaller::builder(server.http()).insecure_loopback();
    let greeter = GreeterClient::new(drpc_grpc::blocking::GrpcCaller::of(settings).unwrap());
    let greetings: Result<Vec<_>, _> = greeter.greet_each(names("a,b")).unwrap().collect();
    assert_eq!(greetings.unwrap().len(), 2);
    let error = greeter.greet_each(names("a,")).unwrap().last().unwrap().unwrap_err();
    assert_eq!(error.details(), Some(PoolError::Full { pool: "tank".into(), used: 7 }));
    assert_eq!(greeter.refuse(names("tank")).unwrap_err().status(), Some(Status::FAILURE));
    let items = greeter.endless("x".into()).unwrap();
    // It outlives its caller.
    drop(greeter);
    assert_eq!(items.take(1000).filter(|item| item.is_ok()).count(), 1000);
    assert_eq!(hears.blocking_recv(), Some(None));
}
