use std::error::Error;
use std::fmt;

use super::{Direction, RecordedPacket};
use crate::wire::{Call, Codec, EnvelopeError, FrameError, Response, WireMode};

/// The longest message that is put together, in bytes.
const LIMIT: usize = 1 << 30;

/// Reads the calls and responses in the packets of one session, one after the other.
///
/// It takes either wire, each direction by itself. Once a direction breaks the wire's rules, nothing more is read in it: what follows can't be
/// told.
///
/// ```
/// use drpc::testing::{Message, MessageReader, Recording};
///
/// let recording: Recording = "\
/// # a call of DAOS's echo method
/// > 0d000000000000000d00000000000000000000000100000008 07 10bc05 1801 2204 70696e67
/// < 080000000000000008000000000000000000000001000000 0801 1a04 70696e67
/// ".parse()?;
///
/// let mut reader = MessageReader::new();
/// for packet in recording.packets() {
///     for message in reader.read(packet)? {
///         match message {
///             Message::Call(call) => assert_eq!((call.method, &*call.body), (700, &b"ping"[..])),
///             Message::Response(response) => assert!(response.status.is_success()),
///         }
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct MessageReader {
    to_server: Option<Codec>,
    to_client: Option<Codec>,
}

/// What a [`MessageReader`] reads.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// From the client.
    Call(Call),
    /// From the server.
    Response(Response),
}

impl MessageReader {
    /// A reader at the beginning of a session.
    #[must_use]
    pub fn new() -> Self {
        let codec = || Some(Codec::new(WireMode::Auto, LIMIT));
        MessageReader { to_server: codec(), to_client: codec() }
    }

    /// Takes the session's next packet; gives the message that it completes, if it does, or those of a [pack](crate::AddedFields::PACKS).
    ///
    /// # Errors
    ///
    /// [`UnreadableMessage`] if the packet breaks the wire's rules, or what it completes is no call or response.
    pub fn read(&mut self, packet: &RecordedPacket) -> Result<Vec<Message>, UnreadableMessage> {
        let codec = self.codec_mut(packet.direction);
        let Some(reading) = codec else { return Ok(Vec::new()) };
        let message = match reading.receive(packet.bytes.clone()) {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(Vec::new()),
            Err(error) => {
                *codec = None;
                return Err(UnreadableMessage(Cause::Frame(error)));
            }
        };
        let packed = match packet.direction {
            Direction::ToServer => Call::unpack(&message),
            Direction::ToClient => Response::unpack(&message),
        };
        let decode = |message| match packet.direction {
            Direction::ToServer => Call::decode(message).map(Message::Call),
            Direction::ToClient => Response::decode(message).map(Message::Response),
        };
        let messages = packed.map_or(vec![message], Iterator::collect).into_iter().map(decode);
        messages.collect::<Result<_, _>>().map_err(|error| UnreadableMessage(Cause::Envelope(error)))
    }

    /// The direction's wire, while its rules are kept.
    pub(super) fn codec(&self, direction: Direction) -> Option<&Codec> {
        match direction {
            Direction::ToServer => self.to_server.as_ref(),
            Direction::ToClient => self.to_client.as_ref(),
        }
    }

    fn codec_mut(&mut self, direction: Direction) -> &mut Option<Codec> {
        match direction {
            Direction::ToServer => &mut self.to_server,
            Direction::ToClient => &mut self.to_client,
        }
    }
}

impl Default for MessageReader {
    fn default() -> Self {
        Self::new()
    }
}

/// A packet from which a [`MessageReader`] can't read on.
#[derive(Clone, Debug)]
pub struct UnreadableMessage(Cause);

#[derive(Clone, Debug)]
enum Cause {
    Frame(FrameError),
    Envelope(EnvelopeError),
}

impl fmt::Display for UnreadableMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Cause::Frame(error) => write!(f, "breaks the wire's rules: {error}"),
            Cause::Envelope(error) => error.fmt(f),
        }
    }
}

impl Error for UnreadableMessage {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            Cause::Frame(error) => Some(error),
            Cause::Envelope(error) => Some(error),
        }
    }
}
