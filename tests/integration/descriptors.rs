//! Descriptors that go with messages: they come whole, to the right message and to nobody else, and are closed with their owner.

use std::collections::BTreeMap;
use std::io::{PipeReader, Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use drpc::testing::{self, Faults, MockModule, Proxy, Recorder};
use drpc::wire::{Call, CallFields, Response, ResponseFields};
use drpc::{
    AddedFields, Body, CallError, CallErrorKind, CallOptions, Caller, Context, Failure, Method, Order,
    PeerCredentials, Server, ServerBuilder, Status, Wire, WithFds, drpc_module,
};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use prost::Message;
use rustix::io::{Errno, FdFlags, fcntl_getfd};

use crate::load::wait_for_descriptors;
use crate::support::{
    AnyClient, Driver, Fake, Gate, Hello, HelloResponse, Kind, Logs, PATIENCE, RawPeer, builder, frame,
    in_order, interop, isolated, open_descriptors, packets_of, pair, raise_the_limit_of_descriptors, runtime,
    soon, with_descriptors_left, with_every_client, with_every_server, without_response,
};

struct Doors;

#[drpc_module(id = 7, unlisted)]
impl Doors {
    #[method(0)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    /// Gives what it was given back, but in reverse.
    #[method(1, fds)]
    async fn turn(&self, mut req: WithFds<Bytes>) -> Result<WithFds<Bytes>, Failure> {
        for descriptor in &req.fds {
            assert!(fcntl_getfd(descriptor).unwrap().contains(FdFlags::CLOEXEC));
        }
        req.fds.reverse();
        Ok(req)
    }

    /// The reading end of a pipe that has the name in it.
    #[method(2, fds)]
    fn give(&self, req: Hello) -> Result<WithFds<HelloResponse>, Failure> {
        Ok(WithFds::new(HelloResponse { greeting: "here".into() }, [holding(&req.name)]))
    }

    /// What is in a pipe.
    #[method(3, fds)]
    fn read(&self, req: WithFds<()>) -> Result<HelloResponse, Failure> {
        let ((), [descriptor]) = req.exactly()?;
        Ok(HelloResponse { greeting: content(descriptor) })
    }

    /// Keeps its descriptors until its caller has left.
    #[method(4, fds)]
    async fn keep(&self, context: &Context, req: WithFds<()>) {
        context.cancelled().await;
        drop(req);
    }
}

const TURN: Method = DoorsMethod::Turn.method();
const GIVE: Method = DoorsMethod::Give.method();
const READ: Method = DoorsMethod::Read.method();
const KEEP: Method = DoorsMethod::Keep.method();

fn doors() -> ServerBuilder {
    Server::builder().allow_unlisted().module(Doors)
}

/// The reading end of a pipe that has a text in it.
fn holding(text: &str) -> PipeReader {
    let (reader, mut writer) = pipe().unwrap();
    writer.write_all(text.as_bytes()).unwrap();
    reader
}

fn content(pipe: impl Into<OwnedFd>) -> String {
    let mut text = String::new();
    PipeReader::from(pipe.into()).read_to_string(&mut text).unwrap();
    text
}

/// Waits until nobody has the other end of a pipe any more.
fn assert_closed(mut reader: PipeReader) {
    assert_eq!(reader.read(&mut [0; 8]).unwrap(), 0);
}

/// A message's one descriptor.
fn only<M>(message: WithFds<M>) -> OwnedFd {
    let (_, [descriptor]) = message.exactly().unwrap();
    descriptor
}

fn numbered(count: usize) -> Vec<PipeReader> {
    (0..count).map(|number| holding(&number.to_string())).collect()
}

fn error_of<T>(result: Result<T, CallError>) -> CallError {
    match result {
        Ok(_) => panic!("the call went well"),
        Err(error) => error,
    }
}

#[track_caller]
fn assert_refused<T>(result: Result<T, CallError>, text: &str) {
    let error = error_of(result);
    assert_eq!(error.kind(), CallErrorKind::Descriptors, "{error}");
    assert!(error.to_string().contains(text), "{error}");
    assert!(!error.is_retryable());
}

fn with_every_pair(builder: impl Fn() -> ServerBuilder, test: impl Fn(&AnyClient)) {
    with_every_server(|driver| {
        let server = driver.start(builder());
        with_every_client(|kind| test(&kind.connect_to(server.path())));
    });
}

fn turned(client: &AnyClient, body: Bytes, count: usize) -> Result<WithFds<Bytes>, CallError> {
    client.call_as(TURN, WithFds::new(body, numbered(count)), &CallOptions::new())
}

#[test]
fn they_go_both_ways_with_short_messages_and_long_ones() {
    with_every_pair(doors, |client| {
        for (len, count) in [(0, 1), (5, 16), (300_000, 3), (4, 0)] {
            let body = Bytes::from(vec![b'x'; len]);
            let reply = turned(client, body.clone(), count).unwrap();
            assert_eq!(reply.message, body);
            for descriptor in &reply.fds {
                assert!(fcntl_getfd(descriptor).unwrap().contains(FdFlags::CLOEXEC));
            }
            let numbers: Vec<_> = reply.fds.into_iter().map(content).collect();
            assert_eq!(numbers, (0..count).rev().map(|number| number.to_string()).collect::<Vec<_>>());
            assert_eq!(client.call(7, 700, b"in between").unwrap().body, "in between");
        }
        let options = CallOptions::new();
        let given: WithFds<HelloResponse> =
            client.call_as(GIVE, Hello { name: "a text".into() }, &options).unwrap();
        let (message, [descriptor]) = given.exactly().unwrap();
        assert_eq!((message.greeting.as_str(), content(descriptor).as_str()), ("here", "a text"));
        let read: HelloResponse =
            client.call_as(READ, WithFds::new((), [holding("another")]), &options).unwrap();
        assert_eq!(read.greeting, "another");
    });
}

#[test]
fn as_many_as_the_kernel_passes() {
    isolated("descriptors::as_many_as_the_kernel_passes", || {
        // A user may have an eighth of them.
        raise_the_limit_of_descriptors();
        with_every_pair(
            || doors().descriptor_limit(253).session_descriptor_limit(1000),
            |client| {
                let reply = turned(client, Bytes::new(), 253).unwrap();
                assert_eq!(content(reply.fds.into_iter().next().unwrap()), "252");
                assert_refused(
                    turned(client, Bytes::new(), 254),
                    "it has 254 descriptors, and a message has at most 253",
                );
                client.assert_served();
            },
        );
    });
}

#[test]
fn each_call_of_a_batch_and_of_many_at_once_has_its_own() {
    with_every_server(|driver| {
        let server = driver.start(doors().order(Order::Concurrent(32)));
        with_every_client(|kind| {
            let settings = builder(server.path()).server_answers_in_order(false);
            let client = kind.connect(settings).unwrap();
            let requests = (0..60).map(|number| WithFds::new((), [holding(&number.to_string())])).collect();
            let replies = client.batch_as::<_, HelloResponse>(READ, requests, &CallOptions::new());
            for (number, reply) in replies.into_iter().enumerate() {
                assert_eq!(reply.unwrap().greeting, number.to_string());
            }
            thread::scope(|scope| {
                for thread in 0..4 {
                    let client = client.clone();
                    scope.spawn(move || {
                        for call in 0..50 {
                            let name = format!("{thread}.{call}");
                            let request = Hello { name: name.clone() };
                            let given: WithFds<HelloResponse> =
                                client.call_as(GIVE, request, &CallOptions::new()).unwrap();
                            assert_eq!(content(only(given)), name);
                        }
                    });
                }
            });
        });
    });
}

#[test]
fn too_many_are_refused_by_name_and_closed_and_the_session_goes_on() {
    with_every_pair(doors, |client| {
        let (reader, writer) = pipe().unwrap();
        let sent = WithFds::new(Bytes::new(), (0..17).map(|_| writer.try_clone().unwrap()));
        let error = error_of(client.call_as::<_, WithFds<Bytes>>(TURN, sent, &CallOptions::new()));
        assert_eq!(error.status(), Some(Status::FAILURE));
        assert!(error.peer_text().unwrap().contains("a message may have 16 descriptors here"), "{error}");
        drop(writer);
        assert_closed(reader);
        client.assert_served();
    });
}

#[test]
fn the_calls_of_a_session_have_so_many_in_all() {
    with_every_server(|driver| {
        let server = driver.start(doors().order(Order::Concurrent(8)).session_descriptor_limit(3));
        let peer = RawPeer::connect(server.path());
        let writers: Vec<_> = (0..4).map(|_| pipe().unwrap()).collect();
        for (sequence, (_, writer)) in (1..).zip(&writers) {
            let packet = frame(&announcing(KEEP, sequence, 1).encode());
            peer.pass(writer, &packet).unwrap();
        }
        let refused = peer.recv_response(Wire::Chunked);
        assert_eq!((refused.sequence, refused.status), (4, Status::FAILURE));
        let text = refused.added.unwrap().error;
        assert!(text.contains("too many descriptors: 3 in all"), "{text}");
        // Another session has its own.
        let kept = RawPeer::connect(server.path());
        kept.pass(holding("mine"), &frame(&announcing(READ, 9, 1).encode())).unwrap();
        assert_eq!(kept.recv_response(Wire::Chunked).status, Status::SUCCESS);
        drop(peer);
        for (reader, writer) in writers {
            drop(writer);
            assert_closed(reader);
        }
    });
}

#[test]
fn the_calls_of_a_user_have_so_many_in_all() {
    with_every_server(|driver| {
        let server = driver.start(doors().order(Order::Concurrent(8)).descriptor_limit_per_uid(3));
        let [one, other] = [(); 2].map(|()| RawPeer::connect(server.path()));
        let has_room = || {
            other.pass(holding("a text"), &frame(&announcing(READ, 9, 1).encode())).unwrap();
            let Response { status, added, .. } = other.recv_response(Wire::Chunked);
            if status.is_failure() {
                let text = added.unwrap().error;
                assert!(
                    text.contains("3 in all, as `ServerBuilder::descriptor_limit_per_uid` says"),
                    "{text}"
                );
            }
            status.is_success()
        };
        let (reader, writer) = pipe().unwrap();
        let passed = [writer.as_fd(); 3];
        one.pass_all(&passed, &frame(&announcing(KEEP, 1, 3).encode())).unwrap();
        // The answer to a call behind it shows that it was looked at.
        one.assert_served(Wire::Chunked);
        assert!(!has_room());
        // What its handler lets go of is there again.
        drop(one);
        while !has_room() {}

        // Those of half a message count, too. If the call before still has its own, they are refused: then another half is sent.
        let call = Call { body: vec![b'x'; 300_000].into(), ..announcing(TURN, 1, 3) }.encode();
        let half = || {
            let half = RawPeer::connect(server.path());
            half.pass_all(&passed, &packets_of(Wire::Chunked, &call)[0]).unwrap();
            (0..100).all(|_| has_room())
        };
        while half() {}
        while !has_room() {}
        drop(writer);
        assert_closed(reader);
    });
}

#[test]
fn a_user_who_passes_all_there_may_be_leaves_others_theirs() {
    isolated("descriptors::a_user_who_passes_all_there_may_be_leaves_others_theirs", || {
        // A quarter of so many may be of calls, and a user may have half of those.
        with_descriptors_left(200, || {
            in_order(async {
                let builder = doors().explicit_modules_only().order(Order::Concurrent(100));
                let server = testing::server_of(builder).unwrap();
                let client =
                    |uid| DoorsClient::new(server.clone().peer(PeerCredentials::new(uid, uid)).client());
                let (greedy, other) = (client(1000), client(1001));
                let keeping = [(); 2].map(|()| greedy.keep(WithFds::new((), numbered(16))));
                let refused = FuturesUnordered::from_iter(keeping).next().await.unwrap().unwrap_err();
                let text = refused.peer_text().unwrap();
                assert!(text.contains("no more than are left for others"), "{text}");
                let read = other.read(WithFds::new((), numbered(16))).await;
                assert!(read.unwrap_err().peer_text().unwrap().contains("16 descriptors in place of 1"));
            });
        });
    });
}

/// A call that says it has so many.
fn announcing(method: Method, sequence: i64, descriptors: usize) -> Call<Body> {
    let some: Vec<_> = numbered(descriptors).into_iter().map(Into::into).collect();
    let body = Body::new().with_descriptors(some);
    let added = CallFields { wants_error: true, takes_descriptors: true, ..CallFields::default() };
    Call { module: 7, method: method.id(), sequence, body, added: Some(added.into()) }
}

#[test]
fn a_method_that_takes_none_is_not_called_with_some() {
    with_every_server(|driver| {
        let (logs, _guard) = Logs::of_this_thread();
        let server = driver.start(doors());
        let peer = RawPeer::connect(server.path());
        let echo = DoorsMethod::Echo.method();
        for call in [announcing(echo, 1, 1).encode(), announcing(echo, 1, 0).encode()] {
            let (reader, writer) = pipe().unwrap();
            peer.pass(writer, &frame(&call)).unwrap();
            let response = peer.recv_response(Wire::Chunked);
            assert_eq!(response.status, Status::FAILURE);
            let text = response.added.unwrap().error;
            assert!(text.contains("method `echo` takes no descriptors"), "{text}");
            assert_closed(reader);
        }
        logs.assert_contain("method `echo` takes no descriptors");
        peer.assert_served(Wire::Chunked);

        // Of a method that there is not, and of what is no call.
        for packet in [frame(&announcing(Method::new(7, 799, "none"), 1, 1).encode()), frame(b"\xff")] {
            let (reader, writer) = pipe().unwrap();
            peer.pass(writer, &packet).unwrap();
            assert!(peer.recv_response(Wire::Chunked).status.is_failure());
            assert_closed(reader);
        }
        peer.assert_served(Wire::Chunked);
    });
}

#[test]
fn a_message_has_as_many_as_it_says() {
    with_every_server(|driver| {
        let server = driver.start(doors());
        let peer = RawPeer::connect(server.path());
        // More come, fewer, none, and some that were not announced.
        for (announced, passed) in [(1, 2), (2, 1), (0, 1)] {
            let descriptors = numbered(passed);
            let descriptors: Vec<_> = descriptors.iter().map(AsFd::as_fd).collect();
            peer.pass_all(&descriptors, &frame(&announcing(TURN, 1, announced).encode())).unwrap();
            let text = peer.recv_response(Wire::Chunked).added.unwrap().error;
            assert!(text.contains(&format!("{announced} descriptors, and {passed} came")), "{text}");
        }
        peer.send(&frame(&announcing(TURN, 1, 3).encode()));
        assert!(peer.recv_response(Wire::Chunked).status.is_failure());
        peer.assert_served(Wire::Chunked);
    });
}

#[test]
fn a_server_without_such_a_method_refuses_them() {
    with_every_pair(
        || Server::builder().module(interop()),
        |client| {
            assert_refused(turned(client, Bytes::new(), 1), "the server takes no descriptors");
            client.assert_served();
        },
    );
}

#[test]
fn a_server_that_ignores_added_fields_heeds_descriptors() {
    with_every_pair(
        || doors().added_fields(false),
        |client| assert_eq!(turned(client, "body".into(), 2).unwrap().fds.len(), 2),
    );
}

#[test]
fn wrong_use_is_told_before_anything_is_sent() {
    with_every_server(|driver| {
        let server = driver.start(doors());
        with_every_client(|kind| {
            let client = kind.connect_to(server.path());
            let with = || WithFds::new(Bytes::new(), numbered(1));
            let undeclared = Method::new(7, TURN.id(), "turn");
            let turned = client.call_as::<_, WithFds<Bytes>>(undeclared, with(), &CallOptions::new());
            assert_refused(turned, "its method takes none; declare it by `#[method(…, fds)]`");
            let turned = client.call_as::<_, ()>(TURN, with(), &without_response());
            assert_refused(turned, "only a response tells that its descriptors have come");
            let plain = kind.connect(builder(server.path()).wire(Wire::Plain)).unwrap();
            assert_refused(self::turned(&plain, Bytes::new(), 1), "the plain wire of DAOS 2.6 does not");
            client.assert_served();
        });
    });
}

#[test]
fn a_call_that_passes_none_says_nothing_of_them() {
    // E5: byte for byte what it was.
    with_every_client(|kind| {
        let fake = Fake::listen();
        let (client, server) = pair(kind, &fake, |settings| settings.added_fields(AddedFields::NONE));
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.call(7, 700, b"body"));
            let call =
                Call::<Bytes> { module: 7, method: 700, sequence: 1, body: "body".into(), added: None };
            assert_eq!(server.recv_packet(), frame(&call.encode()));
            server.send_reply(Wire::Chunked, 1, 0, b"");
            calling.join().unwrap().unwrap();
        });
    });
}

