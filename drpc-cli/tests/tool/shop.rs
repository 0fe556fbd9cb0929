//! A server with reflection, in the test's process, and what its messages are.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use drpc::server::ServerHandle;
use drpc::{Allow, Bytes, Failure, Incoming, Server, ServerBuilder, Stream, drpc_module};
use futures_util::{StreamExt, stream};

pub(crate) const PROTO: &str = r#"syntax = "proto3";
package shop;

import "google/protobuf/duration.proto";
import "google/protobuf/timestamp.proto";

// What to buy.
message Order {
  // What it is called.
  string item = 1;
  uint32 amount = 2;
  repeated Line lines = 3;
  map<string, Line> by_name = 4;
  oneof payment {
    string card = 5;
    uint64 cash = 6;
  }
  Colour colour = 7;
  google.protobuf.Timestamp due_at = 8;
  google.protobuf.Duration patience = 9;
  // What it was ordered with.
  Order parent = 10;
  bytes token = 11;
  repeated Order children = 12;
}

message Line {
  string text = 1;
  sint64 price = 2;
}

enum Colour {
  ANY = 0;
  RED = 1; // Like a brick.
}

message Receipt {
  string text = 1;
}

// It is kept in the safe.
message Key {
  uint32 teeth = 1;
}
"#;

/// The descriptors of [`PROTO`], as `protoc -o` writes them.
pub(crate) fn descriptors() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.proto"), PROTO).unwrap();
    let mut compiler = protox::Compiler::new([folder.path()]).unwrap();
    compiler.include_imports(true).include_source_info(true).open_file("shop.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

#[derive(Clone, PartialEq, prost::Message)]
struct Order {
    #[prost(string, tag = "1")]
    item: String,
}

impl prost::Name for Order {
    const NAME: &'static str = "Order";
    const PACKAGE: &'static str = "shop";
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Receipt {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

impl prost::Name for Receipt {
    const NAME: &'static str = "Receipt";
    const PACKAGE: &'static str = "shop";
}

#[derive(Clone, PartialEq, prost::Message)]
struct Key {
    #[prost(uint32, tag = "1")]
    teeth: u32,
}

impl prost::Name for Key {
    const NAME: &'static str = "Key";
    const PACKAGE: &'static str = "shop";
}

/// It is not what the descriptor of its name says.
#[derive(Clone, PartialEq, prost::Message)]
struct Garbled {
    #[prost(uint64, tag = "1")]
    text: u64,
}

impl prost::Name for Garbled {
    const NAME: &'static str = "Receipt";
    const PACKAGE: &'static str = "shop";
}

/// No .proto file has it.
#[derive(Clone, PartialEq, prost::Message)]
struct ByHand {
    #[prost(string, tag = "1")]
    text: String,
}

struct Shop;

/// Sells things.
#[drpc_module(id = 12)]
impl Shop {
    /// Buys a thing.
    ///
    /// It is sent by post.
    #[method(1, idempotent, timeout = "2s")]
    fn buy(&self, order: Order) -> Result<Receipt, Failure> {
        if order.item.is_empty() {
            return Err("what shall it be?".into());
        }
        Ok(Receipt { text: format!("one {}", order.item) })
    }

    /// Returns the body as it came.
    #[method(2)]
    fn echo(&self, body: Bytes) -> Bytes {
        body
    }

    #[method(3)]
    async fn hang(&self) {
        std::future::pending::<()>().await;
    }

    #[method(4)]
    fn garble(&self) -> Garbled {
        Garbled { text: 7 }
    }

    #[method(5)]
    fn by_hand(&self, body: ByHand) -> ByHand {
        body
    }

    /// Opens the till.
    #[method(6, allow = "owner")]
    fn open_till(&self, _: Key) {}

    #[method(7)]
    fn sweep(&self) {}

    /// Counts what comes.
    #[method(9, stream)]
    async fn count(&self, mut things: Incoming<Bytes>) -> Receipt {
        let mut count = 0;
        while let Some(Ok(_)) = things.next().await {
            count += 1;
        }
        Receipt { text: format!("{count} things") }
    }

    /// Tells of each customer, of whom there is no end where `item` says so.
    #[method(8, stream)]
    fn customers(&self, order: Order) -> impl Stream<Item = Result<Receipt, Failure>> {
        let customer = |number| match number {
            3 => Err(Failure::from("closed for the day")),
            _ => Ok(Receipt { text: format!("customer {number}") }),
        };
        let some = stream::iter((1..=3).map(customer));
        match order.item.as_str() {
            "endless" => some.take(2).chain(stream::pending()).boxed(),
            _ => some.boxed(),
        }
    }
}

/// A server of the shop, with reflection. Nobody is its owner.
pub(crate) fn shop() -> ServerBuilder {
    plain_shop().reflection(true).message_descriptors(&descriptors())
}

/// The same without reflection.
pub(crate) fn plain_shop() -> ServerBuilder {
    Server::builder().explicit_modules_only().module(Shop).rule("owner", Allow::gids([]))
}

/// A server in this process, until it is dropped.
pub(crate) enum Serving {
    Tokio {
        _runtime: tokio::runtime::Runtime,
        handle: ServerHandle,
    },
    /// The server runs in a thread until it is told to stop.
    Thread {
        stop: Option<Box<dyn FnOnce()>>,
        serving: Option<JoinHandle<()>>,
    },
}

pub(crate) fn serve(server: ServerBuilder, socket: &Path) -> Serving {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = server.bind(socket).unwrap();
    let handle = server.handle();
    runtime.spawn(server.serve());
    Serving::Tokio { _runtime: runtime, handle }
}

impl Serving {
    /// Waits until no call runs, and no stream is open.
    pub(crate) fn wait_until_idle(&self) {
        let Serving::Tokio { handle, .. } = self else { unreachable!("on tokio alone") };
        let begun = Instant::now();
        while handle.sessions().iter().any(|session| !session.running_calls().is_empty()) {
            assert!(begun.elapsed() < Duration::from_secs(60), "something still runs");
            thread::yield_now();
        }
    }
}

pub(crate) fn serve_in_threads(server: ServerBuilder, socket: &Path) -> Serving {
    let server = server.bind_blocking(socket).unwrap();
    let handle = server.handle();
    let serving = thread::spawn(move || {
        server.serve().unwrap();
    });
    Serving::Thread { stop: Some(Box::new(move || handle.shutdown())), serving: Some(serving) }
}

pub(crate) fn serve_in_steps(server: ServerBuilder, socket: &Path) -> Serving {
    let mut server = server.bind_progress(socket).unwrap();
    let is_over = Arc::new(AtomicBool::new(false));
    let stop = is_over.clone();
    let serving = thread::spawn(move || {
        while !is_over.load(Ordering::Relaxed) {
            server.progress(Duration::from_millis(10)).unwrap();
        }
    });
    Serving::Thread {
        stop: Some(Box::new(move || stop.store(true, Ordering::Relaxed))),
        serving: Some(serving),
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Serving::Thread { stop, serving } = self {
            stop.take().unwrap()();
            let ended = serving.take().unwrap().join();
            if !thread::panicking() {
                ended.unwrap();
            }
        }
    }
}
