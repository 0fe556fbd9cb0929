//! drpc itself: its servers, on tokio, in threads and in steps, under its async client, its blocking one, and a bare one.
//!
//! The messages are prost's, as the peers' are that use it; the `raw` subjects carry the body as [`Bytes`].

use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{self, Poll, Waker};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use bytes::Bytes;
use drpc::wire::Call;
use drpc::{
    AddedFields, CallOptions, Caller, Client, ClientBuilder, Context, Failure, Method, Module, ModuleService,
    Payload as _, PeerCredentials, Server, ServerBuilder, Session, blocking, drpc_module,
};

use super::bare::{self, End, Exchange, Flow};
use super::subject::{Kind, Subject};
use crate::control;
use crate::job::{Job, Setup};
use crate::load::{self, Echo, Tally};
use crate::payload::{Message, Payload};
use crate::runtime::block_on;

/// drpc's subjects: a server under a client.
pub(super) fn all() -> Vec<&'static dyn Subject> {
    const PLAIN: Drpc = Drpc {
        name: "",
        about: "",
        server: Serving::Tokio,
        client: Calling::Async,
        raw: false,
        spin: false,
        packs: false,
    };
    const SUBJECTS: &[Drpc] = &[
        Drpc { name: "drpc-blocking", about: "drpc's blocking client", client: Calling::Blocking, ..PLAIN },
        Drpc { name: "drpc", about: "drpc's async client", ..PLAIN },
        Drpc {
            name: "drpc-bare",
            about: "packets made beforehand, to drpc's server",
            client: Calling::Bare,
            ..PLAIN
        },
        Drpc {
            name: "drpc-raw-blocking",
            about: "drpc's blocking client, bodies without a message",
            client: Calling::Blocking,
            raw: true,
            ..PLAIN
        },
        Drpc { name: "drpc-raw", about: "drpc's async client, bodies without a message", raw: true, ..PLAIN },
        Drpc {
            name: "drpc-spin-blocking",
            about: "drpc's blocking client, both sides spinning for up to 50 µs",
            client: Calling::Blocking,
            spin: true,
            ..PLAIN
        },
        Drpc {
            name: "drpc-spin",
            about: "drpc's async client, both sides spinning for up to 50 µs",
            spin: true,
            ..PLAIN
        },
        Drpc {
            name: "drpc-threads-blocking",
            about: "drpc's blocking client, the server in threads",
            server: Serving::Threads,
            client: Calling::Blocking,
            ..PLAIN
        },
        Drpc {
            name: "drpc-threads",
            about: "drpc's async client, the server in threads",
            server: Serving::Threads,
            ..PLAIN
        },
        Drpc {
            name: "drpc-threads-bare",
            about: "packets made beforehand, to drpc's server in threads",
            server: Serving::Threads,
            client: Calling::Bare,
            ..PLAIN
        },
        Drpc {
            name: "drpc-progress-blocking",
            about: "drpc's blocking client, the progress server on one thread",
            server: Serving::Steps,
            client: Calling::Blocking,
            ..PLAIN
        },
        Drpc {
            name: "drpc-progress",
            about: "drpc's async client, the progress server on one thread",
            server: Serving::Steps,
            ..PLAIN
        },
        Drpc {
            name: "drpc-progress-bare",
            about: "packets made beforehand, to drpc's progress server",
            server: Serving::Steps,
            client: Calling::Bare,
            ..PLAIN
        },
        Drpc {
            name: "drpc-packs-blocking",
            about: "drpc's blocking client, a batch in packs",
            client: Calling::Blocking,
            packs: true,
            ..PLAIN
        },
        Drpc { name: "drpc-packs", about: "drpc's async client, calls in packs", packs: true, ..PLAIN },
        Drpc {
            name: "drpc-threads-packs-blocking",
            about: "drpc's blocking client, a batch in packs, the server in threads",
            server: Serving::Threads,
            client: Calling::Blocking,
            packs: true,
            ..PLAIN
        },
        Drpc {
            name: "drpc-threads-packs",
            about: "drpc's async client, calls in packs, the server in threads",
            server: Serving::Threads,
            packs: true,
            ..PLAIN
        },
        Drpc {
            name: "drpc-progress-packs",
            about: "drpc's async client, calls in packs, the progress server on one thread",
            server: Serving::Steps,
            packs: true,
            ..PLAIN
        },
    ];
    SUBJECTS.iter().map(|subject| subject as &dyn Subject).collect()
}

struct Drpc {
    name: &'static str,
    about: &'static str,
    server: Serving,
    client: Calling,
    /// Bodies travel as they are, not as messages.
    raw: bool,
    /// Both sides spin before they sleep.
    spin: bool,
    /// What is in flight goes in packs.
    packs: bool,
}

/// How calls are served.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Serving {
    Tokio,
    /// A thread for each session.
    Threads,
    /// The progress server, in a loop that does nothing else.
    Steps,
}

/// How calls are made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Calling {
    Async,
    /// More than one in flight on a connection are a batch.
    Blocking,
    /// Without drpc's client.
    Bare,
}

