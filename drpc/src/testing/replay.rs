use std::collections::HashMap;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::relay::Line;
use super::{Direction, Message, MessageReader, RecordedPacket, Recorder, Recording};
use crate::client::builder::ClientBuilder;
use crate::client::error::ConnectError;
use crate::client::handle::Client;
use crate::transport::{Connector, Link, MemoryEnd};
use crate::wire::{Control, Credit, Items, Packet, Part};

impl Recording {
    /// Plays the client: connects as the builder says, sends the client's packets again, and returns a recording of what was sent and
    /// received.
    ///
    /// Before it sends one of the client's packets, and at the end, it waits until the server has answered what it had answered there when it was recorded:
    /// for the calls' last responses, and for as many items of a stream that goes on; and for as much room for the client's own items as they take. How many
    /// packets that takes is of no matter. (Where the server's packets are none of dRPC's, it waits for as many of them.) If the server closes, the recording
    /// ends there. The builder's wire format is ignored: packets are sent as they are.
    ///
    /// It has no time-out of its own: [`replay_calls_within`](Self::replay_calls_within) has one.
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
        let mut went = Vec::new();
        play_calls(self, &link, &mut went).await;
        Ok(self.again(went))
    }

    /// [`replay_calls`](Self::replay_calls), given up after a time, of which connecting takes none: the recording that is returned then ends with what came until
    /// then.
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
    /// use std::time::Duration;
    /// use drpc::testing::{self, Direction, Recording};
    /// use drpc::{Server, Wire};
    ///
    /// let recording: Recording = "\
    /// # half of a message, after which no reply can come
    /// > 0d000000000000000c00000000000000000000000200000000 07 10bc05 1801 2204 70696e
    /// < 080000000000000008000000000000000000000001000000 0801 1a04 70696e67
    /// ".parse()?;
    /// let server = testing::server_of(Server::builder().wire(Wire::Chunked))?;
    ///
    /// let again = recording.replay_calls_within(&server.client_builder(), Duration::from_millis(10)).await?;
    /// assert_eq!(again.sent(Direction::ToClient).count(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn replay_calls_within(
        &self,
        to: &ClientBuilder,
        limit: Duration,
    ) -> Result<Recording, ConnectError> {
        let link = to.open_link().await?;
        let mut went = Vec::new();
        // What passed until then is kept.
        let _ = tokio::time::timeout(limit, play_calls(self, &link, &mut went)).await;
        Ok(self.again(went))
    }

    fn again(&self, went: Vec<RecordedPacket>) -> Recording {
        Recording::new(format!("replay of: {}", self.title()), went)
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
                play_replies(&recording, &link).await;
                while let Ok(Some(_)) = link.recv().await {}
            });
            client
        })
    }
}

/// Plays the server's side of a recording: sends its packets, and waits for as many of the client's in between.
async fn play_replies(recording: &Recording, link: &Link) {
    for packet in recording.packets() {
        let went = match packet.direction {
            Direction::ToClient => link.send(&Packet::raw(&packet.bytes, &[])).await.is_ok(),
            Direction::ToServer => matches!(link.recv().await, Ok(Some(_))),
        };
        if !went {
            return;
        }
    }
}

/// Plays the client's side of a recording, and tells what went and came, up to the end of the recording or of the connection.
async fn play_calls(recording: &Recording, link: &Link, passed: &mut Vec<RecordedPacket>) {
    let begun = Instant::now();
    let (mut then, mut now) = (Answered::new(), Answered::new());
    for packet in recording.packets() {
        then.take(packet);
        if packet.direction == Direction::ToClient {
            continue;
        }
        if !now.reaches(&mut then, link, begun, passed).await {
            return;
        }
        if link.send(&Packet::raw(&packet.bytes, &[])).await.is_err() {
            return;
        }
        passed.push(RecordedPacket { at: begun.elapsed(), ..packet.clone() });
    }
    now.reaches(&mut then, link, begun, passed).await;
}

/// How far a server has answered.
struct Answered {
    reader: MessageReader,
    /// Whether its packets could be read so far.
    is_readable: bool,
    packets: usize,
    /// By the sequences of responses.
    calls: HashMap<i64, Progress>,
    /// The calls of which something came since another was found [as far](Self::reaches): so each is looked at once, however many there are.
    moved: Vec<i64>,
}