#[test]
fn a_peer_that_knows_none_is_told_by_what_its_answer_lacks() {
    with_every_client(|kind| {
        let fake = Fake::listen();
        let (client, server) = pair(kind, &fake, |settings| settings);
        thread::scope(|scope| {
            let calling = scope.spawn(|| turned(&client, Bytes::new(), 1));
            // Who asks for no descriptors is given none by the kernel.
            let call = server.recv_call(Wire::Chunked).unwrap();
            server.send_reply(Wire::Chunked, call.sequence, 0, b"done");
            assert_refused(calling.join().unwrap(), "it knows of none, and may have carried the call out");
        });
    });
}

#[test]
fn a_reply_has_what_it_says_and_another_methods_has_none() {
    with_every_client(|kind| {
        let fake = Fake::listen();
        let (client, server) = pair(kind, &fake, |settings| settings);
        let reply = |sequence, announced: usize| {
            let some = numbered(announced).into_iter().map(Into::into).collect();
            let body = Body::from("body").with_descriptors(some);
            let added = ResponseFields { took_descriptors: true, ..ResponseFields::default() };
            frame(&Response { sequence, status: Status::SUCCESS, body, added: Some(added.into()) }.encode())
        };
        thread::scope(|scope| {
            // Before it has called a method that takes some, the kernel lets none come.
            let calling = scope.spawn(|| client.call(7, 700, b""));
            let sequence = server.recv_call(Wire::Chunked).unwrap().sequence;
            let passed = server.pass(holding(""), &reply(sequence, 1));
            assert_eq!(passed.unwrap_err().raw_os_error(), Some(Errno::PERM.raw_os_error()));
            server.send(&reply(sequence, 0));
            calling.join().unwrap().unwrap();
        });
        for (announced, text) in
            [(1, None), (2, Some("it has 2 descriptors, and 1 came")), (0, Some("it has 0"))]
        {
            let (reader, writer) = pipe().unwrap();
            thread::scope(|scope| {
                let calling = scope.spawn(|| turned(&client, Bytes::new(), 1));
                let sequence = server.recv_call(Wire::Chunked).unwrap().sequence;
                server.pass(writer, &reply(sequence, announced)).unwrap();
                match text {
                    None => assert_eq!(calling.join().unwrap().unwrap().fds.len(), 1),
                    Some(text) => assert_refused(calling.join().unwrap(), text),
                }
            });
            assert_closed(reader);
        }
        let (reader, writer) = pipe().unwrap();
        thread::scope(|scope| {
            let calling = scope.spawn(|| client.call(7, 700, b""));
            let sequence = server.recv_call(Wire::Chunked).unwrap().sequence;
            server.pass(writer, &reply(sequence, 1)).unwrap();
            let response = calling.join().unwrap().unwrap();
            assert_eq!(response.body, "body");
            assert!(response.added.unwrap().descriptors.is_empty());
        });
        assert_closed(reader);
    });
}

