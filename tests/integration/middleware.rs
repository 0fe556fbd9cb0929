//! Layers around the handlers: `tower`'s, and our own (D4, S1, S5, S10).

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::{Future, Ready, ready};
use std::io;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use drpc::middleware::{Dispatch, Request};
use drpc::wire::Call;
use drpc::{
    Allow, Failure, ModuleService, Order, PeerCredentials, Reply, Server, ServerBuilder, Session, Status,
    Submitted, drpc_module,
};
use tower::buffer::BufferLayer;
use tower::layer::layer_fn;
use tower::limit::{ConcurrencyLimitLayer, RateLimitLayer};
use tower::load_shed::LoadShedLayer;
use tower::timeout::TimeoutLayer;
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt, service_fn};

use crate::support::{
    Driver, Gate, Logs, PATIENCE, RawPeer, SOON, TestServer, WIRES, echo, gated, in_order, runtime,
    with_every_server,
};

const HOUR: Duration = Duration::from_secs(3600);

/// A layer that is a function of the call and of the rest of its way.
fn around<F, R>(
    function: F,
) -> impl Layer<
    Dispatch,
    Service: Service<Request, Response = Reply, Error = BoxError, Future: Send> + Clone + Send + Sync,
> + Send
+ Sync
where
    F: Fn(Request, Dispatch) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<Reply, BoxError>> + Send + 'static,
{
    layer_fn(move |next: Dispatch| {
        let function = function.clone();
        service_fn(move |request| function(request, next.clone()))
    })
}

/// Sends a call, and gives the status that it is answered with.
#[track_caller]
fn status_of(peer: &RawPeer, method: i32, sequence: i64) -> Status {
    peer.send_call(WIRES[0], 7, method, sequence, b"");
    let response = peer.recv_response(WIRES[0]);
    assert_eq!(response.sequence, sequence);
    response.status
}

#[test]
fn a_time_out_answers_failure() {
    // D4.
    let runtime = runtime();
    let _entered = runtime.enter();
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let server = driver.start(Server::builder().module(gated(&gate)).layer(TimeoutLayer::new(SOON)));
        let peer = RawPeer::connect(server.path());
        assert_eq!(status_of(&peer, 705, 1), Status::FAILURE);
        logs.assert_contain("call failed: request timed out");
        assert_eq!(status_of(&peer, 700, 2), Status::SUCCESS);
    });
}

#[test]
fn a_layer_that_lacks_its_runtime_answers_failure() {
    // S10: on the server in steps, whose program has none.
    let (logs, _guard) = Logs::of_this_thread();
    let server = Driver::Progress.start(Server::builder().module(echo()).layer(TimeoutLayer::new(HOUR)));
    let peer = RawPeer::connect(server.path());
    assert_eq!(status_of(&peer, 700, 1), Status::FAILURE);
    logs.assert_contain("there is no reactor running");
    assert_eq!(status_of(&peer, 799, 2), Status::UNKNOWN_METHOD);
}

#[test]
fn a_call_that_a_layer_holds_holds_nothing_else() {
    // S1, S5: the second call waits for the layer, and its session goes on.
    with_every_server(|driver| {
        let gate = Gate::new();
        let builder = Server::builder().order(Order::Concurrent(4)).module(gated(&gate));
        let server = driver.start(builder.layer(ConcurrencyLimitLayer::new(1)));
        let peer = RawPeer::connect(server.path());
        peer.send_call(WIRES[0], 7, 705, 1, b"first");
        in_order(gate.arrived(1));
        peer.send_call(WIRES[0], 7, 705, 2, b"second");
        // What needs no handler is answered, in this session as in another.
        peer.send_call(WIRES[0], 99, 705, 3, b"");
        let response = peer.recv_response(WIRES[0]);
        assert_eq!((response.sequence, response.status), (3, Status::UNKNOWN_MODULE));
        let other = RawPeer::connect(server.path());
        assert_eq!(status_of(&other, 799, 1), Status::UNKNOWN_METHOD);
        assert_eq!(gate.unnoticed(), 0);
        gate.open(1);
        assert_eq!(peer.recv_response(WIRES[0]).body, "first");
        in_order(gate.arrived(1));
        gate.open(1);
        assert_eq!(peer.recv_response(WIRES[0]).body, "second");
    });
}

