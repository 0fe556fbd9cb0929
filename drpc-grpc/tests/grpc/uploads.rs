//! What a caller sends as a stream comes to what it comes to over a socket: in process, and through a gateway.

use std::time::{Duration, Instant};

use drpc::{
    AddedFields, Allow, Bytes, CallError, CallErrorKind, CallOptions, Client, Failure, FailureCause,
    Incoming, Method, ModuleService, Server, Status, Stream, Submitted, drpc_module,
};
use drpc_grpc::{Forwarded, GrpcCaller, GrpcServer};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use crate::modules::{Hello, HelloResponse, PoolError};
use crate::{PATIENCE, Running};

/// Takes what callers send.
pub(crate) struct Store {
    /// Told why a caller's items were not all.
    told: UnboundedSender<String>,
}

#[drpc_module(id = 8, remote)]
impl Store {
    /// The request's name, and those of all items.
    #[method(1, stream)]
    async fn put(&self, request: Hello, items: Incoming<Hello>) -> Result<HelloResponse, Failure> {
        self.gather(request, items).await
    }

    /// A greeting for each item.
    #[method(2, stream)]
    fn greet(
        &self,
        request: Hello,
        mut items: Incoming<Hello>,
    ) -> impl Stream<Item = Result<HelloResponse, Failure>> {
        stream::poll_fn(move |context| items.poll_next_unpin(context)).map(move |item| {
            let Hello { name } = item.inspect_err(|failure| self.tell(failure))?;
            Ok(HelloResponse { greeting: format!("{}{name}", request.name) })
        })
    }

    /// Answers after the first item, whose name says how.
    #[method(3, stream)]
    async fn first(&self, mut items: Incoming<Hello>) -> Result<HelloResponse, Failure> {
        match items.next().await.transpose()?.unwrap_or_default().name.as_str() {
            "" => Err(PoolError::Full { pool: "tank".into(), used: 7 }.into()),
            name => Ok(HelloResponse { greeting: name.into() }),
        }
    }

    #[method(4, stream)]
    async fn submit(&self, items: Incoming<Hello>) -> Result<Submitted, Failure> {
        self.gather(Hello::default(), items).await.map(|_| Submitted)
    }

    #[method(5, stream, allow = "nobody")]
    async fn guarded(&self, _items: Incoming<Hello>) {}

    /// Takes none, and waits until its caller has left.
    #[method(6, stream)]
    async fn keep(&self, context: &drpc::Context, mut items: Incoming<Bytes>) -> Result<(), Failure> {
        context.cancelled().await;
        while let Some(item) = items.next().await {
            item.inspect_err(|failure| self.tell(failure))?;
        }
        Ok(())
    }

    /// Takes no more after the first, and goes on.
    #[method(7, stream)]
    fn enough(&self, items: Incoming<Hello>) -> impl Stream<Item = Result<HelloResponse, Failure>> {
        items.take(1).map(|item| item.map(|Hello { name }| HelloResponse { greeting: name }))
    }
}

impl Store {
    async fn gather(&self, request: Hello, mut items: Incoming<Hello>) -> Result<HelloResponse, Failure> {
        let mut greeting = request.name;
        while let Some(item) = items.next().await {
            let item = item.inspect_err(|failure| self.tell(failure))?;
            greeting = format!("{greeting} {}", item.name);
        }
        Ok(HelloResponse { greeting })
    }

    fn tell(&self, failure: &Failure) {
        let _ = self.told.send(failure.to_string());
    }
}

/// Adds a store to a service; gives what it tells.
pub(crate) fn register(modules: &mut ModuleService) -> UnboundedReceiver<String> {
    let (told, hears) = unbounded_channel();
    modules.register(Store { told }).unwrap();
    modules.define_rule("nobody", Allow::gids([]));
    hears
}

fn stores() -> (ModuleService, UnboundedReceiver<String>) {
    let mut modules = ModuleService::new();
    let hears = register(&mut modules);
    (modules, hears)
}

