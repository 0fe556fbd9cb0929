//! What a server holds for its clients: at the default settings, whatever one user tries, and an honest client beside it.

use std::io::pipe;
use std::os::fd::AsFd;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use drpc::wire::{Call, CallFields, Control, Credit, Response};
use drpc::{
    Body, Bytes, Failure, Incoming, Order, PeerCredentials, Server, ServerBuilder, Status, Stream, Wire,
    WithFds, drpc_module,
};
use futures_util::{StreamExt, stream};
use rustix::process::{Resource, getrlimit};
use tokio::sync::mpsc;

use crate::support::{
    Driver, Gate, Handlers, Logs, PATIENCE, RawPeer, RunningMemory, call, frame, gated, in_order, isolated,
    open_descriptors, packets_of, patiently, raise_the_limit_of_descriptors, with_every_server,
};

const MIB: usize = 1 << 20;

/// What one user's requests may take at the default settings.
const REQUESTS: usize = 128 * MIB;

/// What one user's requests and replies may take.
const ALL: usize = 256 * MIB;

/// What is there beside: the buffers that are kept for later, and what so many sessions and their threads are.
const BESIDE: usize = 128 * MIB;

/// How many sessions the attackers have.
const SESSIONS: usize = 1000;

/// How many streams each of these asks for: twice what there is room for.
const STREAMS: i64 = 16;

/// Runs a test with each server at the default settings, in a process of its own, while an honest client makes one call after the other, all
/// of which must succeed. How long they took is printed, and how long before.
fn beside_an_honest_client(
    name: &str,
    builder: impl Fn() -> ServerBuilder,
    attack: impl Fn(&RawPeer, &Attacked<'_>),
) {
    isolated(&format!("budgets::{name}"), || {
        raise_the_limit_of_descriptors();
        with_every_server(|driver| {
            let server = driver.start(builder().allow_unlisted());
            let path = server.path();
            let calls = Calls::default();
            let (at, before) = (path.to_owned(), RunningMemory::now());
            let attacked = Attacked { driver, path: at, before, calls: &calls };
            let honest = RawPeer::connect(path);
            let before = p99((0..2000).map(|_| time_of_a_call(&honest)).collect());
            thread::scope(|scope| {
                let (stop, stopped) = channel::<()>();
                let calls = &calls;
                scope.spawn(move || {
                    let mut times = Vec::new();
                    while stopped.recv_timeout(Duration::ZERO) == Err(RecvTimeoutError::Timeout) {
                        times.push(time_of_a_call(&honest));
                        calls.add_one();
                    }
                    let calls = times.len();
                    println!(
                        "p99 of {calls} calls of the honest client: {:?}, and {before:?} before",
                        p99(times)
                    );
                });
                let first = RawPeer::connect(path);
                attack(&first, &attacked);
                drop(stop);
            });
        });
    });
}

fn time_of_a_call(client: &RawPeer) -> Duration {
    let begun = Instant::now();
    client.assert_served(Wire::Chunked);
    begun.elapsed()
}

fn p99(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// How many calls the honest client has made.
#[derive(Default)]
struct Calls(Mutex<usize>, Condvar);

impl Calls {
    fn add_one(&self) {
        *self.0.lock().unwrap() += 1;
        self.1.notify_all();
    }
}

/// A server under attack.
struct Attacked<'a> {
    driver: Driver,
    path: std::path::PathBuf,
    before: RunningMemory,
    calls: &'a Calls,
}

impl Attacked<'_> {
    /// Goes on for a thousand calls of the honest client.
    fn stand(&self) {
        let calls = self.calls.0.lock().unwrap();
        let enough = *calls + 1000;
        let waited = self.calls.1.wait_timeout_while(calls, PATIENCE, |calls| *calls < enough).unwrap();
        assert!(!waited.1.timed_out(), "the honest client is not served");
    }

    fn connect(&self) -> RawPeer {
        RawPeer::connect(&self.path)
    }

    #[track_caller]
    fn assert_grown_by_less_than(&self, bytes: usize) {
        let (before, now) = (self.before.resident, RunningMemory::now().resident);
        println!("{} MiB more with the {:?} server", now.saturating_sub(before) / MIB, self.driver);
        assert!(now < before + bytes, "from {before} to {now} bytes");
    }
}

