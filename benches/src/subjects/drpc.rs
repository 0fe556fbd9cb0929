//! drpc itself: its servers, on tokio and in steps, under its async and its blocking client.
//!
//! The messages are prost's, as the peers' are that use it; the `raw` subjects carry the body as [`Bytes`].

use std::future::Future;
use std::hint::black_box;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use drpc::wire::Call;
use drpc::{
    CallOptions, Caller, Client, Context, Failure, Method, Module, ModuleService, Payload as _,
    PeerCredentials, Server, ServerBuilder, Session, blocking, drpc_module, progress,
};

use super::{Blocking, BlockingRpc, Kind, OnTokio, Rpc, Subject};
use crate::job::{Job, Setup};
use crate::load::{BlockingEcho, Echo};
use crate::payload::Payload;

/// drpc's subjects.
pub(super) fn all() -> Vec<&'static dyn Subject> {
    vec![
        Blocking::<Drpc<Message>>::NEW,
        OnTokio::<Drpc<Message>>::NEW,
        Blocking::<Drpc<Bytes>>::NEW,
        OnTokio::<Drpc<Bytes>>::NEW,
        Blocking::<Spinning>::NEW,
        OnTokio::<Spinning>::NEW,
        Blocking::<Stepping>::NEW,
        OnTokio::<Stepping>::NEW,
    ]
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Message {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) body: Bytes,
}

struct Messages;

#[drpc_module(id = 7)]
impl Messages {
    #[method(0)]
    async fn echo(&self, message: Message) -> Message {
        message
    }
}

struct Raw;

#[drpc_module(id = 6)]
impl Raw {
    #[method(0)]
    async fn echo(&self, body: Bytes) -> Bytes {
        body
    }
}

/// The first of the modules that a server has for its number of methods alone.
const WIDE: i32 = 8;

/// The methods of a module.
const METHODS: i32 = 100;

/// A module of up to a hundred methods that are all the same: written by hand, for the compiler would take its time over ten
/// thousand.
struct Wide {
    id: i32,
    methods: i32,
}

#[drpc::async_trait]
impl Module for Wide {
    fn id(&self) -> i32 {
        self.id
    }

    fn name(&self) -> &str {
        "wide"
    }

    fn get_method(&self, id: i32) -> Option<Method> {
        (0..self.methods).contains(&(id - self.id * METHODS)).then_some(Method::new(self.id, id, "echo"))
    }

    async fn handle_call(
        self: Arc<Self>,
        _: Context,
        _: Method,
        body: Bytes,
    ) -> Result<drpc::Reply, Failure> {
        Ok(Message::from_body(body)?.into_body().into())
    }
}

/// Modules with so many methods in all.
fn wide_modules(methods: usize) -> Result<impl Iterator<Item = Wide>> {
    let methods = i32::try_from(methods)?;
    let firsts = (0..methods).step_by(METHODS as usize);
    Ok((WIDE..).zip(firsts).map(move |(id, first)| Wide { id, methods: METHODS.min(methods - first) }))
}

/// The method of a call, by the calls before it.
fn wide_method(turn: usize, methods: usize) -> Method {
    // A prime, so that calls in a row meet different modules.
    let number = (turn * 7919 % methods) as i32;
    let module = WIDE + number / METHODS;
    Method::new(module, module * METHODS + number % METHODS, "echo")
}

async fn serve(setup: &Setup, ready: impl FnOnce()) -> Result<()> {
    serve_with(Server::builder(), setup, ready).await
}

async fn serve_with(builder: ServerBuilder, setup: &Setup, ready: impl FnOnce()) -> Result<()> {
    let server = with_modules(builder, setup)?.bind(&setup.socket)?;
    ready();
    Ok(server.serve().await?)
}

/// The progress server, in a loop that does nothing else. It never gives its thread back to the runtime that runs it.
fn serve_in_steps(setup: &Setup, ready: impl FnOnce()) -> Result<()> {
    let mut server = with_modules(progress::Server::builder(), setup)?.bind_progress(&setup.socket)?;
    ready();
    loop {
        server.progress(Duration::MAX)?;
    }
}

