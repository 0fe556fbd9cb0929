//! Streams from client to server, and both ways (E5, S5, S6, S7), over every server and client.

use std::collections::{BTreeMap, VecDeque};
use std::iter;
use std::mem::ManuallyDrop;
use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Instant;

use drpc::testing::{self, MockModule, Recorder};
use drpc::wire::{Call, CallFields, Control, Credit, Items, Part, Response, ResponseFields};
use drpc::{
    AddedFields, Bytes, CallError, CallErrorKind, CallOptions, Context, Failure, Incoming, Method, Server,
    ServerBuilder, Status, Stream, Wire, blocking, drpc_module,
};
use futures_util::{FutureExt, StreamExt, stream};
use proptest::prelude::*;
use prost::Message;

use super::support::{
    AnyClient, AnyExchange, AnyUpload, Driver, Fake, Gate, Kind, PATIENCE, RawPeer, SOON, TestServer, WIRES,
    builder, gated, header, in_order, isolated, pair, until_over, with_every_client, with_every_server,
};

#[derive(Clone, PartialEq, prost::Message)]
struct Number {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(bytes = "bytes", tag = "2")]
    filling: Bytes,
}

/// What became of the items that came.
type Ended = Result<u64, String>;

struct Sums {
    ended: Mutex<Sender<Ended>>,
    /// How a handler is told to go on.
    go_on: Mutex<Receiver<()>>,
}

/// What a test hears of [`Sums`], and tells it.
struct Heard {
    ended: Receiver<Ended>,
    go_on: Sender<()>,
}

fn sums() -> (Sums, Heard) {
    let (sender, ended) = mpsc::channel();
    let (go_on, told) = mpsc::channel();
    (Sums { ended: Mutex::new(sender), go_on: Mutex::new(told) }, Heard { ended, go_on })
}

impl Heard {
    fn end(&self) -> Ended {
        self.ended.recv_timeout(PATIENCE).expect("it ends")
    }
}

impl Sums {
    fn ends(&self, ended: &Result<u64, Failure>) {
        let ended = ended.as_ref().map(|sum| *sum).map_err(ToString::to_string);
        self.ended.lock().unwrap().send(ended).unwrap();
    }
}

#[drpc_module(id = 9)]
impl Sums {
    /// All numbers, and the first.
    #[method(1, stream)]
    async fn sum(&self, first: Number, mut numbers: Incoming<Number>) -> Result<Number, Failure> {
        let sum = async {
            let mut sum = first.number;
            while let Some(number) = numbers.next().await {
                sum += number?.number;
            }
            Ok(sum)
        };
        let sum = sum.await;
        self.ends(&sum);
        Ok(Number { number: sum?, ..Number::default() })
    }

    #[method(2, stream)]
    fn sum_blocking(&self, numbers: Incoming<Number>) -> Result<Number, Failure> {
        let mut sum = Ok(0);
        for number in numbers {
            sum = sum.and_then(|sum| Ok(sum + number?.number));
        }
        self.ends(&sum);
        Ok(Number { number: sum?, ..Number::default() })
    }

    /// The same, one by one. It borrows the module.
    #[method(3, stream)]
    fn doubled(
        &self,
        numbers: Incoming<Number>,
        _context: &Context,
    ) -> impl Stream<Item = Result<Number, Failure>> {
        numbers.map(|number| {
            let Number { number, filling } = number.inspect_err(|_| self.ends(&Ok(0)))?;
            Ok(Number { number: 2 * number, filling })
        })
    }

    /// It takes one item.
    #[method(4, stream)]
    async fn first(&self, mut numbers: Incoming<Number>) -> Result<Number, Failure> {
        match numbers.next().await {
            Some(Ok(number)) if number.number == 13 => {
                Err(Failure::with_message(Status::FAILURE, "no thirteen"))
            }
            Some(number) => number,
            None => Ok(Number::default()),
        }
    }

    /// It takes none until it is told to, on a server in threads.
    #[method(5, stream)]
    fn count_later(&self, numbers: Incoming<Bytes>) -> Result<Number, Failure> {
        self.go_on.lock().unwrap().recv_timeout(PATIENCE).map_err(Failure::from_error)?;
        let mut count = 0;
        for number in numbers {
            number?;
            count += 1;
        }
        Ok(Number { number: count, ..Number::default() })
    }

    /// Nothing is taken, and nothing answered.
    #[method(6, stream)]
    async fn hang(&self, numbers: Incoming<Bytes>, context: &Context) -> Result<(), Failure> {
        context.cancelled().await;
        let items = numbers.fold(Ok(0), |count, number| async { Ok(count? + number.map(|_| 1)?) });
        self.ends(&items.await);
        Ok(())
    }

    #[method(7)]
    fn ping(&self) {}

    /// It takes no more, and answers once it is told to.
    #[method(8, stream)]
    async fn let_go(&self, numbers: Incoming<Bytes>, context: &Context) -> Result<(), Failure> {
        drop(numbers);
        context.cancelled().await;
        Ok(())
    }

    #[method(9, stream)]
    async fn panic(&self, mut numbers: Incoming<Bytes>) -> Result<(), Failure> {
        numbers.next().await;
        panic!("at the first")
    }

    /// As `doubled`, by an iterator that is asked while the stream is sent.
    #[method(10, stream)]
    fn doubled_lazily(
        &self,
        numbers: Incoming<Number>,
    ) -> impl Stream<Item = Result<Number, Failure>> + use<> {
        stream::iter(numbers.into_iter().map(|of| Ok(number(2 * of?.number))))
    }