#[test]
fn a_call_that_is_given_up_closes_them() {
    with_every_server(|driver| {
        let server = driver.start(doors());
        with_every_client(|kind| {
            let client = kind.connect_to(server.path());
            let (reader, writer) = pipe().unwrap();
            let kept = client.call_as::<_, ()>(KEEP, WithFds::new((), [writer]), &soon());
            assert!(kept.unwrap_err().is_timeout());
            drop(client);
            assert_closed(reader);
        });
    });
}

#[test]
fn half_a_message_keeps_none_when_its_sender_goes() {
    with_every_server(|driver| {
        let server = driver.start(doors());
        let (reader, writer) = pipe().unwrap();
        let peer = RawPeer::connect(server.path());
        let body = Body::from(vec![b'x'; 300_000]);
        let call = Call { body, ..announcing(TURN, 1, 1) }.encode();
        peer.pass(writer, &packets_of(Wire::Chunked, &call)[0]).unwrap();
        drop(peer);
        assert_closed(reader);
        RawPeer::connect(server.path()).assert_served(Wire::Chunked);
    });
}

/// A TCP socket whose closing takes as long as it is told, since its peer reads nothing.
fn lingering() -> (OwnedFd, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (peer, _) = listener.accept().unwrap();
    socket.set_nonblocking(true).unwrap();
    while (&socket).write(&[0; 65536]).is_ok() {}
    socket.set_nonblocking(false).unwrap();
    rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::from_secs(600))).unwrap();
    (socket.into(), peer)
}

