use std::sync::Arc;

use tokio::time::Instant;

use super::relay::Line;
use super::{Direction, RecordedPacket, Recorder, Recording};
use crate::client::builder::ClientBuilder;
use crate::client::error::ConnectError;
use crate::client::handle::Client;
use crate::transport::{Connector, Link, MemoryEnd};
use crate::wire::Packet;

impl Recording {
    /// Plays the client: connects as the builder says, sends the client's packets again, and returns a recording of what was sent and
    /// received.
    ///
    /// It waits for as many packets from the server as were recorded, each in its place among the client's, and ignores what the server
    /// sends beyond that. If the server closes, the recording ends there. The builder's wire format is ignored: packets are sent as
    /// they are.
    ///
    /// It has no time-out of its own: wrap it in `tokio::time::timeout` if the server may not answer.
    ///
    /// # Errors
    ///
    /// [`ConnectError`] if the server can't be connected to.
    ///
    /// # Example
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use drpc::testing::{self, Direction, MockModule, Recording};
    /// use drpc::{Bytes, Server};
    ///
    /// let recording: Recording = "\
    /// # a call of DAOS's echo method
    /// > 0d000000000000000d00000000000000000000000100000008 07 10bc05 1801 2204 70696e67
    /// < 080000000000000008000000000000000000000001000000 0801 1a04 70696e67
    /// ".parse()?;
    /// let echo = MockModule::new(7, "interop").on(700, |body: Bytes| Ok(body));
    /// let server = testing::server_of(Server::builder().module(echo))?;
    ///
    /// let again = recording.replay_calls(&server.client_builder()).await?;
    /// assert!(again.sent(Direction::ToClient).eq(recording.sent(Direction::ToClient)));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn replay_calls(&self, to: &ClientBuilder) -> Result<Recording, ConnectError> {
        let link = to.open_link().await?;
        let went = play(self, &link, Direction::ToServer).await;
        Ok(Recording::new(format!("replay of: {}", self.title()), went))
    }

    /// Plays the server: each client that connects receives the server's packets.
    ///
    /// A packet is sent once the client has sent as many as were recorded before it, whatever is in them. The
    /// client must count its calls as the recorded one did ([C1](crate::guide::rules#client)), or the responses have sequences that it does not know. When
    /// the recording ends, the connection is kept until the client closes.
    #[must_use]
    pub fn replay_replies(&self) -> Replay {
        let recorder = Recorder::new();
        Replay { recording: Arc::new(self.clone()), recorder }
    }
}

/// A recorded server: what [`Recording::replay_replies`] returns.
///
/// ```
/// use drpc::testing::Recording;
/// use drpc::{CallOptions, Method};
///
/// #[tokio::main]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let recording: Recording = "\
/// # a call of DAOS's echo method
/// > 0d000000000000000d00000000000000000000000100000008 07 10bc05 1801 2204 70696e67
/// < 080000000000000008000000000000000000000001000000 0801 1a04 70696e67
/// ".parse()?;
///
///     let client = recording.replay_replies().client();
///     let response = client.call_raw(Method::new(7, 700, "echo"), "ping", &CallOptions::new()).await?;
///     assert_eq!(&*response.body, b"ping");
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Replay {
    recording: Arc<Recording>,
    recorder: Recorder,
}

impl Replay {
    /// Returns a builder of clients that talk to the recording. Choose the recording's wire format.
    pub fn client_builder(&self) -> ClientBuilder {
        ClientBuilder::in_memory(self.connector())
    }

    /// A connected client that speaks the chunked wire format.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::of_link(self.client_builder(), Link::Memory(self.connector().connect()))
    }

    /// What was exchanged since, one recording per session.
    #[must_use]
    pub fn sessions(&self) -> Vec<Recording> {
        self.recorder.sessions()
    }

    fn connector(&self) -> Connector {
        let line = Line { recorder: Some(self.recorder.clone()), faults: None };
        let recording = self.recording.clone();
        Connector::new(move || {
            let (client, ours) = MemoryEnd::pair();
            let link = Link::Memory(line.through(ours));
            let recording = recording.clone();
            tokio::spawn(async move {
                play(&recording, &link, Direction::ToClient).await;
                while let Ok(Some(_)) = link.recv().await {}
            });
            client
        })
    }
}

/// Plays one side of a recording: sends the packets of that side, and waits for as many of the other in between. Gives what went
/// and came, up to the end of the recording or of the connection.
async fn play(recording: &Recording, link: &Link, side: Direction) -> Vec<RecordedPacket> {
    let begun = Instant::now();
    let mut passed = Vec::new();
    for packet in recording.packets() {
        let bytes = if packet.direction == side {
            match link.send(&Packet::raw(&packet.bytes, &[])).await {
                Ok(()) => packet.bytes.clone(),
                Err(_) => break,
            }
        } else {
            match link.recv().await {
                Ok(Some(bytes)) => bytes,
                _ => break,
            }
        };
        passed.push(RecordedPacket { direction: packet.direction, at: begun.elapsed(), bytes });
    }
    passed
}
