//! Streams and cancelling (E5, C4, S6, S7), over every server and client.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use drpc::middleware::Request;
use drpc::testing::{self, MockModule, Recorder};
use drpc::wire::{Call, CallFields, Control, Credit, Items, Part, Response, ResponseFields};
use drpc::{
    AddedFields, Bytes, CallError, CallErrorKind, CallOptions, Cancelled, ClientBuilder, Context, Failure,
    Order, Payload, Server, ServerBuilder, Status, Stream, Wire, drpc_module,
};
use futures_util::{FutureExt, StreamExt, stream};
use proptest::prelude::*;
use prost::Message;
use tower::util::MapRequestLayer;

use super::support::{
    AnyClient, AnyStreaming, Driver, Fake, Kind, PATIENCE, RawPeer, SOON, TestServer, WIRES, builder, header,
    in_order, pair, until_over, with_every_client, with_every_handle, with_every_server,
};

#[derive(Clone, PartialEq, prost::Message)]
struct Count {
    /// How many; without end if 0.
    #[prost(uint64, tag = "1")]
    items: u64,
    /// How many bytes each has.
    #[prost(uint64, tag = "2")]
    bytes: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Number {
    #[prost(uint64, tag = "1")]
    number: u64,
    #[prost(bytes = "bytes", tag = "2")]
    filling: Bytes,
}

/// Numbers, and what became of those who count.
struct Numbers {
    counted: AtomicU64,
    ended: Mutex<Sender<Option<Cancelled>>>,
}

/// What a test hears of [`Numbers`].
struct Heard {
    numbers: Arc<Numbers>,
    ended: Receiver<Option<Cancelled>>,
}

fn numbers() -> (Arc<Numbers>, Heard) {
    let (sender, ended) = mpsc::channel();
    let numbers = Arc::new(Numbers { counted: AtomicU64::new(0), ended: Mutex::new(sender) });
    (numbers.clone(), Heard { numbers, ended })
}

impl Heard {
    /// Waits until the next stream or call has ended; gives why it was cancelled.
    fn end(&self) -> Option<Cancelled> {
        self.ended.recv_timeout(PATIENCE).expect("it ends")
    }

    fn counted(&self) -> u64 {
        self.numbers.counted.load(Ordering::SeqCst)
    }
}

/// Tells of its end.
struct Ends<'a>(&'a Numbers, Context);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.ended.lock().unwrap().send(self.1.cancellation()).unwrap();
    }
}

#[drpc_module(id = 9)]
impl Numbers {
    /// It borrows the module and the context.
    #[method(1, stream)]
    fn count(&self, count: Count, context: &Context) -> impl Stream<Item = Result<Number, Failure>> {
        let ends = Ends(self, context.clone());
        let last = if count.items == 0 { u64::MAX } else { count.items };
        let filling = Bytes::from(vec![7; count.bytes as usize]);
        stream::iter(0..last).map(move |number| {
            ends.0.counted.fetch_add(1, Ordering::SeqCst);
            Ok(Number { number, filling: filling.clone() })
        })
    }

    /// It refuses to count too far, and fails at 3.
    #[method(2, stream)]
    async fn count_carefully(
        &self,
        count: Count,
    ) -> Result<impl Stream<Item = Result<Number, Failure>> + use<>, Failure> {
        if count.items > 10 {
            return Err(Failure::with_message(Status::FAILURE, "too far"));
        }
        Ok(stream::iter(0..count.items).map(|number| match number {
            3 => Err("3 is no number".into()),
            number => Ok(Number { number, ..Number::default() }),
        }))
    }

    /// Nothing ever comes.
    #[method(3, stream)]
    fn wait(&self, context: &Context) -> impl Stream<Item = Result<Bytes, Failure>> {
        let ends = Ends(self, context.clone());
        stream::pending().map(move |()| Err(format!("{:?}", ends.1).into()))
    }

    #[method(4)]
    async fn wait_for_the_end(&self, context: &Context) -> Result<(), Failure> {
        let _ends = Ends(self, context.clone());
        context.cancelled().await;
        Ok(())
    }

    #[method(5)]
    fn ping(&self) {}

    #[method(6, stream)]
    fn panic(&self) -> impl Stream<Item = Result<Bytes, Failure>> {
        stream::iter(0..3).map(|number| if number < 2 { Ok(Bytes::from("fine")) } else { panic!("at 2") })
    }
}

fn serve(driver: Driver, set: impl FnOnce(ServerBuilder) -> ServerBuilder) -> (TestServer, Heard) {
    let (module, heard) = numbers();
    (driver.start(set(Server::builder().module(module))), heard)
}

