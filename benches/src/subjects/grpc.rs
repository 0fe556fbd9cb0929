//! drpc between hosts, beside [tonic on TCP](super::tonic::TonicTcp): a module that is served over gRPC, and one behind a gateway to its socket.

use std::net::SocketAddr;
use std::{fs, io};

use anyhow::Result;
use drpc::{AddedFields, Client, Module, ModuleService, Server, drpc_module};
use drpc_grpc::{Forwarded, GrpcCaller, GrpcServer};

use super::on_tokio::Rpc;
use super::subject::Kind;
use crate::job::{Job, Setup};
use crate::load;
use crate::payload::{Message, Payload};
use crate::setting::Load;

pub(super) const LOOPBACK: &str = "127.0.0.1:0";

/// What is promised of these systems is of one call at a time.
pub(super) fn takes(load: Load, _: usize) -> bool {
    load == Load::SEQUENTIAL
}

/// Leaves the server's address where its client finds it: in place of a socket.
pub(super) fn tell(setup: &Setup, address: SocketAddr) -> io::Result<()> {
    fs::write(&setup.socket, format!("http://{address}"))
}

pub(super) fn address(job: &Job) -> io::Result<String> {
    fs::read_to_string(&job.socket)
}

struct Echo;

#[drpc_module(id = 7, remote)]
impl Echo {
    #[method(0)]
    fn echo(&self, message: Message) -> Message {
        message
    }
}

async fn serve(module: impl Module, setup: &Setup, ready: impl FnOnce()) -> Result<()> {
    let mut modules = ModuleService::new();
    modules.register(module)?;
    let server = GrpcServer::builder(modules).insecure_loopback().bind(LOOPBACK).await?;
    tell(setup, server.local_addr())?;
    ready();
    Ok(server.serve().await?)
}

async fn connect(job: &Job) -> Result<EchoClient<GrpcCaller>> {
    Ok(EchoClient::new(GrpcCaller::builder(address(job)?).insecure_loopback().connect().await?))
}

pub(super) struct Grpc;

impl Rpc for Grpc {
    const NAME: &'static str = "grpc";
    const ABOUT: &'static str = "drpc's module and stub over gRPC on TCP";
    const KIND: Kind = Kind::BetweenHosts;

    type Client = EchoClient<GrpcCaller>;

    fn takes(load: Load, size: usize) -> bool {
        takes(load, size)
    }

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        serve(Echo, setup, ready).await
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        connect(job).await
    }
}

pub(super) struct Gateway;

impl Rpc for Gateway {
    const NAME: &'static str = "grpc-gateway";
    const ABOUT: &'static str = "the same through a gateway to a server on a socket, both in one process";
    const KIND: Kind = Kind::BetweenHosts;

    type Client = EchoClient<GrpcCaller>;

    fn takes(load: Load, size: usize) -> bool {
        takes(load, size)
    }

    async fn serve(setup: &Setup, ready: impl FnOnce() + Send) -> Result<()> {
        let socket = setup.socket.with_extension("behind");
        let behind = Server::builder().module(Echo).bind(&socket)?;
        tokio::spawn(behind.serve());
        let client = Client::builder(&socket).added_fields(AddedFields::ALL).connect().await?;
        serve(Forwarded::new(client, 7, "echo", [EchoMethod::Echo.into()]), setup, ready).await
    }

    async fn connect(job: &Job) -> Result<Self::Client> {
        connect(job).await
    }
}

impl load::Echo for EchoClient<GrpcCaller> {
    async fn echo(&mut self, payload: &Payload, _: usize) -> Result<()> {
        let reply = EchoClient::echo(self, payload.message()).await?;
        payload.check(&reply.body)
    }

    fn share(&self) -> Option<Self> {
        Some(self.clone())
    }
}
