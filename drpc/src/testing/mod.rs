//! For tests of programs that use this crate, and for inspecting traffic.
//!
//! | to | use |
//! |---|---|
//! | call your own modules without a socket | [`client_of`], or [`server_of`] for several clients, settings, shutdown |
//! | test code that calls a server | [`MockModule`]: a module with the answers that you give it, and a log of the calls |
//! | see the traffic | [`Recorder`], printed readably or kept as a [`Recording`] that can be replayed |
//! | inject faults | [`Faults`]: packets late, lost or truncated, or the connection closed |
//! | do either between real processes | [`Proxy`]: a socket in front of a server's, which also tells of each packet at once |
//! | read calls and responses in packets | [`MessageReader`] |
//!
//! Servers and clients in memory need no I/O driver and use tokio's clock, so in a test with paused time (tokio's feature `test-util`) every
//! time-out passes at once, those of calls ([`CallOptions`](crate::CallOptions)) and those of handlers
//! ([`handler_timeout`](ServerBuilder::handler_timeout)):
//!
//! ```
//! # async fn test() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//! use drpc::testing::{self, MockModule};
//! use drpc::{CallOptions, Method, Server};
//!
//! let mock = MockModule::new(5, "greeter").hang(501);
//! let client = testing::client_of(Server::builder().module(mock))?;
//!
//! let options = CallOptions::new().timeout(Duration::from_secs(3600));
//! let error = client.call_raw(Method::new(5, 501, "hello"), "", &options).await.unwrap_err();
//! assert!(error.is_timeout()); // after no time at all
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?.block_on(test())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod faults;
mod in_memory;
mod messages;
mod mock;
mod proxy;
mod recorder;
mod recording;
mod relay;
mod replay;
mod show;
mod watch;

pub use faults::{Fault, Faults};
pub use in_memory::InMemoryServer;
pub use messages::{Message, MessageReader, UnreadableMessage};
pub use mock::{MockCall, MockModule};
pub use proxy::Proxy;
pub use recorder::Recorder;
pub use recording::{Direction, ParseRecordingError, RecordedPacket, Recording};
pub use replay::Replay;
pub use watch::Watched;

use crate::client::handle::Client;
use crate::server::builder::ServerBuilder;
use crate::server::error::BindError;
use crate::transport::PeerCredentials;

/// A client of a server in this process: the full path of a call, without a socket.
///
/// The session ends when the last clone of the client is dropped. A call that is abandoned does not block those after it: they
/// use another session of the same server ([C4](crate::guide::rules#client)), as over a socket.
///
/// # Example
///
/// ```
/// # use drpc::{drpc_module, Failure};
/// # struct Echo;
/// # #[drpc_module(id = 7)]
/// # impl Echo {
/// #     #[method(0)]
/// #     fn echo(&self, body: bytes::Bytes) -> bytes::Bytes { body }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use drpc::Server;
///
/// let client = drpc::testing::client_of(Server::builder().module(Echo))?;
/// assert_eq!(EchoClient::new(client).echo("ping".into()).await?, "ping");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// As [`ServerBuilder::bind`], but for the socket.
///
/// # Panics
///
/// Outside of a tokio runtime.
pub fn client_of(server: ServerBuilder) -> Result<Client, BindError> {
    Ok(server_of(server)?.client())
}

/// Like [`client_of`], for a client that pretends to be another process: to test who may connect and who may call what.
///
/// A client that may not connect finds its connection closed.
///
/// # Errors
///
/// As [`client_of`].
///
/// # Panics
///
/// As [`client_of`].
pub fn client_as(server: ServerBuilder, peer: PeerCredentials) -> Result<Client, BindError> {
    Ok(server_of(server)?.peer(peer).client())
}

/// A server in this process, without a socket: for any number of clients, each in a session of its own.
///
/// # Errors
///
/// As [`ServerBuilder::bind`], but for the socket.
pub fn server_of(server: ServerBuilder) -> Result<InMemoryServer, BindError> {
    Ok(InMemoryServer::new(server.allow_unlisted().build_shared()?))
}