    /// Tells of each as it is taken.
    #[method(11, stream)]
    async fn tell_each(&self, mut numbers: Incoming<Number>) -> Result<(), Failure> {
        while let Some(number) = numbers.next().await {
            self.ends(&Ok(number?.number));
        }
        Ok(())
    }

    /// It takes none, and gives none.
    #[method(12, stream)]
    fn hang_both_ways(
        &self,
        numbers: Incoming<Number>,
    ) -> impl Stream<Item = Result<Number, Failure>> + use<> {
        stream::pending().map(move |()| Err(format!("{numbers:?}").into()))
    }
}

/// A module that calls another for each item.
struct Relay(SumsClient<blocking::Client>);

#[drpc_module(id = 10)]
impl Relay {
    #[method(1, stream)]
    async fn relay(&self, mut numbers: Incoming<Number>, context: &Context) -> Result<Number, Failure> {
        assert_eq!(context.deadline(), None);
        let mut calls = 0;
        while let Some(number) = numbers.next().await {
            number?;
            self.0.with(CallOptions::new().on_behalf_of(context)).ping().map_err(Failure::from_error)?;
            calls += 1;
        }
        Ok(number(calls))
    }
}

fn serve(driver: Driver, set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> (TestServer, Heard) {
    let (module, heard) = sums();
    (driver.start(set(Server::builder().module(module))), heard)
}

fn client(kind: Kind, server: &TestServer) -> AnyClient {
    let added = AddedFields::ERROR | AddedFields::CANCEL;
    let builder = builder(server.path()).added_fields(added).server_answers_in_order(false);
    kind.connect(builder).expect("connects")
}

fn with_everyone(test: impl Fn(Driver, Kind)) {
    with_every_server(|driver| with_every_client(|kind| test(driver, kind)));
}

fn number(number: u64) -> Number {
    Number { number, ..Number::default() }
}

fn sum(client: &AnyClient, options: &CallOptions) -> AnyUpload<Number, Number> {
    client.upload(SumsMethod::Sum.method(), number(0), options).expect("is opened")
}

fn ping(client: &AnyClient) {
    client.call_typed::<(), ()>(9, 907, (), &CallOptions::new()).expect("is answered");
}

#[test]
fn all_items_come_in_order_and_then_the_end() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        for (items, bytes) in [(0, 0), (1, 0), (3000, 5), (40, 200_000)] {
            let filling = Bytes::from(vec![7; bytes]);
            let mut upload = client
                .upload::<_, Number, Number>(SumsMethod::Sum.method(), number(1), &CallOptions::new())
                .unwrap();
            for number in 0..items {
                upload.send(Number { number, filling: filling.clone() }).unwrap();
            }
            let expected = 1 + (0..items).sum::<u64>();
            assert_eq!(upload.finish().unwrap(), number(expected));
            assert_eq!(heard.end(), Ok(expected));
        }
        assert_eq!(
            sum(&client, &CallOptions::new()).finish_with((0..600).map(number)).unwrap(),
            number(179_700)
        );
        ping(&client);
    });
}

#[test]
fn a_stream_goes_on_either_wire() {
    // W2, W7.
    with_everyone(|driver, kind| {
        for wire in WIRES {
            let (server, _heard) = serve(driver, |server| server);
            let client = kind.connect(builder(server.path()).wire(wire)).unwrap();
            let sum = sum(&client, &CallOptions::new()).finish_with((0..600).map(number)).unwrap();
            assert_eq!(sum, number(179_700));
        }
    });
}

#[test]
fn an_item_that_is_too_long_is_not_sent_and_the_others_are() {
    with_everyone(|driver, kind| {
        let (server, _heard) = serve(driver, |server| server);
        let client = kind.connect(builder(server.path()).message_limit(1000)).unwrap();
        let mut upload = sum(&client, &CallOptions::new());
        upload.send(number(2)).unwrap();
        let error = upload.send(Number { number: 9, filling: vec![7; 1000].into() }).unwrap_err();
        assert_eq!((error.kind(), error.is_retryable()), (CallErrorKind::TooLong, false));
        let text = error.to_string();
        assert!(text.starts_with("can't send an item of the stream: message of 10"), "{text}");
        assert!(text.contains("over the limit of 1000 bytes"), "{text}");
        upload.send(number(3)).unwrap();
        assert_eq!(upload.finish().unwrap(), number(5));
    });
}

#[test]
fn items_go_both_ways_on_one_call() {
    with_everyone(|driver, kind| {
        let (server, _heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let mut exchange: AnyExchange<Number, Number> =
            client.exchange(SumsMethod::Doubled.method(), (), &CallOptions::new()).unwrap();
        for of in 0..300 {
            exchange.send(number(of)).unwrap();
            assert_eq!(exchange.next().unwrap().unwrap(), number(2 * of));
        }
        // What is not taken yet is kept.
        for of in 0..100 {
            exchange.send(number(of)).unwrap();
        }
        exchange.finish();
        let rest: Vec<_> = exchange.map(|item| item.unwrap().number).collect();
        assert!(rest.iter().copied().eq((0..100).map(|of| 2 * of)), "{rest:?}");
        ping(&client);
    });
}

#[test]
fn a_handler_may_block_for_items_where_it_has_a_thread() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let method = SumsMethod::SumBlocking.method();
        let upload: AnyUpload<Number, Number> = client.upload(method, (), &CallOptions::new()).unwrap();
        // More than may be there before the handler takes any.
        const ITEMS: u64 = 40_000;
        let outcome = upload.finish_with((0..ITEMS).map(number));
        match driver {
            Driver::Threads => assert_eq!(outcome.unwrap(), number((0..ITEMS).sum())),
            _ => assert!(outcome.unwrap_err().peer_text().unwrap().contains("in an `async fn`")),
        }
        assert_eq!(heard.end().is_ok(), driver == Driver::Threads);
        ping(&client);
    });
}