#[test]
fn what_is_not_ready_is_seen_by_the_layers_outside_of_it() {
    // Each layer added by itself, the outermost first.
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let gate = Gate::new();
        let builder = Server::builder().order(Order::Concurrent(4)).module(gated(&gate));
        let server = driver.start(builder.layer(LoadShedLayer::new()).layer(ConcurrencyLimitLayer::new(1)));
        let peer = RawPeer::connect(server.path());
        peer.send_call(WIRES[0], 7, 705, 1, b"");
        in_order(gate.arrived(1));
        assert_eq!(status_of(&peer, 705, 2), Status::FAILURE);
        logs.assert_contain("call failed: service overloaded");
        gate.open(1);
        assert_eq!(peer.recv_response(WIRES[0]).sequence, 1);
        assert_eq!(status_of(&peer, 700, 3), Status::SUCCESS);
    });
}

#[test]
fn a_rate_limit_behind_a_buffer_holds_what_is_too_much() {
    let runtime = runtime();
    let _entered = runtime.enter();
    with_every_server(|driver| {
        let layers = ServiceBuilder::new().layer(BufferLayer::new(16)).layer(RateLimitLayer::new(2, HOUR));
        let builder = Server::builder().order(Order::Concurrent(4)).drain_timeout(SOON).module(echo());
        let server = driver.start(builder.layer(layers));
        let peer = RawPeer::connect(server.path());
        let other = RawPeer::connect(server.path());
        assert_eq!(status_of(&peer, 700, 1), Status::SUCCESS);
        assert_eq!(status_of(&other, 700, 1), Status::SUCCESS);
        peer.send_call(WIRES[0], 7, 700, 2, b"");
        assert_eq!(status_of(&peer, 799, 3), Status::UNKNOWN_METHOD);
        // The second is never answered: its session is cut.
        server.stop();
        peer.assert_closed();
    });
}

/// Counts calls by the name of their method.
#[derive(Clone, Default)]
struct Count(Arc<Mutex<BTreeMap<String, u32>>>);

#[derive(Clone)]
struct Counting<S> {
    count: Count,
    next: S,
}

impl<S> Layer<S> for Count {
    type Service = Counting<S>;

    fn layer(&self, next: S) -> Counting<S> {
        Counting { count: self.clone(), next }
    }
}

impl<S: Service<Request>> Service<Request> for Counting<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.next.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> S::Future {
        let uid = request.context().peer().uid();
        let name = format!("{}.{} of {uid}", request.module_name(), request.method().name());
        *self.count.0.lock().unwrap().entry(name).or_default() += 1;
        self.next.call(request)
    }
}

struct Named;

#[drpc_module(id = 8)]
impl Named {
    #[method(1)]
    fn first(&self) -> Submitted {
        Submitted
    }

    #[method(2)]
    fn second(&self) {}

    #[method(3, allow = "nobody")]
    fn forbidden(&self) {}
}

#[test]
fn a_layer_sees_the_calls_that_reach_a_handler() {
    // D2, D8: not those that the server refuses. SUBMITTED goes through it (E3).
    with_every_server(|driver| {
        let count = Count::default();
        let builder = Server::builder().module(Named).rule("nobody", Allow::no_one()).layer(count.clone());
        let server = driver.start(builder);
        let peer = RawPeer::connect(server.path());
        let calls = [
            (801, Status::SUBMITTED),
            (802, Status::SUCCESS),
            (801, Status::SUBMITTED),
            (803, Status::FAILURE),
            (804, Status::UNKNOWN_METHOD),
        ];
        for (sequence, (method, status)) in (1..).zip(calls) {
            peer.send_call(WIRES[0], 8, method, sequence, b"");
            assert_eq!(peer.recv_response(WIRES[0]).status, status, "{method}");
        }
        let uid = PeerCredentials::this_process().uid();
        let counted = count.0.lock().unwrap().clone();
        let expected = [(format!("named.first of {uid}"), 2), (format!("named.second of {uid}"), 1)];
        assert_eq!(counted, BTreeMap::from(expected));
    });
}