fn packets(method: i32, len: usize) -> Vec<Vec<u8>> {
    let call = Call::<Bytes> { module: 7, method, sequence: 1, body: vec![1; len].into(), added: None };
    packets_of(Wire::Chunked, &call.encode())
}

#[test]
fn half_messages_of_a_thousand_sessions_are_bounded() {
    let builder =
        || Server::builder().message_timeout(Duration::from_secs(600)).module(crate::support::interop());
    beside_an_honest_client("half_messages_of_a_thousand_sessions_are_bounded", builder, |_, server| {
        // 8 MiB each, but for the last packet.
        let packets = packets(700, 8 * MIB);
        let (_, begun) = packets.split_last().unwrap();
        let mut kept = Vec::new();
        for _ in 0..SESSIONS {
            let peer = server.connect();
            if begun.iter().all(|packet| peer.send_unless_closed(packet)) {
                kept.push(peer);
            }
        }
        server.assert_grown_by_less_than(REQUESTS + BESIDE);
        // Some were refused only after all was sent.
        kept.retain(|peer| !peer.has_packet());
        assert!(kept.len() <= REQUESTS / (8 * MIB));
    });
}

#[test]
fn requests_are_counted_until_their_handlers_let_go_of_them() {
    let gate = Gate::new();
    let (ended, mut ends) = mpsc::unbounded_channel();
    let builder = || {
        let ended = ended.clone();
        Server::builder().module(gated(&gate)).on_close(move |session| {
            let _ = ended.send(session.id());
        })
    };
    let name = "requests_are_counted_until_their_handlers_let_go_of_them";
    let ends = std::cell::RefCell::new(&mut ends);
    beside_an_honest_client(name, builder, |first, server| {
        let packets = packets(705, 40 * MIB);
        let peers: Vec<_> = (0..20).map(|_| server.connect()).collect();
        let sent: Vec<_> = peers
            .into_iter()
            .map(|peer| (packets.iter().all(|packet| peer.send_unless_closed(packet)), peer))
            .collect();
        in_order(gate.arrived(3));
        server.assert_grown_by_less_than(REQUESTS + BESIDE);
        for (_, peer) in &sent[3..] {
            // It is told by the answer to what can't be read, and its session ends.
            let response = peer.recv_response(Wire::Chunked);
            assert_eq!((response.sequence, response.status), (-1, Status::FAILED_UNMARSHAL_CALL));
            peer.assert_closed();
        }
        // Their clients leave. All is held nevertheless, and counted.
        drop(sent);
        let refused = server.connect();
        let _ = packets.iter().all(|packet| refused.send_unless_closed(packet));
        assert_eq!(refused.recv_response(Wire::Chunked).sequence, -1);
        server.assert_grown_by_less_than(REQUESTS + BESIDE);
        gate.open(3);
        drop(refused);
        for _ in 0..21 {
            in_order(ends.borrow_mut().recv()).unwrap();
        }
        // There is room again.
        packets.iter().for_each(|packet| first.send(packet));
        in_order(gate.arrived(1));
        gate.open(1);
        assert_eq!(first.recv_response(Wire::Chunked).body.len(), 40 * MIB);
        first.assert_served(Wire::Chunked);
    });
}

#[test]
fn requests_of_a_thousand_sessions_whose_handlers_wait_are_bounded() {
    let gate = Gate::new();
    let builder = || Server::builder().module(gated(&gate));
    let name = "requests_of_a_thousand_sessions_whose_handlers_wait_are_bounded";
    beside_an_honest_client(name, builder, |_, server| {
        let packets = packets(705, MIB);
        let peers: Vec<_> = (0..SESSIONS).map(|_| server.connect()).collect();
        for peer in &peers {
            let _ = packets.iter().all(|packet| peer.send_unless_closed(packet));
        }
        // Either a handler has it, or it is refused.
        let most = REQUESTS / MIB;
        let mut refused = 0;
        while refused < SESSIONS - most {
            refused = peers.iter().filter(|peer| peer.has_packet()).count();
        }
        in_order(gate.arrived((SESSIONS - refused) as u32));
        server.assert_grown_by_less_than(REQUESTS + BESIDE);
        gate.open(SESSIONS - refused);
        let answered = |peer: &&RawPeer| peer.recv_response(Wire::Chunked).status == Status::SUCCESS;
        assert_eq!(peers.iter().filter(answered).count(), SESSIONS - refused);
    });
}