fn client(kind: Kind, server: &TestServer) -> AnyClient {
    connected(kind, builder(server.path()))
}

/// A client whose connection outlives a call that is given up.
fn connected(kind: Kind, builder: ClientBuilder) -> AnyClient {
    // Without its deadline, which would end a call at the server as it does here.
    let added = AddedFields::ERROR | AddedFields::CANCEL;
    let builder = builder.added_fields(added).server_answers_in_order(false);
    kind.connect(builder).expect("connects")
}

fn with_everyone(test: impl Fn(Driver, Kind)) {
    with_every_server(|driver| with_every_client(|kind| test(driver, kind)));
}

fn count(items: u64) -> Count {
    Count { items, ..Count::default() }
}

fn ping(client: &AnyClient) {
    client.call_typed::<(), ()>(9, 905, (), &CallOptions::new()).expect("is answered");
}

#[test]
fn every_item_comes_in_order_and_then_the_end() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        for (items, bytes) in [(1, 0), (3000, 5), (40, 200_000)] {
            let count = Count { items, bytes };
            let stream = client.open(NumbersMethod::Count.method(), count, &CallOptions::new()).unwrap();
            let numbers: Vec<u64> = stream
                .map(|number: Result<Number, _>| {
                    let number = number.expect("a number");
                    assert_eq!(number.filling.len() as u64, bytes);
                    number.number
                })
                .collect();
            assert!(numbers.iter().copied().eq(0..items), "{numbers:?}");
            assert_eq!(heard.end(), None);
        }
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
            let stream = client.open(NumbersMethod::Count.method(), count(600), &CallOptions::new()).unwrap();
            assert_eq!(stream.filter(|number: &Result<Number, _>| number.is_ok()).count(), 600);
        }
    });
}

#[test]
fn a_handler_refuses_before_and_fails_within() {
    with_everyone(|driver, kind| {
        let (server, _heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let open = |items| {
            client.open::<_, Number>(
                NumbersMethod::CountCarefully.method(),
                count(items),
                &CallOptions::new(),
            )
        };
        let refusal = open(11).err().expect("is refused");
        assert_eq!((refusal.status(), refusal.peer_text()), (Some(Status::FAILURE), Some("too far")));

        let mut stream = open(10).unwrap();
        for number in 0..3 {
            assert_eq!(stream.next().unwrap().unwrap().number, number);
        }
        let failure = stream.next().unwrap().unwrap_err();
        assert_eq!(failure.peer_text(), Some("3 is no number"));
        assert!(stream.next().is_none());
        ping(&client);
    });
}

#[test]
fn a_panic_ends_its_own_stream_alone() {
    // S10.
    with_everyone(|driver, kind| {
        let (server, _heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let mut stream =
            client.open::<_, Bytes>(NumbersMethod::Panic.method(), (), &CallOptions::new()).unwrap();
        assert!((0..2).all(|_| stream.next().unwrap().is_ok()));
        assert_eq!(stream.next().unwrap().unwrap_err().status(), Some(Status::FAILURE));
        ping(&client);
    });
}

#[test]
fn a_reader_that_sleeps_holds_up_no_other_call() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let options = CallOptions::new().stream_credit(16, 1 << 20);
        let mut stream = client.open::<_, Number>(NumbersMethod::Count.method(), count(0), &options).unwrap();
        assert_eq!(stream.next().unwrap().unwrap().number, 0);
        (0..100).for_each(|_| ping(&client));
        // What was taken is given back at half of the window, and one item is made for each.
        assert!(heard.counted() <= 17, "{} for a reader with room for 16", heard.counted());
        for number in 1..100 {
            assert_eq!(stream.next().unwrap().unwrap().number, number);
        }
        drop(stream);
        heard.end();
        ping(&client);
    });
}

#[test]
fn no_more_bytes_come_than_there_is_room_for() {
    with_every_server(|driver| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(Kind::Async, &server);
        let options = CallOptions::new().stream_credit(1000, 10_000);
        let count = Count { items: 0, bytes: 4_000 };
        let mut stream = client.open::<_, Number>(NumbersMethod::Count.method(), count, &options).unwrap();
        stream.next().unwrap().unwrap();
        (0..50).for_each(|_| ping(&client));
        // The third may be longer than what is left.
        assert!(heard.counted() <= 3, "{}", heard.counted());
        (1..50).for_each(|number| assert_eq!(stream.next().unwrap().unwrap().number, number));
    });
}

