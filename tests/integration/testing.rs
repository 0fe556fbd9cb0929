//! `drpc::testing`: servers in memory, the mock, the recorder and the faults; and, by their means, what becomes of a client
//! and a server when the way between them is a bad one.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drpc::testing::{
    self, Direction, Fault, Faults, InMemoryServer, Message, MessageReader, MockModule, Proxy, Recorder,
    Recording, Watched,
};
use drpc::wire::Response;
use drpc::{
    CallError, CallErrorKind, CallOptions, Client, Context, Module, Order, PeerCredentials, Server,
    ServerBuilder, Status, Wire,
};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::load::{serve_and_close, wait_for_descriptors};
use crate::support::{
    Fake, Hello, HelloResponse, Kind, Logs, PATIENCE, RawPeer, SOON, TestServer, Vector, WIRES, builder,
    call, echo, greeting, interop, isolated, open_descriptors, with_descriptors_left, with_every_client,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Longer than what fits one packet: the call and the reply are three packets each.
fn long() -> Bytes {
    vec![b'x'; 300_000].into()
}

fn in_memory(builder: ServerBuilder, module: impl Module) -> InMemoryServer {
    testing::server_of(builder.explicit_modules_only().module(module)).unwrap()
}

/// A server of the echo, and a client of it with faults in between.
fn spoilt_echo() -> (Faults, InMemoryServer, Client) {
    let faults = Faults::new();
    let server = in_memory(Server::builder(), echo());
    let client = server.clone().faults(&faults).client();
    (faults, server, client)
}

async fn assert_served(client: &Client) {
    assert_eq!(call(client, 700, long()).await.unwrap().body, long());
}

async fn within(client: &Client, method: i32, limit: Duration) -> Result<Response, CallError> {
    let options = CallOptions::new().timeout(limit);
    client.call_raw(drpc::Method::new(7, method, "test"), "", &options).await
}

/// With paused time, this passes once there is nothing more to do for anyone.
async fn until_idle() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

mod paused_time {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_times_out_at_once_and_the_next_goes_on_in_another_session() {
        // C4: in serial order the call that hangs holds up its session for ever.
        let mock = MockModule::new(7, "mock").hang(705).on(700, |body: Bytes| Ok(body));
        let recorder = Recorder::new();
        let client = in_memory(Server::builder(), mock).record(&recorder).client();
        for session in 2..5 {
            let before = Instant::now();
            assert!(within(&client, 705, HOUR).await.unwrap_err().is_timeout());
            assert_eq!(before.elapsed(), HOUR);
            assert_served(&client).await;
            assert_eq!(recorder.sessions().len(), session);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn with_concurrent_order_the_session_is_kept() {
        // C4, S5: the client knows the server's order.
        let mock = MockModule::new(7, "mock").hang(705).on(700, |body: Bytes| Ok(body));
        let recorder = Recorder::new();
        let builder = Server::builder().order(Order::Concurrent(8));
        let client = in_memory(builder, mock).record(&recorder).client();
        for _ in 0..3 {
            assert!(within(&client, 705, HOUR).await.unwrap_err().is_timeout());
            assert_served(&client).await;
        }
        assert_eq!(recorder.sessions().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_is_cut_off_by_the_paused_clock() {
        // The clock of the handlers' time is tokio's, however far it has been put forward.
        let mock = MockModule::new(7, "mock").hang(705).reply(706, ()).delay(HOUR / 2);
        let client = in_memory(Server::builder().handler_timeout(HOUR), mock).client();
        for _ in 0..3 {
            let before = Instant::now();
            assert_eq!(call(&client, 705, "").await.unwrap().status, Status::FAILURE);
            assert!((HOUR..HOUR + Duration::from_secs(1)).contains(&before.elapsed()));
            // Within its time, even long after the runtime began.
            assert_eq!(call(&client, 706, "").await.unwrap().status, Status::SUCCESS);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_knows_its_deadline_by_the_paused_clock() {
        let (told, mut tidings) = mpsc::unbounded_channel();
        let module = echo().on(705, move |context: Context, body| {
            told.send(context.deadline().map(|deadline| Instant::from(deadline) - Instant::now())).unwrap();
            async { Ok(body) }
        });
        let client = in_memory(Server::builder().handler_timeout(HOUR), module).client();
        tokio::time::advance(24 * HOUR).await;
        call(&client, 705, "").await.unwrap();
        assert_eq!(tidings.recv().await, Some(Some(HOUR)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_in_memory_shuts_down() {
        // S7: what runs may finish.
        let mock = MockModule::new(7, "mock").reply(700, Bytes::from("done")).delay(HOUR);
        let server = in_memory(Server::builder(), mock);
        let client = server.client();
        let running = tokio::spawn(call(&client, 700, ""));
        until_idle().await;
        server.handle().shutdown();
        assert_eq!(running.await.unwrap().unwrap().body, "done");
        until_idle().await;
        assert!(!client.is_connected());
        client.reconnect().await.unwrap();
        assert_eq!(call(&client, 700, "").await.unwrap_err().kind(), CallErrorKind::NotConnected);
    }
}

mod in_memory_clients {
    use super::*;

    #[tokio::test]
    async fn close_and_reconnect() {
        // C2, C3.
        let client = in_memory(Server::builder(), echo()).client();
        assert_served(&client).await;
        client.close();
        assert_eq!(call(&client, 700, "").await.unwrap_err().kind(), CallErrorKind::NotConnected);
        client.reconnect().await.unwrap();
        assert_served(&client).await;
    }

    #[tokio::test]
    async fn have_the_builders_settings_and_the_servers_wire() {
        for wire in WIRES {
            let server = in_memory(Server::builder().wire(wire), echo());
            for client in [server.client(), server.client_builder().connect().await.unwrap()] {
                assert_eq!(call(&client, 700, "ping").await.unwrap().body, "ping");
            }
        }
        let server = in_memory(Server::builder(), echo());
        let client = server.client_builder().message_limit(1000).connect().await.unwrap();
        assert_eq!(call(&client, 700, long()).await.unwrap_err().kind(), CallErrorKind::TooLong);
        let client = server.client_builder().wire(drpc::WireMode::Auto).connect().await.unwrap();
        assert_served(&client).await;
    }

    #[tokio::test]
    async fn are_not_blocking() {
        let error = in_memory(Server::builder(), echo()).client_builder().connect_blocking().unwrap_err();
        assert_eq!(
            error.to_string(),
            "can't connect to (in memory): a blocking client needs a socket; connect an async one, or bind the server"
        );
    }
}

mod mock {
    use super::*;

    /// What a check says.
    fn said(check: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(check)).expect_err("the check fails");
        *panic.downcast::<String>().expect("a text")
    }

    fn hello(name: &str) -> Hello {
        Hello { name: name.into() }
    }

    #[tokio::test]
    async fn answers_as_told_one_after_the_other() {
        let mut count = 0;
        let mock = MockModule::new(7, "mock")
            .fail(701, Status::UNKNOWN_METHOD)
            .times(2)
            .reply(701, Bytes::from("then this"))
            .on(702, |_: Hello| Ok(HelloResponse { greeting: "hi".into() }))
            .on(703, move |()| {
                count += 1;
                Ok(Bytes::from(count.to_string()))
            })
            .on(704, |_: Bytes| Err::<(), _>("no".into()));
        let client = in_memory(Server::builder(), mock.clone()).client();
        let answered = async |method| {
            let response = call(&client, method, "").await.unwrap();
            (response.status, response.body)
        };
        for _ in 0..2 {
            assert_eq!(answered(701).await.0, Status::UNKNOWN_METHOD);
        }
        for _ in 0..3 {
            assert_eq!(answered(701).await, (Status::SUCCESS, "then this".into()));
        }
        assert_eq!(answered(702).await, (Status::SUCCESS, "\x0a\x02hi".into()));
        for count in 1..=3 {
            assert_eq!(answered(703).await.1, count.to_string());
        }
        assert_eq!(answered(704).await.0, Status::FAILURE);
        mock.verify();
        let methods: Vec<_> = mock.calls().iter().map(|call| (call.sequence, call.method)).collect();
        assert_eq!(methods[4..7], [(5, 701), (6, 702), (7, 703)]);
    }

    #[tokio::test]
    async fn says_what_was_expected_and_what_came() {
        let mock = MockModule::new(7, "mock")
            .reply(701, ())
            .times(1)
            .reply(702, ())
            .times(3)
            .reply(703, ())
            .times(0)
            .on(704, |_: Hello| Ok(()));
        let client = in_memory(Server::builder(), mock.clone()).client();
        assert_eq!(
            said(|| mock.verify()),
            "mock module 7 (mock) was not called as expected:\
             \n  method 701: expected 1 call, got 0\
             \n  method 702: expected 3 calls, got 0\
             \nthe calls that came in, in order: none"
        );
        for (method, body, status) in [
            (701, &b""[..], Status::SUCCESS),
            (702, b"ab", Status::SUCCESS),
            (701, b"", Status::FAILURE),
            (703, b"", Status::FAILURE),
            (704, b"\xff", Status::FAILED_UNMARSHAL_PAYLOAD),
            (799, &[7; 40], Status::UNKNOWN_METHOD),
        ] {
            assert_eq!(call(&client, method, body).await.unwrap().status, status);
        }
        let said = said(|| mock.verify());
        for line in [
            "  method 702: expected 3 calls, got 1\n",
            "  call 3 (method 701): no answer was left for it\n",
            "  call 4 (method 703): no answer was left for it\n",
            "  call 5 (method 704): its body is not the request that its handler takes\n",
            "  call 6 (method 799): no answer was left for it\n",
            "the calls that came in, in order:\n  1. method 701, sequence 1, body of 0 bytes: \n",
            "  2. method 702, sequence 2, body of 2 bytes: 6162\n",
        ] {
            assert!(said.contains(line), "{line:?} is not in {said}");
        }
        assert!(said.ends_with(&format!("body of 40 bytes: {}…", "07".repeat(32))), "{said}");
    }

    #[tokio::test]
    async fn compares_requests() {
        let mock = MockModule::new(7, "mock").reply(701, ());
        let client = in_memory(Server::builder(), mock.clone()).client();
        for name in ["one", "two"] {
            let body = drpc::Payload::into_body(hello(name)).into_bytes();
            call(&client, 701, body).await.unwrap();
        }
        mock.assert_requests(701, &[hello("one"), hello("two")]);
        mock.assert_requests::<Hello>(702, &[]);
        assert_eq!(
            said(|| mock.assert_requests(701, &[hello("one"), hello("three")])),
            "mock module 7 (mock): method 701 got other requests than expected, from call 2 on\
             \n  expected: Hello { name: \"three\" }\
             \n       got: Hello { name: \"two\" }\
             \nin all, 2 calls were expected and 2 came"
        );
        let said_of_more = said(|| mock.assert_requests(701, &[hello("one")]));
        assert!(
            said_of_more.contains("expected: no call\n       got: Hello { name: \"two\" }"),
            "{said_of_more}"
        );
        call(&client, 701, &b"\xff"[..]).await.unwrap();
        let said = said(|| drop(mock.requests::<Hello>(701)));
        assert!(said.contains("call 3 of method 701 is no `") && said.ends_with(": ff"), "{said}");
    }

    #[tokio::test]
    async fn tells_of_a_handler_that_panics() {
        // S10.
        let mock = MockModule::new(7, "mock").on(701, |body: Bytes| match &body[..] {
            b"" => panic!("as it is meant to"),
            _ => Ok(()),
        });
        let client = in_memory(Server::builder(), mock.clone()).client();
        assert_eq!(call(&client, 701, "").await.unwrap().status, Status::FAILURE);
        assert_eq!(call(&client, 701, "well").await.unwrap().status, Status::SUCCESS);
        assert!(said(|| mock.verify()).contains("call 1 (method 701): its handler panicked"));
    }

    #[test]
    fn wants_an_answer_to_say_more_about() {
        let check = || drop(MockModule::new(7, "mock").times(1));
        assert_eq!(said(check), "`times` is about the answer before it, and there is none: call `on` first");
    }
}

mod faults_in_memory {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reply_that_comes_late_is_dropped() {
        // C4.
        let (faults, _, client) = spoilt_echo();
        faults.always(Direction::ToClient, Fault::Delay(2 * HOUR));
        assert!(within(&client, 700, HOUR).await.unwrap_err().is_timeout());
        let before = Instant::now();
        assert_served(&client).await;
        // Three packets, each as late.
        assert_eq!(before.elapsed(), 6 * HOUR);
        faults.clear();
        assert_served(&client).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_or_a_reply_that_is_lost_times_out_and_later_ones_are_right() {
        // C4.
        let (faults, _, client) = spoilt_echo();
        for direction in [Direction::ToServer, Direction::ToClient] {
            faults.at(direction, 0, Fault::Drop);
            assert!(within(&client, 700, HOUR).await.unwrap_err().is_timeout());
            assert_served(&client).await;
        }
        assert_eq!(faults.planned(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_whose_end_is_lost_ends_its_session_after_the_time_for_a_message() {
        // H "chunk 0 of 2, then silence": others are fine, and this session times out.
        let (faults, server, client) = spoilt_echo();
        faults.at(Direction::ToServer, 2, Fault::Drop);
        let before = Instant::now();
        let stuck = tokio::spawn(call(&client, 700, long()));
        until_idle().await;
        assert_served(&server.client()).await;
        assert_eq!(stuck.await.unwrap().unwrap_err().kind(), CallErrorKind::Disconnected);
        assert_eq!(before.elapsed().as_secs(), 10);
        client.reconnect().await.unwrap();
        assert_served(&client).await;
    }

    #[tokio::test]
    async fn a_call_that_loses_a_chunk_is_refused() {
        // W5, C5: answered with sequence -1, which is the call that waits; then the session ends.
        let (faults, _, client) = spoilt_echo();
        faults.at(Direction::ToServer, 1, Fault::Drop);
        assert_eq!(call(&client, 700, long()).await.unwrap().status, Status::FAILED_UNMARSHAL_CALL);
        while client.is_connected() {
            tokio::task::yield_now().await;
        }
        client.reconnect().await.unwrap();
        assert_served(&client).await;
    }

    #[tokio::test]
    async fn a_connection_cut_in_mid_message_fails_its_calls_alone() {
        // C7, S1: in mid call and in mid reply.
        let (faults, server, client) = spoilt_echo();
        let other = server.client();
        for direction in [Direction::ToServer, Direction::ToClient] {
            faults.at(direction, 1, Fault::Close);
            let error = call(&client, 700, long()).await.unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Disconnected);
            assert_eq!(
                error.to_string(),
                "the server closed the connection and did not answer; the call may have been executed; the server's log says why, if it lives"
            );
            assert_eq!(call(&client, 700, "").await.unwrap_err().kind(), CallErrorKind::NotConnected);
            assert_served(&other).await;
            client.reconnect().await.unwrap();
            assert_served(&client).await;
        }
    }

    #[tokio::test]
    async fn a_reply_cut_short_breaks_the_connection_and_says_how() {
        // W5: a header that claims more than came, and a packet that has no room for one.
        let (faults, _, client) = spoilt_echo();
        for (len, said) in [
            (30, "the server broke the wire's rules: chunk_data_size says 8 bytes, and 6 follow the header"),
            (
                10,
                "the server broke the wire's rules: packet of 10 bytes is too short for a chunk header of 24 bytes",
            ),
        ] {
            faults.at(Direction::ToClient, 0, Fault::Cut(len));
            let error = call(&client, 700, "ping").await.unwrap_err();
            assert!(error.to_string().starts_with(said), "{error}");
            client.reconnect().await.unwrap();
            assert_served(&client).await;
        }
    }

    #[tokio::test]
    async fn a_call_cut_short_ends_its_session() {
        // W5: with a header it is answered, without one it is not.
        let (faults, server, client) = spoilt_echo();
        faults.at(Direction::ToServer, 0, Fault::Cut(30));
        assert_eq!(call(&client, 700, "ping").await.unwrap().status, Status::FAILED_UNMARSHAL_CALL);
        let client = server.clone().faults(&faults).client();
        faults.at(Direction::ToServer, 0, Fault::Cut(3));
        // Three bytes of a header are no chunk; the server takes them for an unreadable plain call (W8) and says so in plain.
        let error = call(&client, 700, "ping").await.unwrap_err();
        assert!(error.to_string().contains("peer speaks the plain wire of DAOS 2.6"), "{error}");
        client.reconnect().await.unwrap();
        assert_served(&client).await;
    }

    #[tokio::test]
    async fn a_reply_that_comes_twice_is_reported_and_not_delivered() {
        // C5.
        let (logs, _logged) = Logs::of_this_thread();
        let (faults, _, client) = spoilt_echo();
        faults.at(Direction::ToClient, 0, Fault::Repeat);
        assert_eq!(call(&client, 700, "one").await.unwrap().body, "one");
        assert_eq!(call(&client, 700, "two").await.unwrap().body, "two");
        logs.assert_contain("the server answered a call that was never made");
    }

    #[tokio::test]
    async fn garbage_in_place_of_a_reply_breaks_the_connection() {
        // W8: named, where it is the other wire.
        let (faults, _, client) = spoilt_echo();
        let plain = Response { sequence: 1, status: Status::SUCCESS, body: Bytes::from("ping"), added: None };
        for (bytes, part) in [
            (plain.encode(), "peer speaks the plain wire of DAOS 2.6"),
            (Bytes::from(vec![0xff; 64]), "the server broke the wire's rules"),
        ] {
            faults.at(Direction::ToClient, 0, Fault::Replace(bytes));
            let error = call(&client, 700, "ping").await.unwrap_err();
            assert!(error.to_string().contains(part), "{error}");
            client.reconnect().await.unwrap();
            assert_served(&client).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_left_of_sessions_that_were_cut() {
        // S1, S6: neither the sessions nor what their handlers held.
        let held = Arc::new(());
        let module = echo().on(705, {
            let held = held.clone();
            move |context: Context, body| {
                let held = held.clone();
                async move {
                    context.cancelled().await;
                    drop(held);
                    Ok(body)
                }
            }
        });
        let faults = Faults::new();
        let server = in_memory(Server::builder().order(Order::Concurrent(4)), module);
        let spoilt = server.clone().faults(&faults).record(&Recorder::new());
        for round in 0..20 {
            let client = spoilt.client();
            let waiting = tokio::spawn(call(&client, 705, ""));
            until_idle().await;
            let direction = if round % 2 == 0 { Direction::ToServer } else { Direction::ToClient };
            faults.at(direction, 1, Fault::Close);
            let error = call(&client, 700, long()).await.unwrap_err();
            assert_eq!(error.kind(), CallErrorKind::Disconnected);
            assert_eq!(waiting.await.unwrap().unwrap_err().kind(), CallErrorKind::Disconnected);
        }
        until_idle().await;
        // The test's and the module's.
        assert_eq!(Arc::strong_count(&held), 2);
        drop((server, spoilt));
        until_idle().await;
        assert_eq!(Arc::strong_count(&held), 1);
    }
}

mod recorder {
    use super::*;

    #[test]
    fn reads_and_writes_the_vectors_as_they_are() {
        // V.
        for vector in Vector::all() {
            let file = format!("{}/vectors/{}.txt", env!("CARGO_MANIFEST_DIR"), vector.name);
            let text = fs::read_to_string(file).unwrap();
            let recording: Recording = text.parse().unwrap();
            assert_eq!(recording.to_text(), text, "{}", vector.name);
            assert!(recording.to_string().starts_with(recording.title()));
        }
    }

    #[tokio::test]
    async fn replays_real_clients_against_our_server() {
        // V.
        let builder = Server::builder().explicit_modules_only().module(greeting()).module(interop());
        let server = testing::server_of(builder).unwrap();
        for vector in Vector::of_real_clients() {
            let file = format!("{}/vectors/{}.txt", env!("CARGO_MANIFEST_DIR"), vector.name);
            let recording: Recording = fs::read_to_string(file).unwrap().parse().unwrap();
            let again = recording.replay_calls(&server.client_builder()).await.unwrap();
            assert!(again.packets().iter().map(bare).eq(recording.packets().iter().map(bare)), "{again}");
        }
    }

    fn bare(packet: &testing::RecordedPacket) -> (Direction, &Bytes) {
        (packet.direction, &packet.bytes)
    }

    /// However many packets a reply is, or was: a short one for a long one, and the other way round.
    #[tokio::test]
    async fn replies_are_waited_for_and_not_packets() {
        for (then, now) in [(long(), "pong".into()), ("pong".into(), long())] {
            let recorder = Recorder::new();
            let then = MockModule::new(7, "interop").reply(700, then);
            let client = in_memory(Server::builder(), then).record(&recorder).client();
            for body in ["one", "two"] {
                call(&client, 700, body).await.unwrap();
            }
            let recorded = recorder.sessions().remove(0);

            let server = in_memory(Server::builder(), MockModule::new(7, "interop").reply(700, now.clone()));
            let to = server.client_builder();
            let replay = recorded.replay_calls(&to);
            let again = tokio::time::timeout(PATIENCE, replay).await.unwrap().unwrap();
            assert_eq!(replies(&again), [now.clone(), now]);
        }
    }

    /// What came until then is kept.
    #[tokio::test]
    async fn a_replay_is_given_up_after_its_time() {
        let recorder = Recorder::new();
        let client = in_memory(Server::builder(), echo()).record(&recorder).client();
        for body in ["one", "two"] {
            call(&client, 700, body).await.unwrap();
        }
        let recorded = recorder.sessions().remove(0);
        let answers_one = echo().on(700, |_: Context, body: Bytes| async move {
            if body == "two" {
                std::future::pending::<()>().await;
            }
            Ok(body)
        });
        let server = in_memory(Server::builder(), answers_one);
        let again = recorded.replay_calls_within(&server.client_builder(), SOON).await.unwrap();
        assert_eq!(replies(&again), ["one"]);
    }

    fn replies(recording: &Recording) -> Vec<Bytes> {
        let mut reader = MessageReader::new();
        let messages = recording.packets().iter().flat_map(|packet| reader.read(packet).unwrap());
        let bodies = messages.filter_map(|message| match message {
            Message::Response(response) => Some(response.body),
            Message::Call(_) => None,
        });
        bodies.collect()
    }

    #[tokio::test]
    async fn replays_a_server_to_a_client() {
        let recorder = Recorder::new();
        let client = in_memory(Server::builder(), interop()).record(&recorder).client();
        let calls = async |client: &Client| {
            let mut replies = Vec::new();
            for (method, body) in [(700, long()), (701, "".into()), (700, "ping".into()), (799, "".into())] {
                replies.push(call(client, method, body).await.unwrap());
            }
            replies
        };
        let replies = calls(&client).await;
        let recorded = recorder.sessions().remove(0);

        let text = recorded.clone().with_title("four calls").to_text();
        assert!(text.starts_with("# four calls\n> "));
        let replay = text.parse::<Recording>().unwrap().replay_replies();
        for session in 0..2 {
            let client = replay.client();
            assert_eq!(calls(&client).await, replies);
            let seen = replay.sessions().remove(session);
            assert!(seen.sent(Direction::ToServer).eq(recorded.sent(Direction::ToServer)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn shows_what_travelled() {
        let recorder = Recorder::new();
        let mock =
            MockModule::new(7, "mock").on(700, |body: Bytes| Ok(body)).delay(Duration::from_millis(1500));
        let client = in_memory(Server::builder(), mock).record(&recorder).client();
        call(&client, 700, "ping").await.unwrap();
        call(&client, 700, long()).await.unwrap();
        let text = recorder.sessions()[0].to_string();
        let first = "\
session 1
     0.000ns > 37 bytes
             chunk 0 of 1, 13 of 13 bytes
             call of module 7, method 700, sequence 1, body of 4 bytes
             000000  0d 00 00 00 00 00 00 00 0d 00 00 00 00 00 00 00  ................
             000010  00 00 00 00 01 00 00 00 08 07 10 bc 05 18 01 22  ...............\"
             000020  04 70 69 6e 67                                   .ping
      1.500s < 32 bytes
             chunk 0 of 1, 8 of 8 bytes
             response to sequence 1, SUCCESS, body of 4 bytes
";
        assert!(text.starts_with(first), "{text}");
        for line in [
            "chunk 2 of 3, 37915 of 300011 bytes\n             call of module 7, method 700, sequence 2, body of 300000 bytes\n",
            "and 130816 bytes more\n",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }

    #[tokio::test]
    async fn shows_where_the_rules_are_broken() {
        let text = "# broken\n> 00\n> 0500000000000000050000000000000001000000020000000011223344\n";
        let shown = text.replace("> 00\n", "").parse::<Recording>().unwrap().to_string();
        assert!(shown.contains("breaks the wire's rules: chunk 1 came where chunk 0 was due"), "{shown}");
        let shown = text.parse::<Recording>().unwrap().to_string();
        assert!(shown.contains("not a dRPC call"), "{shown}");
    }
}

/// A proxy on a runtime of its own, in front of a server.
struct TestProxy {
    runtime: Option<Runtime>,
    directory: TempDir,
}

impl TestProxy {
    fn start(proxy: impl FnOnce(&std::path::Path) -> Proxy) -> TestProxy {
        let directory = tempfile::tempdir().unwrap();
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let proxy = proxy(&directory.path().join("proxy.sock"));
        runtime.spawn(proxy.serve());
        TestProxy { runtime: Some(runtime), directory }
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("proxy.sock")
    }
}

impl Drop for TestProxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

mod proxy {
    use super::*;

    #[test]
    fn records_real_clients_and_a_real_server() {
        // Every client, both wires; byte by byte what was sent.
        let server = TestServer::start(Server::builder().module(interop()));
        let recorder = Recorder::new();
        let proxy = TestProxy::start(|path| recorder.proxy(path, server.path()).unwrap());
        let mut session = 0;
        with_every_client(|kind| {
            for wire in WIRES {
                let client = kind.connect(builder(&proxy.path()).wire(wire)).unwrap();
                let body = vec![7; if wire == Wire::Chunked { 300_000 } else { 100_000 }];
                assert_eq!(client.call(7, 700, &body).unwrap().body, body);
                assert_eq!(client.call(7, 701, b"").unwrap().status, Status::FAILURE);
            }
        });
        for recording in recorder.sessions() {
            let text = recording.to_string();
            assert!(text.contains("call of module 7, method 701, sequence 2, body of 0 bytes"), "{text}");
            assert!(text.contains("response to sequence 2, FAILURE, body of 0 bytes"), "{text}");
            session += 1;
        }
        assert_eq!(session, 6);
    }

    /// Each thing is told of as it happens: who came, what passes, and that it is over.
    #[test]
    fn a_watcher_is_told_of_everything() {
        let server = TestServer::start(Server::builder().module(interop()));
        let (tell, told) = std::sync::mpsc::channel();
        let watch = move |watched: Watched<'_>| {
            let line = match watched {
                Watched::Opened { session, peer } => {
                    format!("{session} opened {}", peer.and_then(PeerCredentials::pid).unwrap())
                }
                Watched::Packet { session, packet, .. } => {
                    match MessageReader::new().read(packet).unwrap().pop().unwrap() {
                        Message::Call(call) => format!("{session} call of {}", call.method),
                        Message::Response(response) => format!("{session} {}", response.status),
                    }
                }
                Watched::Closed { session, error } => format!("{session} closed {}", error.is_some()),
                other => format!("{other:?}"),
            };
            tell.send(line).unwrap();
        };
        let proxy = TestProxy::start(|path| Proxy::bind(path, server.path()).unwrap().watch(watch));
        let client = Kind::Blocking.connect(builder(&proxy.path()).wire(Wire::Chunked)).unwrap();
        client.call(7, 700, b"ping").unwrap();
        assert_eq!(client.call(7, 701, b"").unwrap().status, Status::FAILURE);
        drop(client);
        let pid = std::process::id();
        let expected = [
            &format!("1 opened {pid}"),
            "1 call of 700",
            "1 SUCCESS",
            "1 call of 701",
            "1 FAILURE",
            "1 closed false",
        ];
        assert_eq!(told.iter().take(expected.len()).collect::<Vec<_>>(), expected);

        server.stop();
        RawPeer::connect(&proxy.path()).assert_closed();
        let expected = [format!("2 opened {pid}"), "2 closed true".to_owned()];
        assert_eq!(told.iter().take(expected.len()).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_recording_is_replayed_to_a_socket() {
        let server = TestServer::start(Server::builder().module(interop()));
        let recording: Recording = fs::read_to_string(format!(
            "{}/vectors/chunked-2.8/c-client_c-server/echo3.txt",
            env!("CARGO_MANIFEST_DIR")
        ))
        .unwrap()
        .parse()
        .unwrap();
        let again =
            crate::support::in_order(recording.replay_calls(&Client::builder(server.path()))).unwrap();
        assert!(again.sent(Direction::ToClient).eq(recording.sent(Direction::ToClient)));
    }

    /// S4: a client that can't be accepted waits, and the others are served.
    #[test]
    fn out_of_descriptors_a_proxy_waits_and_goes_on() {
        isolated("testing::proxy::out_of_descriptors_a_proxy_waits_and_goes_on", || {
            let logs = Logs::of_this_process();
            let server = TestServer::start(Server::builder().module(interop()));
            let proxy = TestProxy::start(|path| Proxy::bind(path, server.path()).unwrap());
            let early = RawPeer::connect(&proxy.path());
            early.assert_served(Wire::Chunked);
            let waiting = with_descriptors_left(1, || {
                // The client takes the last descriptor.
                let waiting = RawPeer::connect(&proxy.path());
                logs.wait_for("the proxy could not accept a client");
                early.assert_served(Wire::Chunked);
                waiting
            });
            waiting.assert_served(Wire::Chunked);
        });
    }

    /// A listener whose backlog is full has no event to wait for.
    #[test]
    fn who_is_not_accepted_is_waited_for_no_longer_than_is_said() {
        let fake = Fake::with_backlog(0);
        let _first = RawPeer::connect(fake.path());
        let recording: Recording = "# a call without a response\n> 00".parse().unwrap();
        let client = Client::builder(fake.path()).connect_timeout(SOON);
        let failed = crate::support::in_order(recording.replay_calls(&client)).unwrap_err();
        assert!(failed.is_timeout(), "{failed}");
    }

    #[test]
    fn a_half_close_and_an_empty_packet_pass() {
        // W9: a plain session answers an empty packet, and its replies come after a half-close.
        let server =
            TestServer::start(Server::builder().wire(Wire::Plain).module(greeting()).module(interop()));
        let proxy = TestProxy::start(|path| Proxy::bind(path, server.path()).unwrap());
        let peer = RawPeer::connect(&proxy.path());
        peer.send(b"");
        assert!(peer.recv_packet().ends_with(b"Hello "));
        peer.send_call(Wire::Plain, 7, 700, 2, b"last");
        peer.half_close();
        assert_eq!(peer.recv_response(Wire::Plain).body, "last");
        peer.assert_closed();
    }

    #[test]
    fn calls_of_a_client_that_left_are_executed_and_its_handlers_told() {
        // S6.
        let (told, mut tidings) = mpsc::unbounded_channel();
        let module = echo().on(705, move |context: Context, body| {
            let told = told.clone();
            async move {
                context.cancelled().await;
                told.send(body.clone()).unwrap();
                Ok(body)
            }
        });
        let server = TestServer::start(Server::builder().module(module));
        let proxy = TestProxy::start(|path| Proxy::bind(path, server.path()).unwrap());
        let peer = RawPeer::connect(&proxy.path());
        for body in ["one", "two", "three"] {
            peer.send_call(Wire::Chunked, 7, 705, 1, body.as_bytes());
        }
        drop(peer);
        crate::support::in_order(async {
            for body in ["one", "two", "three"] {
                assert_eq!(tidings.recv().await.unwrap(), body);
            }
        });
    }

    #[test]
    fn faults_reach_real_clients_and_they_recover() {
        // C7, W5, for both clients: the right error, and later calls work.
        let server = TestServer::start(Server::builder().module(interop()));
        let faults = Faults::new();
        let proxy = TestProxy::start(|path| Proxy::bind(path, server.path()).unwrap().faults(&faults));
        with_every_client(|kind| {
            let client = kind.connect_to(&proxy.path());
            client.assert_served();
            for (direction, fault, said) in [
                (Direction::ToServer, Fault::Close, "the server closed the connection"),
                (Direction::ToClient, Fault::Close, "the server closed the connection"),
                (Direction::ToClient, Fault::Cut(5), "the server broke the wire's rules: packet of"),
            ] {
                // The second of a message's three packets.
                faults.at(direction, 1, fault);
                let error = client.call(7, 700, &long()).unwrap_err();
                assert!(error.to_string().starts_with(said), "{error}");
                client.reconnect().unwrap();
                client.assert_served();
            }
            assert_eq!(faults.planned(), 0);
        });
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
    }

    #[test]
    fn a_client_is_closed_upon_if_the_server_is_not_there() {
        let server = TestServer::start(Server::builder().module(interop()));
        let proxy = TestProxy::start(|path| Proxy::bind(path, server.path()).unwrap());
        Kind::Blocking.connect_to(&proxy.path()).assert_served();
        server.stop();
        RawPeer::connect(&proxy.path()).assert_closed();
    }

    #[test]
    fn no_descriptor_is_left_of_sessions_that_were_cut() {
        isolated("testing::proxy::no_descriptor_is_left_of_sessions_that_were_cut", || {
            let server = TestServer::start(Server::builder().module(interop()));
            let faults = Faults::new();
            let proxy = TestProxy::start(|path| Proxy::bind(path, server.path()).unwrap().faults(&faults));
            serve_and_close(&proxy.path());
            wait_for_descriptors(&server, None);
            let before = open_descriptors();
            for round in 0..50 {
                let direction = if round % 2 == 0 { Direction::ToServer } else { Direction::ToClient };
                let client = Kind::Blocking.connect_to(&proxy.path());
                faults.at(direction, 1, Fault::Close);
                let error = client.call(7, 700, &long()).unwrap_err();
                assert_eq!(error.kind(), CallErrorKind::Disconnected);
            }
            wait_for_descriptors(&server, Some(before));
        });
    }
}
