//! The systems that are measured: an echo server and its client each.

#[cfg(feature = "peers")]
mod capnp_rpc;
mod drpc;
mod floor;
#[cfg(feature = "peers")]
mod tarpc;
#[cfg(feature = "peers")]
mod tonic;
#[cfg(feature = "peers")]
mod ttrpc;
#[cfg(feature = "peers")]
mod zbus;
#[cfg(feature = "peers")]
mod zlink;

use std::future::Future;
use std::marker::PhantomData;
#[cfg(feature = "peers")]
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::control;
use crate::job::{Job, Setup};
use crate::load::{self, BlockingEcho, Echo};
use crate::runtime::block_on;

/// A system under measurement: what the process of its server and that of its client do.
pub(crate) trait Subject: Sync {
    /// What its column is headed.
    fn name(&self) -> &'static str;

    /// One line about it.
    fn about(&self) -> &'static str;

    /// The runtimes that it is measured on, by the number of their threads.
    fn workers(&self) -> &'static [usize] {
        &[1, 2]
    }

    /// Whether more calls than one can be in flight on a connection.
    fn pipelines(&self) -> bool {
        true
    }

    /// Whether it comes through with bodies of this size on so many connections in reasonable time.
    fn bears(&self, connections: usize, size: usize) -> bool {
        let _ = (connections, size);
        true
    }

    /// What it is measured for.
    fn kind(&self) -> Kind;

    /// Serves until the process is ended.
    fn serve(&self, setup: &Setup) -> Result<()>;

    /// Carries a job out.
    fn call(&self, job: &Job) -> Result<()>;
}

/// What a subject is measured for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The kernel alone.
    Floor,
    /// The kernel alone, under conditions of its own: measured only when asked for.
    SpecialFloor,
    /// drpc.
    Ours,
    /// What a user could pick instead.
    Peer,
}

/// An RPC on tokio, by its server and its client.
trait Rpc: Sync + 'static {
    const NAME: &'static str;
    const ABOUT: &'static str;
    const KIND: Kind = Kind::Peer;
    const WORKERS: &'static [usize] = &[1, 2];
    const PIPELINES: bool = true;

    type Client: Echo;

    /// Whether it comes through with bodies of this size on so many connections in reasonable time.
    fn bears(_connections: usize, _size: usize) -> bool {
        true
    }

    /// Listens, says so, and serves for ever.
    fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> impl Future<Output = Result<()>>;

    fn connect(job: &Job) -> impl Future<Output = Result<Self::Client>>;
}

/// An [`Rpc`] as a subject.
struct OnTokio<R>(PhantomData<fn() -> R>);

impl<R: Rpc> OnTokio<R> {
    const NEW: &'static dyn Subject = &OnTokio::<R>(PhantomData);
}

impl<R: Rpc> Subject for OnTokio<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn about(&self) -> &'static str {
        R::ABOUT
    }

    fn workers(&self) -> &'static [usize] {
        R::WORKERS
    }

    fn pipelines(&self) -> bool {
        R::PIPELINES
    }

    fn bears(&self, connections: usize, size: usize) -> bool {
        R::bears(connections, size)
    }

    fn kind(&self) -> Kind {
        R::KIND
    }

    fn serve(&self, setup: &Setup) -> Result<()> {
        block_on(setup.workers, R::serve(setup, control::ready))
    }

    fn call(&self, job: &Job) -> Result<()> {
        block_on(job.workers, load::drive(job, || R::connect(job)))
    }
}

/// An RPC whose server is on tokio and whose client blocks.
trait BlockingRpc: Sync + 'static {
    const NAME: &'static str;
    const ABOUT: &'static str;
    const KIND: Kind;

    type Client: BlockingEcho;

    /// Listens, says so, and serves for ever.
    fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> impl Future<Output = Result<()>>;

    fn connect(job: &Job) -> Result<Self::Client>;
}

/// A [`BlockingRpc`] as a subject.
struct Blocking<R>(PhantomData<fn() -> R>);

impl<R: BlockingRpc> Blocking<R> {
    const NEW: &'static dyn Subject = &Blocking::<R>(PhantomData);
}

impl<R: BlockingRpc> Subject for Blocking<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn about(&self) -> &'static str {
        R::ABOUT
    }

    fn pipelines(&self) -> bool {
        false
    }

    fn kind(&self) -> Kind {
        R::KIND
    }

    fn serve(&self, setup: &Setup) -> Result<()> {
        block_on(setup.workers, R::serve(setup, control::ready))
    }

    fn call(&self, job: &Job) -> Result<()> {
        load::drive_blocking(job, || R::connect(job))
    }
}

/// All subjects, in the order of the tables.
pub(crate) fn all() -> Vec<&'static dyn Subject> {
    let mut all = floor::all();
    all.extend(drpc::all());
    #[cfg(feature = "peers")]
    all.extend([
        OnTokio::<tonic::Tonic>::NEW,
        OnTokio::<ttrpc::Ttrpc>::NEW,
        OnTokio::<tarpc::Tarpc>::NEW,
        OnTokio::<zbus::Zbus>::NEW,
        OnTokio::<zlink::Zlink>::NEW,
        OnTokio::<capnp_rpc::CapnpRpc>::NEW,
    ]);
    all
}

/// The subject of a name.
pub(crate) fn find(name: &str) -> Result<&'static dyn Subject> {
    all().into_iter().find(|subject| subject.name() == name).with_context(|| format!("no system `{name}`"))
}

/// How long drpc's dispatch alone takes, with so many methods.
pub(crate) fn dispatch(methods: usize, window: Duration) -> Result<Duration> {
    drpc::dispatch(methods, window)
}

/// A socket's path as text, for systems that want an address.
#[cfg(feature = "peers")]
fn address(socket: &Path) -> Result<&str> {
    socket.to_str().context("the socket's path is not UTF-8")
}