#[test]
fn a_stream_that_is_dropped_is_dropped_by_its_server() {
    with_everyone(|driver, kind| {
        for order in [Order::Serial, Order::Concurrent(3)] {
            let (server, heard) = serve(driver, |server| server.order(order));
            let client = client(kind, &server);
            let stream =
                client.open::<_, Bytes>(NumbersMethod::Wait.method(), (), &CallOptions::new()).unwrap();
            ping(&client);
            drop(stream);
            heard.end();
            ping(&client);
        }
    });
}

#[test]
fn a_call_that_is_given_up_ends_at_once() {
    // C4: its connection goes on.
    with_everyone(|driver, kind| {
        for order in [Order::Serial, Order::Concurrent(3)] {
            let (server, heard) = serve(driver, |server| server.order(order));
            let client = client(kind, &server);
            // By its answer, the server shows that it may be told.
            ping(&client);
            let options = CallOptions::new().timeout(SOON);
            let error = client.call_typed::<(), ()>(9, 904, (), &options).unwrap_err();
            assert!(error.is_timeout(), "{error}");
            assert_eq!(heard.end(), Some(Cancelled::CallerGaveUp));
            ping(&client);
        }
    });
}

#[test]
fn a_cancel_overtakes_the_calls_behind_which_it_stands() {
    // S5: in serial order they wait for the one that it ends.
    with_every_server(|driver| {
        let (server, heard) = serve(driver, |server| server);
        let AnyClient::Async(client, runtime) = client(Kind::Async, &server) else { unreachable!() };
        let numbers = NumbersClient::new(client);
        runtime.block_on(async {
            numbers.ping().await.unwrap();
            let mut waiting = numbers.wait_for_the_end();
            assert!((&mut waiting).now_or_never().is_none());
            let mut behind: Vec<_> = (0..20).map(|_| numbers.ping()).collect();
            for call in &mut behind {
                assert!(call.now_or_never().is_none());
            }
            drop(waiting);
            for call in behind {
                call.await.unwrap();
            }
        });
        assert_eq!(heard.end(), Some(Cancelled::CallerGaveUp));
    });
}

#[test]
fn a_server_is_told_nothing_that_has_not_shown_that_it_knows() {
    // E5: not one packet more than without it.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let (client, peer) = pair(kind, &fake, |builder| {
            builder.added_fields(AddedFields::ALL).server_answers_in_order(false)
        });
        let error = thread::scope(|scope| {
            let calling = scope.spawn(|| client.call_with(7, 700, b"", &CallOptions::new().timeout(SOON)));
            assert!(peer.recv_call(Wire::Chunked).unwrap().added.unwrap().asks_control);
            calling.join().unwrap().unwrap_err()
        });
        assert!(error.is_timeout());
        drop(client);
        peer.assert_closed();
    });
}

/// A client that asks a fake server for a stream, which the test plays on the connection that it comes by.
fn opening<T: Send>(
    kind: Kind,
    play: impl FnOnce(&RawPeer, i64) -> T + Send,
) -> (Result<AnyStreaming<Bytes>, CallError>, T) {
    opening_of(kind, play)
}

/// As [`opening`], for items of a type.
fn opening_of<R: Payload, T: Send>(
    kind: Kind,
    play: impl FnOnce(&RawPeer, i64) -> T + Send,
) -> (Result<AnyStreaming<R>, CallError>, T) {
    let fake = Fake::listen();
    let (client, first) = pair(kind, &fake, |builder| builder);
    // The blocking client has a connection for each stream.
    let peer = if kind == Kind::Blocking { None } else { Some(first) };
    thread::scope(|scope| {
        let playing = scope.spawn(move || {
            let peer = peer.unwrap_or_else(|| fake.accept());
            let call = peer.recv_call(Wire::Chunked).expect("a call");
            assert_eq!(call.added.unwrap().credit, Some(Credit { items: 4, bytes: 100 }));
            play(&peer, call.sequence)
        });
        let options = CallOptions::new().stream_credit(4, 100);
        let opened = client.open(NumbersMethod::Wait.method(), (), &options);
        // The test may play on while the stream is read.
        (opened, playing.join().unwrap())
    })
}

fn part(sequence: i64, part: Part, body: &'static [u8]) -> Response {
    let added = Some(ResponseFields::of_part(part).into());
    Response { sequence, body: body.into(), added, ..Response::default() }
}