#[test]
fn no_stream_of_a_handler_blocks_for_its_callers_items() {
    // The thread that sends the stream is not its own. Without an end, it would be held up for ever.
    isolated("uploads::no_stream_of_a_handler_blocks_for_its_callers_items", || {
        with_everyone(|driver, kind| {
            let (server, _heard) = serve(driver, |server| server);
            let client = client(kind, &server);
            let server = ManuallyDrop::new(server);
            let options = CallOptions::new().item_timeout(PATIENCE);
            let mut exchange: AnyExchange<Number, Number> =
                client.exchange(SumsMethod::DoubledLazily.method(), (), &options).unwrap();
            let failure = exchange.next().unwrap().unwrap_err();
            assert!(failure.peer_text().unwrap_or_default().contains("in an `async fn`"), "{failure}");
            ping(&client);
            drop((exchange, client));
            drop(ManuallyDrop::into_inner(server));
        });
    });
}

#[test]
fn a_sender_waits_for_room_and_holds_up_no_other_call() {
    // In serial order, too.
    with_every_client(|kind| {
        let (server, heard) = serve(Driver::Threads, |server| server.stream_credit(4, 1 << 20));
        let client = client(kind, &server);
        let method = SumsMethod::CountLater.method();
        let mut upload: AnyUpload<Bytes, Number> =
            client.upload(method, (), &CallOptions::new().item_timeout(PATIENCE)).unwrap();
        for _ in 0..4 {
            upload.send("item".into()).unwrap();
        }
        thread::scope(|scope| {
            let sending = scope.spawn(|| upload.send("a fifth".into()));
            for _ in 0..100 {
                ping(&client);
            }
            assert!(!sending.is_finished());
            heard.go_on.send(()).unwrap();
            sending.join().unwrap().unwrap();
        });
        assert_eq!(upload.finish().unwrap(), number(5));
    });
}

#[test]
fn a_caller_that_stops_in_the_middle_has_not_sent_all() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let mut upload = sum(&client, &CallOptions::new());
        upload.send(number(5)).unwrap();
        drop(upload);
        let text = heard.end().unwrap_err();
        let expected = if kind == Kind::Blocking { "has left" } else { "given the call up" };
        assert!(text.contains(expected), "{text}");

        // Of a stream both ways, one half alone.
        let mut exchange: AnyExchange<Number, Number> =
            client.exchange(SumsMethod::Doubled.method(), (), &CallOptions::new()).unwrap();
        exchange.send(number(5)).unwrap();
        assert_eq!(exchange.next().unwrap().unwrap(), number(10));
        match &mut exchange {
            AnyExchange::Async(sending, ..) => drop(sending.take()),
            AnyExchange::Progress(sending, ..) => drop(sending.take()),
            AnyExchange::Blocking(_) => return,
        }
        let failure = exchange.next().unwrap().unwrap_err();
        assert!(failure.peer_text().unwrap().contains("stopped sending"), "{failure}");
        ping(&client);
    });
}

#[test]
fn a_connection_that_breaks_has_not_sent_all() {
    // S6.
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let mut upload = sum(&client, &CallOptions::new());
        upload.send(number(5)).unwrap();
        client.close();
        assert!(heard.end().unwrap_err().contains("has left"));
        let error = upload.finish().unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::Disconnected, "{error}");
    });
}

#[test]
fn an_early_answer_ends_the_sending() {
    with_everyone(|driver, kind| {
        let (server, _heard) = serve(driver, |server| server.stream_credit(2, 1 << 20));
        let client = client(kind, &server);
        let open = || -> AnyUpload<Number, Number> {
            client.upload(SumsMethod::First.method(), (), &CallOptions::new()).unwrap()
        };
        let until_it_ends = |upload: &mut AnyUpload<Number, Number>, first| -> CallError {
            (0..).find_map(|at| upload.send(number(if at == 0 { first } else { at })).err()).unwrap()
        };
        let mut upload = open();
        assert_eq!(until_it_ends(&mut upload, 5).kind(), CallErrorKind::NotTaken);
        assert_eq!(upload.finish().unwrap(), number(5));
        assert_eq!(open().finish_with((7..).map(number)).unwrap(), number(7));

        let mut upload = open();
        let error = until_it_ends(&mut upload, 13);
        assert!(matches!(error.kind(), CallErrorKind::Status | CallErrorKind::NotTaken), "{error}");
        let failure = upload.finish().unwrap_err();
        assert_eq!(failure.peer_text(), Some("no thirteen"));
        ping(&client);
    });
}

/// Sends items that may never end, by a client that does not block.
fn finish_with<T>(upload: AnyUpload<Number, Number>, first: T) -> Result<Number, CallError>
where
    T: IntoIterator<Item = Number, IntoIter: Send + 'static>,
{
    upload.finish_with_stream(stream::iter(first).chain(stream::pending()))
}