fn with_modules(builder: ServerBuilder, setup: &Setup) -> Result<ServerBuilder> {
    Ok(wide_modules(setup.methods)?.fold(builder.module(Messages).module(Raw), ServerBuilder::module))
}

/// What travels: a message, or the body itself.
trait Body: drpc::Payload + Sync {
    const NAME: &'static str;
    const ABOUT: &'static str;
    const BLOCKING_NAME: &'static str;
    const BLOCKING_ABOUT: &'static str;

    type Stub<C: Caller>: Clone;

    fn stub<C: Caller>(client: C) -> Self::Stub<C>;
    fn echo<C: Caller>(stub: &Self::Stub<C>, body: Self) -> C::Outcome<Self>;

    fn of(payload: &Payload) -> Self;
    fn bytes(&self) -> &Bytes;
}

impl Body for Message {
    const NAME: &'static str = "drpc";
    const ABOUT: &'static str = "drpc's async client, prost messages";
    const BLOCKING_NAME: &'static str = "drpc-blocking";
    const BLOCKING_ABOUT: &'static str = "drpc's blocking client, prost messages";

    type Stub<C: Caller> = MessagesClient<C>;

    fn stub<C: Caller>(client: C) -> MessagesClient<C> {
        MessagesClient::new(client)
    }

    fn echo<C: Caller>(stub: &MessagesClient<C>, body: Message) -> C::Outcome<Message> {
        stub.echo(body)
    }

    fn of(payload: &Payload) -> Self {
        Message { body: payload.bytes().clone() }
    }

    fn bytes(&self) -> &Bytes {
        &self.body
    }
}

impl Body for Bytes {
    const NAME: &'static str = "drpc-raw";
    const ABOUT: &'static str = "drpc's async client, bodies without a message";
    const BLOCKING_NAME: &'static str = "drpc-raw-blocking";
    const BLOCKING_ABOUT: &'static str = "drpc's blocking client, bodies without a message";

    type Stub<C: Caller> = RawClient<C>;

    fn stub<C: Caller>(client: C) -> RawClient<C> {
        RawClient::new(client)
    }

    fn echo<C: Caller>(stub: &RawClient<C>, body: Bytes) -> C::Outcome<Bytes> {
        stub.echo(body)
    }

    fn of(payload: &Payload) -> Self {
        payload.bytes().clone()
    }

    fn bytes(&self) -> &Bytes {
        self
    }
}

struct Drpc<B>(PhantomData<fn() -> B>);

impl<B: Body> Rpc for Drpc<B>
where
    B::Stub<Client>: Send + Sync + 'static,
{
    const NAME: &'static str = B::NAME;
    const ABOUT: &'static str = B::ABOUT;
    const KIND: Kind = Kind::Ours;

    type Client = Connection<Client, B>;

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        serve(setup, ready).await
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        Ok(Connection::new(Client::connect(&job.socket).await?, job.methods))
    }
}

impl<B: Body> BlockingRpc for Drpc<B>
where
    B::Stub<blocking::Client>: Send + 'static,
{
    const NAME: &'static str = B::BLOCKING_NAME;
    const ABOUT: &'static str = B::BLOCKING_ABOUT;
    const KIND: Kind = Kind::Ours;

    type Client = Connection<blocking::Client, B>;

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        serve(setup, ready).await
    }

    fn connect(job: &Job) -> Result<Self::Client> {
        Ok(Connection::new(blocking::Client::connect(&job.socket)?, job.methods))
    }
}

/// Prost messages, with both sides spinning before they sleep.
struct Spinning;

const SPIN: Duration = Duration::from_micros(50);

impl Rpc for Spinning {
    const NAME: &'static str = "drpc-spin";
    const ABOUT: &'static str = "drpc's async client, prost messages, both sides spinning for up to 50 µs";
    const KIND: Kind = Kind::Ours;

    type Client = Connection<Client, Message>;

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        serve_with(Server::builder().spin(SPIN), setup, ready).await
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        Ok(Connection::new(Client::builder(&job.socket).spin(SPIN).connect().await?, job.methods))
    }
}