fn name(name: &str) -> Hello {
    Hello { name: name.into() }
}

/// A store in process, or behind a gateway and a socket.
struct Served {
    running: Running,
    hears: UnboundedReceiver<String>,
    _folder: Option<tempfile::TempDir>,
}

impl Served {
    async fn here() -> Self {
        let (modules, hears) = stores();
        Served { running: Running::start(modules).await, hears, _folder: None }
    }

    async fn behind() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sock");
        let (told, hears) = unbounded_channel();
        let server =
            Server::builder().module(Store { told }).rule("nobody", Allow::gids([])).bind(&path).unwrap();
        tokio::spawn(server.serve());
        let client = Client::builder(&path).added_fields(AddedFields::ALL).connect().await.unwrap();
        let methods = StoreMethod::ALL.iter().copied().map(Method::from);
        let mut modules = ModuleService::new();
        modules.register(Forwarded::new(client, 8, "store", methods)).unwrap();
        modules.define_rule("nobody", Allow::gids([]));
        Served { running: Running::start(modules).await, hears, _folder: Some(folder) }
    }

    async fn both() -> [Self; 2] {
        [Self::here().await, Self::behind().await]
    }

    async fn store(&self) -> StoreClient<GrpcCaller> {
        StoreClient::new(self.running.caller().await)
    }
}

#[tokio::test]
async fn all_items_come_in_order_and_their_reply_goes_back() {
    for served in Served::both().await {
        let store = served.store().await;
        let mut upload = store.put(name("to")).await.unwrap();
        for item in ["a", "b"] {
            upload.send(name(item)).await.unwrap();
        }
        assert_eq!(upload.finish().await.unwrap().greeting, "to a b");
        let none = store.put(Hello::default()).await.unwrap();
        assert_eq!(none.finish().await.unwrap().greeting, "");
        let many = (0..1000).map(|number| name(&number.to_string()));
        let reply = store.put(Hello::default()).await.unwrap().finish_with(stream::iter(many)).await.unwrap();
        assert_eq!(reply.greeting.split(' ').skip(1).map(|item| item.parse().unwrap()).max(), Some(999));
        let submitted = store.submit().await.unwrap();
        submitted.finish_with(stream::iter(["a"].map(name))).await.unwrap();
        served.running.stop().await;
    }
}

#[tokio::test]
async fn both_ways_go_at_their_own_pace() {
    for served in Served::both().await {
        let store = served.store().await;
        let (mut names, mut greetings) = store.greet(name("Hello ")).await.unwrap();
        for item in ["a", "b"] {
            names.send(name(item)).await.unwrap();
            assert_eq!(greetings.next().await.unwrap().unwrap().greeting, format!("Hello {item}"));
        }
        for item in ["c", "d"] {
            names.send(name(item)).await.unwrap();
        }
        names.finish();
        for item in ["c", "d"] {
            assert_eq!(greetings.next().await.unwrap().unwrap().greeting, format!("Hello {item}"));
        }
        assert!(greetings.next().await.is_none());
        served.running.stop().await;
    }
}

#[tokio::test]
async fn a_handler_may_answer_before_all_have_come() {
    for served in Served::both().await {
        let store = served.store().await;
        let mut upload = store.first().await.unwrap();
        upload.send(name("early")).await.unwrap();
        upload.answered().await;
        assert_eq!(upload.send(name("late")).await.unwrap_err().kind(), CallErrorKind::NotTaken);
        assert_eq!(upload.finish().await.unwrap().greeting, "early");

        let mut upload = store.first().await.unwrap();
        upload.send(name("")).await.unwrap();
        upload.answered().await;
        let [sent, finished] =
            [upload.send(name("late")).await.unwrap_err(), upload.finish().await.unwrap_err()];
        for error in [sent, finished] {
            failed_as_it_did(&error);
        }

        let (mut names, mut greetings) = store.enough().await.unwrap();
        names.send(name("one")).await.unwrap();
        assert_eq!(greetings.next().await.unwrap().unwrap().greeting, "one");
        assert!(greetings.next().await.is_none());
        while let Ok(()) = names.send(name("more")).await {}
        served.running.stop().await;
    }
}