#[test]
fn a_server_that_knows_no_streams_gives_an_error_by_name() {
    // E5: DAOS's servers carry the call out, and answer it once.
    with_every_client(|kind| {
        let (opened, ()) =
            opening(kind, |peer, sequence| peer.send_reply(Wire::Chunked, sequence, 0, b"reply"));
        assert_eq!(opened.err().unwrap().kind(), CallErrorKind::NoStream);
        let (opened, ()) = opening(kind, |peer, sequence| peer.send_reply(Wire::Chunked, sequence, 4, b""));
        assert_eq!(opened.err().unwrap().status(), Some(Status::UNKNOWN_METHOD));
    });
    // Ours refuses before it carries anything out.
    with_everyone(|driver, kind| {
        let (server, _heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let opened = client.open::<_, Bytes>(NumbersMethod::Ping.method(), (), &CallOptions::new());
        assert!(opened.err().unwrap().peer_text().unwrap().contains("asks for a stream"));
        let error = client.call_typed::<(), ()>(9, 903, (), &CallOptions::new()).unwrap_err();
        assert!(error.peer_text().unwrap().contains("gives a stream"));
        ping(&client);
    });
}

#[test]
fn several_items_come_in_one_message() {
    // E5.
    with_every_client(|kind| {
        let (opened, ()) = opening(kind, |peer, sequence| {
            peer.send_message(Wire::Chunked, &part(sequence, Part::Opened, b"").encode());
            peer.send_message(Wire::Chunked, &part(sequence, Part::Items, b"\x01a\x00\x02bc").encode());
            peer.send_message(Wire::Chunked, &part(sequence, Part::Items, b"").encode());
            peer.send_message(Wire::Chunked, &part(sequence, Part::Item, b"d").encode());
            peer.send_reply(Wire::Chunked, sequence, 0, b"");
        });
        let items: Vec<_> = opened.unwrap().map(Result::unwrap).collect();
        assert_eq!(items, ["a", "", "bc", "d"]);
    });
}

#[test]
fn nothing_comes_behind_an_item_that_can_not_be_read() {
    // Nor what came in the same message.
    with_every_client(|kind| {
        let (opened, ()) = opening_of::<Number, _>(kind, |peer, sequence| {
            let body = b"\x02\x08\x01\x01\x08\x02\x08\x03";
            peer.send_message(Wire::Chunked, &part(sequence, Part::Opened, b"").encode());
            peer.send_message(Wire::Chunked, &part(sequence, Part::Items, body).encode());
        });
        let mut stream = opened.unwrap();
        assert_eq!(stream.next().unwrap().unwrap().number, 1);
        stream.next().unwrap().unwrap_err();
        assert!(stream.next().is_none());
    });
}

#[test]
fn several_items_come_in_no_message_that_is_too_long() {
    with_everyone(|driver, kind| {
        for (of_server, of_client) in [(1000, 1 << 20), (1 << 20, 1000)] {
            let (server, _heard) = serve(driver, |server| server.message_limit(of_server));
            let client = connected(kind, builder(server.path()).message_limit(of_client));
            let count = Count { items: 200, bytes: 100 };
            let stream = client.open(NumbersMethod::Count.method(), count, &CallOptions::new()).unwrap();
            let numbers: Vec<u64> = stream.map(|number: Result<Number, _>| number.unwrap().number).collect();
            assert!(numbers.into_iter().eq(0..200));
            ping(&client);
        }
    });
}

#[test]
fn an_item_that_is_too_long_ends_its_stream_once() {
    // D4.
    with_every_server(|driver| {
        let (server, _heard) = serve(driver, |server| server.message_limit(1000));
        let peer = RawPeer::connect(server.path());
        let credit = Some(Credit { items: 9, bytes: 10_000 });
        for (sequence, bytes, status) in [(1, 980, Status::SUCCESS), (2, 1000, Status::FAILED_MARSHAL)] {
            let added = Some(CallFields { credit, ..CallFields::default() }.into());
            let body = Count { items: 2, bytes }.encode_to_vec().into();
            let method = NumbersMethod::Count.id();
            let call = Call::<Bytes> { module: 9, method, sequence, body, added };
            peer.send_message(Wire::Chunked, &call.encode());
            let last = (0..).map(|_| peer.recv_response(Wire::Chunked)).find(|came| came.part().is_none());
            let last = last.unwrap();
            assert_eq!((last.sequence, last.status), (sequence, status));
        }
        peer.send_call(Wire::Chunked, 9, NumbersMethod::Ping.id(), 3, b"");
        assert_eq!(peer.recv_response(Wire::Chunked).sequence, 3);
        peer.half_close();
        peer.assert_closed();
    });
}

#[test]
fn nothing_is_taken_after_the_deadline_though_it_is_there() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let deadline = Instant::now() + 10 * SOON;
        let options = CallOptions::new().deadline(deadline);
        let mut stream =
            client.open::<_, Number>(NumbersMethod::Count.method(), count(100), &options).unwrap();
        stream.next().unwrap().unwrap();
        heard.end();
        ping(&client);
        until_over(&options);
        let error = stream.next().unwrap().unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(stream.next().is_none());
        ping(&client);
    });
}

