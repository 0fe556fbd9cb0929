//! What a call over gRPC comes to: the same as one over a socket.

use std::collections::HashSet;
use std::future::{Future as _, poll_fn};
use std::task::Poll;
use std::time::{Duration, Instant};

use drpc::{
    Bytes, CallErrorKind, CallOptions, Caller, Cancelled, FailureCause, Method, RetryPolicy, Status,
    TraceContext,
};
use drpc_grpc::{GrpcCaller, GrpcServer};
use futures_util::future::join_all;
use tokio::net::{TcpListener, TcpSocket};

use crate::Running;
use crate::modules::{GreeterClient, GreeterMethod, Hello, PoolError, modules};

#[tokio::test]
async fn a_stub_calls_over_grpc_as_over_a_socket() {
    let server = Running::start(modules().0).await;
    let greeter = server.greeter().await;
    assert_eq!(greeter.hello(Hello { name: "World".into() }).await.unwrap().greeting, "Hello World");
    for len in [0, 1, 64, 20_000, 5 << 20] {
        let body = Bytes::from(vec![7; len]);
        assert!(greeter.echo(body.clone()).await.unwrap() == body, "{len} bytes");
    }
    greeter.submit().await.unwrap();
    let quiet = CallOptions::new().no_response();
    greeter.clone().with(quiet).submit().await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_failure_comes_whole_however_much_it_says() {
    let server = Running::start(modules().0).await;
    let pool = "é".repeat(32_000);
    let error = server.greeter().await.fill(Hello { name: pool.clone() }).await.unwrap_err();
    assert_eq!(error.status(), Some(Status::FAILURE), "{error}");
    assert_eq!(error.peer_text().map(str::len), Some(4096));
    assert_eq!(error.details(), Some(PoolError::Full { pool, used: 7 }));
}

#[tokio::test]
async fn a_failure_comes_with_status_text_details_and_cause() {
    let server = Running::start(modules().0).await;
    let greeter = server.greeter().await;
    let error = greeter.fill(Hello { name: "tank".into() }).await.unwrap_err();
    assert_eq!((error.kind(), error.status()), (CallErrorKind::Status, Some(Status::FAILURE)));
    assert_eq!(error.peer_text(), Some("tank is full: 7 bytes are used"));
    assert_eq!(error.details(), Some(PoolError::Full { pool: "tank".into(), used: 7 }));
    assert_eq!(error.failure_cause(), Some(FailureCause::Handler));
    assert!(!error.is_retryable());

    // S10: a panic is its own call's alone, and what it says stays here.
    let error = greeter.panics().await.unwrap_err();
    assert_eq!(error.failure_cause(), Some(FailureCause::Panicked));
    assert!(!error.to_string().contains("on purpose"));

    // D2.
    let caller = server.caller().await;
    for (method, status) in [
        (Method::new(6, 601, "of_no_module"), Status::UNKNOWN_MODULE),
        (Method::new(5, 599, "of_no_method"), Status::UNKNOWN_METHOD),
    ] {
        let error = caller.call::<_, Bytes>(method, (), &CallOptions::new()).await.unwrap_err();
        assert_eq!(error.status(), Some(status));
    }

    // Descriptors stay on their host.
    let open = caller.call::<_, Bytes>(Method::new(5, 502, "echo").fds(), (), &CallOptions::new());
    assert_eq!(open.await.unwrap_err().kind(), CallErrorKind::Descriptors);

    // D4.
    let bad =
        caller.call::<_, Bytes>(GreeterMethod::Hello.into(), Bytes::from("\u{7f}"), &CallOptions::new());
    assert_eq!(bad.await.unwrap_err().status(), Some(Status::FAILED_UNMARSHAL_PAYLOAD));
}

#[tokio::test]
async fn a_deadline_is_the_handlers_and_cuts_it_off() {
    let (modules, mut hears) = modules();
    let server = Running::start(modules).await;
    let greeter = server.greeter().await;

    // The server's own limit.
    let error = greeter.stuck().await.unwrap_err();
    assert_eq!(
        (error.status(), error.failure_cause()),
        (Some(Status::FAILURE), Some(FailureCause::TimedOut))
    );
    assert_eq!(hears.recv().await, Some(None));

    // The caller's: it is over there, and the handler is told, or dropped.
    let short = CallOptions::new().timeout(Duration::from_millis(20));
    let error = greeter.clone().with(short).wait().await.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::Timeout);
    assert!(error.to_string().contains("may have been executed"), "{error}");

    // One that has passed is not sent.
    let past = CallOptions::new().deadline(Instant::now());
    let error = greeter.clone().with(past).count().await.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::Timeout);
    assert_eq!(greeter.count().await.unwrap(), "0");
}

#[tokio::test]
async fn a_call_that_is_dropped_tells_its_handler() {
    let (modules, mut hears) = modules();
    let server = Running::start(modules).await;
    let greeter = server.greeter().await;
    let mut call = Box::pin(greeter.wait());
    // The other call is answered after the first has come: they are on one connection.
    tokio::select! {
        _ = &mut call => panic!("nothing ends it"),
        echoed = greeter.echo("x".into()) => drop(echoed.unwrap()),
    }
    drop(call);
    assert_eq!(hears.recv().await, Some(Some(Cancelled::CallerLeft)));
}

#[tokio::test]
async fn trace_and_deadline_are_in_the_context() {
    let server = Running::start(modules().0).await;
    let greeter = server.greeter().await;
    assert_eq!(greeter.context().await.unwrap(), "None None");
    let trace: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse().unwrap();
    let trace = trace.with_state("vendor=value").unwrap();
    let options = CallOptions::new().trace_context(trace).timeout(Duration::from_secs(60));
    assert_eq!(
        greeter.with(options).context().await.unwrap(),
        "Some(\"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 vendor=value\") Some(true)"
    );
}

