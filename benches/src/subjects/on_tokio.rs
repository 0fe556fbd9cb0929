//! What the systems on tokio have in common.

use std::future::Future;
use std::marker::PhantomData;

use anyhow::Result;

use super::subject::{Kind, Subject};
use crate::control;
use crate::job::{Job, Setup};
use crate::load::{self, Echo};
use crate::runtime::block_on;
use crate::setting::Load;

/// An RPC on tokio, by its server and its client.
pub(super) trait Rpc: Sync + 'static {
    const NAME: &'static str;
    const ABOUT: &'static str;
    const KIND: Kind = Kind::Peer;
    const WORKERS: &'static [usize] = &[1, 2];

    type Client: Echo;

    /// Whether it can carry such a load, and comes through with bodies of this size in reasonable time.
    fn takes(_load: Load, _size: usize) -> bool {
        true
    }

    /// Listens, says so, and serves for ever.
    fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> impl Future<Output = Result<()>>;

    fn connect(job: &Job) -> impl Future<Output = Result<Self::Client>>;
}

/// An [`Rpc`] as a subject.
pub(super) struct OnTokio<R>(PhantomData<fn() -> R>);

impl<R: Rpc> OnTokio<R> {
    pub(super) const NEW: &'static dyn Subject = &OnTokio::<R>(PhantomData);
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

    fn takes(&self, load: Load, size: usize) -> bool {
        R::takes(load, size)
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