#[test]
fn a_server_that_sends_more_than_there_is_room_for_loses_its_connection() {
    // All of it in one message: else the client may have taken some before the rest comes.
    with_every_client(|kind| {
        let too_many = (&b"\x00\x00\x00\x00\x00"[..], "more of a stream");
        let cut = (&b"\x01a\x02b"[..], "something else than a response");
        for (body, text) in [too_many, cut] {
            let (opened, ()) = opening(kind, |peer, sequence| {
                peer.send_message(Wire::Chunked, &part(sequence, Part::Opened, b"").encode());
                peer.send_message(Wire::Chunked, &part(sequence, Part::Items, body).encode());
            });
            let outcomes: Vec<_> = opened.unwrap().collect();
            let [Err(error)] = &outcomes[..] else { panic!("{outcomes:?}") };
            assert!(error.to_string().contains(text), "{error}");
        }
    });
}

#[test]
fn items_that_are_ready_at_once_come_in_one_message_to_a_caller_that_takes_that() {
    // E5.
    with_every_server(|driver| {
        let (server, _heard) = serve(driver, |server| server);
        for takes_many in [false, true] {
            let peer = RawPeer::connect(server.path());
            let credit = Some(Credit { items: 301, bytes: 1 << 20 });
            let added = Some(CallFields { credit, takes_many, ..CallFields::default() }.into());
            let body = count(300).encode_to_vec().into();
            let call: Call = Call { module: 9, method: 901, sequence: 1, body, added };
            peer.send_message(Wire::Chunked, &call.encode());
            let (mut numbers, mut messages) = (Vec::new(), 0);
            loop {
                let response = peer.recv_response(Wire::Chunked);
                match response.part() {
                    None => break,
                    Some(Part::Opened) => continue,
                    Some(Part::Items) => numbers.extend(Items::read(response.body).unwrap()),
                    Some(_) => numbers.push(response.body),
                }
                messages += 1;
            }
            let numbers = numbers.into_iter().map(|body| Number::decode(body).unwrap().number);
            assert!(numbers.eq(0..300));
            // How many are made quickly is not known.
            assert!(if takes_many { messages <= 300 } else { messages == 300 }, "{messages}");
        }
    });
}

#[test]
fn a_client_says_what_it_has_taken_and_that_it_gave_up() {
    for kind in [Kind::Async, Kind::Progress] {
        let fake = Fake::listen();
        let (client, peer) = pair(kind, &fake, |builder| builder);
        thread::scope(|scope| {
            let playing = scope.spawn(|| {
                let call = peer.recv_call(Wire::Chunked).expect("a call");
                peer.send_message(Wire::Chunked, &part(call.sequence, Part::Opened, b"").encode());
                for _ in 0..4 {
                    peer.send_message(Wire::Chunked, &part(call.sequence, Part::Item, b"item").encode());
                }
                let mut said = Vec::new();
                while said.last() != Some(&Control::Cancel) {
                    let control = peer.recv_call(Wire::Chunked).expect("something is said");
                    assert_eq!((control.module, control.method, control.sequence), (0, 0, call.sequence));
                    said.extend(control.added.unwrap().control);
                }
                said
            });
            let options = CallOptions::new().stream_credit(4, 100);
            let mut stream = client.open::<_, Bytes>(NumbersMethod::Wait.method(), (), &options).unwrap();
            assert!((0..4).all(|_| stream.next().unwrap().unwrap() == "item"));
            drop(stream);
            let three = Control::Credit(Credit { items: 3, bytes: 12 });
            assert_eq!(playing.join().unwrap(), [three, Control::Cancel]);
        });
    }
}

#[test]
fn a_shutdown_lets_streams_end_and_then_cuts_them() {
    // S7.
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server.drain_timeout(SOON));
        let client = client(kind, &server);
        let open = |method: NumbersMethod, request: Count| {
            client
                .open::<_, Bytes>(method.method(), request, &CallOptions::new().stream_credit(4, 100))
                .unwrap()
        };
        // Its reader has no room, and will have none.
        let unread = open(NumbersMethod::Count, count(0));
        let mut idle = open(NumbersMethod::Wait, Count::default());
        server.stop();
        heard.end();
        heard.end();
        let outcomes: Vec<_> = unread.collect();
        assert!(outcomes.last().unwrap().is_err(), "{outcomes:?}");
        assert!(idle.next().unwrap().is_err());
    });
}

