//! zlink: varlink, which is JSON with a zero byte behind each message. The body is a string, the best that JSON can do for it.

use anyhow::{Result, anyhow};
use serde::{Deserialize, Serialize};
use zlink::tokio::unix;
use zlink::{Connection, ReplyError, Server, introspect, proxy, service};

use super::on_tokio::Rpc;
use crate::job::{Job, Setup};
use crate::payload::Payload;
use crate::setting::Load;

pub(super) struct Zlink;

impl Rpc for Zlink {
    const NAME: &'static str = "zlink";
    const ABOUT: &'static str = "varlink, JSON, a body as a string";

    type Client = Connection<unix::Stream>;

    /// A connection carries one call at a time. Its buffers grow by 256 bytes at a time, each time writing the message anew:
    /// the first MiB on a connection takes it seconds. Later ones find the buffer grown.
    fn takes(Load { connections, depth }: Load, size: usize) -> bool {
        depth == 1 && (connections == 1 || size <= 4 << 10 || (connections <= 16 && size <= 64 << 10))
    }

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        let listener = unix::bind(&setup.socket)?;
        ready();
        Ok(Server::new(listener, Service).run().await?)
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        Ok(unix::connect(&job.socket).await?)
    }
}

#[derive(Debug, Serialize, Deserialize, introspect::Type)]
struct Reply<'a> {
    #[serde(borrow)]
    body: &'a str,
}

#[derive(Debug, Serialize, Deserialize, introspect::Type)]
struct OwnedReply {
    body: String,
}

#[derive(Debug, ReplyError, introspect::ReplyError)]
#[zlink(interface = "org.example.Echo")]
enum EchoError {
    Refused,
}

struct Service;

#[service(interface = "org.example.Echo")]
impl Service {
    async fn echo(&mut self, body: String) -> OwnedReply {
        OwnedReply { body }
    }
}

#[proxy("org.example.Echo")]
trait EchoProxy {
    async fn echo(&mut self, body: &str) -> zlink::Result<Result<Reply<'_>, EchoError>>;
}

impl crate::load::Echo for Connection<unix::Stream> {
    async fn echo(&mut self, payload: &Payload, _: usize) -> Result<()> {
        let reply = EchoProxy::echo(self, payload.text()).await?;
        payload.check(reply.map_err(|error| anyhow!("{error:?}"))?.body.as_bytes())
    }

    fn share(&self) -> Option<Self> {
        // A call borrows its connection until it is answered.
        None
    }
}
