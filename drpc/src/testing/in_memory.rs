use std::sync::Arc;

use super::relay::Line;
use super::{Faults, Recorder};
use crate::client::builder::ClientBuilder;
use crate::client::handle::Client;
use crate::server::handle::ServerHandle;
use crate::server::tokio::session::spawn_in_memory;
use crate::server::tokio::shared::Shared;
use crate::transport::{Connector, Link, MemoryEnd, PeerCredentials};
use crate::wire::{Wire, WireMode};

/// A server in this process, without a socket: what [`server_of`](super::server_of) returns. Cheap to clone.
///
/// # Example
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use drpc::testing::{self, MockModule, Recorder};
/// use drpc::{Method, Server};
///
/// let mock = MockModule::new(5, "greeter").reply(501, drpc::Bytes::from("hi"));
/// let recorder = Recorder::new();
/// let server = testing::server_of(Server::builder().module(mock))?.record(&recorder);
///
/// let client = server.client_builder().timeout(Duration::from_secs(5)).connect().await?;
/// client.call_raw(Method::new(5, 501, "hello"), "World", &Default::default()).await?;
/// println!("{}", recorder.sessions()[0]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct InMemoryServer {
    server: Arc<Shared>,
    peer: PeerCredentials,
    line: Line,
}

impl InMemoryServer {
    pub(super) fn new(server: Arc<Shared>) -> Self {
        InMemoryServer { server, peer: PeerCredentials::this_process(), line: Line::default() }
    }

    /// Makes sessions opened through the returned handle appear to come from another process: to test who may connect and who
    /// may call what. A client that may not connect finds its connection closed.
    #[must_use]
    pub fn peer(self, peer: PeerCredentials) -> Self {
        InMemoryServer { peer, ..self }
    }

    /// Records the sessions opened through the returned handle.
    #[must_use]
    pub fn record(mut self, recorder: &Recorder) -> Self {
        self.line.recorder = Some(recorder.clone());
        self
    }

    /// Injects faults between client and server, in the sessions opened through the returned handle.
    #[must_use]
    pub fn faults(mut self, faults: &Faults) -> Self {
        self.line.faults = Some(faults.clone());
        self
    }

    /// A client that is connected, in a session of its own.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn client(&self) -> Client {
        let link = Link::Memory(self.connector().connect());
        Client::of_link(self.client_builder(), link)
    }

    /// Returns a builder of clients that connect to this server.
    ///
    /// The client speaks the server's wire format and knows the server's [`Order`](crate::Order), unless told otherwise. It
    /// does not reconnect by itself ([`auto_reconnect`](ClientBuilder::auto_reconnect)), so that a test sees how a session
    /// ends. A blocking client needs a socket, so this can't connect one.
    pub fn client_builder(&self) -> ClientBuilder {
        let (wire, in_order) = self.server.speaks();
        let wire = match wire {
            WireMode::Auto => Wire::Chunked.into(),
            fixed => fixed,
        };
        ClientBuilder::in_memory(self.connector()).wire(wire).server_answers_in_order(in_order)
    }

    /// A handle to stop the server with: its sessions end ([S7](crate::guide::rules#server)), and so do those that are opened afterwards.
    #[must_use]
    pub fn handle(&self) -> ServerHandle {
        ServerHandle::new(self.server.clone())
    }

    fn connector(&self) -> Connector {
        let InMemoryServer { server, peer, line } = self.clone();
        Connector::new(move || {
            let (client, ours) = MemoryEnd::pair();
            spawn_in_memory(server.clone(), Link::Memory(line.through(ours)), peer.clone());
            client
        })
    }
}
