//! For the tests of programs that use this crate.

use crate::Client;
use crate::server::{BindError, ServerBuilder, spawn_in_memory};

/// A client of a server that lives in this process: the whole way of a call, without a socket.
///
/// The session ends when the last clone of the client is dropped.
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
    Ok(Client::of_link(spawn_in_memory(server.build_shared()?)))
}