/// A server with a layer around the echo.
fn layered<F, R>(function: F) -> ServerBuilder
where
    F: Fn(Request, Dispatch) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Result<Reply, BoxError>> + Send + 'static,
{
    Server::builder().module(echo()).layer(around(function))
}

#[test]
fn a_layer_may_change_what_goes_in_and_out() {
    // D3: a body, or SUBMITTED without one.
    with_every_server(|driver| {
        let server = driver.start(layered(|request, next| async {
            let body = [b"in ", &request.body()[..]].concat();
            if body == b"in later" {
                return Ok(Reply::Submitted);
            }
            let reply = next.oneshot(request.with_body(body)).await?;
            Ok(drpc::Bytes::from([&reply.into_body().into_bytes()[..], b" out"].concat()).into())
        }));
        let peer = RawPeer::connect(server.path());
        peer.send_call(WIRES[0], 7, 700, 1, b"and");
        assert_eq!(peer.recv_response(WIRES[0]).body, "in and out");
        peer.send_call(WIRES[0], 7, 700, 2, b"later");
        assert_eq!(peer.recv_response(WIRES[0]).status, Status::SUBMITTED);
    });
}

/// An error with a cause.
#[derive(Debug)]
struct Broken(io::Error);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the layer broke")
    }
}

impl Error for Broken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn an_error_of_a_layer_answers_failure_and_a_failure_keeps_its_status() {
    // D4: the text and its sources go to the log (E4).
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(layered(|request, next| async move {
            match &request.body()[..] {
                b"error" => Err(Broken(io::Error::other("of age")).into()),
                b"failure" => Err(Failure::new(Status::FAILED_MARSHAL).into()),
                b"wrapped" => Err(Broken(io::Error::other(Failure::unknown_method())).into()),
                _ => Ok(next.oneshot(request).await?),
            }
        }));
        let peer = RawPeer::connect(server.path());
        let errors = [
            ("error", Status::FAILURE),
            ("failure", Status::FAILED_MARSHAL),
            ("wrapped", Status::UNKNOWN_METHOD),
            ("none", Status::SUCCESS),
        ];
        for (sequence, (body, status)) in (1..).zip(errors) {
            peer.send_call(WIRES[0], 7, 700, sequence, body.as_bytes());
            assert_eq!(peer.recv_response(WIRES[0]).status, status, "{body}");
        }
        logs.assert_contain("call failed: the layer broke");
        logs.assert_contain("cause=of age");
    });
}

/// Panics when it is asked whether it is ready, or when it is called.
#[derive(Clone)]
struct Panics {
    when_ready: bool,
}

impl Service<Request> for Panics {
    type Response = Reply;
    type Error = Infallible;
    type Future = Ready<Result<Reply, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        assert!(!self.when_ready, "when asked");
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        assert!(request.body().is_empty(), "when called");
        ready(Ok(request.body().clone().into()))
    }
}

