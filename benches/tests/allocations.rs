//! How often a server allocates memory for one call, all told: receiving, dispatch, handler, reply.
//!
//! The server runs in this process; the client is a bare socket on a thread that allocates nothing, so that what is counted
//! is the server's alone. `--nocapture` shows the figures.

use std::alloc::System;
use std::error::Error;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;

use bytes::Bytes;
use drpc::wire::{Call, DEFAULT_MESSAGE_LIMIT, Packets, Wire};
use drpc::{Payload, Server, drpc_module};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketType, connect, recv, send, socket,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(bytes = "bytes", tag = "1")]
    body: Bytes,
}

struct Echo;

#[drpc_module(id = 7)]
impl Echo {
    #[method(0)]
    async fn message(&self, message: Message) -> Message {
        message
    }

    #[method(1)]
    async fn bytes(&self, body: Bytes) -> Bytes {
        body
    }
}

const CALLS: usize = 10_000;

/// Allocations a call, anew and grown, and bytes a call.
#[derive(Debug)]
struct PerCall {
    allocations: f64,
    bytes: f64,
}

fn measure(path: PathBuf, method: i32, size: usize) -> Result<PerCall, Box<dyn Error + Send + Sync>> {
    let body = Bytes::from(vec![b'a'; size]);
    let body = if method == 700 { Message { body }.into_body().into_bytes() } else { body };
    let call = Call { module: 7, method, sequence: 1, body, added: None };
    let packets: Vec<Vec<u8>> = Packets::new(Wire::Chunked, &call.head(), &call.body, DEFAULT_MESSAGE_LIMIT)?
        .map(|packet| packet.to_vec())
        .collect();
    let mut buffer = vec![0; 1 << 17];

    let socket = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None)?;
    connect(&socket, &SocketAddrUnix::new(&path)?)?;
    let mut echo = || {
        for packet in &packets {
            send(&socket, packet, SendFlags::NOSIGNAL)?;
        }
        let mut received = 0;
        while received < size {
            received += recv(&socket, &mut buffer[..], RecvFlags::empty())?.1;
        }
        Ok::<_, Errno>(())
    };
    for _ in 0..1000 {
        echo()?;
    }
    let region = Region::new(ALLOCATOR);
    for _ in 0..CALLS {
        echo()?;
    }
    let change = region.change();
    let allocations = (change.allocations + change.reallocations) as f64 / CALLS as f64;
    let bytes = change.bytes_allocated as f64 / CALLS as f64;
    Ok(PerCall { allocations, bytes })
}

/// One test, for what is counted is the whole process's.
#[tokio::test(flavor = "current_thread")]
async fn a_small_call_costs_at_most_three_allocations() -> Result<(), Box<dyn Error + Send + Sync>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("socket");
    let server = Server::builder().module(Echo).bind(&path)?;
    let handle = server.handle();

    let (figures, measured) = mpsc::channel();
    let client = thread::spawn(move || {
        for (name, method) in [("message", 700), ("raw", 701)] {
            for size in [64, 4 << 10, 64 << 10, 1 << 20] {
                let figure = measure(path.clone(), method, size).map(|figure| (name, size, figure));
                if figures.send(figure).is_err() {
                    break;
                }
            }
        }
        handle.shutdown();
    });
    server.serve().await?;
    client.join().expect("the client does not panic");

    let mut small = None;
    for figure in measured {
        let (name, size, PerCall { allocations, bytes }) = figure?;
        println!("{name:8} {size:8} bytes: {allocations:6.2} allocations, {bytes:10.0} bytes a call");
        small.get_or_insert(allocations);
    }
    let small = small.expect("the smallest message was measured first");
    assert!(small <= 3.0, "{small} allocations a call");
    Ok(())
}