#[test]
fn a_client_that_leaves_ends_its_streams() {
    // S6.
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let options = CallOptions::new();
        let streams: Vec<_> = (0..3)
            .map(|_| client.open::<_, Bytes>(NumbersMethod::Wait.method(), (), &options).unwrap())
            .collect();
        client.close();
        for mut stream in streams {
            assert_eq!(stream.next().unwrap().unwrap_err().kind(), CallErrorKind::Disconnected);
        }
        for _ in 0..3 {
            heard.end();
        }
    });
}

#[test]
fn a_client_that_half_closes_has_its_stream_and_then_the_end() {
    // S6: found by fuzzing; the session stayed.
    with_every_server(|driver| {
        for order in [Order::Serial, Order::Concurrent(4)] {
            let (server, _heard) = serve(driver, |server| server.order(order));
            let peer = RawPeer::connect(server.path());
            let credit = Some(Credit { items: 9, bytes: 1000 });
            let added = Some(CallFields { credit, ..CallFields::default() }.into());
            let body = count(2).encode_to_vec().into();
            let call =
                Call::<Bytes> { module: 9, method: NumbersMethod::Count.id(), sequence: 1, body, added };
            peer.send_message(Wire::Chunked, &call.encode());
            peer.half_close();
            let parts = [(); 4].map(|()| peer.recv_response(Wire::Chunked).part());
            assert_eq!(parts, [Some(Part::Opened), Some(Part::Item), Some(Part::Item), None]);
            peer.assert_closed();
        }
    });
}

#[test]
fn a_stream_that_gives_nothing_in_time_is_given_up() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        let item: fn() -> CallOptions = || CallOptions::new().item_timeout(SOON);
        for options in [item, || CallOptions::new().deadline(Instant::now() + 10 * SOON)] {
            let mut stream = client.open::<_, Bytes>(NumbersMethod::Wait.method(), (), &options()).unwrap();
            let error = stream.next().unwrap().unwrap_err();
            assert!(error.is_timeout(), "{error}");
            assert!(stream.next().is_none());
            heard.end();
        }
        ping(&client);
    });
}

#[test]
fn so_many_streams_may_be_open_and_no_more() {
    with_every_server(|driver| {
        let (server, heard) = serve(driver, |server| server.stream_limit(2));
        let client = client(Kind::Async, &server);
        let open = || client.open::<_, Bytes>(NumbersMethod::Wait.method(), (), &CallOptions::new());
        let streams = [open().unwrap(), open().unwrap()];
        let refused = open().err().unwrap();
        assert!(refused.peer_text().unwrap().contains("2 streams are open"), "{refused}");
        heard.end();
        drop(streams);
        heard.end();
        heard.end();
        open().unwrap();
    });
}

#[test]
fn nothing_is_left_of_streams_that_are_dropped_at_any_moment() {
    with_everyone(|driver, kind| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(kind, &server);
        for turn in 0..100 {
            let options = CallOptions::new().stream_credit(4, 1 << 20);
            let mut stream =
                client.open::<_, Number>(NumbersMethod::Count.method(), count(9), &options).unwrap();
            for number in 0..turn % 10 {
                match stream.next() {
                    Some(item) => assert_eq!(item.unwrap().number, number),
                    None => assert_eq!(number, 9),
                }
            }
        }
        for _ in 0..100 {
            heard.end();
        }
        ping(&client);
    });
}

#[test]
fn a_mock_streams_in_memory_through_layers_and_a_recorder() {
    in_order(async {
        let number = |number| Number { number, ..Number::default() };
        let mock =
            MockModule::new(9, "numbers").stream(901, [Ok(number(1)), Ok(number(2)), Err(Status::from(42))]);
        let seen = Arc::new(AtomicU64::new(0));
        let layer = MapRequestLayer::new({
            let seen = seen.clone();
            move |request: Request| {
                seen.fetch_add(1, Ordering::SeqCst);
                request
            }
        });
        let recorder = Recorder::new();
        let server =
            testing::server_of(Server::builder().explicit_modules_only().module(mock.clone()).layer(layer));
        let numbers = NumbersClient::new(server.unwrap().record(&recorder).client());
        let mut stream = numbers.count(count(0)).await.unwrap();
        for expected in [1, 2] {
            assert_eq!(stream.next().await.unwrap().unwrap().number, expected);
        }
        assert_eq!(stream.next().await.unwrap().unwrap_err().status(), Some(Status::from(42)));
        assert!(stream.next().await.is_none());

        assert_eq!(seen.load(Ordering::SeqCst), 1, "a stream is one call");
        mock.assert_requests(901, &[count(0)]);
        mock.verify();
        let text = recorder.sessions()[0].to_string();
        assert!(text.contains("part: Some(Opened)") && text.contains("part: Some(Item)"), "{text}");
    });
}