#[test]
fn a_strangers_socket_that_lingers_holds_nobody_up() {
    with_every_server(|driver| {
        let server = driver.start(doors());
        let peer = RawPeer::connect(server.path());
        let mut unread = Vec::new();
        // To a method that takes none, in half a message, and unread by a session that ends.
        for packet in [
            frame(&announcing(DoorsMethod::Echo.method(), 1, 1).encode()),
            packets_of(
                Wire::Chunked,
                &Call { body: vec![0; 300_000].into(), ..announcing(TURN, 1, 1) }.encode(),
            )
            .swap_remove(0),
            frame(b"\xff"),
        ] {
            let (socket, other) = lingering();
            unread.push(other);
            let stranger = RawPeer::connect(server.path());
            stranger.pass(&socket, &packet).unwrap();
            stranger.pass(&socket, &packet).unwrap_or_default();
            drop(socket);
            drop(stranger);
            peer.assert_served(Wire::Chunked);
        }
        drop(peer);
        server.stop();
    });
}

#[test]
fn strangers_sockets_of_which_there_are_too_many_hold_nobody_up() {
    with_every_server(|driver| {
        let server = driver.start(doors());
        let [(one, _unread), (other, _unread_either)] = [lingering(), lingering()];
        let stranger = RawPeer::connect(server.path());
        let call = frame(&announcing(READ, 1, 2).encode());
        stranger.pass_all(&[one.as_fd(), other.as_fd()], &call).unwrap();
        drop((one, other));
        let status = stranger.recv_response(Wire::Chunked).status;
        assert_eq!(status, Status::FAILED_UNMARSHAL_PAYLOAD);
        stranger.assert_served(Wire::Chunked);
        drop(stranger);
        server.stop();
    });
}

