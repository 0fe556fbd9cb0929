//! tarpc: a service is a Rust trait, without a schema beside it; here with bincode.

use anyhow::Result;
use bytes::Bytes;
use futures_util::StreamExt;
use tarpc::serde_transport::unix;
use tarpc::server::{BaseChannel, Channel};
use tarpc::tokio_serde::formats::Bincode;
use tarpc::{client, context};

use super::on_tokio::Rpc;
use crate::job::{Job, Setup};
use crate::load::Echo;
use crate::payload::Payload;

#[allow(unreachable_pub, reason = "what the attribute makes")]
mod service {
    use bytes::Bytes;

    #[tarpc::service]
    pub(crate) trait EchoService {
        async fn echo(body: Bytes) -> Bytes;
    }
}

use service::{EchoService, EchoServiceClient};

pub(super) struct Tarpc;

impl Rpc for Tarpc {
    const NAME: &'static str = "tarpc";
    const ABOUT: &'static str = "tarpc on a Unix socket, bincode";

    type Client = EchoServiceClient;

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        let mut incoming = unix::listen(&setup.socket, Bincode::default).await?;
        ready();
        while let Some(transport) = incoming.next().await {
            let channel = BaseChannel::with_defaults(transport?);
            // As its own examples do: a task for each call.
            tokio::spawn(channel.execute(Service.serve()).for_each(|call| async move {
                tokio::spawn(call);
            }));
        }
        Ok(())
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        let transport = unix::connect(&job.socket, Bincode::default).await?;
        Ok(EchoServiceClient::new(client::Config::default(), transport).spawn())
    }
}

#[derive(Clone)]
struct Service;

impl EchoService for Service {
    async fn echo(self, _: context::Context, body: Bytes) -> Bytes {
        body
    }
}

impl Echo for EchoServiceClient {
    async fn echo(&mut self, payload: &Payload, _: usize) -> Result<()> {
        let reply = EchoServiceClient::echo(self, context::current(), payload.bytes().clone()).await?;
        payload.check(&reply)
    }

    fn share(&self) -> Option<Self> {
        Some(self.clone())
    }
}