#[test]
fn a_panic_of_a_layer_answers_failure_and_session_and_server_go_on() {
    // S10.
    with_every_server(|driver| {
        for (when_ready, said) in [(true, "when asked"), (false, "when called")] {
            let (logs, _guard) = Logs::of_this_thread();
            let layer = layer_fn(move |_: Dispatch| Panics { when_ready });
            let server = driver.start(Server::builder().module(echo()).layer(layer));
            let peer = RawPeer::connect(server.path());
            peer.send_call(WIRES[0], 7, 700, 1, b"body");
            assert_eq!(peer.recv_response(WIRES[0]).status, Status::FAILURE);
            logs.assert_contain(said);
            logs.assert_contain("call failed: the handler, or a layer around it, panicked");
            let next = if when_ready { Status::FAILURE } else { Status::SUCCESS };
            assert_eq!(status_of(&peer, 700, 2), next);
        }
        let server = driver.start(layered(|request, next| async {
            tokio::task::yield_now().await;
            assert!(!request.body().is_empty(), "in its future");
            Ok(next.oneshot(request).await?)
        }));
        let peer = RawPeer::connect(server.path());
        assert_eq!(status_of(&peer, 700, 1), Status::FAILURE);
        peer.assert_served(WIRES[0]);
    });
}

#[test]
fn a_call_that_a_layer_holds_is_dropped_at_the_end_of_the_drain() {
    // S7.
    with_every_server(|driver| {
        let gate = Gate::new();
        let builder = Server::builder().order(Order::Concurrent(2)).drain_timeout(SOON).module(gated(&gate));
        let server = driver.start(builder.layer(ConcurrencyLimitLayer::new(1)));
        let peer = RawPeer::connect(server.path());
        peer.send_call(WIRES[0], 7, 705, 1, b"");
        in_order(gate.arrived(1));
        peer.send_call(WIRES[0], 7, 705, 2, b"");
        server.stop();
        peer.assert_closed();
        assert_eq!(gate.unnoticed(), 0);
    });
}

#[test]
fn the_first_layer_is_the_outermost() {
    // With a server and without one; a stack counts as one layer.
    let order = Arc::new(Mutex::new(Vec::new()));
    let noting = |name: &'static str| {
        let order = order.clone();
        around(move |request, next| {
            let order = order.clone();
            async move {
                order.lock().unwrap().push(name);
                Ok(next.oneshot(request).await?)
            }
        })
    };
    let noted = || std::mem::take(&mut *order.lock().unwrap());

    let builder = Server::builder().drain_timeout(PATIENCE).module(echo());
    let server =
        TestServer::start(builder.layer(noting("first")).layer(noting("second")).layer(noting("third")));
    assert_eq!(status_of(&RawPeer::connect(server.path()), 700, 1), Status::SUCCESS);
    assert_eq!(noted(), ["first", "second", "third"]);

    in_order(async {
        let mut service = ModuleService::new();
        service.register(Named).unwrap();
        service.define_rule("nobody", Allow::no_one());
        let session = Arc::new(Session::new(1, PeerCredentials::this_process()));
        let call = async |service: &ModuleService| {
            let call = Call { module: 8, method: 802, sequence: 1, ..Call::default() };
            service.process(drpc::Context::new(session.clone(), 1), call).await.status
        };
        assert_eq!(call(&service).await, Status::SUCCESS);
        assert!(noted().is_empty());
        service.layer(noting("first"));
        assert_eq!(call(&service).await, Status::SUCCESS);
        assert_eq!(noted(), ["first"]);
        service.layer(noting("second"));
        assert_eq!(call(&service).await, Status::SUCCESS);
        assert_eq!(noted(), ["first", "second"]);
    });
}

#[test]
fn a_request_tells_what_it_is() {
    in_order(async {
        let (shown, mut show) = tokio::sync::mpsc::unbounded_channel();
        let layer = around(move |request, next| {
            shown.send(format!("{request:?} through {next:?}")).unwrap();
            async { Ok(next.oneshot(request).await?) }
        });
        let server = Server::builder().explicit_modules_only().module(Named).rule("nobody", Allow::no_one());
        let named = NamedClient::new(drpc::testing::client_of(server.layer(layer)).unwrap());
        named.second().await.unwrap();
        let shown = show.recv().await.unwrap();
        assert!(shown.starts_with("Request { module: \"named\", method: Method {"), "{shown}");
        assert!(shown.contains("sequence: 1, body: 0 bytes"), "{shown}");
    });
}