#[test]
fn calls_that_clients_leave_behind_are_bounded() {
    let gate = Gate::new();
    let builder = || Server::builder().drain_timeout(Duration::ZERO).module(gated(&gate));
    let name = "calls_that_clients_leave_behind_are_bounded";
    beside_an_honest_client(name, builder, |first, server| {
        // Each leaves a call that waits, and behind it as many as its socket takes, which are read so that its descriptor can be given back.
        let added = CallFields { is_pack: true, ..CallFields::default() };
        let body = Bytes::from(b"\x07\x08\x07\x10\xbc\x05\x18\x01".repeat(128));
        let pack = Call::<Bytes> { module: 0, method: 0, sequence: 0, body, added: Some(added.into()) };
        let packet = frame(&pack.encode());
        for _ in 0..SESSIONS / 2 {
            let peer = server.connect();
            peer.send_call(Wire::Chunked, 7, 705, 1, b"");
            while peer.try_send(&packet) {}
        }
        in_order(gate.arrived(SESSIONS as u32 / 2));
        // That all is read has no event: it grows no more.
        let mut before = 0;
        loop {
            (0..100).for_each(|_| first.assert_served(Wire::Chunked));
            server.assert_grown_by_less_than(REQUESTS + BESIDE);
            let now = RunningMemory::now().resident;
            if now < before + MIB {
                break;
            }
            before = now;
        }
    });
}

#[test]
fn replies_that_a_thousand_sessions_do_not_read_are_bounded() {
    let builder = || {
        let large = crate::support::echo().on(705, |_, _| async { Ok(vec![7; 4 * MIB].into()) });
        Server::builder().module(large)
    };
    let name = "replies_that_a_thousand_sessions_do_not_read_are_bounded";
    beside_an_honest_client(name, builder, |_, server| {
        let peers: Vec<_> = (0..SESSIONS).map(|_| server.connect()).collect();
        peers.iter().for_each(|peer| peer.send_call(Wire::Chunked, 7, 705, 1, b""));
        let refused = peers.iter().filter(|peer| peer.recv_packet().len() < 100).count();
        server.assert_grown_by_less_than(ALL + BESIDE);
        assert!(SESSIONS - refused <= ALL / (4 * MIB), "{refused} were refused");
    });
}

/// A module of streams, and of what passes descriptors.
struct Lasting(Gate);

#[drpc_module(id = 8, unlisted)]
impl Lasting {
    /// Items without end, each as long as may be without being counted.
    #[method(1, stream)]
    fn pour(&self) -> impl Stream<Item = Result<Bytes, Failure>> + use<> {
        stream::repeat(()).map(|()| Ok(vec![7; 16 << 10].into()))
    }

    /// No item ever comes, and a kilobyte waits for it.
    #[method(2, stream)]
    fn wait(&self) -> impl Stream<Item = Result<Bytes, Failure>> + use<> {
        let own = vec![7; 1 << 10];
        stream::pending().map(move |()| Ok(own.clone().into()))
    }

    /// Takes no item until the gate opens.
    #[method(4, stream)]
    async fn leave(&self, _request: Bytes, items: Incoming<Bytes>) {
        self.0.pass().await;
        drop(items);
    }

    /// Keeps the descriptors that come, until the gate opens.
    #[method(3, fds)]
    async fn keep(&self, files: WithFds<Bytes>) {
        self.0.pass().await;
        drop(files);
    }
}

/// The packet of a call that opens a stream, for which its caller has endless room.
fn opening(method: i32, sequence: i64) -> Vec<u8> {
    let credit = Some(Credit { items: u32::MAX, bytes: u64::MAX });
    let added = Some(CallFields { credit, ..CallFields::default() }.into());
    frame(&Call::<Bytes> { module: 8, method, sequence, body: Bytes::new(), added }.encode())
}

