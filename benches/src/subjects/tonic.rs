//! tonic: gRPC over HTTP/2, on a Unix socket, or on TCP as between hosts.

use std::time::Duration;

use anyhow::Result;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};
use tower::service_fn;

use super::grpc::{self, LOOPBACK};
use super::on_tokio::Rpc;
use super::subject::Kind;
use crate::job::{Job, Setup};
use crate::load::Echo;
use crate::payload::Payload;
use crate::setting::Load;

#[allow(unreachable_pub, clippy::doc_markdown, clippy::missing_errors_doc, reason = "generated")]
mod proto {
    tonic::include_proto!("echo");
}

use proto::Message;
use proto::echo_client::EchoClient;
use proto::echo_server::{self, EchoServer};

/// Above the largest body: tonic takes up to 4 MiB if not told otherwise.
const MESSAGE_LIMIT: usize = 64 << 20;

/// As drpc-grpc has them.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
const STREAM_WINDOW: u32 = 2 << 20;

pub(super) struct Tonic;

impl Rpc for Tonic {
    const NAME: &'static str = "tonic";
    const ABOUT: &'static str = "gRPC over HTTP/2 on a Unix socket, prost messages";

    type Client = EchoClient<Channel>;

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        let listener = UnixListener::bind(&setup.socket)?;
        let service = EchoServer::new(Service).max_decoding_message_size(MESSAGE_LIMIT);
        ready();
        let incoming = UnixListenerStream::new(listener);
        Ok(Server::builder().add_service(service).serve_with_incoming(incoming).await?)
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        let socket = job.socket.clone();
        // The address is not used, but must be there.
        let channel = Endpoint::from_static("http://localhost")
            .connect_with_connector(service_fn(move |_| {
                let socket = socket.clone();
                async move { UnixStream::connect(socket).await.map(TokioIo::new) }
            }))
            .await?;
        Ok(EchoClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT))
    }
}

pub(super) struct TonicTcp;

impl Rpc for TonicTcp {
    const NAME: &'static str = "tonic-tcp";
    const ABOUT: &'static str = "gRPC over HTTP/2 on TCP, prost messages";
    const KIND: Kind = Kind::BetweenHosts;

    type Client = EchoClient<Channel>;

    fn takes(load: Load, size: usize) -> bool {
        grpc::takes(load, size)
    }

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        let incoming = TcpIncoming::bind(LOOPBACK.parse()?)?.with_nodelay(Some(true));
        let service = EchoServer::new(Service).max_decoding_message_size(MESSAGE_LIMIT);
        grpc::tell(setup, incoming.local_addr()?)?;
        ready();
        // drpc-grpc's settings of HTTP/2, so that what is compared is drpc.
        let mut server = Server::builder()
            .http2_keepalive_interval(Some(KEEP_ALIVE))
            .http2_keepalive_timeout(Some(KEEP_ALIVE / 2))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(128 << 20)
            .max_concurrent_streams(256);
        Ok(server.add_service(service).serve_with_incoming(incoming).await?)
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        let endpoint = Endpoint::from_shared(grpc::address(job)?)?
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(1 << 30)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE / 2);
        let channel = endpoint.connect().await?;
        Ok(EchoClient::new(channel).max_decoding_message_size(MESSAGE_LIMIT))
    }
}

struct Service;

#[tonic::async_trait]
impl echo_server::Echo for Service {
    async fn echo(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

impl Echo for EchoClient<Channel> {
    async fn echo(&mut self, payload: &Payload, _: usize) -> Result<()> {
        let request = Message { body: payload.bytes().clone() };
        let reply = EchoClient::echo(self, request).await?;
        payload.check(&reply.into_inner().body)
    }

    fn share(&self) -> Option<Self> {
        Some(self.clone())
    }
}
