//! A recording's file: an event a line, as JSON. So it can be written as things happen, and what a crash leaves can be read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use drpc::testing::{Direction, ParseRecordingError, RecordedPacket, Recording};
use drpc::{Bytes, PeerCredentials};
use serde::{Deserialize, Serialize};

use crate::schema::Reflected;
use crate::words::{LAST_SECOND, printable};

/// The version of the form that is written, and the one that is read.
pub(crate) const FORMAT: u32 = 1;

/// No time of a recording is larger, be it since 1970 or since the recording began.
const LAST_US: u64 = LAST_SECOND * 1_000_000;

/// What happened. Times are microseconds since the recording began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event {
    /// The first line.
    Begun {
        format: u32,
        /// The server's socket.
        target: String,
        /// The time of day, in microseconds since 1970.
        epoch_us: u64,
    },
    /// What the server told of its names and types, so that who reads needs nothing beside the recording.
    Reflected(Reflected),
    Opened {
        session: u64,
        at_us: u64,
        peer: Option<Peer>,
    },
    Packet {
        session: u64,
        at_us: u64,
        to: To,
        #[serde(rename = "hex", with = "hex::serde")]
        bytes: Vec<u8>,
        /// How many file descriptors came with it: they themselves can't be kept.
        #[serde(default, skip_serializing_if = "is_none")]
        descriptors: usize,
    },
    Closed {
        session: u64,
        at_us: u64,
        /// Why the server could not be reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
}

/// A client's process, as it was when it connected.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) pid: Option<i32>,
    pub(crate) uid: u32,
    pub(crate) program: Option<String>,
}

/// Where a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum To {
    Server,
    Client,
}

impl Event {
    fn time_us(&self) -> u64 {
        match self {
            Event::Begun { epoch_us, .. } => *epoch_us,
            Event::Reflected(_) => 0,
            Event::Opened { at_us, .. } | Event::Packet { at_us, .. } | Event::Closed { at_us, .. } => *at_us,
        }
    }

    pub(crate) fn to_line(&self) -> String {
        // It is made of numbers and texts.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }
}

impl Peer {
    pub(crate) fn of(credentials: &PeerCredentials) -> Peer {
        let program = credentials.pid().and_then(|pid| fs::read_to_string(format!("/proc/{pid}/comm")).ok());
        Peer {
            pid: credentials.pid(),
            uid: credentials.uid(),
            program: program.map(|program| printable(program.trim_end())),
        }
    }
}

/// `greeter[812]`; `pid 812` for one without a name.
impl std::fmt::Display for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.program, self.pid) {
            (Some(program), Some(pid)) => write!(f, "{program}[{pid}]"),
            (None, Some(pid)) => write!(f, "pid {pid}"),
            (_, None) => write!(f, "uid {}", self.uid),
        }
    }
}

impl To {
    pub(crate) fn direction(self) -> Direction {
        match self {
            To::Server => Direction::ToServer,
            To::Client => Direction::ToClient,
        }
    }
}

impl From<Direction> for To {
    fn from(direction: Direction) -> To {
        match direction {
            Direction::ToServer => To::Server,
            Direction::ToClient => To::Client,
        }
    }
}

/// Reads a file that `drpc trace --record` wrote, or the text form of `drpc::testing::Recording`, which is one session without times.
pub(crate) fn read(path: &Path) -> Result<Vec<Event>, ReadError> {
    let at = |problem| ReadError { path: path.to_owned(), problem };
    let bytes = fs::read(path).map_err(|error| at(Problem::File(error)))?;
    // Of a file that ends within a letter the rest can be read; elsewhere no JSON holds what is put in place of a letter, but for a text.
    let text = String::from_utf8_lossy(&bytes);
    if text.starts_with('#') {
        return text.parse().map(events_of).map_err(|error| at(Problem::Text(error)));
    }
    let mut events = Vec::new();
    let mut lines = text.lines().zip(1..).filter(|(line, _)| !line.trim().is_empty()).peekable();
    while let Some((line, number)) = lines.next() {
        match serde_json::from_str(line) {
            Ok(Event::Begun { format, .. }) if format != FORMAT => return Err(at(Problem::Version(format))),
            Ok(event) if event.time_us() > LAST_US => return Err(at(Problem::Time(number))),
            Ok(event) => events.push(event),
            // The last one, which was being written when its writer was ended.
            Err(_) if lines.peek().is_none() && !text.ends_with('\n') => {}
            Err(error) => return Err(at(Problem::Line(number, error))),
        }
    }
    match events.first() {
        Some(Event::Begun { .. }) => Ok(events),
        _ => Err(at(Problem::NoRecording)),
    }
}

fn events_of(recording: Recording) -> Vec<Event> {
    let begun = Event::Begun { format: FORMAT, target: recording.title().into(), epoch_us: 0 };
    let opened = Event::Opened { session: 1, at_us: 0, peer: None };
    let packets = recording.packets().iter().map(|packet| Event::Packet {
        session: 1,
        at_us: 0,
        to: packet.direction.into(),
        bytes: packet.bytes.to_vec(),
        descriptors: 0,
    });
    [begun, opened].into_iter().chain(packets).collect()
}

fn is_none(number: &usize) -> bool {
    *number == 0
}

/// The packet of an event, with its time since the recording began.
pub(super) fn packet(at_us: u64, to: To, bytes: &[u8]) -> RecordedPacket {
    RecordedPacket {
        direction: to.direction(),
        at: Duration::from_micros(at_us),
        bytes: Bytes::copy_from_slice(bytes),
    }
}

/// A file that is no recording.
#[derive(Debug)]
pub(crate) struct ReadError {
    path: PathBuf,
    problem: Problem,
}

#[derive(Debug)]
enum Problem {
    File(io::Error),
    Text(ParseRecordingError),
    Version(u32),
    Line(usize, serde_json::Error),
    Time(usize),
    NoRecording,
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = self.path.display();
        match &self.problem {
            Problem::File(error) => write!(f, "can't read {path}: {error}"),
            Problem::Text(error) => write!(f, "{path}: {error}"),
            Problem::Version(version) => {
                write!(
                    f,
                    "{path} is of version {version}, and this program reads {FORMAT}: use the one that wrote it"
                )
            }
            Problem::Line(line, error) => {
                write!(f, "{path}:{line}: this is no event of a recording: {error}")
            }
            Problem::Time(line) => {
                write!(f, "{path}:{line}: this is no event of a recording: its time is too large")
            }
            Problem::NoRecording => {
                write!(f, "{path} is no recording: expected a file that `drpc trace --record` wrote")
            }
        }
    }
}

impl std::error::Error for ReadError {}