impl BlockingRpc for Spinning {
    const NAME: &'static str = "drpc-spin-blocking";
    const ABOUT: &'static str = "drpc's blocking client, prost messages, both sides spinning for up to 50 µs";
    const KIND: Kind = Kind::Ours;

    type Client = Connection<blocking::Client, Message>;

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        serve_with(Server::builder().spin(SPIN), setup, ready).await
    }

    fn connect(job: &Job) -> Result<Self::Client> {
        Ok(Connection::new(
            blocking::Client::builder(&job.socket).spin(SPIN).connect_blocking()?,
            job.methods,
        ))
    }
}

/// Prost messages, with the server that is driven in steps.
struct Stepping;

impl Rpc for Stepping {
    const NAME: &'static str = "drpc-progress";
    const ABOUT: &'static str = "drpc's async client, prost messages, the progress server on one thread";
    const KIND: Kind = Kind::Ours;

    type Client = Connection<Client, Message>;

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        serve_in_steps(setup, ready)
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        <Drpc<Message> as Rpc>::connect(job).await
    }
}

impl BlockingRpc for Stepping {
    const NAME: &'static str = "drpc-progress-blocking";
    const ABOUT: &'static str = "drpc's blocking client, prost messages, the progress server on one thread";
    const KIND: Kind = Kind::Ours;

    type Client = Connection<blocking::Client, Message>;

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        serve_in_steps(setup, ready)
    }

    fn connect(job: &Job) -> Result<Self::Client> {
        <Drpc<Message> as BlockingRpc>::connect(job)
    }
}

/// A client of either kind.
struct Connection<C: Caller, B: Body> {
    client: C,
    stub: B::Stub<C>,
    methods: usize,
}

impl<C: Caller, B: Body> Connection<C, B> {
    fn new(client: C, methods: usize) -> Self {
        Connection { stub: B::stub(client.clone()), client, methods }
    }

    fn call(&self, payload: &Payload, turn: usize) -> C::Outcome<B> {
        match self.methods {
            ..=1 => B::echo(&self.stub, B::of(payload)),
            // What a stub does.
            methods => self.client.call(wide_method(turn, methods), B::of(payload), &CallOptions::new()),
        }
    }
}

impl<B: Body> Echo for Connection<Client, B>
where
    B::Stub<Client>: Send + Sync,
{
    async fn echo(&mut self, payload: &Payload, turn: usize) -> Result<()> {
        let reply = self.call(payload, turn).await?;
        payload.check(reply.bytes())
    }

    fn share(&self) -> Option<Self> {
        Some(Connection::new(self.client.clone(), self.methods))
    }
}

impl<B: Body> BlockingEcho for Connection<blocking::Client, B>
where
    B::Stub<blocking::Client>: Send,
{
    fn echo(&mut self, payload: &Payload, turn: usize) -> Result<()> {
        payload.check(self.call(payload, turn)?.bytes())
    }
}

/// The mean time of a call's way from its fields to its response, spread over so many methods.
pub(super) fn dispatch(methods: usize, window: Duration) -> Result<Duration> {
    let mut service = ModuleService::new();
    for module in wide_modules(methods)? {
        service.register(module)?;
    }
    let session = Arc::new(Session::new(1, PeerCredentials::this_process()));
    let body = Message { body: Bytes::from(vec![b'a'; 64]) }.into_body().into_bytes();
    let process = |turn: usize| {
        let method = wide_method(turn, methods);
        let call = Call {
            module: method.module(),
            method: method.id(),
            sequence: turn as i64,
            body: body.clone(),
            added: None,
        };
        let context = Context::new(session.clone(), call.sequence);
        // A handler that does not wait is ready at once.
        match pin!(service.process(context, call)).poll(&mut task::Context::from_waker(Waker::noop())) {
            Poll::Ready(response) => response.status,
            Poll::Pending => panic!("the echo does not wait"),
        }
    };
    ensure!(process(0).is_success(), "the echo fails");
    let mut calls = 0;
    let begun = Instant::now();
    while begun.elapsed() < window {
        for _ in 0..1000 {
            black_box(process(calls));
            calls += 1;
        }
    }
    Ok(begun.elapsed().div_f64(calls as f64))
}