#[test]
fn a_flood_leaves_the_process_files_to_open() {
    isolated("descriptors::a_flood_leaves_the_process_files_to_open", || {
        let server =
            Driver::Tokio.start(doors().order(Order::Concurrent(100)).session_descriptor_limit(1000));
        let (reader, writer) = pipe().unwrap();
        let descriptors = [writer.as_fd(); 16];
        let mut refused = None;
        // The process may open so many files, and a quarter of these may be of calls, of which a user may have half.
        with_descriptors_left(400, || {
            let peers: Vec<_> = (0..20).map(|_| RawPeer::connect(server.path())).collect();
            'flood: for sequence in 1.. {
                for peer in &peers {
                    peer.pass_all(&descriptors, &frame(&announcing(KEEP, sequence, 16).encode())).unwrap();
                    // The answer to a call behind it shows that it was looked at.
                    peer.send_call(Wire::Chunked, 7, 700, -sequence, b"");
                    let response = peer.recv_response(Wire::Chunked);
                    if response.sequence == sequence {
                        refused = Some(response.added.unwrap().error);
                        break 'flood;
                    }
                }
            }
            let others: Vec<_> = (0..50).map(|_| pipe().unwrap()).collect();
            RawPeer::connect(server.path()).assert_served(Wire::Chunked);
            drop((peers, others));
        });
        assert!(refused.unwrap().contains("of a quarter of the files that the process may open"));
        drop(writer);
        assert_closed(reader);
    });
}

