//! ttrpc: gRPC without HTTP/2, as containerd has it.

use std::future::pending;
use std::sync::Arc;

use anyhow::{Context, Result};
use async_trait::async_trait;
use ttrpc::r#async::{Client, Server, TtrpcContext};
use ttrpc::context;

use super::on_tokio::Rpc;
use crate::job::{Job, Setup};
use crate::load::Echo;
use crate::payload::Payload;

#[allow(
    unreachable_pub,
    rust_2018_idioms,
    missing_docs,
    clippy::all,
    clippy::doc_markdown,
    clippy::semicolon_if_nothing_returned,
    clippy::uninlined_format_args,
    reason = "generated"
)]
mod proto {
    include!(concat!(env!("OUT_DIR"), "/ttrpc/echo/modules.rs"));
}

use proto::echo::Message;
use proto::echo_ttrpc::{self, EchoClient};

pub(super) struct Ttrpc;

impl Rpc for Ttrpc {
    const NAME: &'static str = "ttrpc";
    const ABOUT: &'static str = "ttrpc, rust-protobuf messages, as its own generator makes them";

    type Client = EchoClient;

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        let service = echo_ttrpc::create_echo(Arc::new(Service));
        let mut server = Server::new().bind(&url(&setup.socket)?)?.register_service(service);
        server.start().await?;
        ready();
        pending().await
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        Ok(EchoClient::new(Client::connect(&url(&job.socket)?).await?))
    }
}

fn url(socket: &std::path::Path) -> Result<String> {
    Ok(format!("unix://{}", socket.to_str().context("the socket's path is not UTF-8")?))
}

struct Service;

#[async_trait]
impl echo_ttrpc::Echo for Service {
    async fn echo(&self, _: &TtrpcContext, message: Message) -> ttrpc::Result<Message> {
        Ok(message)
    }
}

impl Echo for EchoClient {
    async fn echo(&mut self, payload: &Payload, _: usize) -> Result<()> {
        let request = Message { body: payload.bytes().clone(), ..Message::default() };
        // Without a timeout, as the others.
        let reply = EchoClient::echo(self, context::with_timeout(0), &request).await?;
        payload.check(&reply.body)
    }

    fn share(&self) -> Option<Self> {
        Some(self.clone())
    }
}