const SPIN: Duration = Duration::from_micros(50);

impl Subject for Drpc {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn workers(&self) -> &'static [usize] {
        match (self.server, self.client) {
            (Serving::Tokio, _) | (_, Calling::Async) => &[1, 2],
            // Neither side has a runtime.
            _ => &[1],
        }
    }

    fn kind(&self) -> Kind {
        Kind::Ours
    }

    fn serve(&self, setup: &Setup) -> Result<()> {
        let builder = Server::builder().module(Messages).module(Raw).session_limit(SESSION_LIMIT);
        let builder = wide_modules(setup.methods)?.fold(builder, ServerBuilder::module);
        let builder = if self.spin { builder.spin(SPIN) } else { builder };
        match self.server {
            Serving::Tokio => block_on(setup.workers, async {
                let server = builder.bind(&setup.socket)?;
                control::ready();
                server.serve().await?;
                Ok(())
            }),
            Serving::Threads => {
                let server = builder.bind_blocking(&setup.socket)?;
                control::ready();
                server.serve()?;
                Ok(())
            }
            Serving::Steps => {
                let mut server = builder.bind_progress(&setup.socket)?;
                control::ready();
                loop {
                    server.progress(Duration::MAX)?;
                }
            }
        }
    }

    fn call(&self, job: &Job) -> Result<()> {
        match (self.client, self.raw) {
            (Calling::Async, false) => self.call_async::<Message>(job),
            (Calling::Async, true) => self.call_async::<Bytes>(job),
            (Calling::Blocking, false) => self.call_blocking::<Message>(job),
            (Calling::Blocking, true) => self.call_blocking::<Bytes>(job),
            (Calling::Bare, _) => {
                let exchange = Exchange::call(&Payload::thorough(job.size));
                bare::call(job, || End::connect(&job.socket), &exchange, Flow::Window)
            }
        }
    }
}

impl Drpc {
    fn client(&self, job: &Job) -> ClientBuilder {
        let builder = Client::builder(&job.socket);
        let builder = if self.spin { builder.spin(SPIN) } else { builder };
        if self.packs { builder.added_fields(AddedFields::PACKS) } else { builder }
    }

    fn call_async<B: Body>(&self, job: &Job) -> Result<()>
    where
        B::Stub<Client>: Send + Sync + 'static,
    {
        let connect = async || Ok(Connection::<_, B>::new(self.client(job).connect().await?, job.methods));
        block_on(job.workers, load::drive(job, connect))
    }

    fn call_blocking<B: Body>(&self, job: &Job) -> Result<()>
    where
        B::Stub<blocking::Client>: Send,
    {
        let connect = || Ok(Connection::<_, B>::new(self.client(job).connect_blocking()?, job.methods));
        load::drive_threads(job, connect, |lane, payload, stop| {
            let mut tally = Tally::new(job.is_sequential());
            while !(stop.load(Ordering::Relaxed) && tally.calls >= lane.len()) {
                let connection = &lane[tally.calls % lane.len()];
                if job.depth() > 1 {
                    connection.echo_batch(payload, job.depth(), &mut tally)?;
                    continue;
                }
                let begun = tally.begin();
                payload.check(connection.call(payload, tally.calls)?.bytes())?;
                tally.end(begun);
            }
            Ok(tally)
        })
    }
}

/// The benchmark has up to ten thousand connections, which is more than a server in threads takes by default.
const SESSION_LIMIT: usize = 20_000;

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

/// What travels: a message, or the body itself.
trait Body: drpc::Payload + Sync {
    const METHOD: Method;

    type Stub<C: Caller>: Clone;

    fn stub<C: Caller>(client: C) -> Self::Stub<C>;
    fn echo<C: Caller>(stub: &Self::Stub<C>, body: Self) -> C::Outcome<Self>;

    fn of(payload: &Payload) -> Self;
    fn bytes(&self) -> &Bytes;
}

impl Body for Message {
    const METHOD: Method = MessagesMethod::Echo.method();

    type Stub<C: Caller> = MessagesClient<C>;

    fn stub<C: Caller>(client: C) -> MessagesClient<C> {
        MessagesClient::new(client)
    }

    fn echo<C: Caller>(stub: &MessagesClient<C>, body: Message) -> C::Outcome<Message> {
        stub.echo(body)
    }

    fn of(payload: &Payload) -> Self {
        payload.message()
    }

    fn bytes(&self) -> &Bytes {
        &self.body
    }
}

impl Body for Bytes {
    const METHOD: Method = RawMethod::Echo.method();

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

impl<B: Body> Connection<blocking::Client, B> {
    fn echo_batch(&self, payload: &Payload, calls: usize, tally: &mut Tally) -> Result<()> {
        let batch = (0..calls).map(|_| (B::METHOD, B::of(payload)));
        for reply in self.client.batch::<B, B>(batch, &CallOptions::new()) {
            payload.check(reply?.bytes())?;
            tally.end(None);
        }
        Ok(())
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