#[test]
fn what_the_kernel_drops_is_told_and_the_session_goes_on() {
    isolated("descriptors::what_the_kernel_drops_is_told_and_the_session_goes_on", || {
        with_every_server(|driver| {
            let server = driver.start(doors());
            let peer = RawPeer::connect(server.path());
            peer.assert_served(Wire::Chunked);
            // So many that a quarter is more than the message has.
            let others: Vec<_> = (0..50).map(|_| pipe().unwrap()).collect();
            wait_for_descriptors(&server, None);
            let before = open_descriptors();
            let (reader, writer) = pipe().unwrap();
            let packet = frame(&announcing(TURN, 1, 3).encode());
            for left in 0..3 {
                let response = with_descriptors_left(left, || {
                    peer.pass_all(&[writer.as_fd(); 3], &packet).unwrap();
                    peer.recv_response(Wire::Chunked)
                });
                assert_eq!((response.sequence, response.status), (1, Status::FAILURE));
                let text = response.added.unwrap().error;
                assert!(text.contains("the kernel dropped some of the descriptors"), "{left}: {text}");
                peer.assert_served(Wire::Chunked);
            }
            drop(writer);
            assert_closed(reader);
            wait_for_descriptors(&server, Some(before));
            drop(others);
        });
    });
}

#[test]
fn none_is_left_open() {
    isolated("descriptors::none_is_left_open", || {
        with_every_server(|driver| {
            let server = driver.start(doors());
            with_every_client(|kind| {
                wait_for_descriptors(&server, None);
                let before = open_descriptors();
                let client = kind.connect_to(server.path());
                for round in 0..50 {
                    drop(turned(&client, vec![b'x'; 40_000 * (round % 5)].into(), round % 20));
                    let given =
                        client.call_as::<_, ()>(GIVE, Hello { name: "nobody".into() }, &CallOptions::new());
                    given.unwrap();
                    let _ = turned(&client, Bytes::new(), 17).map(drop);
                }
                drop(client);
                wait_for_descriptors(&server, Some(before));
            });
        });
    });
}