fn lasting(gate: &Gate) -> ServerBuilder {
    Server::builder().module(crate::support::interop()).module(Lasting(gate.clone()))
}

#[test]
fn streams_of_a_thousand_sessions_are_bounded() {
    let builder = || lasting(&Gate::new());
    beside_an_honest_client("streams_of_a_thousand_sessions_are_bounded", builder, |_, server| {
        let peers: Vec<_> = (0..SESSIONS).map(|_| server.connect()).collect();
        let mut refused = 0;
        for sequence in 0..STREAMS {
            peers.iter().for_each(|peer| peer.send(&opening(802, sequence)));
            let responses = peers.iter().map(|peer| peer.recv_response(Wire::Chunked));
            refused += responses.filter(|response| response.status == Status::FAILURE).count();
        }
        let open = SESSIONS * STREAMS as usize - refused;
        assert!((1..=REQUESTS / (16 << 10)).contains(&open), "{open} streams are open");
        server.assert_grown_by_less_than(REQUESTS + BESIDE);
        // Once these have left, others have their room.
        drop(peers);
        loop {
            // As long as many have left and their sessions are not over, a further one may be refused.
            let peer = server.connect();
            if peer.send_unless_closed(&opening(802, 1))
                && let Some(message) = peer.recv_message(Wire::Chunked)
                && Response::decode(message.into()).unwrap().status == Status::SUCCESS
            {
                break;
            }
        }
    });
}

#[test]
fn items_that_are_not_read_are_bounded() {
    // However much room their callers say that they have: what a socket does not take is not asked for.
    let builder = || lasting(&Gate::new());
    beside_an_honest_client("items_that_are_not_read_are_bounded", builder, |_, server| {
        let peers: Vec<_> = (0..SESSIONS / 10).map(|_| server.connect()).collect();
        for sequence in 0..STREAMS {
            peers.iter().for_each(|peer| peer.send(&opening(801, sequence)));
        }
        for peer in &peers {
            assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
        }
        server.stand();
        server.assert_grown_by_less_than(BESIDE);
    });
}

/// A message with a field that nobody knows, so that it has so many bytes.
fn padded(message: &[u8], len: usize) -> Vec<u8> {
    let padding = len - message.len() - 2;
    [message, &[0x7a, padding as u8], &vec![1; padding]].concat()
}

#[test]
fn items_that_are_not_taken_are_no_larger_than_they_count() {
    let gate = Gate::new();
    let builder = || lasting(&gate).order(Order::Concurrent(64));
    let name = "items_that_are_not_taken_are_no_larger_than_they_count";
    beside_an_honest_client(name, builder, |peer, server| {
        let say = |module, method, sequence, body: Bytes, added: CallFields| {
            Call::<Bytes> { module, method, sequence, body, added: Some(added.into()) }.encode()
        };
        const UPLOADS: i64 = 16;
        for sequence in 1..=UPLOADS {
            let sends = CallFields { sends_items: true, ..CallFields::default() };
            peer.send(&frame(&say(8, 804, sequence, Bytes::new(), sends)));
            assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
        }
        let before = RunningMemory::now().resident;
        for sequence in 1..=UPLOADS {
            let item = CallFields { control: Some(Control::Item), ..CallFields::default() };
            let message = say(0, 0, sequence, vec![1; 55].into(), item);
            let packet = frame(&padded(&message, 108));
            (0..4096).for_each(|_| peer.send(&packet));
        }
        // It stands behind them.
        peer.assert_served(Wire::Chunked);
        let grown = RunningMemory::now().resident.saturating_sub(before);
        println!("{} KiB for {UPLOADS} uploads with the {:?} server", grown >> 10, server.driver);
        assert!(grown < UPLOADS as usize * (MIB + (128 << 10)), "{grown} bytes");
        gate.open(UPLOADS as usize);
        for _ in 0..UPLOADS {
            assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
        }
    });
}