#[tokio::test]
async fn a_message_over_the_limit_is_refused_at_either_end() {
    let settings = GrpcServer::builder(modules().0).insecure_loopback().message_limit(1000);
    let server = Running::of(settings).await;
    let greeter = server.greeter().await;
    let error = greeter.echo(vec![0; 2000].into()).await.unwrap_err();
    assert_eq!(error.status(), Some(Status::FAILED_UNMARSHAL_CALL), "{error}");

    let careful = GrpcCaller::builder(server.http()).insecure_loopback().message_limit(100);
    let greeter = GreeterClient::new(careful.connect().await.unwrap());
    let error = greeter.echo(vec![0; 200].into()).await.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::TooLong);
    assert!(!error.is_retryable());

    // The request is short enough, and was executed; its reply is not.
    let error = greeter.hello(Hello { name: "x".repeat(98) }).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (CallErrorKind::Disconnected, false), "{error}");
    assert!(error.to_string().contains("more than the 100 bytes"), "{error}");
    assert!(error.to_string().ends_with("the call may have been executed"), "{error}");
}

#[tokio::test]
async fn calls_to_a_host_that_is_silent_do_not_wait_each_for_itself() {
    // Its queue is full, so that it answers nothing to who connects.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let silent = socket.listen(1).unwrap();
    let address = silent.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        queued.push(connected);
    }
    let settings = GrpcCaller::builder(format!("http://{address}")).insecure_loopback();
    let caller = settings.connect_timeout(Duration::from_millis(500)).connect_lazy().unwrap();
    let greeter = GreeterClient::new(caller);
    let calls = (0..4).map(|_| greeter.hello(Hello::default()));
    let errors = join_all(calls).await.into_iter().map(Result::unwrap_err).collect::<Vec<_>>();
    assert!(errors.iter().all(|error| error.is_connect() && error.is_retryable()), "{errors:?}");
    let said = |text| errors.iter().filter(|error| error.to_string().contains(text)).count();
    assert!(said("did not answer within 500ms") >= 1, "{errors:?}");
    assert!(said("did not answer a moment ago") >= 1, "{errors:?}");
}

#[tokio::test]
async fn several_connections_share_the_calls() {
    let server = Running::start(modules().0).await;
    let several = GrpcCaller::builder(server.http()).insecure_loopback().connections(3);
    let greeter = GreeterClient::new(several.connect().await.unwrap());
    let (mut waiting, mut connections) = (Vec::new(), HashSet::new());
    for _ in 0..3 {
        // Polled once, it has taken the least busy connection; the next call takes another.
        let mut call = Box::pin(greeter.wait());
        assert!(poll_fn(|context| Poll::Ready(call.as_mut().poll(context))).await.is_pending());
        waiting.push(call);
        connections.insert(greeter.whoami().await.unwrap());
    }
    assert_eq!(connections.len(), 3, "{connections:?}");
}

#[tokio::test]
async fn a_host_that_is_not_there_was_certainly_not_called() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = gone.local_addr().unwrap();
    drop(gone);
    let settings = GrpcCaller::builder(format!("http://{address}")).insecure_loopback();
    let error = settings.clone().connect().await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("can't connect to http://{address}: ")), "{error}");
    assert!(error.to_string().ends_with("is the server started, and the port right?"), "{error}");

    let caller = settings.connect_lazy().unwrap();
    let greeter = GreeterClient::new(caller);
    let error = greeter.hello(Hello::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (CallErrorKind::Connect, true), "{error}");

    // It comes while the call is retried.
    let (modules, _hears) = modules();
    let patient = CallOptions::new().retry(RetryPolicy::new(1000)).timeout(Duration::from_secs(60));
    let call = tokio::spawn(greeter.with(patient).hello(Hello { name: "you".into() }));
    let server = GrpcServer::builder(modules).insecure_loopback().bind(address).await.unwrap();
    tokio::spawn(server.serve());
    assert_eq!(call.await.unwrap().unwrap().greeting, "Hello you");
}

#[tokio::test]
async fn a_connection_that_breaks_leaves_it_open_whether_the_call_was_executed() {
    let (modules, mut hears) = modules();
    let server = GrpcServer::builder(modules).insecure_loopback().bind("127.0.0.1:0").await.unwrap();
    let relay = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, behind) = (relay.local_addr().unwrap(), server.local_addr());
    tokio::spawn(server.serve());
    let relayed = tokio::spawn(async move {
        let (mut from, _) = relay.accept().await.unwrap();
        let mut to = tokio::net::TcpStream::connect(behind).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
    });
    let settings = GrpcCaller::builder(format!("http://{address}")).insecure_loopback();
    let greeter = GreeterClient::new(settings.connect().await.unwrap());
    let call = tokio::spawn(greeter.wait());
    greeter.hello(Hello::default()).await.unwrap();
    relayed.abort();
    let error = call.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (CallErrorKind::Disconnected, false), "{error}");
    assert_eq!(hears.recv().await, Some(Some(Cancelled::CallerLeft)));
}

#[test]
fn a_thread_calls_by_blocking() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let server = runtime.block_on(Running::start(modules().0));
    let settings = GrpcCaller::builder(server.http()).insecure_loopback();
    let greeter = GreeterClient::new(drpc_grpc::blocking::GrpcCaller::of(settings).unwrap());
    assert_eq!(greeter.hello(Hello { name: "World".into() }).unwrap().greeting, "Hello World");
    let error = greeter.fill(Hello { name: "tank".into() }).unwrap_err();
    assert_eq!(error.details(), Some(PoolError::Full { pool: "tank".into(), used: 7 }));
}