const WITH_FUTURES: [Kind; 2] = [Kind::Async, Kind::Progress];

#[test]
fn what_ends_a_call_ends_a_stream_that_gives_no_more() {
    with_every_server(|driver| {
        for kind in WITH_FUTURES {
            let (server, heard) = serve(driver, |server| server);
            let client = client(kind, &server);
            let upload: AnyUpload<Number, Number> =
                client.upload(SumsMethod::First.method(), (), &CallOptions::new()).unwrap();
            assert_eq!(finish_with(upload, [number(5)]).unwrap(), number(5));

            let upload = sum(&client, &CallOptions::new().deadline(Instant::now() + 10 * SOON));
            let error = finish_with(upload, [number(5)]).unwrap_err();
            assert!(error.is_timeout(), "{error}");
            heard.end().unwrap_err();
            ping(&client);

            let upload = sum(&client, &CallOptions::new());
            thread::scope(|scope| {
                let sending = scope.spawn(|| finish_with(upload, [number(5)]));
                client.close();
                let error = sending.join().unwrap().unwrap_err();
                assert_eq!(error.kind(), CallErrorKind::Disconnected, "{error}");
            });
        }
    });
}

#[test]
fn who_carries_a_stream_that_gives_no_more_may_answer_early() {
    in_order(async {
        const COUNT: Method = Method::new(8, 801, "count").client_streaming();
        let upload = CallOptions::new()
            .carry_upload::<Bytes, Bytes, _, _>("nowhere", COUNT, (), 1 << 20, async |_, mut items| {
                let answering = tokio::spawn(async move {
                    let item = items.next().await.unwrap().unwrap();
                    Ok(Response { body: item.into_bytes(), ..Response::default() })
                });
                Ok(Ok(stream::once(answering.map(Result::unwrap))))
            })
            .await
            .unwrap();
        let items = stream::iter([Bytes::from("one")]).chain(stream::pending());
        assert_eq!(upload.finish_with(items).await.unwrap(), "one");
    });
}

#[test]
fn an_iterator_may_wait_for_what_the_server_makes_of_its_items() {
    with_every_server(|driver| {
        let (server, heard) = serve(driver, |server| server);
        let method = SumsMethod::TellEach.method();
        let client = client(Kind::Blocking, &server);
        let AnyUpload::Blocking(upload): AnyUpload<Number, ()> =
            client.upload(method, (), &CallOptions::new()).unwrap()
        else {
            unreachable!()
        };
        let mut next = 0;
        let numbers = iter::from_fn(|| {
            if next == 4 {
                while heard.end().unwrap() < 3 {}
            }
            next += 1;
            (next <= 5).then(|| number(next - 1))
        });
        upload.finish_with(numbers).unwrap();
    });
}

#[test]
fn several_items_go_in_no_message_that_is_too_long() {
    with_everyone(|driver, kind| {
        for (of_server, of_client) in [(1000, 1 << 20), (1 << 20, 1000)] {
            let (server, _heard) = serve(driver, |server| server.message_limit(of_server));
            let client = kind.connect(builder(server.path()).message_limit(of_client)).unwrap();
            let filling = Bytes::from(vec![7; 100]);
            let items = (0..200).map(move |number| Number { number, filling: filling.clone() });
            let sum = sum(&client, &CallOptions::new()).finish_with(items.clone()).unwrap();
            assert_eq!(sum, number(19_900));
            let mut exchange: AnyExchange<Number, Number> =
                client.exchange(SumsMethod::Doubled.method(), (), &CallOptions::new()).unwrap();
            items.for_each(|item| exchange.send(item).unwrap());
            exchange.finish();
            assert_eq!(exchange.map(Result::unwrap).count(), 200);
            ping(&client);
        }
    });
}

#[test]
fn nothing_is_sent_after_the_deadline_though_there_is_room() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let deadline = Instant::now() + 10 * SOON;
        let options = CallOptions::new().deadline(deadline);
        let mut upload = sum(&client, &options);
        upload.send(number(1)).unwrap();
        until_over(&options);
        let error = upload.send(number(2)).unwrap_err();
        assert!(error.is_timeout(), "{error}");
        drop(upload);
        heard.end().unwrap_err();
        ping(&client);
    });
}

#[test]
fn who_waits_for_an_early_answer_is_not_who_waits_for_an_item() {
    in_order(async {
        let (module, _heard) = sums();
        let sums = SumsClient::new(testing::client_of(Server::builder().module(module)).unwrap());
        let item_timeout = 10 * SOON;
        let mut upload =
            sums.with(CallOptions::new().item_timeout(item_timeout)).sum(number(1)).await.unwrap();
        let answered = tokio::time::timeout(item_timeout + 2 * SOON, upload.answered());
        assert!(answered.await.is_err());
        upload.send(number(2)).await.unwrap();
        assert!(tokio::time::timeout(SOON, upload.answered()).await.is_err());
        assert_eq!(upload.finish().await.unwrap(), number(3));
    });
}

