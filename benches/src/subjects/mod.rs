//! The systems that are measured: an echo server and its client each.

mod bare;
#[cfg(feature = "peers")]
mod capnp_rpc;
mod drpc;
mod floor;
#[cfg(feature = "grpc")]
mod grpc;
#[cfg(feature = "grpc")]
mod on_tokio;
#[cfg(feature = "peers")]
mod shmipc;
pub(crate) mod subject;
#[cfg(feature = "peers")]
mod tarpc;
#[cfg(feature = "grpc")]
mod tonic;
#[cfg(feature = "peers")]
mod ttrpc;
#[cfg(feature = "peers")]
mod zbus;
#[cfg(feature = "peers")]
mod zlink;

use std::time::Duration;

use anyhow::{Context, Result};
#[cfg(feature = "grpc")]
use on_tokio::OnTokio;
use subject::Subject;

/// All subjects, in the order of the tables.
pub(crate) fn all() -> Vec<&'static dyn Subject> {
    let mut all = floor::all();
    all.extend(drpc::all());
    #[cfg(feature = "grpc")]
    all.extend([
        OnTokio::<tonic::Tonic>::NEW,
        OnTokio::<tonic::TonicTcp>::NEW,
        OnTokio::<grpc::Grpc>::NEW,
        OnTokio::<grpc::Gateway>::NEW,
    ]);
    #[cfg(feature = "peers")]
    all.extend([
        OnTokio::<ttrpc::Ttrpc>::NEW,
        OnTokio::<tarpc::Tarpc>::NEW,
        OnTokio::<zbus::Zbus>::NEW,
        OnTokio::<zlink::Zlink>::NEW,
        OnTokio::<capnp_rpc::CapnpRpc>::NEW,
        OnTokio::<shmipc::Shmipc>::NEW,
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