#[test]
fn in_memory_and_through_a_recorder_they_are_passed_on() {
    in_order(async {
        let recorder = Recorder::new();
        for faults in [None, Some(Faults::new())] {
            let server = testing::server_of(doors().explicit_modules_only()).unwrap();
            let server = faults.iter().fold(server, |server, faults| server.record(&recorder).faults(faults));
            let client = DoorsClient::new(server.client());
            let (reader, writer) = pipe().unwrap();
            let sent = WithFds::new(Bytes::from(vec![b'x'; 300_000]), [holding("a"), holding("b")]);
            let reply = client.turn(sent).await.unwrap();
            assert_eq!(reply.message.len(), 300_000);
            assert_eq!(reply.fds.into_iter().map(content).collect::<String>(), "ba");
            let error = client.turn(WithFds::new(Bytes::new(), (0..17).map(|_| writer.try_clone().unwrap())));
            assert_eq!(error.await.unwrap_err().status(), Some(Status::FAILURE));
            drop(writer);
            tokio::task::spawn_blocking(move || assert_closed(reader)).await.unwrap();
        }
    });
}

#[test]
fn in_memory_a_server_without_such_a_method_refuses_them() {
    in_order(async {
        let server = testing::server_of(Server::builder().explicit_modules_only().module(interop())).unwrap();
        let call = |client: drpc::Client| async move {
            let sent = WithFds::new(Bytes::new(), numbered(1));
            client.call::<_, WithFds<Bytes>>(TURN, sent, &CallOptions::new()).await
        };
        assert_refused(call(server.client()).await, "the server takes no descriptors");
        // With somebody in the middle, by the server alone.
        let error = error_of(call(server.record(&Recorder::new()).client()).await);
        assert!(error.peer_text().unwrap().contains("takes no descriptors"), "{error}");
    });
}

#[test]
fn a_proxy_passes_them_on() {
    let server = Driver::Tokio.start(doors());
    let without = Driver::Tokio.start(Server::builder().module(interop()));
    let directory = tempfile::tempdir().unwrap();
    let runtime = runtime();
    let _entered = runtime.enter();
    for (name, server) in [("with", &server), ("without", &without)] {
        let path = directory.path().join(name);
        runtime.spawn(Proxy::bind(&path, server.path()).unwrap().record(&Recorder::new()).serve());
        let client = Kind::Blocking.connect_to(&path);
        let reply = turned(&client, Bytes::new(), 3);
        match name {
            "with" => assert_eq!(reply.unwrap().fds.into_iter().map(content).collect::<String>(), "210"),
            _ => assert!(error_of(reply).peer_text().unwrap().contains("takes no descriptors")),
        }
    }
}

#[test]
fn a_mock_takes_them_and_gives_them() {
    in_order(async {
        let mock = MockModule::new(7, "doors")
            .on(701, |request: WithFds<Bytes>| Ok(WithFds::new(request.message, request.fds)))
            .reply(702, WithFds::new(HelloResponse::default(), [holding("a text")]));
        let server = testing::server_of(Server::builder().explicit_modules_only().module(mock)).unwrap();
        let client = DoorsClient::new(server.client());
        let reply = client.turn(WithFds::new(Bytes::new(), [holding("mine")])).await.unwrap();
        assert_eq!(content(only(reply)), "mine");
        let given = client.give(Hello::default()).await.unwrap();
        assert_eq!(content(only(given)), "a text");
    });
}

#[test]
fn a_handler_of_a_method_by_hand_has_them_in_its_context() {
    struct ByHand;

    #[drpc::async_trait]
    impl drpc::Module for ByHand {
        fn id(&self) -> i32 {
            7
        }

        fn name(&self) -> &str {
            "by hand"
        }

        fn get_method(&self, id: i32) -> Option<Method> {
            let methods = BTreeMap::from([(701, TURN), (702, Method::new(7, 702, "undeclared"))]);
            methods.get(&id).copied()
        }

        async fn handle_call(
            self: std::sync::Arc<Self>,
            context: Context,
            _: Method,
            body: Bytes,
        ) -> Result<drpc::Reply, Failure> {
            let mut descriptors = context.descriptors().take();
            descriptors.push(holding("more").into());
            Ok(Body::from(body).with_descriptors(descriptors).into())
        }
    }

    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(ByHand));
        let client = Kind::Blocking.connect_to(server.path());
        assert_eq!(turned(&client, Bytes::new(), 2).unwrap().fds.len(), 3);
        let error = error_of(client.call_as::<_, WithFds<()>>(GIVE, (), &CallOptions::new()));
        assert!(error.peer_text().unwrap().contains("its method is not declared with `fds`"), "{error}");
    });
}

/// Handlers that wait, and one that tells what its descriptors hold.
struct Waits(Gate, Sender<String>);

#[drpc_module(id = 8, unlisted)]
impl Waits {
    #[method(0)]
    async fn wait(&self) {
        self.0.pass().await;
    }

    #[method(1, fds)]
    fn tell(&self, req: WithFds<Bytes>) {
        self.1.send(req.fds.into_iter().map(content).collect()).unwrap();
    }
}