#[test]
fn a_stream_both_ways_that_was_cut_does_not_look_complete() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server.stream_credit(2, 1 << 20));
        let client = client(kind, &server);
        let options = CallOptions::new().item_timeout(2 * SOON);
        let mut exchange: AnyExchange<Number, Number> =
            client.exchange(SumsMethod::HangBothWays.method(), (), &options).unwrap();
        let error = (0..3).find_map(|of| exchange.send(number(of)).err()).unwrap();
        assert!(error.is_timeout(), "{error}");
        let error = exchange.next().unwrap().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(exchange.next().is_none());

        let mut upload: AnyUpload<Bytes, ()> =
            client.upload(SumsMethod::Hang.method(), (), &options).unwrap();
        let error = (0..3).find_map(|_| upload.send("item".into()).err()).unwrap();
        assert!(error.is_timeout(), "{error}");
        let error = upload.finish().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        heard.end().unwrap_err();
        ping(&client);
    });
}

#[test]
fn a_handler_that_takes_items_calls_on_behalf_of_its_caller_for_as_long_as_they_come() {
    with_every_server(|driver| {
        let (behind, _heard) = serve(Driver::Tokio, |server| server);
        let relay = Relay(SumsClient::new(builder(behind.path()).connect_blocking().unwrap()));
        let modules = Server::builder().module(relay).module(gated(&Gate::new()));
        let server = driver.start(modules.handler_timeout(10 * SOON));
        let client = client(Kind::Blocking, &server);
        let mut upload: AnyUpload<Number, Number> =
            client.upload(RelayMethod::Relay.method(), (), &CallOptions::new()).unwrap();
        upload.send(number(0)).unwrap();
        // Another handler, which has begun later, has had its time.
        assert_eq!(client.call(7, 705, b"").unwrap().status, Status::FAILURE);
        upload.send(number(1)).unwrap();
        assert_eq!(upload.finish().unwrap(), number(2));
    });
}

#[test]
fn a_handler_that_takes_no_more_says_so() {
    with_everyone(|driver, kind| {
        let (server, _heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let mut upload: AnyUpload<Bytes, ()> =
            client.upload(SumsMethod::LetGo.method(), (), &CallOptions::new()).unwrap();
        let error = (0..).find_map(|_| upload.send("item".into()).err()).unwrap();
        assert_eq!(error.kind(), CallErrorKind::NotTaken);
        ping(&client);
    });
}

#[test]
fn an_item_that_can_not_be_read_ends_the_stream() {
    // D4.
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let mut upload: AnyUpload<Bytes, Number> =
            client.upload(SumsMethod::Sum.method(), (), &CallOptions::new()).unwrap();
        upload.send("no number".into()).unwrap();
        heard.end().unwrap_err();
        let error = upload.finish().unwrap_err();
        assert_eq!(error.status(), Some(Status::FAILED_UNMARSHAL_PAYLOAD));
    });
}

#[test]
fn a_panic_ends_its_own_call() {
    // S10.
    with_everyone(|driver, kind| {
        let (server, _heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let mut upload: AnyUpload<Bytes, ()> =
            client.upload(SumsMethod::Panic.method(), (), &CallOptions::new()).unwrap();
        upload.send("item".into()).unwrap();
        assert_eq!(upload.finish().unwrap_err().status(), Some(Status::FAILURE));
        ping(&client);
    });
}

#[test]
fn a_sender_does_not_wait_for_ever() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server.stream_credit(2, 100));
        let client = client(kind, &server);
        let item: fn() -> CallOptions = || CallOptions::new().item_timeout(SOON);
        for options in [item, || CallOptions::new().deadline(Instant::now() + 10 * SOON)] {
            let mut upload: AnyUpload<Bytes, ()> =
                client.upload(SumsMethod::Hang.method(), (), &options()).unwrap();
            let error = (0..3).find_map(|_| upload.send("item".into()).err()).unwrap();
            assert!(error.is_timeout(), "{error}");
            drop(upload);
            heard.end().unwrap_err();
        }
        ping(&client);
    });
}

#[test]
fn a_shutdown_tells_who_has_not_sent_all() {
    // S7.
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let mut upload = sum(&client, &CallOptions::new());
        upload.send(number(5)).unwrap();
        thread::scope(|scope| {
            scope.spawn(|| server.stop());
            assert!(heard.end().unwrap_err().contains("the server shuts down"));
        });
        let error = upload.finish().unwrap_err();
        assert!(matches!(error.kind(), CallErrorKind::Status | CallErrorKind::Disconnected), "{error}");
    });
}

#[test]
fn who_does_not_know_such_streams_gives_an_error_by_name() {
    // E5: DAOS's servers carry the call out, and answer it once.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let (client, first) = pair(kind, &fake, |builder| builder);
        // The blocking client has a connection for each stream.
        let peer = if kind == Kind::Blocking { None } else { Some(first) };
        thread::scope(|scope| {
            scope.spawn(|| {
                let peer = peer.unwrap_or_else(|| fake.accept());
                let call = peer.recv_call(Wire::Chunked).expect("a call");
                assert!(call.added.unwrap().sends_items);
                peer.send_reply(Wire::Chunked, call.sequence, 0, b"");
            });
            let opened = client.upload::<_, Bytes, ()>(SumsMethod::Sum.method(), (), &CallOptions::new());
            assert_eq!(opened.err().unwrap().kind(), CallErrorKind::NoStream);
        });
    });
    // Ours refuses before it carries anything out.
    with_everyone(|driver, kind| {
        let (server, _heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let options = CallOptions::new();
        let text = |error: Option<CallError>| error.unwrap().peer_text().unwrap().to_owned();
        let opened = client.upload::<_, Bytes, ()>(SumsMethod::Ping.method(), (), &options);
        assert!(text(opened.err()).contains("takes one request"));
        let opened = client.open::<_, Bytes>(SumsMethod::Sum.method(), (), &options);
        assert!(text(opened.err()).contains("takes a stream of items"));
        let opened = client.upload::<_, Bytes, ()>(SumsMethod::Doubled.method(), (), &options);
        assert!(text(opened.err()).contains("gives a stream"));
        let called = client.call_typed::<(), ()>(9, 901, (), &options);
        assert!(text(called.err()).contains("takes a stream of items"));
        ping(&client);
    });
}