#[test]
fn an_open_stream_is_listed_and_counts_once() {
    with_every_handle(|driver| {
        let (server, heard) = serve(driver, |server| server);
        let client = client(Kind::Async, &server);
        let stream = client.open::<_, Bytes>(NumbersMethod::Wait.method(), (), &CallOptions::new()).unwrap();
        let session = server.server_handle().sessions().remove(0);
        let running = session.running_calls();
        assert_eq!((running.len(), running[0].method().name(), session.calls_done()), (1, "wait", 0));
        drop(stream);
        heard.end();
        // It is answered once the stream has ended.
        ping(&client);
        assert_eq!((session.running_calls().len(), session.calls_done()), (0, 2));
    });
}

/// What a client does, in any order.
#[derive(Clone, Debug)]
enum Step {
    Ping,
    Open {
        items: u64,
        credit: u32,
        takes_many: bool,
    },
    /// Of one of the streams that were opened.
    Credit {
        stream: usize,
        items: u32,
    },
    Cancel {
        stream: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Ping),
        (1..8u64, 0..5u32, any::<bool>()).prop_map(|(items, credit, takes_many)| Step::Open {
            items,
            credit,
            takes_many
        }),
        (0..8usize, 1..5u32).prop_map(|(stream, items)| Step::Credit { stream, items }),
        (0..8usize).prop_map(|stream| Step::Cancel { stream }),
    ]
}

/// A stream, as its client sees it.
#[derive(Debug)]
struct Opened {
    items: u64,
    credit: u64,
    is_cancelled: bool,
    came: u64,
    end: Option<Status>,
}

/// The client of a test, packet by packet.
struct Player<'a> {
    peer: &'a RawPeer,
    chunk: usize,
    last: i64,
    streams: BTreeMap<i64, Opened>,
    pings: VecDeque<i64>,
}

impl Player<'_> {
    fn send(&self, call: &Call) {
        let message = call.encode();
        let total = message.len().div_ceil(self.chunk);
        for (index, data) in message.chunks(self.chunk).enumerate() {
            let mut packet = header(message.len() as u64, data.len() as u64, index as u32, total as u32);
            packet.extend_from_slice(data);
            self.peer.send(&packet);
        }
    }

    fn call(&mut self, method: i32, body: Bytes, added: CallFields) -> i64 {
        self.last += 1;
        self.send(&Call { module: 9, method, sequence: self.last, body, added: Some(added.into()) });
        self.last
    }

    fn ping(&mut self) {
        let sequence = self.call(905, Bytes::new(), CallFields::default());
        self.pings.push_back(sequence);
    }

    fn say(&self, sequence: i64, control: Control) {
        let added = CallFields { control: Some(control), ..CallFields::default() };
        self.send(&Call { module: 0, method: 0, sequence, body: Bytes::new(), added: Some(added.into()) });
    }

    fn credit(&mut self, sequence: i64, items: u32) {
        self.streams.get_mut(&sequence).unwrap().credit += u64::from(items);
        self.say(sequence, Control::Credit(Credit { items, bytes: 1000 }));
    }

    fn take(&mut self, step: &Step) {
        let stream = |place: &usize| self.streams.keys().nth(*place).copied();
        match step {
            Step::Ping => self.ping(),
            Step::Open { items, credit, takes_many } => {
                let asked = Credit { items: *credit, bytes: 1000 };
                let takes_many = *takes_many;
                let added = CallFields { credit: Some(asked), takes_many, ..CallFields::default() };
                let sequence = self.call(901, count(*items).encode_to_vec().into(), added);
                let (items, credit) = (*items, u64::from(*credit));
                let opened = Opened { items, credit, is_cancelled: false, came: 0, end: None };
                self.streams.insert(sequence, opened);
            }
            Step::Credit { stream: place, items } => {
                if let Some(sequence) = stream(place) {
                    self.credit(sequence, *items);
                }
            }
            Step::Cancel { stream: place } => {
                if let Some(sequence) = stream(place) {
                    self.streams.get_mut(&sequence).unwrap().is_cancelled = true;
                    self.say(sequence, Control::Cancel);
                }
            }
        }
    }

    /// Receives a response, and checks that it is due.
    fn receive(&mut self) {
        let response = self.peer.recv_response(Wire::Chunked);
        if response.part().is_none() && self.pings.front() == Some(&response.sequence) {
            assert_eq!(response.status, Status::SUCCESS);
            self.pings.pop_front();
            return;
        }
        let stream = self.streams.get_mut(&response.sequence).expect("a stream of this client's");
        assert_eq!(stream.end, None, "nothing follows the end");
        match response.part() {
            Some(Part::Opened) => assert_eq!(stream.came, 0),
            Some(part) => {
                let several = part == Part::Items;
                let items =
                    if several { Items::read(response.body).unwrap().collect() } else { vec![response.body] };
                for item in items {
                    assert_eq!(Number::decode(item).unwrap().number, stream.came);
                    stream.came += 1;
                    assert!(stream.came <= stream.credit.min(stream.items), "{stream:?}");
                }
            }
            None => {
                let whole = response.status == Status::SUCCESS && stream.came == stream.items;
                assert!(whole || stream.is_cancelled, "{stream:?}, {}", response.status);
                stream.end = Some(response.status);
            }
        }
    }
}