#[test]
fn descriptors_of_a_thousand_sessions_are_bounded() {
    let gate = Gate::new();
    let builder = || lasting(&gate);
    beside_an_honest_client("descriptors_of_a_thousand_sessions_are_bounded", builder, |_, server| {
        let peers: Vec<_> = (0..SESSIONS).map(|_| server.connect()).collect();
        peers.iter().for_each(|peer| peer.assert_served(Wire::Chunked));
        let before = open_descriptors();
        // All sessions together may have a quarter of the files that the process may open, and those of one user half of that.
        let most = getrlimit(Resource::Nofile).current.unwrap() as usize / 8;
        let (_reader, writer) = pipe().unwrap();
        let passed = (0..16).map(|_| writer.try_clone().unwrap().into()).collect();
        let body = Body::new().with_descriptors(passed);
        let packet = frame(&Call { module: 8, method: 803, sequence: 1, body, added: None }.encode());
        peers.iter().for_each(|peer| peer.pass_all(&[writer.as_fd(); 16], &packet).unwrap());
        // Either a handler has them, or they are refused.
        let kept = (most / 16).min(SESSIONS);
        while peers.iter().filter(|peer| peer.has_packet()).count() < SESSIONS - kept {}
        in_order(gate.arrived(kept as u32));
        // In threads, one that waits has one of its own.
        let now = open_descriptors();
        assert!(now <= before + most + SESSIONS, "{before} descriptors were open, and {now} are");
        gate.open(kept);
        peers.iter().for_each(|peer| drop(peer.recv_response(Wire::Chunked)));
    });
}

#[test]
fn replies_that_are_not_read_are_bounded() {
    let builder = || {
        let large = crate::support::echo().on(705, |_, _| async { Ok(vec![7; 8 * MIB].into()) });
        Server::builder().module(large)
    };
    beside_an_honest_client("replies_that_are_not_read_are_bounded", builder, |_, server| {
        let peers: Vec<_> = (0..200).map(|_| server.connect()).collect();
        peers.iter().for_each(|peer| peer.send_call(Wire::Chunked, 7, 705, 1, b""));
        let mut refused = 0;
        for peer in &peers {
            let first = peer.recv_packet();
            if first.len() < 100 {
                refused += 1;
                peer.assert_served(Wire::Chunked);
            }
        }
        server.assert_grown_by_less_than(ALL + BESIDE);
        assert!(peers.len() - refused <= ALL / (8 * MIB), "{refused} were refused");
        // Who reads gets all of it.
        drop(peers);
        let peer = server.connect();
        loop {
            peer.send_call(Wire::Chunked, 7, 705, 1, b"");
            let response = peer.recv_response(Wire::Chunked);
            // The sessions of those that left may not have ended yet.
            if response.status == Status::SUCCESS {
                assert_eq!(response.body.len(), 8 * MIB);
                break;
            }
            assert_eq!(response.status, Status::FAILED_MARSHAL);
        }
    });
}

#[test]
fn requests_that_grow_as_they_are_decoded_are_bounded() {
    let gate = Gate::new();
    let builder = || Server::builder().module(crate::support::interop()).module(Holding(gate.clone()));
    let name = "requests_that_grow_as_they_are_decoded_are_bounded";
    beside_an_honest_client(name, builder, |_, server| {
        // As many fields as may be.
        let grows = [0x0a, 0].repeat(64 << 10);
        let peers: Vec<_> = (0..40).map(|_| server.connect()).collect();
        // 8 MiB each.
        let (held, refused) = peers.split_at(15);
        held.iter().for_each(|peer| peer.send_call(Wire::Chunked, 8, 801, 2, &grows));
        in_order(gate.arrived(15));
        for peer in refused {
            peer.send_call(Wire::Chunked, 8, 801, 2, &grows);
            assert_eq!(peer.recv_response(Wire::Chunked).status, Status::FAILED_UNMARSHAL_PAYLOAD);
        }
        server.assert_grown_by_less_than(REQUESTS + BESIDE);
        gate.open(15);
        for peer in held {
            assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
        }
    });
}

/// A module whose handler keeps what it was asked until the gate opens.
struct Holding(Gate);