#[test]
fn so_many_streams_may_be_open_and_no_more() {
    with_every_server(|driver| {
        let (server, heard) = serve(driver, |server| server.stream_limit(2));
        let client = client(Kind::Async, &server);
        let open = || client.upload::<_, Bytes, ()>(SumsMethod::Hang.method(), (), &CallOptions::new());
        let streams = [open().unwrap(), open().unwrap()];
        let refused = open().err().unwrap();
        assert!(refused.peer_text().unwrap().contains("2 streams are open"), "{refused}");
        drop(streams);
        heard.end().unwrap_err();
        heard.end().unwrap_err();
    });
}

#[test]
fn nothing_is_left_of_streams_that_are_dropped_at_any_moment() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server.stream_credit(4, 1 << 20));
        let client = client(kind, &server);
        for turn in 0..60 {
            let mut upload = sum(&client, &CallOptions::new());
            for of in 0..turn % 10 {
                upload.send(number(of)).unwrap();
            }
            match turn % 3 {
                0 => drop(upload),
                _ => drop(upload.finish().unwrap()),
            }
        }
        for turn in 0..60 {
            let _ = (turn, heard.end());
        }
        ping(&client);
    });
}

/// A client of a test, packet by packet.
struct Player(RawPeer);

impl Player {
    fn open(&self, method: i32) -> Response {
        let added = CallFields { sends_items: true, wants_error: true, ..CallFields::default() };
        let call: Call =
            Call { module: 9, method, sequence: 5, body: Bytes::new(), added: Some(added.into()) };
        self.0.send_message(Wire::Chunked, &call.encode());
        self.0.recv_response(Wire::Chunked)
    }

    fn say(&self, control: Control, body: &'static str) {
        let added = CallFields { control: Some(control), ..CallFields::default() };
        let call: Call =
            Call { sequence: 5, body: body.into(), added: Some(added.into()), ..Call::default() };
        self.0.send_message(Wire::Chunked, &call.encode());
    }
}

#[test]
fn the_server_says_what_it_has_room_for() {
    // E5.
    with_every_server(|driver| {
        let (server, heard) = serve(driver, |server| server.stream_credit(4, 100));
        let player = Player(RawPeer::connect(server.path()));
        let window = Credit { items: 4, bytes: 100 };
        let opened = ResponseFields {
            credit: Some(window),
            takes_many: true,
            ..ResponseFields::of_part(Part::Opened)
        };
        assert_eq!(player.open(901).added.as_deref(), Some(&opened));
        for _ in 0..3 {
            player.say(Control::Item, "");
        }
        let more = ResponseFields {
            credit: Some(Credit { items: 3, bytes: 0 }),
            ..ResponseFields::of_part(Part::Credit)
        };
        assert_eq!(player.0.recv_response(Wire::Chunked).added.as_deref(), Some(&more));
        player.say(Control::End, "");
        let last = player.0.recv_response(Wire::Chunked);
        assert_eq!((last.part(), last.status), (None, Status::SUCCESS));
        assert_eq!(heard.end(), Ok(0));
    });
}

#[test]
fn who_sends_more_than_there_is_room_for_has_not_sent_all() {
    with_every_server(|driver| {
        let (server, heard) = serve(driver, |server| server.stream_credit(4, 100));
        let player = Player(RawPeer::connect(server.path()));
        assert_eq!(player.open(906).part(), Some(Part::Opened));
        for _ in 0..1000 {
            player.say(Control::Item, "");
        }
        player.say(Control::Cancel, "");
        let text = heard.end().unwrap_err();
        assert!(text.contains("no room for"), "{text}");
        assert_eq!(player.0.recv_response(Wire::Chunked).part(), None);
    });
}

#[test]
fn several_items_come_in_one_message() {
    // E5.
    with_every_server(|driver| {
        let (server, heard) = serve(driver, |server| server.stream_credit(4, 100));
        let several = |text: &'static str| {
            let player = Player(RawPeer::connect(server.path()));
            assert_eq!(player.open(901).part(), Some(Part::Opened));
            player.say(Control::Items, text);
            player.say(Control::End, "");
            player
        };
        // Of these, three are messages with the number 1, and the last is empty.
        several("\x02\x08\x01\x02\x08\x01\x02\x08\x01\x00");
        assert_eq!(heard.end(), Ok(3));
        several("");
        assert_eq!(heard.end(), Ok(0));
        let _player = several("\x00\x00\x00\x00\x00");
        assert!(heard.end().unwrap_err().contains("no room for"));
        let _player = several("\x02\x08\x01\x05\x08");
        assert!(heard.end().unwrap_err().contains("something else than items"));
    });
}

