//! Any body, on any wire, through either client, to the handler and back.

use bytes::Bytes;
use drpc::wire::{Call, Response};
use drpc::{Order, Server, Wire, WireMode};
use proptest::prelude::*;

use crate::support::{AnyClient, Kind, RawPeer, builder, header, interop, with_every_server};

/// Bodies, of which some are around the borders of one chunk and two.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..200),
        1 => (130_900..131_200usize, any::<u8>()).prop_map(|(len, fill)| vec![fill; len]),
        1 => (262_000..262_300usize, any::<u8>()).prop_map(|(len, fill)| vec![fill; len]),
    ]
}

#[test]
fn any_body_comes_back_as_it_went() {
    // W2, W3, W7, W8, D3.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().order(Order::Concurrent(4)).module(interop()));
        let modes = [WireMode::Auto, Wire::Chunked.into(), Wire::Plain.into()];
        let clients: Vec<(WireMode, AnyClient)> = [Kind::Async, Kind::Blocking]
            .into_iter()
            .flat_map(|kind| modes.map(|mode| (mode, kind)))
            .map(|(mode, kind)| (mode, kind.connect(builder(server.path()).wire(mode)).unwrap()))
            .collect();
        proptest!(ProptestConfig::with_cases(128), |(body in bodies())| {
            for (mode, client) in &clients {
                match client.call(7, 700, &body) {
                    Ok(response) => prop_assert_eq!(&response.body[..], &body[..]),
                    // W7: what a socket takes is up to the host.
                    Err(error) => {
                        prop_assert_eq!(error.kind(), drpc::CallErrorKind::TooLong);
                        prop_assert!(*mode == Wire::Plain.into() && body.len() > 131_072);
                    }
                }
            }
        });
    });
}

#[test]
fn any_call_in_any_chunks_is_answered_with_its_sequence() {
    // W5, D2: chunks of any size, and any numbers.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(interop()));
        proptest!(ProptestConfig::with_cases(128), |(
            module in any::<i32>(),
            method in any::<i32>(),
            sequence in any::<i64>(),
            body in prop::collection::vec(any::<u8>(), 0..300),
            size in 1..300usize,
        )| {
            // Module 7 is served.
            let module = if module == 7 { 8 } else { module };
            let message = Call::<bytes::Bytes> { module, method, sequence, body: body.into(), added: None }.encode();
            let peer = RawPeer::connect(server.path());
            let total_chunks = message.chunks(size).len() as u32;
            for (index, data) in message.chunks(size).enumerate() {
                let head = header(message.len() as u64, data.len() as u64, index as u32, total_chunks);
                peer.send(&[&head[..], data].concat());
            }
            if !message.is_empty() {
                let expected = Response::failure(sequence, drpc::Status::UNKNOWN_MODULE);
                prop_assert_eq!(peer.recv_response(Wire::Chunked), expected);
            }
        });
    });
}

#[test]
fn no_packets_harm_the_server() {
    // S1, S10, W5: whatever comes, the next client is served, and nothing is executed that answers SUCCESS to noise.
    with_every_server(|driver| {
        let server = driver.start(Server::builder().module(interop()));
        let packet = || {
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..64),
                (any::<[u16; 2]>(), 0..3u32, 0..4u32, prop::collection::vec(any::<u8>(), 0..40)).prop_map(
                    |([total, size], index, chunks, data)| {
                        let size = if size % 2 == 0 { data.len() as u64 } else { size.into() };
                        [header(total.into(), size, index, chunks), data].concat()
                    }
                ),
            ]
        };
        proptest!(ProptestConfig::with_cases(256), |(packets in prop::collection::vec(packet(), 1..6))| {
            let peer = RawPeer::connect(server.path());
            for packet in &packets {
                if !peer.send_unless_closed(packet) {
                    break;
                }
            }
            peer.half_close();
            // Every reply can be read, up to the end.
            while let Some(packet) = peer.recv() {
                let framed = packet.get(24..).map(|data| Response::decode(Bytes::copy_from_slice(data)));
                let plain = Response::decode(packet.clone().into());
                prop_assert!(plain.is_ok() || framed.is_some_and(|response| response.is_ok()));
            }
            RawPeer::connect(server.path()).assert_served(Wire::Chunked);
        });
    });
}