fn failed_as_it_did(error: &CallError) {
    assert_eq!((error.kind(), error.status()), (CallErrorKind::Status, Some(Status::FAILURE)), "{error}");
    assert_eq!(error.peer_text(), Some("tank is full: 7 bytes are used"));
    assert_eq!(error.details(), Some(PoolError::Full { pool: "tank".into(), used: 7 }));
    assert_eq!(error.failure_cause(), Some(FailureCause::Handler));
}

#[tokio::test]
async fn a_call_that_is_refused_is_not_opened() {
    for served in Served::both().await {
        let store = served.store().await;
        let error = store.guarded().await.unwrap_err();
        assert_eq!(error.failure_cause(), Some(FailureCause::Denied), "{error}");
        let caller = served.running.caller().await;
        const NONE: Method = Method::new(8, 899, "none").client_streaming();
        let opened = drpc::Caller::upload::<_, Bytes, Bytes>(&caller, NONE, (), &CallOptions::new()).await;
        assert_eq!(opened.unwrap_err().status(), Some(Status::UNKNOWN_METHOD));
    }
}

#[tokio::test]
async fn a_handler_learns_that_items_were_not_all() {
    for mut served in Served::both().await {
        let store = served.store().await;
        let mut upload = store.put(Hello::default()).await.unwrap();
        upload.send(name("a")).await.unwrap();
        drop(upload);
        served.hears.recv().await.unwrap();

        // The other way is no more, either: HTTP/2 ends both.
        let (mut names, mut greetings) = store.greet(name("Hello ")).await.unwrap();
        names.send(name("a")).await.unwrap();
        greetings.next().await.unwrap().unwrap();
        drop(names);
        assert!(greetings.next().await.unwrap().is_err());
        assert!(greetings.next().await.is_none());
    }
}

