//! zbus: D-Bus, here from peer to peer, without a bus between them.

use anyhow::{Context, Result};
use serde_bytes::{ByteBuf, Bytes};
use tokio::net::{UnixListener, UnixStream};
use zbus::connection::Builder;
use zbus::{Guid, interface, proxy};

use super::on_tokio::Rpc;
use crate::job::{Job, Setup};
use crate::payload::Payload;

const PATH: &str = "/org/example/echo";

pub(super) struct Zbus;

impl Rpc for Zbus {
    const NAME: &'static str = "zbus";
    const ABOUT: &'static str = "D-Bus from peer to peer, a body as an array of bytes";

    type Client = EchoProxy<'static>;

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        let listener = UnixListener::bind(&setup.socket)?;
        ready();
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(async move {
                if let Err(error) = serve_connection(stream).await {
                    eprintln!("zbus: {error:#}");
                }
            });
        }
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        let stream = UnixStream::connect(&job.socket).await?;
        let connection = Builder::unix_stream(stream.into_std()?).p2p().build().await?;
        // There are no properties to keep.
        let proxy = EchoProxy::builder(&connection).cache_properties(zbus::proxy::CacheProperties::No);
        Ok(proxy.build().await?)
    }
}

async fn serve_connection(stream: UnixStream) -> Result<()> {
    let connection = Builder::unix_stream(stream.into_std()?)
        .server(Guid::generate())
        .p2p()
        .serve_at(PATH, Service)
        .build()
        .await
        .context("greeting a client")?;
    // It is served for as long as it is held.
    connection.closed().await;
    Ok(())
}

struct Service;

#[interface(name = "org.example.Echo")]
impl Service {
    async fn echo(&self, body: ByteBuf) -> ByteBuf {
        body
    }
}

#[proxy(
    interface = "org.example.Echo",
    default_path = "/org/example/echo",
    default_service = "org.example.Echo"
)]
pub(super) trait Echo {
    async fn echo(&self, body: &Bytes) -> zbus::Result<ByteBuf>;
}

impl crate::load::Echo for EchoProxy<'static> {
    async fn echo(&mut self, payload: &Payload, _: usize) -> Result<()> {
        let reply = EchoProxy::echo(self, Bytes::new(payload.bytes())).await?;
        payload.check(&reply)
    }

    fn share(&self) -> Option<Self> {
        Some(self.clone())
    }
}
