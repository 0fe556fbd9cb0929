//! capnp-rpc: Cap'n Proto's RPC. It is bound to one thread.
//!
//! `echo_capnp.rs` is checked in, for making it takes Cap'n Proto's compiler: a program of its own, which the `CompilerCommand`
//! of the crate `capnpc` runs, told `.default_parent_module(["subjects", "capnp_rpc"])`.

use std::path::Path;
use std::rc::Rc;

use anyhow::Result;
use capnp_rpc::rpc_twoparty_capnp::Side;
use capnp_rpc::twoparty::VatNetwork;
use capnp_rpc::{RpcSystem, new_client};
use futures_util::AsyncReadExt;
use send_wrapper::SendWrapper;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::spawn_local;
use tokio_util::compat::TokioAsyncReadCompatExt;

use crate::job::{Job, Setup};
use crate::load::Echo;
use crate::payload::Payload;
use crate::subjects::on_tokio::Rpc;

#[rustfmt::skip]
#[allow(unreachable_pub, dead_code, clippy::all, clippy::doc_markdown, clippy::semicolon_if_nothing_returned, clippy::unimplemented, clippy::uninlined_format_args, rust_2018_idioms, reason = "generated")]
mod echo_capnp;

use echo_capnp::echo;

pub(super) struct CapnpRpc;

impl Rpc for CapnpRpc {
    const NAME: &'static str = "capnp-rpc";
    const ABOUT: &'static str = "Cap'n Proto's RPC, a body as Data; one thread is all it knows";
    const WORKERS: &'static [usize] = &[1];

    type Client = Client;

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        let listener = UnixListener::bind(&setup.socket)?;
        ready();
        let service: echo::Client = new_client(Service);
        loop {
            let (stream, _) = listener.accept().await?;
            spawn_local(RpcSystem::new(
                Box::new(network(stream, Side::Server)),
                Some(service.client.clone()),
            ));
        }
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        connect(&job.socket).await
    }
}

async fn connect(socket: &Path) -> Result<Client> {
    let stream = UnixStream::connect(socket).await?;
    let mut system = RpcSystem::new(Box::new(network(stream, Side::Client)), None);
    let client = system.bootstrap(Side::Server);
    spawn_local(system);
    Ok(Client(SendWrapper::new(client)))
}

type Reader = futures_util::io::ReadHalf<tokio_util::compat::Compat<UnixStream>>;

fn network(stream: UnixStream, side: Side) -> VatNetwork<futures_util::io::BufReader<Reader>> {
    let (reader, writer) = stream.compat().split();
    VatNetwork::new(
        futures_util::io::BufReader::new(reader),
        futures_util::io::BufWriter::new(writer),
        side,
        capnp::message::ReaderOptions::default(),
    )
}

struct Service;

impl echo::Server for Service {
    async fn echo(
        self: Rc<Self>,
        params: echo::EchoParams,
        mut results: echo::EchoResults,
    ) -> Result<(), capnp::Error> {
        results.get().set_body(params.get()?.get_body()?);
        Ok(())
    }
}

/// The lanes are tasks that may change threads; on a runtime of one thread they don't, which the wrapper checks.
#[derive(Clone)]
pub(super) struct Client(SendWrapper<echo::Client>);

impl Echo for Client {
    fn echo(&mut self, payload: &Payload, _: usize) -> impl Future<Output = Result<()>> + Send {
        let client = self.0.clone();
        let payload = payload.clone();
        SendWrapper::new(async move {
            let mut request = client.echo_request();
            request.get().set_body(payload.bytes());
            let response = request.send().promise.await?;
            payload.check(response.get()?.get_body()?)
        })
    }

    fn share(&self) -> Option<Self> {
        Some(self.clone())
    }
}
