//! The pieces of a call's way, each by itself: `cargo bench -p drpc-bench`.

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};

use bytes::Bytes;
use divan::Bencher;
use drpc::wire::{Call, Codec, Response, Wire};
use drpc::{
    Context, Failure, Method, Module, ModuleService, Payload, PeerCredentials, Reply, Session, Status,
    drpc_module,
};

fn main() {
    divan::main();
}

const SIZES: [usize; 4] = [64, 4 << 10, 64 << 10, 1 << 20];
const LIMIT: usize = 2 << 20;

fn call(size: usize) -> Call {
    Call { module: 7, method: 700, sequence: 1000, body: vec![b'a'; size].into(), added: None }
}

/// Between a message and its packets.
mod framing {
    use super::*;

    /// Only headers are made: the body stays where it is.
    #[divan::bench(args = SIZES)]
    fn out(bencher: Bencher<'_, '_>, size: usize) {
        let call = call(size);
        let head = call.head();
        let codec = Codec::new(Wire::Chunked, LIMIT);
        bencher.bench_local(|| {
            for packet in codec.packets(&head, &call.body).expect("within the limit") {
                black_box(packet.slices());
            }
        });
    }

    #[divan::bench(args = SIZES)]
    fn back(bencher: Bencher<'_, '_>, size: usize) {
        let call = call(size);
        let head = call.head();
        let mut codec = Codec::new(Wire::Chunked, LIMIT);
        let packets: Vec<Bytes> = codec
            .packets(&head, &call.body)
            .expect("within the limit")
            .map(|packet| packet.to_vec().into())
            .collect();
        bencher.bench_local(|| {
            let mut message = None;
            for packet in &packets {
                message = codec.receive(packet.clone()).expect("these are our own packets");
            }
            message
        });
    }
}

/// The messages that travel.
mod envelope {
    use super::*;

    #[divan::bench]
    fn encode_call(bencher: Bencher<'_, '_>) {
        let call = call(64);
        bencher.bench_local(|| black_box(&call).head());
    }

    #[divan::bench]
    fn encode_response(bencher: Bencher<'_, '_>) {
        let response = Response { sequence: 1000, status: Status::SUCCESS, body: call(64).body, added: None };
        bencher.bench_local(|| black_box(&response).head());
    }

    #[divan::bench]
    fn decode_call(bencher: Bencher<'_, '_>) {
        let message = call(64).encode();
        bencher.bench_local(|| Call::decode(message.clone()));
    }

    #[divan::bench]
    fn decode_response(bencher: Bencher<'_, '_>) {
        let message =
            Response { sequence: 1000, status: Status::SUCCESS, body: call(64).body, added: None }.encode();
        bencher.bench_local(|| Response::decode(message.clone()));
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct Message {
    #[prost(bytes = "bytes", tag = "1")]
    body: Bytes,
}

fn message() -> Bytes {
    Message { body: call(64).body }.into_body().into_bytes()
}

struct Echo;

#[drpc_module(id = 7)]
impl Echo {
    #[method(0)]
    fn sync(&self, message: Message) -> Message {
        message
    }

    #[method(1)]
    async fn asynchronous(&self, message: Message) -> Message {
        message
    }

    #[method(2)]
    async fn bytes(&self, body: Bytes) -> Bytes {
        body
    }

    #[method(3)]
    async fn with_context(&self, context: &Context, message: Message) -> Result<Message, Failure> {
        black_box(context.sequence());
        Ok(message)
    }
}

/// What `Echo` would be without the attribute; and modules of many methods.
struct ByHand {
    id: i32,
    methods: i32,
}

#[drpc::async_trait]
impl Module for ByHand {
    fn id(&self) -> i32 {
        self.id
    }

    fn name(&self) -> &str {
        "by_hand"
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        (0..self.methods).contains(&(id - self.id * 100)).then_some(Method::new(self.id, id, "echo"))
    }

    async fn handle_call(self: Arc<Self>, _: Context, _: Method, body: Bytes) -> Result<Reply, Failure> {
        Ok(Message::from_body(body)?.into_body().into())
    }
}

/// The result of a future that does not wait.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut task::Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("nothing here waits"),
    }
}

fn session() -> Arc<Session> {
    Arc::new(Session::new(1, PeerCredentials::this_process()))
}

/// A body in, a body out: what the attribute makes, beside the same by hand.
mod handler {
    use super::*;

    fn bench(bencher: Bencher<'_, '_>, module: impl Module, id: i32) {
        let context = Context::new(session(), 1);
        let module = Arc::new(module);
        let method = module.get_method(id).expect("the module has it");
        let body = message();
        bencher.bench_local(|| ready(module.clone().handle_call(context.clone(), method, body.clone())));
    }

    #[divan::bench]
    fn by_hand(bencher: Bencher<'_, '_>) {
        bench(bencher, ByHand { id: 7, methods: 1 }, 700);
    }

    #[divan::bench]
    fn macro_sync(bencher: Bencher<'_, '_>) {
        bench(bencher, Echo, 700);
    }

    #[divan::bench]
    fn macro_async(bencher: Bencher<'_, '_>) {
        bench(bencher, Echo, 701);
    }

    #[divan::bench]
    fn macro_raw(bencher: Bencher<'_, '_>) {
        bench(bencher, Echo, 702);
    }

    #[divan::bench]
    fn macro_with_context(bencher: Bencher<'_, '_>) {
        bench(bencher, Echo, 703);
    }
}

/// A call in, a response out.
mod dispatch {
    use super::*;

    fn bench(bencher: Bencher<'_, '_>, service: &ModuleService, first: i32, methods: i32) {
        let (context, body) = (Context::new(session(), 1), message());
        let mut turn = 0;
        bencher.bench_local(|| {
            turn = (turn + 7919) % methods;
            let method = first * 100 + turn;
            let call = Call { module: method / 100, method, sequence: 1, body: body.clone(), added: None };
            ready(service.process(context.clone(), call))
        });
    }

    #[divan::bench]
    fn macro_made(bencher: Bencher<'_, '_>) {
        let mut service = ModuleService::new();
        service.register(Echo).expect("the first module");
        bench(bencher, &service, 7, 1);
    }

    #[divan::bench(args = [10, 100, 1000, 10_000])]
    fn methods(bencher: Bencher<'_, '_>, methods: i32) {
        let mut service = ModuleService::new();
        for (id, first) in (8..).zip((0..methods).step_by(100)) {
            service.register(ByHand { id, methods: 100.min(methods - first) }).expect("every ID is another");
        }
        bench(bencher, &service, 8, methods);
    }
}