#[test]
fn any_interleaving_of_calls_credits_and_cancels_gives_each_its_own() {
    // W3, W10: over any chunking.
    with_every_server(|driver| {
        let (server, _heard) = serve(driver, |server| server);
        let steps = prop::collection::vec(step(), 0..40);
        proptest!(ProptestConfig::with_cases(60), |(steps in steps, chunk in 1..60usize)| {
            let peer = RawPeer::connect(server.path());
            let (streams, pings) = (BTreeMap::new(), VecDeque::new());
            let mut player = Player { peer: &peer, chunk, last: 0, streams, pings };
            steps.iter().for_each(|step| player.take(step));
            // Until it is answered, no stream has more than it was given.
            player.ping();
            while !player.pings.is_empty() {
                player.receive();
            }
            for sequence in player.streams.keys().copied().collect::<Vec<_>>() {
                player.credit(sequence, 100);
            }
            while player.streams.values().any(|stream| stream.end.is_none()) {
                player.receive();
            }
        });
    });
}

/// Opens an endless stream of a kibibyte an item, with room for all of it, and reads nothing of it.
fn open_endless(peer: &RawPeer, method: i32) {
    let credit = Credit { items: 1 << 16, bytes: 64 << 20 };
    let added = CallFields { credit: Some(credit), ..CallFields::default() };
    let body = Count { items: 0, bytes: 1 << 10 }.encode_to_vec().into();
    let call = Call::<Bytes> { module: 9, method, sequence: 1, body, added: Some(added.into()) };
    peer.send_message(Wire::Chunked, &call.encode());
}

#[test]
fn a_stream_that_is_not_read_for_a_while_is_not_idle() {
    with_every_server(|driver| {
        for order in [Order::Serial, Order::Concurrent(3)] {
            let (server, heard) = serve(driver, |server| server.order(order).idle_timeout(SOON));
            let peer = RawPeer::connect(server.path());
            open_endless(&peer, 901);
            // Each of these has its whole time.
            (0..4).for_each(|_| RawPeer::connect(server.path()).assert_closed());
            assert_eq!(peer.recv_response(Wire::Chunked).part(), Some(Part::Opened));
            for number in 0..2000 {
                let response = peer.recv_response(Wire::Chunked);
                assert_eq!(response.part(), Some(Part::Item), "{}", response.status);
                assert_eq!(Number::decode(response.body).unwrap().number, number);
            }
            drop(peer);
            heard.end();
        }
    });
}

#[test]
fn a_quiet_stream_of_a_session_that_was_closed_ends_with_its_client() {
    // S6.
    with_every_server(|driver| {
        for order in [Order::Serial, Order::Concurrent(3)] {
            let (opens, opened) = mpsc::channel();
            let (closes, closed) = mpsc::channel();
            let (server, heard) = serve(driver, |server| {
                let server = server.on_close(move |session| closes.send(session.id()).unwrap());
                server.order(order).on_open(move |session| {
                    opens.send(session.clone()).unwrap();
                    Ok(())
                })
            });
            let peer = RawPeer::connect(server.path());
            open_endless(&peer, 903);
            assert_eq!(peer.recv_response(Wire::Chunked).part(), Some(Part::Opened));
            let session = opened.recv_timeout(PATIENCE).unwrap();
            session.close();
            drop(peer);
            assert_eq!(heard.end(), Some(Cancelled::SessionClosed));
            assert_eq!(closed.recv_timeout(PATIENCE).unwrap(), session.id());
        }
    });
}