/// What came of a call, or of those that were answered without a sequence.
#[derive(Clone, Copy, Default)]
struct Progress {
    /// Last responses.
    ends: usize,
    /// Whatever of a stream came before: that it is open, and its items.
    items: usize,
    /// The room that the server has made for the client's items.
    room: Credit,
    /// Whether it wants no more of them.
    has_enough: bool,
    /// What the client has sent of these.
    sent: Credit,
}

impl Answered {
    fn new() -> Self {
        Answered {
            reader: MessageReader::new(),
            is_readable: true,
            packets: 0,
            calls: HashMap::new(),
            moved: Vec::new(),
        }
    }

    fn take(&mut self, packet: &RecordedPacket) {
        self.packets += usize::from(packet.direction == Direction::ToClient);
        match self.reader.read(packet) {
            Ok(messages) => messages.into_iter().for_each(|message| self.message(message)),
            Err(_) => self.is_readable &= packet.direction == Direction::ToServer,
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Call(call) => {
                let Some(control) = call.added.as_ref().and_then(|added| added.control) else { return };
                let sent = &mut self.calls.entry(call.sequence).or_default().sent;
                let lengths: Vec<usize> = match control {
                    Control::Item => vec![call.body.len()],
                    Control::Items => lengths(call.body),
                    _ => return,
                };
                sent.items = sent.items.saturating_add(lengths.len() as u32);
                sent.bytes = sent.bytes.saturating_add(lengths.iter().sum::<usize>() as u64);
                self.moved.push(call.sequence);
            }
            Message::Response(response) => {
                let progress = self.calls.entry(response.sequence).or_default();
                let room = response.added.as_ref().and_then(|added| added.credit).unwrap_or_default();
                progress.room.items = progress.room.items.saturating_add(room.items);
                progress.room.bytes = progress.room.bytes.saturating_add(room.bytes);
                match response.part() {
                    None => progress.ends += 1,
                    Some(Part::Items) => progress.items += lengths(response.body).len(),
                    Some(Part::Credit) => {}
                    Some(Part::Enough) => progress.has_enough = true,
                    Some(_) => progress.items += 1,
                }
                self.moved.push(response.sequence);
            }
        }
    }

    /// Takes what the server sends until it has answered as it had `then`; gives whether it has.
    async fn reaches(
        &mut self,
        then: &mut Answered,
        link: &Link,
        begun: Instant,
        passed: &mut Vec<RecordedPacket>,
    ) -> bool {
        while !self.is_as_far_as(then) {
            let Ok(Some(bytes)) = link.recv().await else { return false };
            let packet = RecordedPacket { direction: Direction::ToClient, at: begun.elapsed(), bytes };
            self.take(&packet);
            self.moved.clear();
            passed.push(packet);
        }
        true
    }

    fn is_as_far_as(&self, then: &mut Answered) -> bool {
        if !self.is_readable || !then.is_readable {
            return self.packets >= then.packets;
        }
        let of =
            |answered: &Answered, sequence: &i64| answered.calls.get(sequence).copied().unwrap_or_default();
        let mut moved = mem::take(&mut then.moved);
        moved.retain(|sequence| !of(self, sequence).is_as_far_as(&of(then, sequence)));
        then.moved = moved;
        then.moved.is_empty()
    }
}

impl Progress {
    fn is_as_far_as(&self, then: &Progress) -> bool {
        // When a server makes room, and how much at a time, is its own affair. What it had made it must have made, so far as it is used.
        let has_room = self.has_enough
            || self.room.items >= then.room.items.min(then.sent.items)
                && self.room.bytes >= then.room.bytes.min(then.sent.bytes);
        let is_over = self.ends > 0;
        self.ends >= then.ends && (is_over || self.items >= then.items && has_room)
    }
}

/// The lengths of several items; none, if they can't be read.
fn lengths(several: Bytes) -> Vec<usize> {
    Items::read(several).map(|items| items.map(|item| item.len()).collect()).unwrap_or_default()
}