#[tokio::test]
async fn who_takes_nothing_holds_up_its_own_caller_alone() {
    let served = Served::here().await;
    let store = served.store().await;
    let patient = CallOptions::new().item_timeout(Duration::from_millis(300));
    let mut upload = store.clone().with(patient).keep().await.unwrap();
    let item = Bytes::from(vec![7; 64 << 10]);
    let mut sent = 0;
    let stalled = loop {
        match upload.send(item.clone()).await {
            Ok(()) => sent += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(stalled.kind(), CallErrorKind::Timeout, "{stalled}");
    // HTTP/2's window of 2 MiB is 32 items, and some are on their way.
    assert!((32..=64).contains(&sent), "{sent} items were sent");
    let other = store.put(name("other")).await.unwrap().finish().await.unwrap();
    assert_eq!(other.greeting, "other");
}

#[tokio::test]
async fn an_upload_that_is_given_up_where_it_stalls_is_given_up_behind_the_gateway() {
    for mut served in Served::both().await {
        let mut upload = served.store().await.keep().await.unwrap();
        // The socket's credit is 1 MiB, HTTP/2's window 2: it is the gateway that has no room.
        for _ in 0..24 {
            upload.send(vec![7; 64 << 10].into()).await.unwrap();
        }
        drop(upload);
        timeout(PATIENCE, served.hears.recv()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_deadline_is_that_of_the_whole_call() {
    for mut served in Served::both().await {
        let store = served.store().await;
        let soon = CallOptions::new().deadline(Instant::now() + Duration::from_millis(300));
        let mut upload = store.clone().with(soon).put(Hello::default()).await.unwrap();
        upload.send(name("a")).await.unwrap();
        upload.answered().await;
        assert_eq!(upload.finish().await.unwrap_err().kind(), CallErrorKind::Timeout);
        served.hears.recv().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_too_long_is_not_sent_or_refused_by_its_name() {
    let (modules, _hears) = stores();
    let server = Running::of(GrpcServer::builder(modules).insecure_loopback().message_limit(1000)).await;
    let careful = GrpcCaller::builder(server.http()).insecure_loopback().message_limit(950);
    let store = StoreClient::new(careful.connect().await.unwrap());
    let mut upload = store.put(Hello::default()).await.unwrap();
    let error = upload.send(name(&"x".repeat(950))).await.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::TooLong);
    assert!(error.to_string().starts_with("can't send an item of the stream"), "{error}");
    upload.send(name("short")).await.unwrap();
    assert_eq!(upload.finish().await.unwrap().greeting, " short");

    let store = StoreClient::new(server.caller().await);
    let upload = store.put(Hello::default()).await.unwrap();
    let long = stream::iter([name(&"x".repeat(1000))]);
    let error = upload.finish_with(long).await.unwrap_err();
    assert_eq!(error.status(), Some(Status::FAILED_UNMARSHAL_PAYLOAD), "{error:?}");
    // The head of a call has less room than its messages.
    let longest = "x".repeat((8 << 10) - 3);
    let reply = store.put(name(&longest[..900])).await.unwrap().finish().await.unwrap();
    assert_eq!(reply.greeting, longest[..900]);
    let error = store.put(name(&format!("{longest}x"))).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (CallErrorKind::TooLong, false));
    let error = store.put(name(&longest)).await.unwrap().finish().await.unwrap_err();
    assert_eq!(error.status(), Some(Status::FAILED_MARSHAL), "{error:?}");
}

#[tokio::test]
async fn a_server_that_stops_cuts_what_is_still_sent() {
    let (modules, mut hears) = stores();
    let settings = GrpcServer::builder(modules).insecure_loopback().drain_timeout(Duration::from_millis(50));
    let server = Running::of(settings).await;
    let store = StoreClient::new(server.caller().await);
    let mut goes_on = store.put(Hello::default()).await.unwrap();
    goes_on.send(name("a")).await.unwrap();
    server.stop().await;
    let error = goes_on.finish().await.unwrap_err();
    assert_eq!(error.kind(), CallErrorKind::Disconnected, "{error}");
    assert_eq!(hears.recv().await, None);
}

#[tokio::test]
async fn items_go_to_the_host_that_is_there() {
    let served = Served::here().await;
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let settings = GrpcCaller::builder(format!("http://{gone}")).or(served.running.http());
    let store = StoreClient::new(settings.insecure_loopback().connect_lazy().unwrap());
    for _ in 0..4 {
        let upload = store.put(name("to")).await.unwrap();
        assert_eq!(upload.finish_with(stream::iter([name("a")])).await.unwrap().greeting, "to a");
    }
}

#[test]
fn a_thread_sends_and_receives() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut served = runtime.block_on(Served::here());
    let settings = GrpcCaller::builder(served.running.http()).insecure_loopback();
    let store = StoreClient::new(drpc_grpc::blocking::GrpcCaller::of(settings).unwrap());
    let mut upload = store.put(name("to")).unwrap();
    upload.send(name("a")).unwrap();
    assert_eq!(upload.finish_with(["b", "c"].map(name)).unwrap().greeting, "to a b c");
    let mut greetings = store.greet(name("Hello ")).unwrap();
    for item in ["a", "b"] {
        greetings.send(name(item)).unwrap();
        assert_eq!(greetings.next().unwrap().unwrap().greeting, format!("Hello {item}"));
    }
    greetings.finish().unwrap();
    assert!(greetings.next().is_none());
    assert_eq!(greetings.send(name("late")).unwrap_err().kind(), CallErrorKind::NotTaken);
    drop(store.put(Hello::default()).unwrap());
    runtime.block_on(served.hears.recv()).unwrap();
}