const WAIT: Method = WaitsMethod::Wait.method();
const TELL: Method = WaitsMethod::Tell.method();

/// A call of [`Waits`] without descriptors, whose client may say something of its calls.
fn waiting(sequence: i64) -> Vec<u8> {
    let added = CallFields { asks_control: true, ..CallFields::default() };
    let call: Call =
        Call { module: 8, method: WAIT.id(), sequence, body: Bytes::new(), added: Some(added.into()) };
    frame(&call.encode())
}

/// The packets of a long call that says it has one descriptor.
fn long_call(sequence: i64) -> Vec<Vec<u8>> {
    let body = Body::from(vec![b'x'; 300_000]).with_descriptors(vec![holding("").into()]);
    packets_of(Wire::Chunked, &Call { body, ..announcing(TURN, sequence, 0) }.encode())
}

/// Gives the server the time that it takes to read what has been sent: others connect and leave meanwhile, for which no call needs room.
fn let_it_read(path: &Path) {
    for _ in 0..20 {
        let other = RawPeer::connect(path);
        other.half_close();
        other.assert_closed();
    }
}

#[test]
fn those_of_a_message_that_is_half_there_are_of_no_call_before_it() {
    with_every_server(|driver| {
        let (gate, (told, _tidings)) = (Gate::new(), channel());
        let server = driver.start(doors().module(Waits(gate.clone(), told)));
        let peer = RawPeer::connect(server.path());
        peer.send(&waiting(1));
        in_order(gate.arrived(1));
        peer.send_call(Wire::Chunked, 7, 700, 2, b"");
        let long = long_call(3);
        peer.pass(holding("c"), &long[0]).unwrap();
        let_it_read(server.path());
        gate.open(1);
        for sequence in [1, 2] {
            let Response { sequence: answered, status, .. } = peer.recv_response(Wire::Chunked);
            assert_eq!((answered, status), (sequence, Status::SUCCESS));
        }
        long[1..].iter().for_each(|packet| peer.send(packet));
        let response = peer.recv_response(Wire::Chunked);
        assert_eq!((response.sequence, response.status), (3, Status::SUCCESS));
    });
}

#[test]
fn those_of_a_call_that_waits_for_room_are_not_changed_for_those_of_the_next() {
    with_every_server(|driver| {
        let (gate, (told, _tidings)) = (Gate::new(), channel());
        let server = driver.start(doors().call_limit(1).module(Waits(gate.clone(), told)));
        let (holds, peer) = (RawPeer::connect(server.path()), RawPeer::connect(server.path()));
        // The client may say something of its calls from now on.
        peer.send(&waiting(1));
        gate.open(1);
        assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
        holds.send(&waiting(1));
        in_order(gate.arrived(2));
        peer.pass(holding("b"), &frame(&announcing(READ, 2, 1).encode())).unwrap();
        let long = long_call(3);
        peer.pass(holding("c"), &long[0]).unwrap();
        let_it_read(server.path());
        long[1..].iter().for_each(|packet| peer.send(packet));
        let_it_read(server.path());
        gate.open(1);
        let response = peer.recv_response(Wire::Chunked);
        assert_eq!((response.sequence, response.status), (2, Status::SUCCESS));
        assert_eq!(HelloResponse::decode(response.body).unwrap().greeting, "b");
        assert_eq!(peer.recv_response(Wire::Chunked).status, Status::SUCCESS);
        assert_eq!(holds.recv_response(Wire::Chunked).status, Status::SUCCESS);
    });
}

#[test]
fn those_of_a_call_that_waits_are_its_own_though_its_client_leaves() {
    with_every_server(|driver| {
        let (gate, (told, tidings)) = (Gate::new(), channel());
        let server = driver.start(doors().call_limit(1).module(Waits(gate.clone(), told)));
        let (holds, peer) = (RawPeer::connect(server.path()), RawPeer::connect(server.path()));
        holds.send(&waiting(1));
        in_order(gate.arrived(1));
        for (sequence, text) in [(1, "one"), (2, "two")] {
            let call = Call { module: 8, ..announcing(TELL, sequence, 1) };
            peer.pass(holding(text), &frame(&call.encode())).unwrap();
            let_it_read(server.path());
        }
        drop(peer);
        let_it_read(server.path());
        gate.open(1);
        let told = [(); 2].map(|()| tidings.recv_timeout(PATIENCE).unwrap());
        assert_eq!(told, ["one", "two"]);
        assert_eq!(holds.recv_response(Wire::Chunked).status, Status::SUCCESS);
    });
}