#[test]
fn items_that_are_ready_at_once_go_in_one_message_to_a_server_that_takes_that() {
    // E5.
    with_every_client(|kind| {
        for takes_many in [false, true] {
            let fake = Fake::listen();
            let (client, first) = pair(kind, &fake, |builder| builder);
            let peer = if kind == Kind::Blocking { None } else { Some(first) };
            thread::scope(|scope| {
                let playing = scope.spawn(|| {
                    let peer = peer.unwrap_or_else(|| fake.accept());
                    let call = peer.recv_call(Wire::Chunked).expect("a call");
                    let credit = Some(Credit { items: 50, bytes: 1000 });
                    let added =
                        ResponseFields { credit, takes_many, ..ResponseFields::of_part(Part::Opened) };
                    let opened: Response = Response {
                        sequence: call.sequence,
                        added: Some(added.into()),
                        ..Response::default()
                    };
                    peer.send_message(Wire::Chunked, &opened.encode());
                    let (mut items, mut messages) = (Vec::new(), 0);
                    loop {
                        let call = peer.recv_call(Wire::Chunked).expect("something is said");
                        messages += 1;
                        match call.added.unwrap().control.unwrap() {
                            Control::Item => items.push(call.body),
                            Control::Items => items.extend(Items::read(call.body).unwrap()),
                            Control::End => break,
                            control => panic!("{control:?}"),
                        }
                    }
                    peer.send_reply(Wire::Chunked, call.sequence, 0, b"");
                    assert_eq!(items, vec![Bytes::from_static(b"item"); 50]);
                    messages
                });
                let options = CallOptions::new();
                let upload = client.upload::<_, Bytes, ()>(SumsMethod::Sum.method(), (), &options).unwrap();
                upload.finish_with(vec![Bytes::from_static(b"item"); 50]).unwrap();
                let messages = playing.join().unwrap();
                // How many are made quickly is not known.
                assert!(if takes_many { messages <= 51 } else { messages == 51 }, "{messages}");
            });
        }
    });
}

#[test]
fn a_mock_takes_a_stream_in_memory_through_a_recorder() {
    in_order(async {
        let mock = MockModule::new(9, "sums").upload(901, |first: Number, items: Vec<Number>| {
            let sum = items.iter().map(|item| item.number).sum::<u64>();
            Ok(number(first.number + sum))
        });
        let recorder = Recorder::new();
        let server = testing::server_of(Server::builder().explicit_modules_only().module(mock.clone()));
        let sums = SumsClient::new(server.unwrap().record(&recorder).client());
        let mut upload = sums.sum(number(1)).await.unwrap();
        for of in [2, 3] {
            upload.send(number(of)).await.unwrap();
        }
        assert_eq!(upload.finish().await.unwrap(), number(6));
        mock.assert_requests(901, &[number(1)]);
        mock.verify();
        let text = recorder.sessions()[0].to_string();
        assert!(text.contains("sends_items: true") && text.contains("control: Some(Item)"), "{text}");
    });
}

#[test]
fn the_halves_of_a_stream_both_ways_go_to_tasks_of_their_own() {
    in_order(async {
        let (module, _heard) = sums();
        let sums = SumsClient::new(testing::client_of(Server::builder().module(module)).unwrap());
        let options = CallOptions::new().stream_credit(4, 1 << 20);
        let (mut sending, mut streaming) = sums.with(options).doubled().await.unwrap();
        let sending = tokio::spawn(async move {
            for of in 0..2000 {
                sending.send(number(of)).await.unwrap();
            }
            sending.finish();
        });
        for of in 0..2000 {
            assert_eq!(streaming.next().await.unwrap().unwrap(), number(2 * of));
        }
        assert!(streaming.next().await.is_none());
        sending.await.unwrap();
    });
}

#[test]
fn who_only_sends_learns_of_the_end() {
    // Nobody asks for what the server sends.
    in_order(async {
        let (module, _heard) = sums();
        let sums = SumsClient::new(testing::client_of(Server::builder().module(module)).unwrap());
        let (mut sending, mut streaming) =
            sums.with(CallOptions::new().stream_credit(1, 1)).doubled().await.unwrap();
        // The handler has no room to answer, and so takes no more.
        while sending.send(number(1)).now_or_never().is_some_and(|sent| sent.is_ok()) {}
        let mut waiting = Box::pin(sending.send(number(1)));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(waiting);
        assert!(streaming.next().await.unwrap().is_ok());
        drop(streaming);
        let error = sending.send(number(1)).await.unwrap_err();
        assert_eq!(error.kind(), CallErrorKind::NotTaken);
    });
}

/// What a client does, in any order.
#[derive(Clone, Debug)]
enum Step {
    Ping,
    Open {
        both_ways: bool,
    },
    /// Of one of the streams that were opened.
    Say {
        stream: usize,
        control: Control,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let control = prop_oneof![6 => Just(Control::Item), 1 => Just(Control::End), 1 => Just(Control::Abort), 1 => Just(Control::Cancel)];
    prop_oneof![
        1 => Just(Step::Ping),
        2 => any::<bool>().prop_map(|both_ways| Step::Open { both_ways }),
        8 => (0..8usize, control).prop_map(|(stream, control)| Step::Say { stream, control }),
    ]
}

/// A stream, as its client sees it.
#[derive(Debug)]
struct Opened {
    both_ways: bool,
    room: u32,
    sent: Vec<u64>,
    came: Vec<u64>,
    /// How the client ended it.
    end: Option<Control>,
    is_cancelled: bool,
    status: Option<Status>,
}

/// The client of a property test: it sends what it is told to, as far as there is room.
struct Chunked {
    peer: RawPeer,
    chunk: usize,
    last: i64,
    streams: BTreeMap<i64, Opened>,
    pings: VecDeque<i64>,
}

impl Chunked {
    fn send(&self, call: &Call) {
        let message = call.encode();
        let total = message.len().div_ceil(self.chunk);
        for (index, data) in message.chunks(self.chunk).enumerate() {
            let mut packet = header(message.len() as u64, data.len() as u64, index as u32, total as u32);
            packet.extend_from_slice(data);
            self.peer.send(&packet);
        }
    }

