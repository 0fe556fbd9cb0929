//! shmipc: streams over shared memory. Not an RPC, but what is left of one where nothing is encoded and bodies don't go through the
//! kernel: the socket beside it only sets it up, and eventfds wake the other side.

use std::os::unix::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use shmipc::config::{Config, SizePercentPair};
use shmipc::consts::MemMapType;
use shmipc::session::{SessionManager, SessionManagerConfig};
use shmipc::stream::Stream;
use shmipc::transport::{DefaultUnixConnect, DefaultUnixListen};
use shmipc::{Error, Listener};

use super::on_tokio::Rpc;
use super::subject::Kind;
use crate::job::{Job, Setup};
use crate::load::Echo;
use crate::payload::Payload;
use crate::setting::Load;

pub(super) struct Shmipc;

impl Rpc for Shmipc {
    const NAME: &'static str = "shmipc";
    const ABOUT: &'static str =
        "shmipc's streams over shared memory, woken by eventfds; a body, and nothing encoded";

    const KIND: Kind = Kind::Transport;

    type Client = Client;

    /// Each connection has shared memory of its own, of which more than a thousand find no room here.
    fn takes(load: Load, _: usize) -> bool {
        load.connections <= 1000
    }

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        let size = setup.size;
        let mut listener = Listener::new(DefaultUnixListen, address(&setup.socket)?, config(size)).await?;
        ready();
        loop {
            let mut stream = listener.accept().await?;
            tokio::spawn(async move {
                loop {
                    match echo(&mut stream, size).await {
                        Ok(()) => {}
                        Err(Error::StreamClosed | Error::EndOfStream) => return,
                        Err(error) => return eprintln!("shmipc: {error}"),
                    }
                }
            });
        }
    }

    async fn connect(job: &Job) -> Result<Client> {
        let config = SessionManagerConfig::new().with_config(config(job.size)).with_session_num(1);
        let session = SessionManager::new(config, DefaultUnixConnect, address(&job.socket)?)
            .await
            .map_err(|error| anyhow::anyhow!("{error:#}"))?;
        let stream = session.get_stream()?;
        Ok(Client { session, stream })
    }
}

/// Copies a body out of the shared memory and back into it, as a handler would that keeps it.
async fn echo(stream: &mut Stream, size: usize) -> Result<(), Error> {
    let body = stream.read_exact_bytes(size).await?.to_vec();
    stream.release_read_and_reuse();
    stream.write_bytes(&body)?;
    stream.flush(false).await
}

fn address(socket: &Path) -> Result<SocketAddr> {
    SocketAddr::from_pathname(socket).context("the socket's path is none of a socket")
}

/// As its own benchmark has it: most of the memory is in pieces that a body just fits into.
fn config(size: usize) -> Config {
    let piece = |size, percent| SizePercentPair { size, percent };
    let body = u32::try_from(size).expect("a body of the benchmark is within the limit");
    Config {
        mem_map_type: MemMapType::MemMapTypeMemFd,
        share_memory_buffer_cap: 64 << 20,
        buffer_slice_sizes: vec![
            piece(body + 256, 70),
            piece((16 << 10) + 256, 20),
            piece((64 << 10) + 256, 10),
        ],
        ..Config::new().with_v4_eventfd()
    }
}

/// A stream of a session.
pub(super) struct Client {
    session: SessionManager<DefaultUnixConnect>,
    stream: Stream,
}

impl Echo for Client {
    async fn echo(&mut self, payload: &Payload, _: usize) -> Result<()> {
        let sent = self.stream.write_bytes(payload.bytes())?;
        ensure!(sent == payload.bytes().len(), "{sent} bytes found room");
        self.stream.flush(false).await?;
        let reply = self.stream.read_exact_bytes(payload.bytes().len()).await?.to_vec();
        self.stream.release_read_and_reuse();
        payload.check(&reply)
    }

    fn share(&self) -> Option<Self> {
        let stream = self.session.get_stream().ok()?;
        Some(Client { session: self.session.clone(), stream })
    }
}