#[drpc_module(id = 8, unlisted)]
impl Holding {
    #[method(1)]
    async fn hold(&self, request: Growing) {
        self.0.pass().await;
        drop(request);
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Growing {
    #[prost(message, repeated, tag = "1")]
    empty: Vec<Wide>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wide {
    #[prost(string, tag = "1")]
    one: String,
    #[prost(string, tag = "2")]
    two: String,
    #[prost(string, tag = "3")]
    three: String,
}

#[tokio::test]
async fn a_user_at_its_limit_leaves_others_their_room() {
    let gate = Gate::new();
    let builder = Server::builder().order(Order::Concurrent(64)).module(gated(&gate));
    let server = drpc::testing::server_of(builder).unwrap();
    let body = Bytes::from(vec![7; 8 * MIB]);
    let client = |uid| server.clone().peer(PeerCredentials::new(uid, uid)).client();
    let mut waits = Vec::new();
    // Half of what is left for each: 128, 64 and 32 MiB.
    for (uid, calls) in [(1000, 15), (1001, 8), (1002, 4)] {
        let greedy = client(uid);
        for _ in 0..calls {
            let (greedy, body) = (greedy.clone(), body.clone());
            waits.push(tokio::spawn(async move { call(&greedy, 705, body).await }));
        }
        gate.arrived(calls).await;
        let refused = call(&client(uid), 700, body.clone()).await.unwrap();
        assert_eq!(refused.status, Status::FAILED_UNMARSHAL_CALL);
    }
    assert_eq!(call(&client(1003), 700, body.clone()).await.unwrap().body, body);
}

#[tokio::test]
async fn groups_of_which_a_peer_has_many_are_counted() {
    // 256 KiB each, of 4 MiB of requests.
    let builder = Server::builder().memory_limit_per_uid(8 * MIB).module(crate::support::interop());
    let server = drpc::testing::server_of(builder).unwrap();
    let client = |uid| {
        let peer = PeerCredentials::new(uid, uid).with_groups(0..65_536);
        server.clone().peer(peer).client()
    };
    let mut clients = Vec::new();
    while clients.len() < 100 {
        let client = client(1000);
        if call(&client, 700, "").await.is_err() {
            break;
        }
        clients.push(client);
    }
    assert_eq!(clients.len(), 16);
    assert_eq!(call(&client(1001), 700, "mine").await.unwrap().body, "mine");
    drop(clients);
    patiently("room", async {
        while call(&client(1000), 700, "").await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[test]
fn the_limits_say_what_was_over_them_and_can_be_set() {
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let limits: [fn(ServerBuilder) -> ServerBuilder; 2] =
            [|builder| builder.memory_limit(4 * MIB), |builder| builder.memory_limit_per_uid(2 * MIB)];
        for limited in limits {
            let module = Handlers::new(7, "interop")
                .on(700, |_, body| async { Ok(body) })
                .on(705, |_, _| async { Ok(vec![7; 3 * MIB].into()) });
            let server = driver.start(limited(Server::builder().module(module)));
            let peer = RawPeer::connect(server.path());
            // A reply that does not fit is one that can't be marshalled (D4), and the session goes on.
            peer.send_call(Wire::Chunked, 7, 705, 5, b"");
            let response = peer.recv_response(Wire::Chunked);
            assert_eq!((response.sequence, response.status), (5, Status::FAILED_MARSHAL));
            logs.wait_for("no room for 3145728 bytes more: 0 are held for calls of this user");
            peer.send_call(Wire::Chunked, 7, 700, 6, &vec![7; 900 << 10]);
            assert_eq!(peer.recv_response(Wire::Chunked).body.len(), 900 << 10);
            // A call that does not fit ends its session, as one that is too long does.
            let _ = packets(700, 3 * MIB).iter().all(|packet| peer.send_unless_closed(packet));
            let response = peer.recv_response(Wire::Chunked);
            assert_eq!((response.sequence, response.status), (-1, Status::FAILED_UNMARSHAL_CALL));
            peer.assert_closed();
            logs.wait_for("session closed: no room for");
            logs.assert_contain("`ServerBuilder::memory_limit` and `memory_limit_per_uid` allow no more");
        }
    });
}
