//! The health check: a module that the crate brings along.

use drpc::health::{Health, HealthClient, HealthReply, HealthRequest, ServingStatus, WATCH};
use drpc::wire::Response;
use drpc::{Order, Server, Status, Wire, blocking};
use prost::Message;
use std::path::Path;
use std::thread;

use crate::support::{PATIENCE, RawPeer, WIRES, echo, with_every_server};

fn client(path: &Path) -> HealthClient<blocking::Client> {
    HealthClient::new(blocking::Client::connect(path).unwrap())
}

#[test]
fn everything_serves_unless_it_is_said_otherwise() {
    with_every_server(|driver| {
        let health = Health::new();
        let server = driver.start(Server::builder().module(echo()).health(&health));
        let client = client(server.path());
        let status = |module| client.check(module).unwrap().status();
        assert_eq!(status(""), ServingStatus::Serving);
        assert_eq!(status("interop"), ServingStatus::Serving);
        assert_eq!(status("nothing"), ServingStatus::ServiceUnknown);

        health.set_module("interop", false);
        assert_eq!((status(""), status("interop")), (ServingStatus::Serving, ServingStatus::NotServing));
        health.set_module("interop", true);
        health.set(false);
        assert_eq!((status(""), status("interop")), (ServingStatus::NotServing, ServingStatus::NotServing));
        assert_eq!(status("nothing"), ServingStatus::ServiceUnknown);
        health.set(true);
        assert_eq!(status("interop"), ServingStatus::Serving);
    });
}

#[test]
fn its_messages_are_those_of_grpc() {
    // grpc.health.v1: HealthCheckRequest { string service = 1 }, HealthCheckResponse { ServingStatus status = 1 }.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(echo()).health(&Health::new()));
        for wire in WIRES {
            let peer = RawPeer::connect(server.path());
            peer.send_call(wire, 21_474_800, 2_147_480_001, 1, b"\x0a\x07interop");
            assert_eq!(peer.recv_response(wire).body, &b"\x08\x01"[..]);
            peer.send_call(wire, 21_474_800, 2_147_480_001, 2, b"\x0a\x07nothing");
            assert_eq!(peer.recv_response(wire).body, &b"\x08\x03"[..]);
            peer.send_call(wire, 21_474_800, 2_147_480_001, 3, b"\xff");
            let unreadable = Response::failure(3, Status::FAILED_UNMARSHAL_PAYLOAD);
            assert_eq!(peer.recv_response(wire), unreadable);
            peer.send_call(wire, 21_474_800, 2_147_480_003, 4, b"");
            assert_eq!(peer.recv_response(wire), Response::failure(4, Status::UNKNOWN_METHOD));
        }
    });
}

#[test]
fn who_watches_is_told_when_something_changes_and_when_the_server_stops() {
    with_every_server(|driver| {
        let health = Health::new();
        let builder = Server::builder().order(Order::Concurrent(2)).drain_timeout(PATIENCE);
        let server = driver.start(builder.module(echo()).health(&health));
        let client = client(server.path());
        let watch = |known| client.watch("interop", known).unwrap().status();
        assert_eq!(watch(ServingStatus::Unknown), ServingStatus::Serving);

        let saw = thread::scope(|scope| {
            let watching = scope.spawn(|| watch(ServingStatus::Serving));
            // Whichever of the two is first, it is told.
            health.set_module("interop", false);
            watching.join().unwrap()
        });
        assert_eq!(saw, ServingStatus::NotServing);

        health.set_module("interop", true);
        let peer = RawPeer::connect(server.path());
        let request = HealthRequest { service: "interop".into(), known: ServingStatus::Serving.into() };
        peer.send_call(Wire::Chunked, WATCH.module(), WATCH.id(), 1, &request.encode_to_vec());
        // What is behind it in the session is begun later.
        peer.assert_served(Wire::Chunked);
        server.handle().shutdown();
        let reply = HealthReply::decode(peer.recv_response(Wire::Chunked).body).unwrap();
        assert_eq!(reply.status(), ServingStatus::NotServing);
        peer.assert_closed();
        assert!(server.wait().is_drained());
    });
}

#[test]
fn a_server_that_is_not_told_to_has_none() {
    // D2.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(echo()));
        let error = client(server.path()).check("").unwrap_err();
        assert_eq!(error.status(), Some(Status::UNKNOWN_MODULE));
    });
}