    fn call(&mut self, method: i32, added: CallFields) -> i64 {
        self.last += 1;
        let (sequence, added) = (self.last, Some(added.into()));
        self.send(&Call { module: 9, method, sequence, body: Bytes::new(), added });
        sequence
    }

    fn ping(&mut self) {
        let sequence = self.call(907, CallFields::default());
        self.pings.push_back(sequence);
    }

    fn say(&mut self, sequence: i64, control: Control) {
        let is_over = |stream: &Opened| stream.end.is_some() || stream.status.is_some();
        if control == Control::Item {
            while self.streams[&sequence].room == 0 && !is_over(&self.streams[&sequence]) {
                self.receive();
            }
        }
        let stream = self.streams.get_mut(&sequence).unwrap();
        let mut body = Bytes::new();
        match control {
            Control::Item if is_over(stream) => return,
            Control::Item => {
                let next = self.last as u64 + stream.sent.len() as u64;
                stream.sent.push(next);
                stream.room -= 1;
                body = number(next).encode_to_vec().into();
            }
            control => {
                stream.end.get_or_insert(control);
                stream.is_cancelled |= control == Control::Cancel;
            }
        }
        let added = CallFields { control: Some(control), ..CallFields::default() };
        self.send(&Call { module: 0, method: 0, sequence, body, added: Some(added.into()) });
    }

    fn take(&mut self, step: &Step) {
        match *step {
            Step::Ping => self.ping(),
            Step::Open { both_ways } => {
                let credit = both_ways.then_some(Credit { items: 1000, bytes: 1 << 20 });
                let added = CallFields { credit, sends_items: true, ..CallFields::default() };
                let sequence = self.call(if both_ways { 903 } else { 901 }, added);
                let (sent, came) = (Vec::new(), Vec::new());
                let opened =
                    Opened { both_ways, room: 0, sent, came, end: None, is_cancelled: false, status: None };
                self.streams.insert(sequence, opened);
                // Nothing is said of it before the server has shown that it knows how.
                while self.streams[&sequence].room == 0 {
                    self.receive();
                }
            }
            Step::Say { stream, control } => {
                if let Some(sequence) = self.streams.keys().nth(stream).copied() {
                    self.say(sequence, control);
                }
            }
        }
    }

    /// Receives a response, and checks that it is due.
    fn receive(&mut self) {
        let response = self.peer.recv_response(Wire::Chunked);
        if response.part().is_none() && self.pings.front() == Some(&response.sequence) {
            self.pings.pop_front();
            return;
        }
        let stream = self.streams.get_mut(&response.sequence).expect("a stream of this client's");
        assert_eq!(stream.status, None, "nothing follows the end");
        let number = || Number::decode(response.body.clone()).unwrap().number;
        match response.part() {
            Some(Part::Opened | Part::Credit) => {
                stream.room += response.added.as_ref().unwrap().credit.unwrap().items;
                assert!(stream.room <= 4, "{stream:?}");
            }
            Some(Part::Item) => {
                stream.came.push(number());
                assert_eq!(
                    stream.came.last(),
                    stream.sent.get(stream.came.len() - 1).map(|sent| 2 * sent).as_ref()
                );
            }
            Some(part) => panic!("{part:?}"),
            None => {
                let is_whole = stream.end == Some(Control::End);
                match response.status {
                    Status::SUCCESS if stream.both_ways => assert_eq!(stream.came.len(), stream.sent.len()),
                    Status::SUCCESS => assert_eq!(number(), stream.sent.iter().sum::<u64>()),
                    _ => assert!(!is_whole || stream.is_cancelled, "{stream:?}"),
                }
                assert!(is_whole || response.status.is_failure(), "{stream:?}");
                stream.status = Some(response.status);
            }
        }
    }
}

#[test]
fn any_interleaving_of_calls_items_ends_and_cancels_gives_each_its_own() {
    // W3, W10: over any chunking.
    with_every_server(|driver| {
        let (server, _heard) = serve(driver, |server| server.stream_credit(4, 1 << 20));
        let steps = prop::collection::vec(step(), 0..60);
        proptest!(ProptestConfig::with_cases(40), |(steps in steps, chunk in 1..60usize)| {
            let peer = RawPeer::connect(server.path());
            let (streams, pings) = (BTreeMap::new(), VecDeque::new());
            let mut client = Chunked { peer, chunk, last: 0, streams, pings };
            steps.iter().for_each(|step| client.take(step));
            client.ping();
            let open = client.streams.iter().filter(|(_, stream)| stream.end.is_none());
            for sequence in open.map(|(sequence, _)| *sequence).collect::<Vec<_>>() {
                client.say(sequence, Control::End);
            }
            while !client.pings.is_empty() || client.streams.values().any(|stream| stream.status.is_none()) {
                client.receive();
            }
        });
    });
}
